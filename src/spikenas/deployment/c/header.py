"""Writes `network.h`: what a program that uses the network needs, and all that its input must be."""

from __future__ import annotations

from spikenas.integers.integers import IntegerNetwork
from spikenas.space.plan import InputSpec


def network_header(network: IntegerNetwork, arena_bytes: int) -> str:
    """Return `network.h`."""
    plan = network.plan
    spec, T = plan.input, plan.network.timesteps
    frames = 1 if spec.static else T
    parts = (
        "write a frame to snn_input(), then snn_start(),\n * SNN_TIMESTEPS times snn_step(), snn_finish()"
        if spec.static
        else "snn_start(), for each timestep a frame to\n * snn_input() and snn_step(), then snn_finish()"
    )
    labels = ",\n    ".join(map(c_string, network.classes))
    return f"""/* A network made by SpikeNAS: {plan.genotype}. */
#ifndef SNN_NETWORK_H
#define SNN_NETWORK_H
#include <stdint.h>

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
#define SNN_MEMBRANE_BITS {plan.network.membrane_bits}
#define SNN_ARENA_BYTES {arena_bytes}

/* The input: SNN_FRAMES frames of SNN_HEIGHT rows from the top, SNN_WIDTH pixels from the left, {_channels(network)}.
 * So the byte of a frame that belongs to channel c, row y and column x is [(y * SNN_WIDTH + x) * SNN_CHANNELS + c];
 * the arrays of training are [{"" if spec.static else "T, "}C, H, W].
{_values(network)} */
#define SNN_INPUT_SCALE {1 / network.input_scale!r}f

/* One inference. The scores, one for each class, stay until the next call; the class is that of the largest, the first
 * of several. */
const int32_t *snn_run(const uint8_t *frames);

/* The same in parts, without a copy of the input: {parts}. */
uint8_t *snn_input(void);
void snn_start(void);
void snn_step(void);
const int32_t *snn_finish(void);

/* Names of the classes, in UTF-8; they take no memory where they are not used. */
static const char *const snn_labels[SNN_CLASSES]
#ifdef __GNUC__
    __attribute__((unused))
#endif
    = {{
    {labels}}};

#ifdef __cplusplus
}}
#endif
#endif
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
    if not spec.static:
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


def _values(network: IntegerNetwork) -> str:
    """Lines that say what a byte stands for."""
    spec = network.plan.input
    if spec.static and network.input_scale == 1 / 255:
        lines: tuple[str, ...] = (
            *_bytes_of(spec),
            _FITS[spec.fit],
            "BILINEAR does, which averages where they become smaller.",
        )
    else:
        lines = (
            "A byte is a value of the training data times SNN_INPUT_SCALE, rounded to the nearest (halves to even),",
            "at most 255; where SNN_INPUT_SCALE is 1, it is a number of events.",
        )
    return "\n".join(f" * {line}" for line in lines)
