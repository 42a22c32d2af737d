"""Schedules Python's full garbage collections for moments without typing.

Each of them visits every object. With everything that a console imports and builds, and with a
large fleet, that takes a tenth of a second, and a key pressed meanwhile waits that long.
"""

import gc

NEVER = 2**31 - 1
AT_REST = 10
"""Smaller collections after which a full one is due; the same number as in Python."""
AT_LAST = 200
"""Smaller collections after which a full one is done even during continuous typing, so that memory
stays bounded. This is some 1.4 million objects."""
LOOK_EVERY_S = 2.0


class Tidying:
    """Full collections in moments in which no key waits for a response."""

    def __init__(self) -> None:
        self._is_begun = False
        self._keys = 0

    def begin(self) -> None:
        """From now on full collections happen only here. Existing objects are exempted
        permanently."""
        self._is_begun = True
        young, middle, _ = gc.get_threshold()
        gc.set_threshold(young, middle, NEVER)
        gc.freeze()

    def look(self, keys: int) -> bool:
        """Do a full collection if one is due; returns whether it was. ``keys`` is the number
        pressed so far: no change since the last call means no typing."""
        is_at_rest, self._keys = keys == self._keys, keys
        due = self._is_begun and gc.get_count()[2] >= (AT_REST if is_at_rest else AT_LAST)
        if due:
            gc.collect()
        return due
