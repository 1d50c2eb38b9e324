"""Measure the code size of the prototype kernels, and check that they compute what they claim to.

    python measure.py [--out sizes.json]     needs arm-none-eabi-gcc and newlib
    python measure.py --check                needs gcc

The memory model's allowances for code (base, each kernel, each call) are these figures, rounded up.
"""

from __future__ import annotations

import argparse
import ctypes
import json
import random
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).resolve().parent
PREFIX = "arm-none-eabi-"
FLAGS = ["-std=c11", "-O2", "-Wall", "-Wextra", "-Werror", "-mcpu=cortex-m4", "-mthumb"]
FLAGS += ["-ffunction-sections", "-fdata-sections"]
VARIANTS = {"": (16, 16), "map 8": (8, 16), "membrane 8": (16, 8)}
EXCEPTION_BYTES = 32  # what the core itself pushes, without floating-point state
DESCRIPTOR_BYTES = 24  # sizeof(conv_t), asserted in start.c
LINKER_SCRIPT = """
MEMORY {
  FLASH (rx) : ORIGIN = 0x08000000, LENGTH = 1M
  RAM (rwx) : ORIGIN = 0x20000000, LENGTH = 128K
}
ENTRY(reset)
SECTIONS {
  .text : { KEEP(*(.vectors)) *(.text*) } > FLASH
  .rodata : ALIGN(4) { *(.rodata*) } > FLASH
  .example : { *(.example) } > FLASH
  .data : ALIGN(4) { data_start = .; *(.data*) . = ALIGN(4); data_end = .; } > RAM AT > FLASH
  data_load = LOADADDR(.data);
  .bss (NOLOAD) : ALIGN(4) { bss_start = .; *(.bss*) . = ALIGN(4); bss_end = .; } > RAM
  stack_top = ORIGIN(RAM) + LENGTH(RAM);
  /DISCARD/ : { *(.ARM.exidx*) *(.ARM.attributes) }
}
"""


def run(*command: str | Path) -> str:
    done = subprocess.run([str(part) for part in command], capture_output=True, text=True)
    if done.returncode:
        sys.exit(f"measure.py: {Path(command[0]).name} failed:\n{done.stderr}")
    return done.stdout


def need(tool: str, package: str) -> None:
    if not shutil.which(tool):
        print(f"measure.py: {tool} is not on the PATH; install it (Debian: {package})", file=sys.stderr)
        sys.exit(2)


def symbols(binary: Path) -> dict[str, int]:
    """Bytes of every function, its literal pool included."""
    rows = (line.split() for line in run(PREFIX + "nm", "-S", binary).splitlines())
    return {row[3]: int(row[1], 16) for row in rows if len(row) == 4 and row[2] in "TtWR"}


def linked(folder: Path, objects: list[Path], roots: list[str]) -> tuple[int, dict[str, int]]:
    """Bytes of flash of a linked program that holds `roots`, without its example image; and its functions."""
    script, program = folder / "link.ld", folder / "program.elf"
    script.write_text(LINKER_SCRIPT)
    options = [
        *FLAGS,
        "-nostartfiles",
        "-Wl,--gc-sections",
        f"-Wl,-T,{script}",
        *(f"-Wl,-u,{root}" for root in roots),
    ]
    run(PREFIX + "gcc", *options, *objects, "-o", program)
    rows = (line.split() for line in run(PREFIX + "size", "-A", program).splitlines())
    sizes = {row[0]: int(row[1]) for row in rows if len(row) == 3 and row[0].startswith(".")}
    return sum(sizes.get(name, 0) for name in (".text", ".rodata", ".data")), symbols(program)


def up(size: int, step: int = 4) -> int:
    return -(-size // step) * step


def measure() -> dict:
    need(PREFIX + "gcc", "gcc-arm-none-eabi libnewlib-arm-none-eabi")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        sizes: dict[str, dict[str, int]] = {}
        stack: dict[str, int] = {}
        for variant, (map_bits, membrane_bits) in reversed(VARIANTS.items()):  # the plain one's objects stay
            for source in ("kernels", "start"):
                widths = [f"-DMAP_BITS={map_bits}", f"-DMEMBRANE_BITS={membrane_bits}"]
                made = folder / f"{source}.o"
                run(PREFIX + "gcc", *FLAGS, *widths, "-fstack-usage", "-c", HERE / f"{source}.c", "-o", made)
            sizes[variant] = symbols(folder / "kernels.o")
        kernels = sizes[""]
        for file in folder.glob("*.su"):
            for line in file.read_text().splitlines():
                place, size, _ = line.split("\t")
                stack[place.rsplit(":", 1)[1]] = int(size)
        objects = [folder / "start.o", folder / "kernels.o"]
        base, parts = linked(folder, objects, [])
        whole, _ = linked(folder, objects, sorted(kernels))
        start = symbols(folder / "start.o")
    call = {way: (start[f"calls_{way}_8"] - start[f"calls_{way}_4"]) / 4 for way in ("conv", "mixed", "by")}
    deepest = max(kernels, key=lambda kernel: stack[kernel])
    return {
        "compiler": run(PREFIX + "gcc", "--version").splitlines()[0],
        "flags": FLAGS,
        "kernel_bytes": kernels,
        "variant_bytes": {v: {k: s for k, s in sizes[v].items() if s != kernels[k]} for v in VARIANTS if v},
        "base_bytes": base,
        "base_parts": {name: size for name, size in parts.items() if name != "example"},
        "call_bytes": {
            "conv_scatter, 8 constant arguments": call["conv"],
            "lif and conv_scatter in turn": call["mixed"],
            "one constant descriptor": call["by"] + DESCRIPTOR_BYTES,
        },
        "linked_bytes": whole,
        "linked_minus_parts_bytes": whole - base - sum(up(size) for size in kernels.values()),
        "stack_bytes": {
            "kernels": {kernel: stack[kernel] for kernel in kernels},
            "network of 8 calls": stack["calls_mixed_8"],
            "deepest": f"reset, snn_run with the calls, {deepest}",
            "total": stack["reset"] + stack["snn_run"] + stack["calls_mixed_8"] + stack[deepest],
            "one interrupt": EXCEPTION_BYTES,
        },
    }


def show(result: dict) -> None:
    print(result["compiler"], " ".join(result["flags"]), sep="\n")
    print(f"\n{'kernel':24}{'bytes':>8}{'stack':>8}  8-bit map, 8-bit membrane")
    for name, size in result["kernel_bytes"].items():
        others = [str(result["variant_bytes"][variant].get(name, "=")) for variant in result["variant_bytes"]]
        print(f"{name:24}{size:8}{result['stack_bytes']['kernels'][name]:8}  {', '.join(others)}")
    print(f"\n{'base, linked':24}{result['base_bytes']:8}")
    for name, size in result["base_parts"].items():
        print(f"  {name:22}{size:8}")
    print("\nper call")
    for name, size in result["call_bytes"].items():
        print(f"  {name:36}{size:8.1f}")
    difference = result["linked_minus_parts_bytes"]
    print(
        f"\nbase and all kernels, linked: {result['linked_bytes']} bytes, {difference:+} against the sum of the parts"
    )
    depth = result["stack_bytes"]
    print(f"deepest stack: {depth['total']} bytes ({depth['deepest']}), {depth['one interrupt']} more for an interrupt")


# The check: every kernel against a computation as plain as possible, on random shapes.

Maps = list[int]


def c_array(kind: type, values: Maps) -> ctypes.Array:
    return (kind * len(values))(*values)


class Check:
    """One round of comparisons; maps are flat lists, [H][W][C]."""

    def __init__(self, library: ctypes.CDLL, rng: random.Random, map_bits: int, membrane_bits: int) -> None:
        self.library, self.rng = library, rng
        self.map_max, self.membrane_max = (1 << map_bits - 1) - 1, (1 << membrane_bits - 1) - 1
        self.map = {8: ctypes.c_int8, 16: ctypes.c_int16}[map_bits]
        self.membrane = {8: ctypes.c_int8, 16: ctypes.c_int16}[membrane_bits]

        class Affine(ctypes.Structure):
            _fields_ = [("mul", ctypes.c_int16), ("shift", ctypes.c_uint16), ("add", ctypes.c_int32)]

        class Conv(ctypes.Structure):
            _fields_ = [
                *((name, ctypes.c_void_p) for name in ("spikes", "weights", "target")),
                *((name, ctypes.c_uint16) for name in ("height", "width", "in_channels", "out_channels", "kernel")),
            ]

        class Lif(ctypes.Structure):
            _fields_ = [
                *((name, ctypes.c_void_p) for name in ("map", "affine", "membrane", "spikes")),
                ("neurons", ctypes.c_uint32), ("channels", ctypes.c_uint16),
                ("leak", ctypes.c_int16), ("threshold", ctypes.c_int16),
            ]  # fmt: skip

        self.Affine, self.Conv, self.Lif = Affine, Conv, Lif

    def ints(self, count: int, low: int, high: int) -> Maps:
        return [self.rng.randint(low, high) for _ in range(count)]

    def affines(self, count: int, shift: int) -> list[tuple[int, int, int]]:
        return [(self.rng.randint(-32768, 32767), shift, self.rng.randint(-300, 300)) for _ in range(count)]

    def c_affines(self, values: list[tuple[int, int, int]]) -> ctypes.Array:
        return (self.Affine * len(values))(*values)

    def clamp(self, value: int, top: int = 0) -> int:
        top = top or self.map_max
        return max(-top - 1, min(top, value))

    def bits(self, spikes: Maps) -> ctypes.Array:
        words = [0] * -(-len(spikes) // 32)
        for n, spike in enumerate(spikes):
            words[n // 32] |= spike << n % 32
        return c_array(ctypes.c_uint32, words)

    def same(self, name: str, got: ctypes.Array, expected: Maps) -> None:
        if list(got) != expected:
            sys.exit(f"measure.py: {name} is wrong: got {list(got)[:12]}, expected {expected[:12]}")

    @staticmethod
    def scaled(value: int, affine: tuple[int, int, int]) -> int:
        mul, shift, add = affine
        return (value * mul * 2 + (1 << shift)) // (2 << shift) + add  # rounds half up

    @staticmethod
    def convolved(image: Maps, weights: Maps, place, h: int, w: int, ci: int, co: int, k: int, stride: int = 1) -> Maps:
        """The definition of a convolution; place(o, i, ky, kx) is where its weight is."""
        out = []
        for oy in range(0, h, stride):
            for ox in range(0, w, stride):
                for o in range(co):
                    total = 0
                    for ky in range(k):
                        for kx in range(k):
                            y, x = oy + ky - k // 2, ox + kx - k // 2
                            if 0 <= y < h and 0 <= x < w:
                                total += sum(
                                    image[(y * w + x) * ci + i] * weights[place(o, i, ky, kx)] for i in range(ci)
                                )
                    out.append(total)
        return out

    @staticmethod
    def windows(image: Maps, h: int, w: int, c: int, k: int) -> Maps:
        """Sums over k x k windows with stride k; what is left over is dropped."""
        return [
            sum(image[((y * k + ky) * w + x * k + kx) * c + i] for ky in range(k) for kx in range(k))
            for y in range(h // k) for x in range(w // k) for i in range(c)
        ]  # fmt: skip

    def lif_reference(self, inputs: Maps, state: Maps, leak: int, threshold: int) -> tuple[Maps, Maps]:
        fired = []
        for n, value in enumerate(inputs):
            v = state[n] + ((self.clamp(value, self.membrane_max) - state[n]) * leak * 2 + (1 << 14)) // (1 << 15)
            fired.append(int(v >= threshold))
            state[n] = 0 if fired[-1] else v
        return fired, state

    def round(self) -> None:
        lib, rng, top = self.library, self.rng, self.map_max
        h, w, ci, co, k = (
            rng.randint(2, 7),
            rng.randint(2, 7),
            rng.randint(1, 9),
            rng.randint(1, 9),
            rng.choice((1, 3, 5)),
        )
        inputs, outputs = h * w * ci, h * w * co
        spikes = [int(rng.random() < rng.choice((0.1, 0.5))) for _ in range(inputs)]
        packed = self.bits(spikes)
        # Either nothing saturates or all weights push the same way, so that the order does not matter.
        full = rng.random() < 0.4

        def weights(count: int, limit: int) -> Maps:
            return self.ints(count, 0, limit) if full else self.ints(count, -1, min(1, limit))

        def start(count: int) -> Maps:
            return self.ints(count, top - 60, top) if full or not top else self.ints(count, -20, 20)

        for name, width, pool in (
            ("conv_scatter", 8, 0), ("conv_scatter_pool", 8, 1), ("conv_scatter_4bit", 4, 0),
            ("conv_scatter_2bit", 2, 0), ("conv_scatter_by", 8, 0),
        ):  # fmt: skip
            values = weights(ci * k * k * co, (1 << width - 1) - 1)
            sums = self.convolved(spikes, values, lambda o, i, y, x: ((i * k + y) * k + x) * co + o, h, w, ci, co, k)
            sums = self.windows(sums, h, w, co, 2) if pool else sums
            before = start(len(sums))
            store = [0] * -(-len(values) * width // 8)
            for n, value in enumerate(values):
                store[n * width // 8] |= (value & (1 << width) - 1) << n * width % 8
            target = c_array(self.map, before)
            matrix = c_array(ctypes.c_uint8, store)
            if name.endswith("_by"):
                lib[name](ctypes.byref(self.Conv(*map(ctypes.addressof, (packed, matrix, target)), h, w, ci, co, k)))
            else:
                lib[name](packed, matrix, target, h, w, ci, co, k)
            self.same(name, target, [self.clamp(a + b) for a, b in zip(before, sums, strict=True)])

        for pool in (0, 1):
            leak, threshold = rng.randint(1, 16384), rng.randint(1, self.membrane_max)
            source, state = self.ints(inputs, -top - 1, top), self.ints(inputs, -100, 100)
            affine, values = self.affines(ci, rng.randint(10, 18)), weights(ci * k * k * co, 127)
            c_map, c_affine, c_state = (
                c_array(self.map, source),
                self.c_affines(affine),
                c_array(self.membrane, state),
            )
            fired, after = self.lif_reference(
                [self.scaled(x, affine[n % ci]) for n, x in enumerate(source)], state, leak, threshold
            )
            if not pool:
                buffer, copy = self.bits([0] * inputs), c_array(self.membrane, list(c_state))
                lib.lif(c_map, c_affine, copy, buffer, inputs, ci, leak, threshold)
                self.same("lif", copy, after)
                self.same("lif spikes", buffer, list(self.bits(fired)))
            sums = self.convolved(fired, values, lambda o, i, y, x: ((i * k + y) * k + x) * co + o, h, w, ci, co, k)
            sums = self.windows(sums, h, w, co, 2) if pool else sums
            before = start(len(sums))
            target, matrix = c_array(self.map, before), c_array(ctypes.c_int8, values)
            pointers = map(ctypes.addressof, (c_map, c_affine, c_state))
            lif = self.Lif(*pointers, None, inputs, ci, leak, threshold)
            conv = self.Conv(None, *map(ctypes.addressof, (matrix, target)), h, w, ci, co, k)
            name = "lif_conv_pool" if pool else "lif_conv"
            lib[name](ctypes.byref(lif), ctypes.byref(conv))
            self.same(name, target, [self.clamp(a + b) for a, b in zip(before, sums, strict=True)])
            self.same(name + " membranes", c_state, after)

        wide, affine, state = (
            self.ints(inputs, -100000, 100000),
            self.affines(inputs, 20),
            self.ints(inputs, -100, 100),
        )
        c_state, buffer = c_array(self.membrane, state), self.bits([0] * inputs)
        lib.lif_wide(c_array(ctypes.c_int32, wide), self.c_affines(affine), c_state, buffer, inputs, 12288, 50)
        fired, after = self.lif_reference(
            [self.scaled(x, a) for x, a in zip(wide, affine, strict=True)], state, 12288, 50
        )
        self.same("lif_wide", c_state, after)
        self.same("lif_wide spikes", buffer, list(self.bits(fired)))

        for stride in (1, 2):
            image, values, affine = (
                self.ints(inputs, -128, 127),
                self.ints(co * 9 * ci, -127, 127),
                self.affines(co, 24),
            )
            sums = self.convolved(
                image, values, lambda o, i, y, x: ((o * 3 + y) * 3 + x) * ci + i, h, w, ci, co, 3, stride
            )
            target = c_array(self.map, [0] * len(sums))
            image, values = c_array(ctypes.c_int8, image), c_array(ctypes.c_int8, values)
            lib.input_conv(image, values, self.c_affines(affine), target, h, w, ci, co, stride)
            self.same("input_conv", target, [self.clamp(self.scaled(x, affine[n % co])) for n, x in enumerate(sums)])

        values, before = weights(ci * k * k, 127), start(inputs)
        sums = [0] * inputs
        for c in range(ci):
            plane = self.convolved(spikes[c::ci], values[c * k * k :], lambda o, i, y, x: y * k + x, h, w, 1, 1, k)
            sums[c::ci] = plane
        target = c_array(self.map, before)
        lib.depthwise_scatter(packed, c_array(ctypes.c_int8, values), target, h, w, ci, k)
        self.same("depthwise_scatter", target, [self.clamp(a + b) for a, b in zip(before, sums, strict=True)])

        source, values = self.ints(inputs, -top - 1, top), self.ints(co * ci, -127, 127)
        affine, before = self.affines(co, 22), self.ints(outputs, -top - 1, top)
        sums = self.convolved(source, values, lambda o, i, y, x: o * ci + i, h, w, ci, co, 1)
        c_map, target = c_array(self.map, source), c_array(self.map, before)
        lib.pointwise(c_map, c_array(ctypes.c_int8, values), self.c_affines(affine), target, h * w, ci, co)
        expected = [
            self.clamp(b + self.scaled(x, affine[n % co])) for n, (b, x) in enumerate(zip(before, sums, strict=True))
        ]
        self.same("pointwise", target, expected)

        before = self.ints(inputs, -top - 1, top)
        factor = (32768 // (k * k), 15, 0)
        target = c_array(self.map, before)
        lib.avgpool_same(c_map, target, h, w, ci, k)
        sums = [0] * inputs
        for c in range(ci):
            sums[c::ci] = self.convolved(source[c::ci], [1], lambda o, i, y, x: 0, h, w, 1, 1, k)
        expected = [self.clamp(b + self.scaled(x, factor)) for b, x in zip(before, sums, strict=True)]
        self.same("avgpool_same", target, expected)
        sums = self.windows(source, h, w, ci, 2)
        target = c_array(self.map, before[: len(sums)])
        lib.avgpool_stride(c_map, target, h, w, ci, 2)
        expected = [self.clamp(b + self.scaled(x, (8192, 15, 0))) for b, x in zip(before, sums, strict=False)]
        self.same("avgpool_stride", target, expected)
        times, target = rng.randint(1, 3), c_array(self.map, before)
        lib.sum(c_map, target, inputs, times)
        self.same("sum", target, [self.clamp(a + times * b) for a, b in zip(before, source, strict=True)])
        lib.fill(target, c_map, h * w, ci)
        self.same("fill", target, source[:ci] * (h * w))

        counts = c_array(ctypes.c_int32, [5] * ci)
        lib.global_pool(packed, counts, h * w, ci)
        self.same("global_pool", counts, [5 + sum(spikes[c::ci]) for c in range(ci)])
        for name, pool in (("linear_spikes", 1), ("linear_spikes_pool", 2), ("linear_counts", 1)):
            features = self.windows(spikes, h, w, ci, pool)
            if name == "linear_counts":
                features = self.ints(inputs, 0, 5000)
            values, before = self.ints(len(features) * co, -127, 127), self.ints(co, -1000, 1000)
            target, matrix = c_array(ctypes.c_int32, before), c_array(ctypes.c_int8, values)
            if name == "linear_counts":
                lib[name](c_array(ctypes.c_int32, features), matrix, target, inputs, co)
            elif name == "linear_spikes":
                lib[name](packed, matrix, target, inputs, co)
            else:
                lib[name](packed, matrix, target, h, w, ci, co, pool)
            sums = [sum(f * values[n * co + o] for n, f in enumerate(features)) for o in range(co)]
            self.same(name, target, [a + b for a, b in zip(before, sums, strict=True)])
        values = self.ints(co * k, -1000, 1000)
        target = c_array(ctypes.c_int32, [0] * co)
        lib.vote(c_array(ctypes.c_int32, values), target, co, k)
        groups = [sum(values[c * k : c * k + k]) for c in range(co)]
        self.same("vote", target, groups)
        if lib.argmax(target, co) != groups.index(max(groups)):
            sys.exit("measure.py: argmax is wrong")


def check(rounds: int = 60) -> None:
    need("gcc", "gcc")
    with tempfile.TemporaryDirectory() as name:
        for number, (map_bits, membrane_bits) in enumerate(VARIANTS.values()):
            library = Path(name) / f"kernels{number}.so"
            widths = [f"-DMAP_BITS={map_bits}", f"-DMEMBRANE_BITS={membrane_bits}"]
            run(
                "gcc",
                "-std=c11",
                "-O2",
                "-shared",
                "-fPIC",
                *widths,
                HERE / "kernels.c",
                HERE / "start.c",
                "-o",
                library,
            )
            loaded = ctypes.CDLL(str(library))
            for seed in range(rounds):
                Check(loaded, random.Random(seed), map_bits, membrane_bits).round()
    print(
        f"all kernels agree with the reference: {rounds} random shapes, {len(VARIANTS)} widths",
        file=sys.stderr,
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, help="write the figures as JSON")
    parser.add_argument(
        "--check", action="store_true", help="compare the kernels with a reference instead of measuring"
    )
    options = parser.parse_args()
    if options.check:
        check()
        return
    result = measure()
    show(result)
    if options.out:
        options.out.write_text(json.dumps(result, indent=2) + "\n")


if __name__ == "__main__":
    main()
