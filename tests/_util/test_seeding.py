import subprocess
import sys

from spikenas._util.seeding import digest_of, seed_of


def test_the_same_in_another_process() -> None:
    code = "from spikenas._util.seeding import *; print(seed_of(3, 'a'), digest_of('a', b'b'))"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    assert found == [str(seed_of(3, "a")), digest_of("a", b"b")]


def test_parts_are_told_apart() -> None:
    assert len({digest_of(*parts) for parts in (["ab", "c"], ["a", "bc"], ["abc"], ["abc", ""], [])}) == 5
    assert len({seed_of(1, "2"), seed_of("1", "2"), seed_of(12), seed_of("12")}) == 4
