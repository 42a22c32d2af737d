"""What Python's collector is spared, so that it does not stop the console.

The collector looks at every object there is each time it makes a full round: with all that a
console imports and builds when it starts that takes a tenth of a second, and a key waits as long.
"""

import gc


def set_aside() -> None:
    """Have the collector leave alone for good what there is by now."""
    gc.freeze()
