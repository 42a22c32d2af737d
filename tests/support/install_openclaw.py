"""``python -m tests.support.install_openclaw``: get what the acceptance tests boot, once a machine.

Exit 0 when it is there or its registry cannot be reached, with the reason printed; 1 otherwise.
"""

import sys

import pytest

from tests.support.openclaw_lab import (
    NOT_ASKED,
    OLDEST_VERSION,
    OPENCLAW_VERSION,
    install,
    newest_version,
)


def main() -> int:
    """Install the oldest supported, the pinned and the newest release, and say what was done."""
    newest = newest_version()
    if newest is None:
        print(f"SKIPPED: {NOT_ASKED}")
    try:
        for version in dict.fromkeys(
            (OLDEST_VERSION, OPENCLAW_VERSION, newest or OPENCLAW_VERSION)
        ):
            print(f"OpenClaw {version} ready:", " ".join(install(version)))
    except pytest.skip.Exception as reason:
        print(f"SKIPPED: {reason}")
    except pytest.fail.Exception as reason:
        print(f"FAILED: {reason}")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
