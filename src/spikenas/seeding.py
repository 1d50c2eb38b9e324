"""Seeds that depend on what is drawn, never on the order of drawing."""

from hashlib import blake2b


def seed_of(*keys: int | str) -> int:
    """A 63-bit seed from any keys; the same in every process."""
    return int.from_bytes(blake2b(repr(keys).encode(), digest_size=8).digest(), "big") >> 1
