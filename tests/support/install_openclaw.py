"""``python -m tests.support.install_openclaw``: get what the acceptance tests boot, once a machine.

Exit 0 when it is there or its registry cannot be reached, with the reason printed; 1 otherwise.
"""

import sys

import pytest

from tests.support.openclaw_lab import install, versions_to_boot


def main() -> int:
    """Install and say what was done."""
    try:
        for version in versions_to_boot():
            print(f"OpenClaw {version} ready:", " ".join(install(version)))
    except pytest.skip.Exception as reason:
        print(f"SKIPPED: {reason}")
    except pytest.fail.Exception as reason:
        print(f"FAILED: {reason}")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
