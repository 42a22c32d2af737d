"""Where a secret is, to what it is: resolved when it is used, held in memory only.

A fleet file names secrets by reference (``secret:env:NAME``, ``secret:file:PATH``,
``secret:host:PATH``, ``secret:keyring:SERVICE/USER``); ``secret:cmd:`` is refused there and exists
for the operator's own configuration alone.
"""

import asyncio
import os
import shlex
from collections.abc import Awaitable, Callable, Mapping
from importlib import import_module
from pathlib import Path

import msgspec

from fleet_tui.core.untrusted import NOTHING_SAID, Untrusted
from fleet_tui.core.vitals import FailureKind
from fleet_tui.wire.ssh import FileFailure, SshConnection, SshFailure

MAX_SECRET_BYTES = 8_192
COMMAND_TIMEOUT_S = 10


class Secret:
    """A value that does not show itself in a repr, a log or a traceback."""

    __slots__ = ("_value",)

    def __init__(self, value: str) -> None:
        self._value = value

    def reveal(self) -> str:
        """The value, for the one place that sends it."""
        return self._value

    def __repr__(self) -> str:
        return "Secret(…)"


class SecretProblem(msgspec.Struct, frozen=True, kw_only=True):
    """Why a secret cannot be had; never a part of one."""

    kind: FailureKind
    detail: Untrusted = NOTHING_SAID


Connect = Callable[[], Awaitable[SshConnection | SshFailure]]


async def resolve_secret(
    reference: str,
    *,
    connect: Connect | None = None,
    env: Mapping[str, str] | None = None,
    allow_commands: bool = False,
) -> Secret | SecretProblem:
    """Look up a reference. ``connect`` reaches the agent's host, for ``secret:host:``."""
    scheme, _, rest = reference.partition(":")
    kind, _, place = rest.partition(":")
    if scheme != "secret" or not place:
        # Not repeated: whoever writes the secret itself here must not read it on a screen.
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
            return await asyncio.to_thread(_from_keyring, place)
        case "cmd" if allow_commands:
            return await _from_command(place)
        case _:
            return _missing(f"secret:{kind}: is not a kind of reference that may be used here")


def _missing(detail: str) -> SecretProblem:
    return SecretProblem(kind=FailureKind.SECRET_MISSING, detail=Untrusted(detail))


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


def _from_file(place: str) -> Secret | SecretProblem:
    path = Path(place).expanduser()
    try:
        with path.open("rb") as file:
            found = os.fstat(file.fileno())
            if found.st_uid not in (os.getuid(), 0):
                return _missing(f"{path} belongs to another user")
            if found.st_mode & 0o077:
                return _missing(f"{path} can be read by others; run: chmod 600 {path}")
            return _checked(file.read(MAX_SECRET_BYTES + 1), str(path))
    except OSError as error:
        return _missing(f"{path}: {error.strerror}")


async def _from_host(place: str, connect: Connect | None) -> Secret | SecretProblem:
    if connect is None:
        return _missing("secret:host: is for agents on a host")
    connection = await connect()
    if isinstance(connection, SshFailure):
        return SecretProblem(kind=connection.kind, detail=connection.detail)
    data = await connection.read_file(place, MAX_SECRET_BYTES)
    if isinstance(data, FileFailure):
        if data.reason == "lost":
            return SecretProblem(kind=FailureKind.SSH_UNREACHABLE, detail=data.detail)
        return _missing(f"{place} on the host: {data.reason}")
    return _checked(data, f"{place} on the host")


def _from_keyring(place: str) -> Secret | SecretProblem:
    service, _, user = place.partition("/")
    try:
        keyring = import_module("keyring")
    except ImportError:
        return _missing("secret:keyring: needs the Python package keyring beside fleet-tui")
    try:
        found = keyring.get_password(service, user)
    except (
        Exception
    ) as error:  # back-ends raise errors of their own, all of which mean: not to be had
        return _missing(f"the keyring does not answer: {type(error).__name__}")
    if not isinstance(found, str):
        return _missing(f"the keyring has nothing for {service}/{user}")
    return _checked(found.encode("utf-8", "surrogateescape"), f"the keyring's {service}/{user}")


async def _from_command(place: str) -> Secret | SecretProblem:
    """The first line a command of the operator's own prints."""
    try:
        words = shlex.split(place)
        process = await asyncio.create_subprocess_exec(
            *words,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.DEVNULL,
        )
    except (OSError, ValueError) as error:
        return _missing(f"the command cannot be run: {error}")
    assert process.stdout is not None
    try:
        async with asyncio.timeout(COMMAND_TIMEOUT_S):
            data = await process.stdout.read(MAX_SECRET_BYTES + 1)
            status = await process.wait()
    except TimeoutError:
        process.kill()
        await process.wait()
        return _missing(f"the command gave nothing within {COMMAND_TIMEOUT_S} s")
    if status != 0:
        return _missing(f"the command {words[0]} ended with exit status {status}")
    return _checked(data, f"what {words[0]} prints")
