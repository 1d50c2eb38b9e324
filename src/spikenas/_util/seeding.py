"""Seeds and digests that depend on what goes in, never on the order of drawing."""

from hashlib import blake2b


def seed_of(*keys: int | str) -> int:
    """A 63-bit seed from any keys; the same in every process."""
    return int.from_bytes(blake2b(repr(keys).encode(), digest_size=8).digest(), "big") >> 1


def digest_of(*parts: str | bytes) -> str:
    """12 hexadecimal digits; equal for equal parts, in every process."""
    digest = blake2b(digest_size=6)
    for part in parts:
        data = part.encode() if isinstance(part, str) else part
        digest.update(len(data).to_bytes(8, "big") + data)
    return digest.hexdigest()
