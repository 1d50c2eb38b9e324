"""Mutations: of bytes, of texts, of numbers, of values of JSON and of the cells of a table."""

from __future__ import annotations

import copy
import json
import random
from collections.abc import Callable
from typing import Any

NUMBERS = (
    *(
        "0",
        "-1",
        "-0.0",
        "1e400",
        "nan",
        "inf",
        "-inf",
        "0x10",
        "1_000",
        "1e999999999",
        "9" * 30,
        "9" * 4400,
        "-" + "9" * 4400,
    ),
    *(
        "2147483648",
        "99999999999",
        "18446744073709551616",
        "0.1",
        "1e-320",
        "1,5",
        "١٢",
        "１２",
        "+3",
        "3 ",
        "1e3",
        "1000000000",
    ),
)
WORDS = (
    *(
        "",
        " ",
        "null",
        "true",
        "auto",
        "none",
        "\x00",
        "a\x00b",
        "\ud800",
        "\u202e",
        "é",
        "[/b]",
        "[bold]x",
        "{}",
        "{0}",
        "%s",
        "%n",
    ),
    *(
        "\n",
        "a\nb",
        "\r",
        "\x1b[31m",
        "../../x",
        "~",
        "~/x",
        "/dev/zero",
        "/dev/null",
        "-",
        "--",
        "--help",
        "x" * 5000,
        "'",
        '"',
        "\\",
    ),
    *(
        "digits",
        "cuda",
        "cuda:9",
        "hpu",
        "mps",
        "meta",
        "cpu:7",
        "xla",
        "privateuseone",
        "[[" * 2000,
        "(" * 3000,
        ":",
        "images:",
        "idx:/",
    ),
)
VALUES: tuple[Any, ...] = (
    *(
        None,
        True,
        False,
        0,
        -1,
        1,
        2**31,
        2**63,
        2**64,
        10**25,
        10**400,
        0.5,
        -0.5,
        1e308,
        float("nan"),
        float("inf"),
        -float("inf"),
    ),
    *(
        "",
        "x",
        "nan",
        "\x00",
        "\ud800",
        "[/b]",
        "<script>",
        "a\nb",
        "x" * 5000,
        [],
        {},
        [[]],
        [None],
        {"a": 1},
        [1, "x"],
    ),
)


def mutate_bytes(raw: bytes, rng: random.Random) -> bytes:
    """Return other bytes: a few flipped or replaced, a part cut, doubled, zeroed or moved, or the end cut off."""
    made = bytearray(raw)
    for _ in range(rng.choice((1, 1, 1, 2, 4, 16, 64))):
        size = len(made)
        if not size:
            return bytes(rng.randbytes(rng.randrange(1, 32)))
        at = rng.randrange(min(size, rng.choice((16, 64, 512, size))))
        length = min(rng.choice((1, 2, 4, 8, 64)), size - at)
        match rng.randrange(9):
            case 0 | 1 | 2:
                made[at] ^= 1 << rng.randrange(8)
            case 3:
                made[at] = rng.choice((0, 1, 0x7F, 0x80, 0xFF))
            case 4:
                made[at : at + length] = rng.choice((b"\x00", b"\xff", b"\x7f")) * length
            case 5:
                del made[at : at + length]
            case 6:
                made[at:at] = made[at : at + length]
            case 7:
                made[at : at + length] = rng.randbytes(length)
            case 8:
                if rng.random() < 0.3:
                    del made[at:]
    return bytes(made)


def flip_bits(raw: bytes, rng: random.Random) -> bytes:
    """Return bytes with some bits flipped, as bad memory or a bad disk leaves them."""
    made = bytearray(raw)
    for _ in range(rng.choice((1, 1, 3, 30, 300))):
        made[rng.randrange(len(made))] ^= 1 << rng.randrange(8)
    return bytes(made)


def mutate_text(text: str, rng: random.Random) -> str:
    """Return another text: characters, words or numbers of it changed, or a part moved, doubled or taken out."""
    for _ in range(rng.choice((1, 1, 1, 2, 3, 8))):
        at = rng.randrange(len(text) + 1)
        end = min(len(text), at + rng.choice((1, 1, 2, 5, 20)))
        match rng.randrange(8):
            case 0:
                text = text[:at] + rng.choice(WORDS) + text[end:]
            case 1:
                text = text[:at] + rng.choice(NUMBERS) + text[end:]
            case 2:
                text = text[:at] + text[end:]
            case 3:
                text = text[:at] + text[at:end] * rng.choice((2, 3, 100)) + text[end:]
            case 4:
                text = (
                    text[:at]
                    + chr(rng.choice((rng.randrange(32), rng.randrange(128), rng.randrange(0xD7FF))))
                    + text[end:]
                )
            case 5:
                text = replace_number(text, rng)
            case 6:
                text = text[:at] + rng.choice("[]{}()=:,/@#.-+\"'\\\n\t ") + text[at:]
            case 7:
                other = rng.randrange(len(text) + 1)
                text = text[:at] + text[other : other + 20] + text[at:]
    return text


def replace_number(text: str, rng: random.Random) -> str:
    """Put another number in the place of one in a text."""
    places = [k for k, character in enumerate(text) if character.isdigit() and not text[k - 1 : k].isdigit()]
    if not places:
        return text + rng.choice(NUMBERS)
    at = end = rng.choice(places)
    while end < len(text) and (text[end].isdigit() or text[end] == "."):
        end += 1
    return text[:at] + rng.choice(NUMBERS) + text[end:]


def mutate_value(value: Any, rng: random.Random) -> Any:
    """Return a value of JSON with a part changed, taken out, doubled or of another type."""
    value = copy.deepcopy(value)
    for _ in range(rng.choice((1, 1, 1, 2, 4))):
        places = list(_places(value))
        if not places:
            return rng.choice(VALUES)
        holder, key = rng.choice(places)
        match rng.randrange(6):
            case 0:
                del holder[key]
            case 1 | 2 | 3:
                holder[key] = copy.deepcopy(rng.choice(VALUES))
            case 4:
                other_holder, other = rng.choice(places)
                holder[key] = copy.deepcopy(other_holder[other])
            case 5:
                if isinstance(holder, list):
                    holder.insert(key, copy.deepcopy(holder[key]))
                else:
                    holder[rng.choice(("x", "", str(key).upper()))] = copy.deepcopy(holder[key])
    return value


def _places(value: Any) -> Any:
    keys = list(value) if isinstance(value, dict) else range(len(value)) if isinstance(value, list) else ()
    for key in keys:
        yield value, key
        yield from _places(value[key])


def mutate_json(raw: bytes, rng: random.Random) -> bytes:
    """Return a file of JSON with its values changed or, less often, its text."""
    if rng.random() < 0.75:
        try:
            return json.dumps(mutate_value(json.loads(raw), rng), indent=2).encode()
        except RecursionError:
            return raw
    return mutate_lines(raw, rng)


def mutate_json_lines(raw: bytes, rng: random.Random) -> bytes:
    """Return lines of JSON, one of them changed."""
    lines = raw.splitlines()
    k = rng.randrange(len(lines))
    lines[k] = json.dumps(mutate_value(json.loads(lines[k]), rng)).encode()
    return b"\n".join(lines) + b"\n" if rng.random() < 0.8 else mutate_lines(raw, rng)


def mutate_lines(raw: bytes, rng: random.Random) -> bytes:
    """Return a file of text, changed as text or as bytes."""
    if rng.random() < 0.8:
        return mutate_text(raw.decode(errors="replace"), rng).encode(errors="surrogatepass")
    return mutate_bytes(raw, rng)


def mutate_table(raw: bytes, rng: random.Random) -> bytes:
    """Return a CSV file with a cell changed, or a row or column doubled or taken out."""
    if rng.random() < 0.3:
        return mutate_lines(raw, rng)
    rows = [line.split(",") for line in raw.decode().splitlines()]
    for _ in range(rng.choice((1, 1, 2, 4))):
        row = rng.choice(rows)
        if row:
            match rng.randrange(6):
                case 0 | 1:
                    row[rng.randrange(len(row))] = rng.choice(NUMBERS)
                case 2:
                    row[rng.randrange(len(row))] = rng.choice(WORDS)
                case 3:
                    del row[rng.randrange(len(row))]
                case 4:
                    row.append(rng.choice(row))
                case 5:
                    rows.insert(rng.randrange(len(rows)), list(row))
    return "\n".join(",".join(row) for row in rows).encode(errors="surrogatepass") + b"\n"


MUTATE: dict[str, Callable[[bytes, random.Random], bytes]] = {
    ".json": mutate_json,
    ".jsonl": mutate_json_lines,
    ".csv": mutate_table,
    ".toml": mutate_lines,
    ".txt": mutate_lines,
}
