"""``secret:keyring:``: found, missing, locked, and a machine without a keyring.

The package is not one of ours, so a small one with its names stands in for it.
"""

import sys
import threading
from types import ModuleType, SimpleNamespace

import pytest

from fleet_tui.core.agents.vitals import FailureKind
from fleet_tui.wire import secrets
from fleet_tui.wire.secrets import Secret, SecretProblem, resolve_secret

REFERENCE = "secret:keyring:fleet/agent-01"


class KeyringError(Exception):
    pass


class NoKeyringError(KeyringError, RuntimeError):
    pass


class KeyringLocked(KeyringError):
    pass


class Keyring(ModuleType):
    """What ``import keyring`` gives; the real one has these names in these places."""

    def __init__(self) -> None:
        super().__init__("keyring")
        self.held: dict[tuple[str, str], str] = {}
        self.fails: Exception | None = None
        self.answers = threading.Event()
        self.answers.set()
        self.errors = SimpleNamespace(NoKeyringError=NoKeyringError, KeyringLocked=KeyringLocked)

    def get_password(self, service: str, user: str) -> str | None:
        self.answers.wait()
        if self.fails is not None:
            raise self.fails
        return self.held.get((service, user))


@pytest.fixture
def keyring(monkeypatch: pytest.MonkeyPatch) -> Keyring:
    module = Keyring()
    monkeypatch.setitem(sys.modules, "keyring", module)
    return module


async def said() -> str:
    found = await resolve_secret(REFERENCE)
    assert isinstance(found, SecretProblem), found
    assert found.kind is FailureKind.SECRET_MISSING
    return found.detail.raw


async def test_a_secret_that_is_there(keyring: Keyring) -> None:
    keyring.held["fleet", "agent-01"] = "s3cret"
    found = await resolve_secret(REFERENCE)
    assert isinstance(found, Secret)
    assert found.reveal() == "s3cret"
    assert "s3cret" not in repr(found)


async def test_a_secret_that_is_not_there(keyring: Keyring) -> None:
    assert await said() == (
        "the keyring has nothing for fleet/agent-01; to add it: keyring set fleet agent-01"
    )


async def test_a_machine_without_a_keyring(keyring: Keyring) -> None:
    keyring.fails = NoKeyringError("No recommended backend was available. Install one")
    assert await said() == "no keyring is set up for the user the engine runs as"


async def test_a_keyring_that_is_locked(keyring: Keyring) -> None:
    keyring.fails = KeyringLocked("Failed to unlock the collection!")
    assert await said() == "the keyring is locked"


async def test_a_keyring_that_fails_does_not_show_what_it_holds(keyring: Keyring) -> None:
    keyring.fails = OSError("dbus: s3cret")
    assert await said() == "the keyring does not answer: OSError"


async def test_a_keyring_that_waits_for_somebody(
    keyring: Keyring, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(secrets, "KEYRING_TIMEOUT_S", 0.05)
    keyring.answers.clear()
    try:
        assert "may be waiting to be unlocked" in await said()
    finally:
        keyring.answers.set()


async def test_the_package_is_not_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "keyring", None)
    assert "needs the Python package keyring" in await said()


async def test_what_it_holds_is_no_secret(keyring: Keyring) -> None:
    keyring.held["fleet", "agent-01"] = "two\nlines"
    assert "fleet/agent-01 does not hold a single short line" in await said()
