"""Count the instructions and the stack of bringing a picture to a network's input, on each core.

python benchmarks/bench_pictures.py
"""

from __future__ import annotations

import argparse
import shutil
import tempfile
from pathlib import Path

from spikenas.deployment.toolchain import CORES, FIRMWARE, Core, compile_objects, emulate, link, section_sizes

CASES = ((96, 96, 3, 32, 3), (160, 120, 1, 32, 1), (320, 240, 3, 32, 3), (640, 480, 3, 32, 3))
BYTES = 3 << 20

MAIN = """
#include "picture.h"
#include "port.h"
static uint8_t pixels[{largest}], input[{frame}];
int main(void) {{
    snn_frame_t frame = {{{side}, {side}, {wanted}, SNN_STRETCH}};
    for (uint32_t i = 0; i < sizeof pixels; i++) pixels[i] = (uint8_t)(i * 2654435761u >> 24);
    port_paint_stack();
    port_start_counting();
    int found = snn_fit_picture(&frame, pixels, {width}, {height}, {channels}, input);
    uint64_t instructions = port_count();
    port_number("instructions_by_16", (uint32_t)(instructions / 16));
    port_number("stack_bytes", port_stack_bytes());
    port_number("images_equal", (uint32_t)(found + 1));
    return 0;
}}
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--cores", nargs="*", choices=list(CORES), default=["cortex-m0", "cortex-m4", "cortex-m7", "rv32"]
    )
    for name in parser.parse_args().cores:
        for case in CASES:
            width, height, channels, side, wanted = case
            found, code = count(CORES[name], case)
            said = (
                f"{16 * found['instructions_by_16'][0] / 1e6:8.2f} million, {found['stack_bytes'][0]:5} bytes of stack"
            )
            print(
                f"{name:10} {width}x{height}x{channels} to {side}x{side}x{wanted}: {said}, {code} bytes of code",
                flush=True,
            )


def count(core: Core, case: tuple[int, int, int, int, int]) -> tuple[dict[str, list[int]], int]:
    width, height, channels, side, wanted = case
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for file in ("picture.c", "picture.h", "port.h", "port_device.c", "startup.c"):
            shutil.copy(str(FIRMWARE / file), folder)
        texts = {"width": width, "height": height, "channels": channels, "side": side, "wanted": wanted}
        text = MAIN.format(largest=width * height * channels, frame=side * side * wanted, **texts)
        (folder / "main.c").write_text(text, encoding="utf-8")
        objects = compile_objects(core, folder, ("picture", "main", "port_device", "startup"))
        code = section_sizes(core, folder / "picture.o")
        link(core, folder, objects, min(BYTES, core.emulated_flash_bytes), BYTES, ("snn_fit_picture",))
        return emulate(core, folder), sum(size for key, size in code.items() if key.startswith(".text"))


if __name__ == "__main__":
    main()
