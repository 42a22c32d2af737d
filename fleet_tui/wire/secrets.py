"""Resolves references to secrets when they are used; values are held in memory only.

A fleet file names secrets by reference (``secret:env:NAME``, ``secret:file:PATH``,
``secret:host:PATH``, ``secret:keyring:SERVICE/USER``). A path to a JSON file may name a place in
it: ``secret:host:~/.openclaw/openclaw.json#gateway.auth.token``.
"""

import asyncio
import os
import threading
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from importlib import import_module
from pathlib import Path

import msgspec

from fleet_tui.base.files import open_regular
from fleet_tui.base.redact import know
from fleet_tui.core.agents.vitals import FailureKind
from fleet_tui.core.text.untrusted import NOTHING_SAID, Untrusted
from fleet_tui.wire.json_place import MAX_JSON_BYTES, split_place, text_at
from fleet_tui.wire.ssh.pool import FileFailure, FileFault, SshConnection, SshFailure
from fleet_tui.wire.words import words_of

MAX_SECRET_BYTES = 8_192
KEYRING_TIMEOUT_S = 30.0
"""Long enough for a person to unlock it."""

_asking_keyring = threading.Lock()


class Secret:
    """A value that does not show itself in a repr, a log or a traceback."""

    __slots__ = ("_value",)

    def __init__(self, value: str) -> None:
        know(value)  # an agent may repeat it
        self._value = value

    def reveal(self) -> str:
        """The value, for the one place that sends it."""
        return self._value

    def __repr__(self) -> str:
        return "Secret(…)"


class SecretProblem(msgspec.Struct, frozen=True, kw_only=True):
    """Why a secret cannot be resolved; never contains a part of one."""

    kind: FailureKind
    detail: Untrusted = NOTHING_SAID


Connect = Callable[[], Awaitable[SshConnection | SshFailure]]


async def resolve_secret(
    reference: str,
    *,
    connect: Connect | None = None,
    env: Mapping[str, str] | None = None,
) -> Secret | SecretProblem:
    """Look up a reference. ``connect`` reaches the agent's host, for ``secret:host:``."""
    scheme, _, rest = reference.partition(":")
    kind, _, place = rest.partition(":")
    if scheme != "secret" or not place:
        # Not quoted: it may be the secret itself, which must not appear on a screen.
        return _missing("expected a reference such as secret:env:NAME")
    match kind:
        case "env":
            found = (os.environ if env is None else env).get(place)
            if found is None:
                return _missing(f"the variable {place} is not set where the engine runs")
            return _checked(found.encode("utf-8", "surrogateescape"), f"the variable {place}")
        case "file":
            return await asyncio.to_thread(_from_file, place)
        case "host":
            return await _from_host(place, connect)
        case "keyring":
            return await _from_keyring(place)
        case _:  # any other text in a fleet file
            return _missing(f"secret:{kind}: is not a kind of reference that may be used here")


def _missing(detail: str) -> SecretProblem:
    return SecretProblem(kind=FailureKind.SECRET_MISSING, detail=words_of(detail))


def _checked(data: bytes, where: str) -> Secret | SecretProblem:
    """One line of text, without the line break most editors add."""
    try:
        value = data.decode("utf-8").rstrip("\r\n")
    except UnicodeDecodeError:
        return _missing(f"{where} does not hold text")
    if not value:
        return _missing(f"{where} is empty")
    if len(data) > MAX_SECRET_BYTES or not value.isprintable():
        return _missing(f"{where} does not hold a single short line")
    return Secret(value)


def _limit(steps: str) -> int:
    return MAX_JSON_BYTES if steps else MAX_SECRET_BYTES


def _in_file(data: bytes, steps: str, where: str) -> Secret | SecretProblem:
    """The secret in a file: all of its content, or the text at a place in it."""
    if not steps:
        return _checked(data, where)
    try:
        return _checked(text_at(data, steps).encode("utf-8", "surrogatepass"), where)
    except ValueError as error:
        return _missing(f"{where} {error}")


def _from_file(named: str) -> Secret | SecretProblem:
    place, steps = split_place(named)
    path = Path(place).expanduser()
    try:
        with open_regular(path) as file:
            found = os.fstat(file.fileno())
            if found.st_uid not in (os.getuid(), 0):
                return _missing(f"{path} belongs to another user")
            if found.st_mode & 0o077:
                return _missing(f"{path} can be read by others; run: chmod 600 {path}")
            return _in_file(file.read(_limit(steps) + 1), steps, str(path))
    except OSError as error:
        return _missing(f"{path}: {error.strerror}")


async def _from_host(named: str, connect: Connect | None) -> Secret | SecretProblem:
    if connect is None:
        return _missing("secret:host: is for agents on a host")
    connection = await connect()
    if isinstance(connection, SshFailure):
        return SecretProblem(kind=connection.kind, detail=connection.detail)
    place, steps = split_place(named)
    data = await connection.read_file(place, _limit(steps))
    if isinstance(data, FileFailure):
        if data.reason is FileFault.LOST:
            return SecretProblem(kind=FailureKind.SSH_UNREACHABLE, detail=data.detail)
        return _missing(f"{place} on the host: {data.reason}")
    return _in_file(data, steps, f"{place} on the host")


async def _from_keyring(place: str) -> Secret | SecretProblem:
    """Ask on a thread of its own: a keyring may wait for ever to be unlocked, and would block a
    shared thread and keep the engine from ending."""
    loop = asyncio.get_running_loop()
    answer: asyncio.Future[Secret | SecretProblem] = loop.create_future()

    def give(found: Secret | SecretProblem) -> None:
        if not answer.done():
            answer.set_result(found)

    def ask() -> None:
        if not _asking_keyring.acquire(timeout=KEYRING_TIMEOUT_S):
            return  # an earlier request still waits, and this one was told so
        try:
            found = _ask_keyring(place)
        finally:
            _asking_keyring.release()
        with suppress(RuntimeError):  # the engine has ended meanwhile
            loop.call_soon_threadsafe(give, found)

    threading.Thread(target=ask, name="keyring", daemon=True).start()
    try:
        async with asyncio.timeout(KEYRING_TIMEOUT_S):
            return await answer
    except TimeoutError:
        return _missing(
            f"the keyring gave nothing within {KEYRING_TIMEOUT_S:g} s; it may be waiting to be "
            "unlocked"
        )


def _ask_keyring(place: str) -> Secret | SecretProblem:
    service, _, user = place.partition("/")
    try:
        keyring = import_module("keyring")
    except ImportError:
        return _missing("secret:keyring: needs the Python package keyring beside fleet-tui")
    try:
        found = keyring.get_password(service, user)
    except (
        Exception
    ) as error:  # back-ends raise errors of their own, all of which mean: not available
        return _missing(_keyring_trouble(error))
    if not isinstance(found, str):
        return _missing(
            f"the keyring has nothing for {service}/{user}; to add it: keyring set {service} {user}"
        )
    return _checked(found.encode("utf-8", "surrogateescape"), f"the keyring's {service}/{user}")


def _keyring_trouble(error: Exception) -> str:
    """In our own words; the keyring's might contain a part of a secret."""
    match type(error).__name__:  # the package with the classes may be missing
        case "NoKeyringError":
            return "no keyring is set up for the user the engine runs as"
        case "KeyringLocked":
            return "the keyring is locked"
        case name:  # its message might contain a secret; its name cannot
            return f"the keyring does not answer: {name}"
