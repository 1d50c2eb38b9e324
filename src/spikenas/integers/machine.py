"""Runs a program on any kind of values: integers of a reference, tensors, intervals.

A machine knows what each kernel does with its values; the order of the kernels, the phases and the buffers are here.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray

from spikenas.memory.program import Program, Step

Integers = NDArray[np.int64]
V = TypeVar("V")


class Machine(Protocol[V]):
    """Knows what the kernels do with values of one kind, and keeps the membranes."""

    def zero(self, name: str) -> V:
        """Return a buffer that holds 0."""

    def compute(self, step: Step, reads: Sequence[V], target: V | None) -> V:
        """Return what a kernel leaves in its buffer.

        Args:
            step: The call.
            reads: What is in the buffers it reads.
            target: What is in the buffer it writes; None where the kernel begins it.
        """


def execute(program: Program, machine: Machine[V], frames: Sequence[V]) -> V:
    """Run one inference.

    Args:
        program: The kernels.
        machine: What they do.
        frames: The image, or the event frame of each timestep.
    Returns:
        What the last kernel left.
    """
    values: dict[str, V] = {}

    def run(phase: str) -> None:
        for step in program.steps:
            if step.phase == phase:
                reads = [values[program.buffer_of(name)] for name in step.reads]
                written = program.buffer_of(step.writes)
                values[written] = machine.compute(step, reads, None if step.begins else values[written])

    values["input"] = frames[0]
    run("once")
    for name in sorted(program.begin_as_zero):
        if not name.endswith(".membrane"):
            values[name] = machine.zero(name)
    for t in range(program.plan.network.timesteps):
        values["input"] = frames[0] if program.plan.input.static else frames[t]
        run("each")
    run("last")
    return values[program.buffer_of(program.steps[-1].writes)]
