"""Make seeds and digests that depend on what goes in, never on the order of drawing."""

from hashlib import blake2b


def seed_of(*keys: int | str) -> int:
    """Return a 63-bit seed from any keys; it is the same in every process."""
    return int.from_bytes(blake2b(repr(keys).encode(), digest_size=8).digest(), "big") >> 1


def digest_of(*parts: str | bytes) -> str:
    """Return 12 hexadecimal digits that are equal for equal parts, in every process."""
    digest = blake2b(digest_size=6)
    for part in parts:
        data = part.encode() if isinstance(part, str) else part
        digest.update(len(data).to_bytes(8, "big") + data)
    return digest.hexdigest()
