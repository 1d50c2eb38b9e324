"""The space of designs of a task: what each setting may be, by what was asked for, the data and the limits."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from spikenas._util.errors import BudgetError, ConfigError
from spikenas.config import USUAL_TIMESTEPS, Config, usual_crop
from spikenas.memory import footprint, violations
from spikenas.space.design import Design
from spikenas.space.design_space import DesignSpace
from spikenas.space.space import Space
from spikenas.task.task import Task

_SIDES = (64, 48, 32, 28, 24, 20, 16)  # pixels of images that are brought to another size
_WIDTHS = (4, 6, 8, 10, 12, 14, 16, 20, 24, 28, 32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256)
_GREY_BELOW = 8  # times the bytes of a colour image that RAM is, below which grey ones are tried


def settings_of(design: Design, static: bool, asked: Config) -> dict[str, Any]:
    """Return the settings of a run with a design, by dotted key.

    Args:
        design: The design.
        static: Whether its input is an image.
        asked: What was set before anything was decided.
    """
    crop = {} if asked.train.crop is not None else {"train.crop": usual_crop(*design.image)}
    return design.settings(static) | crop


def design_space_of(task: Task, asked: Config) -> DesignSpace:
    """Return the designs that a task leaves open.

    A setting is what its list in `designs` says, else what `network` or `data` fix it to, else what suits the data.

    Args:
        task: The task.
        asked: What was set before anything was decided.

    Raises:
        ConfigError: A setting is fixed and has a list too, or the lists leave nothing.
    """
    config, input, given = task.config, task.input, task.config.designs
    for key in ("network.widths", "network.layer_bits", "space.shared"):
        if asked.value(key):
            raise ConfigError(f"{key}: a search of designs decides it for each cell; leave it out")

    def options(name: str, key: str, usual: Iterable[Any]) -> tuple[Any, ...]:
        listed, section, field = getattr(given, name), *key.split(".")
        fixed = getattr(getattr(asked, section), field) if _is_fixed(asked, key) else None
        if listed and fixed is not None:
            raise ConfigError(f"designs.{name}: {key} = {fixed!r} is set too; give one of them")
        return tuple(listed or ((fixed,) if fixed is not None else usual))

    bits = options("weight_bits", "network.weight_bits", (8, 4))
    if input.static:
        images = _images(task, options("image_sizes", "data.image_size", ()))
        colours = options("colours", "data.channels", _colours(task, images))
    else:
        images, colours = ((input.width, input.height),), (input.channels,)
    return DesignSpace(
        Space.of(config.space.ops, 1, config.space.nodes, config.space.feedback),
        images,
        colours,
        options("stem_strides", "network.stem_stride", (1, 2)),
        options("cells", "network.cells", (1, 2, 3)),
        options("channels", "network.channels", _WIDTHS),
        given.growths or (1.0, 1.5, 2.0),
        _neurons(task, options("neurons", "network.neuron", ("ilif",)), options("timesteps", "network.timesteps", ())),
        options("levels", "network.levels", (0,)),
        bits,
        options("membrane_bits", "network.membrane_bits", (16,)),
    )


def rule_of_thumb(task: Task) -> Design:
    """Return the design of usual cells, of the size, width and stride that limits suggest where no design is searched.

    It is narrower where usual cells of that width do not fit.

    Args:
        task: Its settings.

    Raises:
        BudgetError: Nothing meets the limits; the message says what would do.
    """
    sized = task.sized()
    space, widest = sized.space, sized.config.network.cell_widths[0]
    genotype = space.network((space.usual_cell,) * space.free_cells)
    narrower = [width for width in _WIDTHS[::-1] if width < widest]
    plans = (sized.but({"network.channels": width}).plan(genotype) for width in (widest, *narrower))
    fitting = (plan for plan in plans if not violations(footprint(plan), task.limits))
    return Design.of_plan(next(fitting, sized.plan(genotype)))


def _is_fixed(asked: Config, key: str) -> bool:
    section, _, field = key.partition(".")
    value = getattr(getattr(asked, section), field)
    return asked.is_decided(key) and value not in (None, "auto")


def _images(task: Task, sizes: tuple[Any, ...]) -> tuple[tuple[int, int], ...]:
    if sizes:
        pairs = [str(size).partition("x") for size in sizes]
        return tuple((int(width), int(height or width)) for width, _, height in pairs)
    width, height = task.common_size
    own = [(width, height)] if max(width, height) <= _SIDES[0] else []
    least = min(width, height) if own else min(width, height) + 1
    return tuple(own + [(side, side) for side in _SIDES if side < least]) or ((task.input.width, task.input.height),)


def _colours(task: Task, images: tuple[tuple[int, int], ...]) -> tuple[int, ...]:
    own, ram = task.config.data.channels or task.input.channels, task.limits.ram
    least = min(width * height for width, height in images)
    return (own, 1) if own == 3 and ram is not None and ram < _GREY_BELOW * own * least else (own,)


def _neurons(task: Task, kinds: tuple[Any, ...], timesteps: tuple[int, ...]) -> tuple[tuple[Any, int], ...]:
    if not task.input.static:
        return tuple((kind, task.config.network.timesteps) for kind in kinds)
    pairs = [(kind, T) for kind in kinds for T in (timesteps or (USUAL_TIMESTEPS[kind],)) if kind != "relu" or T == 1]
    if not pairs:
        raise ConfigError(f"designs.timesteps: relu neurons have T = 1, got {list(timesteps)}; nothing is left")
    return tuple(pairs)


def nothing_fits(task: Task, space: DesignSpace) -> BudgetError:
    """Return the error that says what would make room, where no design of a space meets the limits."""
    try:
        rule_of_thumb(task)
    except BudgetError as error:
        if not task.asked.designs.given():
            return error
    return BudgetError(
        f"no design that was drawn of {space.size:.2g} meets the limits; the lists in [designs] may leave out what does"
    )
