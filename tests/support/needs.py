"""What a test needs from the machine: skipped with a reason on a laptop, missed loudly in CI."""

import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import NoReturn

import pytest

SSHD = Path("/usr/sbin/sshd")


def in_ci() -> bool:
    """Whether everything a test needs must be there."""
    return os.environ.get("CI") == "true"


def missing(what: str) -> NoReturn:
    """End this test: skipped on a laptop, failed in CI, where nothing may be quietly left out."""
    if in_ci():
        pytest.fail(f"{what}; CI must have it", pytrace=False)
    pytest.skip(what)


def not_allowed(what: str) -> NoReturn:
    """Skip this test, in CI too: what it needs is a right that a machine may not give anybody."""
    pytest.skip(what)


def no_sshd() -> str | None:
    """Why there can be no real SSH server here, or None."""
    if not SSHD.exists():
        return f"no OpenSSH server at {SSHD}"
    return None if shutil.which("ssh") else "no ssh program on PATH"


def no_tmux() -> str | None:
    """Why there can be no real terminal here, or None."""
    return None if shutil.which("tmux") else "no tmux on PATH"


def no_root() -> str | None:
    """Why nothing can be done here as another user, or None."""
    return None if os.geteuid() == 0 else "only root can act as another user"


NEEDS: dict[str, Callable[[], str | None]] = {"sshd": no_sshd, "tmux": no_tmux}
"""A mark and what says why it cannot be met. ``openclaw`` is met by its own fixture, which
installs what it needs."""

RIGHTS: dict[str, Callable[[], str | None]] = {"root": no_root}
"""The same for rights, which CI need not have either."""
