import math

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binomtest

from spikenas._util.proportions import difference, wilson

CASES = [(0, 1), (1, 1), (60, 61), (18, 40), (359, 359), (4321, 10000)]


@pytest.mark.parametrize(("right", "count"), CASES)
def test_wilson_is_as_scipy_computes_it(right: int, count: int) -> None:
    expected = binomtest(right, count).proportion_ci(0.95, "wilson")
    found = wilson(right / count, count)
    assert found == pytest.approx((expected.low, expected.high), abs=1e-9)


def test_the_difference_of_newcombe_s_paper() -> None:
    """Table II, (a) 56/70 less 48/80 and (h) 10/10 less 0/10, by method 10."""
    assert difference(56 / 70, 70, 48 / 80, 80) == pytest.approx((0.0524, 0.3339), abs=5e-5)
    assert difference(1.0, 10, 0.0, 10) == pytest.approx((0.6075, 1.0), abs=5e-5)


@given(st.integers(1, 500), st.integers(1, 500), st.data())
def test_intervals_hold_what_was_seen(first: int, second: int, data: st.DataObject) -> None:
    a, b = data.draw(st.integers(0, first)) / first, data.draw(st.integers(0, second)) / second
    assert 0 <= wilson(a, first).low <= a <= wilson(a, first).high <= 1
    found, turned = difference(a, first, b, second), difference(b, second, a, first)
    assert found.low <= a - b <= found.high
    assert found == pytest.approx((-turned.high, -turned.low))
    assert wilson(a, 4 * first).high - wilson(a, 4 * first).low < wilson(a, first).high - wilson(a, first).low
    assert not math.isnan(found.low)
