from __future__ import annotations

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from spikenas._util.units import (
    format_duration,
    format_energy,
    format_instructions,
    format_size,
    format_time,
    parse_count,
    parse_duration,
    parse_scaled,
    parse_size,
)

QUICK = settings(max_examples=80, deadline=None)


@pytest.mark.parametrize(
    ("text", "size_bytes"),
    [
        (4096, 4096),
        ("4096", 4096),
        ("12B", 12),
        ("96KiB", 98_304),
        ("96 KiB", 98_304),
        (" 1KB ", 1_000),
        ("0.5MB", 500_000),
        ("1.5MiB", 1_572_864),
        ("128KB", 128_000),
        ("96kB", 96_000),
        ("96kib", 98_304),
        ("96 KIB", 98_304),
        ("96K", 98_304),
        ("96k", 98_304),
        ("0.5mb", 500_000),
        ("2M", 2_097_152),
    ],
)
def test_sizes(text: object, size_bytes: int) -> None:
    assert parse_size(text) == size_bytes


@pytest.mark.parametrize(
    ("text", "count"), [(7, 7), ("7", 7), ("500k", 500_000), ("3K", 3_000), ("1.2M", 1_200_000), ("1.2m", 1_200_000)]
)
def test_counts(text: object, count: int) -> None:
    assert parse_count(text) == count


@pytest.mark.parametrize(
    "text", ["96kibi", "96 G", "KiB", "٩KiB", "9" * 5_000, "-1KiB", "1e3B", "1,000B", "", "1.KiB", True, None]
)
def test_what_is_no_size(text: object) -> None:
    rule = r"a size such as 96KiB \(units B, K = KiB = 1,024, KB = 1,000, M = MiB, MB; in any case\)"
    with pytest.raises(ValueError, match=rule):
        parse_size(text)


@pytest.mark.parametrize("text", ["1KiB", "1g", "-5", "many", "", "1.2.3M", False])
def test_what_is_no_count(text: object) -> None:
    with pytest.raises(ValueError, match=r"a count such as 1.2M \(k = 1,000, M = 1,000,000; in any case\)"):
        parse_count(text)


@QUICK
@given(st.integers(0, 10**7))
def test_decimal_fractions_are_exact(thousandths: int) -> None:
    text = f"{thousandths // 1000}.{thousandths % 1000:03}"
    assert parse_count(f"{text}k") == thousandths
    assert parse_count(f"{text}M") == thousandths * 1000
    assert parse_size(f"{text}KB") == thousandths
    assert parse_size(f"{text}KiB") == thousandths * 1024 // 1000


@pytest.mark.parametrize(
    ("size_bytes", "text"),
    [
        (0, "0 B"),
        (1023, "1,023 B"),
        (1024, "1.0 KiB"),
        (98_304, "96.0 KiB"),
        (1_572_864, "1.50 MiB"),
        (-2048, "-2.0 KiB"),
    ],
)
def test_sizes_for_people(size_bytes: int, text: str) -> None:
    assert format_size(size_bytes) == text


@QUICK
@given(st.integers(0, 2**40))
def test_what_is_shown_is_within_its_last_digit(size_bytes: int) -> None:
    shown = format_size(size_bytes)
    number, unit = shown.replace(",", "").split(" ")
    scale = {"B": 1, "KiB": 1024, "MiB": 1024**2}[unit]
    assert abs(float(number) * scale - size_bytes) <= {"B": 0, "KiB": 52, "MiB": 5243}[unit]


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        (90, 90),
        (0.5, 0.5),
        ("90", 90),
        ("45s", 45),
        ("20m", 1200),
        ("20 M", 1200),
        ("1h30m", 5400),
        ("1d 2h 3m 4s", 93_784),
    ],
)
def test_times(text: object, seconds: float) -> None:
    assert parse_duration(text) == seconds


@pytest.mark.parametrize("text", ["", "m", "20min", "30m1h", "1:30", "-5s", "nan", "soon", True, None, "1h1h", "٣m"])
def test_what_is_no_time(text: object) -> None:
    with pytest.raises(
        ValueError, match=r"^expected a time such as 20m, 1h30m or 90s \(units d, h, m, s\), or seconds$"
    ):
        parse_duration(text)


@pytest.mark.parametrize("value", ["367d", "8785h", 4e7, math.inf, 10**400])
def test_times_of_more_than_a_year(value: object) -> None:
    with pytest.raises(ValueError, match=r"^expected at most 366d$"):
        parse_duration(value)


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0.25, "0.25 s"), (45, "45 s"), (60, "1 min"), (1200, "20 min"), (3600, "1 h"), (5430, "1 h 30 min")],
)
def test_times_for_people(seconds: float, text: str) -> None:
    assert format_duration(seconds) == text


@pytest.mark.parametrize(
    ("text", "unit", "value"),
    [
        ("50ms", "s", 0.05), ("20 us", "s", 2e-5), ("20\u00b5s", "s", 2e-5), ("0.1s", "s", 0.1),
        (0.25, "s", 0.25),
        ("2mJ", "J", 0.002), ("500uj", "J", 5e-4), ("168MHz", "Hz", 168e6), ("32 khz", "Hz", 32e3), ("1GHz", "Hz", 1e9),
        ("80mW", "W", 0.08),
    ],
)  # fmt: skip
def test_times_energies_and_clocks(text: object, unit: str, value: float) -> None:
    assert parse_scaled(text, unit, "50ms") == pytest.approx(value)


@pytest.mark.parametrize("text", ["50", "50 m", "ms", "50minutes", "-1ms", "5e3ms", "50mHz", "1m", "", True, None])
def test_what_is_no_time_is_refused(text: object) -> None:
    with pytest.raises(ValueError, match="expected a number with a unit, such as 50ms"):
        parse_scaled(text, "s", "50ms")


def test_times_energies_and_instructions_for_people() -> None:
    assert [format_time(value) for value in (1.25, 0.0482, 3.1e-5, 2e-9)] == ["1.25 s", "48.2 ms", "31 us", "2 ns"]
    assert [format_time(value) for value in (0.9996, 1234.5, 0.9994)] == ["1 s", "1,234 s", "999 ms"]
    assert [format_energy(value) for value in (0.0021, 4.2e-4)] == ["2.1 mJ", "420 uJ"]
    assert [format_instructions(value) for value in (950, 6_631_936, 1.2345e9)] == [
        *("950", "6.63 million", "1,234 million")
    ]
