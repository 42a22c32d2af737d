"""Task ids that can be made anywhere and sort by creation time.

A ULID (https://github.com/ulid/spec) is 48 bits of milliseconds since the Unix epoch and 80 random
bits, written as 26 characters of Crockford's base 32. The caller supplies time and random bytes.
"""

from fleet_tui.core.ids import TaskId

ENTROPY_BYTES = 10
MAX_ULID_MS = 2**48 - 1
ULID_CHARS = 26

_ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
"""No I, L, O or U: they are misread or make words."""


def new_ulid(now_ms: int, entropy: bytes) -> TaskId:
    """A task id made at ``now_ms`` from ENTROPY_BYTES random bytes. A clock before 1970 counts as
    1970: the random bytes alone make an id unique."""
    now_ms = max(0, now_ms)
    assert now_ms <= MAX_ULID_MS, now_ms
    assert len(entropy) == ENTROPY_BYTES, len(entropy)
    number = now_ms << (8 * ENTROPY_BYTES) | int.from_bytes(entropy)
    digits = [_ALPHABET[number >> 5 * place & 31] for place in range(ULID_CHARS)]
    return TaskId("".join(reversed(digits)))
