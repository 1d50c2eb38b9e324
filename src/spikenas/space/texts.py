"""Read genotypes and inputs as people give them: one text, or a file with one genotype a line."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TypeVar

from spikenas._util.errors import ConfigError, GenotypeError
from spikenas._util.files import read_text
from spikenas.config import BENCH, MOST_CHANNELS, MOST_CLASSES, MOST_SIDE
from spikenas.space.cell import parse_bench
from spikenas.space.design import Design
from spikenas.space.genotype import Genotype
from spikenas.space.ops import BENCH_OPS
from spikenas.space.plan import InputSpec

T = TypeVar("T")

_BENCH_INPUTS = {
    "cifar10": InputSpec(3, 32, 32, 10),
    "cifar100": InputSpec(3, 32, 32, 100),
    "tinyimagenet": InputSpec(3, 64, 64, 200),
}


def parse_input(shape: str, classes: int) -> InputSpec:
    """Read the shape of an input such as `3x32x32`.

    Args:
        shape: Text `CHANNELSxHEIGHTxWIDTH`.
        classes: Number of classes.

    Raises:
        ConfigError: The shape is not three numbers within the limits, or there are no classes or too many.
    """
    match = re.fullmatch(r"([1-9][0-9]{0,4})x([1-9][0-9]{0,4})x([1-9][0-9]{0,4})", shape)
    if not match or not 1 <= classes <= MOST_CLASSES:
        raise ConfigError(f"--input {shape} --classes {classes}: expected CHANNELSxHEIGHTxWIDTH such as 3x32x32")
    channels, height, width = map(int, match.groups())
    if channels > MOST_CHANNELS or max(height, width) > MOST_SIDE:
        raise ConfigError(
            f"--input {shape}: expected at most {MOST_CHANNELS:,} channels of {MOST_SIDE:,}x{MOST_SIDE:,}"
        )
    return InputSpec(channels, height, width, classes)


def read_genotype(text: str, space: str | None, cells: int | None, default_cells: int = 2) -> Genotype:
    """Read a genotype; one cell alone is put in all places.

    Args:
        text: Text or matrix form; in SpikeNAS-Bench's space also an id or six op digits.
        space: Name of the space; None allows the text and matrix forms alone.
        cells: Number of cells that the network must have; None takes those of the text.
        default_cells: Number of places that a cell alone is put in where `cells` is None.

    Raises:
        GenotypeError: The text cannot be read, or has another number of cells.
    """
    if is_bench(space) and text.strip().isdecimal():
        genotype = Genotype((parse_bench(text.strip(), BENCH_OPS),))
    else:
        genotype = Genotype.parse(text)
    if len(genotype.cells) == 1:
        genotype = Genotype(genotype.cells * (cells or default_cells))
    if cells and len(genotype.cells) != cells:
        raise GenotypeError(f"genotype {text.strip()!r}: has {len(genotype.cells)} cells, the network {cells}")
    return genotype


def bench_input(space: str) -> InputSpec:
    """Return what the networks of SpikeNAS-Bench's space are given, such as that of `spikenas-bench:cifar100`."""
    return _BENCH_INPUTS[space.partition(":")[2] or "cifar10"]


def is_bench(space: str | None) -> bool:
    """Say whether a name is that of SpikeNAS-Bench's space, with a data set or without."""
    return space is not None and space.partition(":")[0] == BENCH


def is_design(text: str) -> bool:
    """Say whether a text is that of a design rather than a genotype: it begins with an input."""
    return re.match(r"\s*\d+x\d+x\d+\b", text) is not None


def parse_candidate(text: str) -> Genotype | Design:
    """Read a genotype or a design.

    Raises:
        ConfigError: It cannot be read as a design, or contradicts itself.
        GenotypeError: It cannot be read as a genotype.
    """
    return Design.parse(text) if is_design(text) else Genotype.parse(text)


def read_genotypes(path: Path, read: Callable[[str], T]) -> Iterator[tuple[str, T]]:
    """Read the lines of a file; empty lines and those that begin with # are passed over.

    Args:
        path: File with one genotype a line.
        read: Function that makes something of the text of a genotype.

    Yields:
        The text of each line, and what was made of it.

    Raises:
        ConfigError: The file cannot be read, or holds nothing, or a line cannot be read as a design.
        GenotypeError: A line cannot be read as a genotype; the message names it.
    """
    found = False
    for number, line in enumerate(read_text(path, ConfigError).splitlines(), start=1):
        if line.strip() and not line.lstrip().startswith("#"):
            found = True
            try:
                yield line.strip(), read(line)
            except (ConfigError, GenotypeError) as error:
                raise type(error)(f"{path}, line {number}: {error}") from None
    if not found:
        raise ConfigError(f"{path}: no genotypes in it; expected one a line")
