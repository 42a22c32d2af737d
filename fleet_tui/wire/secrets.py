"""Turning a reference to a secret into the secret, when a connection needs it.

The value lives in the engine's memory only. A missing secret is a value that says where it was
looked for, never what it would have been.
"""

import asyncio
import os
import stat
from collections.abc import Awaitable, Callable, Mapping
from importlib import import_module
from pathlib import Path

import msgspec

from fleet_tui.core.untrusted import NOTHING_SAID, Untrusted

MAX_SECRET_BYTES = 16_384
OTHERS = 0o077


class NoSecret(msgspec.Struct, frozen=True, kw_only=True):
    """The reference leads to nothing usable."""

    problem: str
    """In our own words; names the place, not the value."""
    detail: Untrusted = NOTHING_SAID


ReadFromHost = Callable[[str, int], Awaitable[bytes | NoSecret]]
"""Reads a file of the agent's own host: path and most bytes."""


async def resolve(
    reference: str, *, env: Mapping[str, str], read_from_host: ReadFromHost | None
) -> str | NoSecret:
    """The secret behind ``secret:env:NAME``, ``secret:file:PATH``, ``secret:keyring:SERVICE/USER``
    or ``secret:host:PATH``. Surrounding white space is not part of it."""
    scheme, _, rest = reference.partition(":")
    kind, _, place = rest.partition(":")
    if scheme != "secret":
        return NoSecret(problem="this is not a reference to a secret")
    match kind:
        case "env":
            found = env.get(place)
            if not found:
                return NoSecret(problem=f"the environment variable {place} is not set")
            return found.strip()
        case "file":
            return _text(await asyncio.to_thread(_read_private, place), place)
        case "keyring":
            return await asyncio.to_thread(_from_keyring, place)
        case "host":
            if read_from_host is None:
                return NoSecret(problem="secret:host: needs an agent on a host")
            return _text(await read_from_host(place, MAX_SECRET_BYTES), place)
        case _:
            return NoSecret(problem=f"secret:{kind}: is not a known kind of reference")


def _text(data: bytes | NoSecret, place: str) -> str | NoSecret:
    if isinstance(data, NoSecret):
        return data
    try:
        text = data.decode().strip()
    except UnicodeDecodeError:
        return NoSecret(problem=f"{place} is not text")
    return text or NoSecret(problem=f"{place} is empty")


def _read_private(place: str) -> bytes | NoSecret:
    """A small regular file that only its owner can read. A pipe in its place cannot hang us."""
    path = Path(place).expanduser()
    try:
        with open(os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC), "rb") as file:
            found = os.fstat(file.fileno())
            if not stat.S_ISREG(found.st_mode):
                return NoSecret(problem=f"{path} is not a regular file")
            if stat.S_IMODE(found.st_mode) & OTHERS:
                return NoSecret(problem=f"{path} can be read by others; chmod 600 it")
            return file.read(MAX_SECRET_BYTES)
    except OSError as error:
        return NoSecret(problem=f"{path}: {error.strerror}")


def _from_keyring(place: str) -> str | NoSecret:
    service, _, user = place.partition("/")
    try:
        keyring = import_module("keyring")  # an optional extra, and slow to import
    except ImportError:
        return NoSecret(problem="secret:keyring: needs `pip install keyring`")
    found: str | None = keyring.get_password(service, user)
    return found or NoSecret(problem=f"the keyring has nothing for {place}")
