"""Writes the headers of a network: what a program that uses the network needs, and all that its input must be."""

from __future__ import annotations

import re
from zlib import crc32

from spikenas._util.errors import DeployError
from spikenas.deployment.toolchain import FIRMWARE
from spikenas.integers.integers import IntegerNetwork
from spikenas.space.plan import InputSpec

PREFIX = "snn"
KERNELS = ("kernels.c", "dense.c", "gather.c", "rows.h", "kernels.h", "inline.h")
PICTURE = ("picture.c", "picture.h")  # in every folder, since networks share it
_LABELS = "@LABELS@"  # in the place of names that are not to be changed


def check_prefix(prefix: str) -> None:
    """Check that names of C can begin with a prefix.

    Raises:
        DeployError: They cannot.
    """
    if not re.fullmatch(r"[a-z][a-z0-9_]{0,30}", prefix):
        wanted = "a lower-case letter, then such letters, digits and _, at most 31"
        raise DeployError(f"--prefix {prefix}: no beginning of a name in C; expected {wanted}")


def stem_of(prefix: str) -> str:
    """Return what the generated files are called, without their suffix, so as no other header is."""
    return "network" if prefix == PREFIX else f"snn_{prefix}"


def takes_pictures(network: IntegerNetwork) -> bool:
    """Say whether an input is a picture, grey or of three colours, of 8 bits a value."""
    spec = network.plan.input
    return spec.static and network.input_scale == 1 / 255 and spec.channels in (1, 3)


def network_header(network: IntegerNetwork, arena_bytes: int, prefix: str = PREFIX) -> str:
    """Return the header of a network.

    Args:
        network: The integers.
        arena_bytes: RAM that it takes.
        prefix: What its names begin with.
    """
    plan = network.plan
    spec, T = plan.input, plan.network.timesteps
    frames = 1 if spec.static else T
    pictures = takes_pictures(network)
    parts = (
        "write a frame to snn_input(), then snn_start(),\n * SNN_TIMESTEPS times snn_step(), snn_finish()"
        if spec.static
        else "snn_start(), for each timestep a frame to\n * snn_input() and snn_step(), then snn_finish()"
    )
    labels = ",\n    ".join(map(c_string, network.classes))
    lines = "\n".join(f" * {line}" for line in input_in_words(network))
    text = f"""/* A network made by SpikeNAS: {plan.genotype}. */
#ifndef SNN_NETWORK_H
#define SNN_NETWORK_H
#include <stdint.h>
{_PICTURE_HEADER if pictures else ""}
#ifdef __cplusplus
extern "C" {{
#endif

#define SNN_CHANNELS {spec.channels}
#define SNN_HEIGHT {spec.height}
#define SNN_WIDTH {spec.width}
#define SNN_FRAME_BYTES {spec.channels * spec.height * spec.width}
#define SNN_FRAMES {frames} /* of one inference */
#define SNN_TIMESTEPS {T}
#define SNN_CLASSES {spec.classes}
#define SNN_ARENA_BYTES {arena_bytes} /* of RAM, which it keeps */

/* The input: SNN_FRAMES frames of SNN_HEIGHT rows from the top, SNN_WIDTH pixels from the left, {_channels(network)}.
 * So the byte of a frame that belongs to channel c, row y and column x is [(y * SNN_WIDTH + x) * SNN_CHANNELS + c];
 * the arrays of training are [{"" if spec.static else "T, "}C, H, W].
{lines} */
#define SNN_INPUT_SCALE {1 / network.input_scale!r}f

/* One inference. The scores, one for each class, stay until the next call; the class is that of the largest, the first
 * of several. */
const int32_t *snn_run(const uint8_t *frames);

/* The same in parts, without a copy of the input: {parts}. */
uint8_t *snn_input(void);
void snn_start(void);
void snn_step(void);
const int32_t *snn_finish(void);

/* The class of scores. */
static inline int snn_class_of(const int32_t *scores) {{
    int best = 0;
    for (int c = 1; c < SNN_CLASSES; c++)
        if (scores[c] > scores[best]) best = c;
    return best;
}}

/* One inference; the number of the class. */
static inline int snn_classify(const uint8_t *frames) {{ return snn_class_of(snn_run(frames)); }}
{_classify_picture(spec) if pictures else ""}
/* Names of the classes, in UTF-8; they take no memory where they are not used. */
static const char *const snn_labels[SNN_CLASSES]
#ifdef __GNUC__
    __attribute__((unused))
#endif
    = {{
    {_LABELS}}};

#ifdef __cplusplus
}}
#endif
#endif
"""
    return with_prefix(text, prefix).replace(_LABELS, labels)


def with_prefix(text: str, prefix: str) -> str:
    """Return a text whose names of the network begin with another prefix; those of the kernels stay."""
    own = "|".join(("run", "input", "start", "step", "finish", "labels", "class_of", "classify", "classify_picture"))
    macros = "|".join((
        "NETWORK_H", "CHANNELS", "HEIGHT", "WIDTH", "FRAME_BYTES", "FRAMES", "TIMESTEPS", "CLASSES", "ARENA_BYTES",
        "INPUT_SCALE",
    ))  # fmt: skip
    text = re.sub(rf"\bsnn_({own})\b", rf"{prefix}_\1", text)
    return re.sub(rf"\bSNN_({macros})\b", rf"{prefix.upper()}_\1", text)


_PICTURE_HEADER = """
#include "picture.h"
"""


def _classify_picture(spec: InputSpec) -> str:
    return f"""
/* The class of a picture of another size, [height][width][channels] bytes with 1 or 3 channels, from the top left; -1
 * where it is too large (picture.h). */
static inline int snn_classify_picture(const uint8_t *pixels, uint32_t width, uint32_t height, uint32_t channels) {{
    static const snn_frame_t frame = {{SNN_HEIGHT, SNN_WIDTH, SNN_CHANNELS, SNN_{spec.fit.upper()}}};
    if (snn_fit_picture(&frame, pixels, width, height, channels, snn_input()) < 0) return -1;
    snn_start();
    for (int t = 0; t < SNN_TIMESTEPS; t++) snn_step();
    return snn_class_of(snn_finish());
}}
"""


def digest_of_kernels(network: IntegerNetwork) -> str:
    """Return a number, in C, of the kernels that a network is written for."""
    texts = [(FIRMWARE / name).read_bytes() for name in (*KERNELS, *PICTURE)]
    return hex(crc32(b"".join([*texts, bytes([network.plan.network.membrane_bits])])))


def membranes_header(network: IntegerNetwork) -> str:
    """Return `membranes.h`, which the kernels are compiled with."""
    digest = digest_of_kernels(network)
    return f"""/* Networks with the same file share the kernels; of others the linker misses snn_stem_... */
#define SNN_MEMBRANE_BITS {network.plan.network.membrane_bits}
#define SNN_KERNELS {digest}
#define snn_stem snn_stem_{digest[2:]:0>8}
"""


def c_string(text: str) -> str:
    """Return a text as a C string of its bytes in UTF-8; what is not plain ASCII is escaped."""
    plain = (
        chr(byte) if 32 <= byte < 127 and chr(byte) not in '"?\\' else f"\\{byte:03o}"
        for byte in text.encode("utf-8", "surrogateescape")
    )
    return f'"{"".join(plain)}"'


def _channels(network: IntegerNetwork) -> str:
    spec = network.plan.input
    if not spec.static or spec.channels not in (1, 3):
        return f"{spec.channels} channel{'s' if spec.channels > 1 else ''} a pixel in the order of the data"
    return "red, green, blue" if spec.channels == 3 else "a byte of grey each, 0 black"


_FITS = {
    "stretch": "Pictures of another size are resized before, and their aspect ratio is changed, as Pillow's",
    "crop": "Pictures of another size are cut to the aspect ratio, the same on both sides, and resized as Pillow's",
    "pad": "Pictures of another size are resized to fit within, with bars of grey 128 around them, as Pillow's",
}


def _bytes_of(spec: InputSpec) -> tuple[str, str]:
    if spec.value_range is None:
        return (
            "A byte is 0 to 255, as in a picture file, and is not normalised; where values are from 0 to 1, it is",
            "the value times SNN_INPUT_SCALE.",
        )
    low, high = spec.value_range
    return (
        f"Pixels of more than 8 bits were trained with values from {low:g} to {high:g}: a byte is",
        f"(value - {low:g}) * 255 / {high - low:g}, rounded, at least 0 and at most 255; of 8 bits it is the pixel.",
    )


def input_in_words(network: IntegerNetwork) -> tuple[str, ...]:
    """Return lines that say what a byte of the input stands for; `SNN_INPUT_SCALE` is in them."""
    spec = network.plan.input
    if spec.static and network.input_scale == 1 / 255:
        resized = "BILINEAR does, which averages where they become smaller"
        resized += "; snn_classify_picture() does it." if takes_pictures(network) else "."
        return (*_bytes_of(spec), _FITS[spec.fit], resized)
    return (
        "A byte is a value of the training data times SNN_INPUT_SCALE, rounded to the nearest (halves to even),",
        "at most 255; where SNN_INPUT_SCALE is 1, it is a number of events.",
    )
