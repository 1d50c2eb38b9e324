"""Fills in the templates of texts about a network: README, examples, build files."""

from __future__ import annotations

import json
from functools import cache
from typing import Any

from jinja2 import ChoiceLoader, Environment, PackageLoader, StrictUndefined

from spikenas._util.provenance import versions
from spikenas._util.units import format_energy, format_instructions, format_size, format_time
from spikenas.deployment.c.header import KERNELS, PICTURE, input_in_words, stem_of, takes_pictures
from spikenas.integers.integers import IntegerNetwork
from spikenas.memory import footprint


def fill(template: str, network: IntegerNetwork, prefix: str, **more: Any) -> str:
    """Return a template with what it says of a network filled in.

    Args:
        template: Its name, without `.jinja`.
        network: The integers.
        prefix: What the names in C begin with.
        more: Further values.
    """
    plan = network.plan
    values = {
        "p": prefix,
        "P": prefix.upper(),
        "stem": stem_of(prefix),
        "spec": plan.input,
        "T": plan.network.timesteps,
        "classes": network.classes,
        "pictures": takes_pictures(network),
        "sources": [f"{stem_of(prefix)}.c", *(name for name in (*KERNELS, *PICTURE) if name.endswith(".c"))],
        "cost": footprint(plan),
        "plan": plan,
        "version": versions()["spikenas"],
        "input": input_in_words(network),
        "scale": 1 / network.input_scale,
    }
    return _environment().get_template(f"{template}.jinja").render(values | more)


def _quoted(text: str) -> str:
    """Return a text in quotes, readable and in one line, whatever is in it."""
    return json.dumps(text, ensure_ascii=False).encode("utf-8", "backslashreplace").decode("utf-8")


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=ChoiceLoader([
            PackageLoader("spikenas.deployment.c", "templates"),
            PackageLoader("spikenas.deployment", "projects"),
        ]),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )  # fmt: skip
    environment.filters |= {
        "quoted": _quoted,
        "size": format_size,
        "instructions": format_instructions,
        "time": format_time,
        "energy": format_energy,
    }
    return environment
