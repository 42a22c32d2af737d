"""When Python's collector does its full rounds: not while somebody types.

It looks at every object there is in each of them. With all that a console imports and builds, and
with a large fleet, that takes a tenth of a second, and a key that comes meanwhile waits as long.
"""

import gc

NEVER = 2**31 - 1
AT_REST = 10
"""Smaller rounds after which a full one is due; as many as Python would wait for."""
AT_LAST = 200
"""Smaller rounds after which it is done even if somebody types without a pause: memory is bounded
all the same. They are some 1.4 million objects."""
LOOK_EVERY_S = 2.0


class Tidying:
    """Full rounds of the collector in moments in which nobody waits for an answer."""

    def __init__(self) -> None:
        self._is_begun = False
        self._keys = 0

    def begin(self) -> None:
        """From now on full rounds are made here alone. What there is by now is spared for good."""
        self._is_begun = True
        young, middle, _ = gc.get_threshold()
        gc.set_threshold(young, middle, NEVER)
        gc.freeze()

    def look(self, keys: int) -> bool:
        """Make a full round if one is due; tells whether it was. ``keys`` is how many were pressed
        so far: none since the last look means that nobody types."""
        is_at_rest, self._keys = keys == self._keys, keys
        due = self._is_begun and gc.get_count()[2] >= (AT_REST if is_at_rest else AT_LAST)
        if due:
            gc.collect()
        return due
