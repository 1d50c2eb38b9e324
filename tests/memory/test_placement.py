from __future__ import annotations

from hypothesis import given, settings

from programs import Case, cases
from spikenas.memory import make_arena, make_program

QUICK = settings(max_examples=60, deadline=None)


@QUICK
@given(cases())
def test_buffers_that_are_needed_together_do_not_overlap(case: Case) -> None:
    program = make_program(case.plan)
    arena = make_arena(program)
    placed = [(b, arena.offsets[b.name], arena.offsets[b.name] + b.size_bytes) for b in program.buffers]
    assert all(start % 4 == 0 and end <= arena.size_bytes for _, start, end in placed)
    for one, start, end in placed:
        for other, other_start, other_end in placed:
            if one.name != other.name and one.first <= other.last and other.first <= one.last:
                assert end <= other_start or other_end <= start, (one, other)


@QUICK
@given(cases())
def test_the_arena_is_no_smaller_than_what_is_live_and_no_larger_than_everything(case: Case) -> None:
    program = make_program(case.plan)
    arena = make_arena(program)
    assert max(arena.live_bytes) <= arena.size_bytes <= sum(buffer.size_bytes for buffer in program.buffers)


@QUICK
@given(cases())
def test_what_begins_as_zero_lies_together(case: Case) -> None:
    program = make_program(case.plan)
    arena = make_arena(program)
    zeroed = [buffer for buffer in program.buffers if buffer.name in program.begin_as_zero]
    assert sum(buffer.size_bytes for buffer in zeroed) == arena.zeroed_bytes
    assert all(arena.offsets[buffer.name] < arena.zeroed_bytes for buffer in zeroed)
    loop = [index for index, step in enumerate(program.steps) if step.phase == "each"]
    for buffer in program.buffers:
        if buffer not in zeroed and buffer.last >= loop[0] and buffer.first <= loop[-1]:
            assert arena.offsets[buffer.name] >= arena.zeroed_bytes
