"""The files that vouch for host keys, and their lines.

asyncssh rejects a whole file for one invalid line, so lines are checked here first. As in OpenSSH
(hostfile.c, hostkeys_foreach_file), an invalid entry is skipped: it vouches for no host. The
exception is one that revokes a key or names an authority: ssh skips that too, but its author wanted
fewer keys to be accepted, so no host is accepted until it is fixed.
"""

import base64
import binascii
import os
import re
from collections.abc import Iterator
from pathlib import Path

import msgspec

from fleet_tui.base.files import read_regular
from fleet_tui.core.fleet import HostSpec
from fleet_tui.core.ssh.config import Resolved, split_files

USER_KNOWN_HOSTS = ("~/.ssh/known_hosts", "~/.ssh/known_hosts2")
SYSTEM_KNOWN_HOSTS = ("/etc/ssh/ssh_known_hosts", "/etc/ssh/ssh_known_hosts2")

_CLOSING = ("@revoked", "@cert-authority")
OF_STRINGS = ("ssh-ed25519", "ssh-rsa", "ecdsa-sha2-")
"""Kinds of keys that are strings from their first byte to their last (RFC 4253, 5656, 8709)."""
_SALT_BYTES = 20
_KRL = b"SSHKRL\n\0"
"""The first bytes of what ``ssh-keygen -k`` writes (PROTOCOL.krl)."""
_GAPS = re.compile("[ \t]+")
"""Word separators for ssh."""


class OddLine(msgspec.Struct, frozen=True, kw_only=True):
    """A line that is not a valid entry, or a file that cannot be read."""

    file: Path
    line: int | None
    why: str
    closes: bool
    """Whether no host is accepted because of it."""

    @property
    def place(self) -> str:
        """File and line, for messages."""
        return f"{self.file}:{self.line}" if self.line is not None else str(self.file)

    def __str__(self) -> str:
        return f"{self.place}: {self.why}"


class KnownHostsLine(msgspec.Struct, frozen=True):
    """An entry, without its comment."""

    number: int
    text: str
    closes: bool
    """Whether it revokes a key or names an authority."""


def known_hosts_files(spec: HostSpec, fleet_file: Path | None, host: Resolved) -> tuple[Path, ...]:
    """The files that may vouch for a host, in order; the first is where a new key is added.

    ``UserKnownHostsFile none`` and ``/dev/null`` keep no key, so they mean the usual file here:
    host keys are always checked.
    """
    if spec.known_hosts is not None:
        return (Path(spec.known_hosts).expanduser(),)
    if fleet_file is not None:
        return (fleet_file.expanduser(),)
    user = _hosts_files(host, "userknownhostsfile") or USER_KNOWN_HOSTS
    system = (
        _hosts_files(host, "globalknownhostsfile")
        if host.all("globalknownhostsfile")
        else SYSTEM_KNOWN_HOSTS
    )
    return tuple(Path(name).expanduser() for name in (*user, *system))


def _hosts_files(host: Resolved, keyword: str) -> tuple[str, ...]:
    names = split_files(host.one(keyword) or "")
    return tuple(name for name in names if name.lower() != "none" and name != os.devnull)


def _read(path: Path) -> bytes:
    """The content of a file; the null device is empty, as people use it. Raises OSError."""
    return b"" if str(path) == os.devnull else read_regular(path)


def read_known_hosts(path: Path) -> Iterator[KnownHostsLine | OddLine]:
    """Every entry of a file and every invalid line. A missing file has no lines."""
    try:
        text = _read(path).decode("utf-8", "surrogateescape")
    except (FileNotFoundError, NotADirectoryError):
        return
    except OSError as error:
        why = f"it cannot be read: {error.strerror}"
        yield OddLine(file=path, line=None, why=why, closes=True)
        return
    for number, raw in enumerate(text.split("\n"), 1):
        line = raw.strip(" \t\r")
        if not line or line.startswith("#"):
            continue
        words = _GAPS.split(line)
        closes = words[0].lower().startswith(_CLOSING)
        if why := _why_no_entry(words):
            yield OddLine(file=path, line=number, why=why, closes=closes)
        else:
            # asyncssh fails on a comment that is not ASCII, and accepts more line separators than
            # ssh: a comment would become an entry.
            yield KnownHostsLine(number, " ".join(words[: 4 if closes else 3]), closes)


def read_revoked(path: Path) -> tuple[tuple[str, ...], OddLine | None]:
    """The public keys of a RevokedHostKeys file, and why it cannot be used: as in OpenSSH, a file
    that cannot be read means that no host is accepted."""
    try:
        data = _read(path)
    except OSError as error:
        return (), OddLine(
            file=path, line=None, why=f"it cannot be read: {error.strerror}", closes=True
        )
    if data.startswith(_KRL):
        why = "it is a key revocation list (KRL); fleet-tui needs one public key a line"
        return (), OddLine(file=path, line=None, why=why, closes=True)
    keys: list[str] = []
    for number, raw in enumerate(data.decode("utf-8", "surrogateescape").split("\n"), 1):
        line = raw.strip(" \t\r")
        if not line or line.startswith("#"):
            continue
        kind, text, *_ = (*_GAPS.split(line), "")
        if why := why_no_key(kind, text):
            return (), OddLine(file=path, line=number, why=why, closes=True)
        keys.append(f"{kind} {text}")
    return tuple(keys), None


def _why_no_entry(words: list[str]) -> str:
    """Why words are not ``[@marker] hosts kind key``; empty if they are."""
    if any("\0" in word for word in words):
        return "it has a NUL character"
    if words[0].startswith("@"):
        if words[0] not in _CLOSING:
            return "its marker is neither @revoked nor @cert-authority"
        words = words[1:]
    if len(words) < 3:
        return "it is no host with a key"
    if words[0].startswith("|") and not _is_hash(words[0]):
        return "its hashed host name is damaged"
    if words[0].split() != [words[0]]:
        return "its host name has a space that is none for ssh"
    return why_no_key(words[1], words[2])


def _is_hash(name: str) -> bool:
    _, version, salt, digest, *rest = (*name.split("|"), "", "", "")
    found = _decoded(salt), _decoded(digest)
    return (
        version == "1"
        and not any(rest)
        and all(each and len(each) == _SALT_BYTES for each in found)
    )


def why_no_key(kind: str, text: str) -> str:
    """Why two words are not a public key; empty if they are one, even of an unknown kind."""
    if not kind.isascii() or not kind.isprintable():
        return "its key is of no kind that there is"
    if kind.startswith("x509v3-"):
        return ""
    blob = _decoded(text)
    if not blob:
        return "it has no key in base64"
    name, rest = _string(blob)
    if name != kind.encode("ascii"):
        return "its key is not of the kind that it says"
    if kind.startswith(OF_STRINGS) and "-cert-" not in kind:
        fields = 0
        while rest:
            field, rest = _string(rest)
            if field is None:
                return "its key is cut off"
            fields += 1
        if fields != (1 if kind == "ssh-ed25519" else 2):
            return "its key is damaged"
    return ""


def _decoded(text: str) -> bytes:
    """Decoded base 64; empty where it is invalid."""
    try:
        return base64.b64decode(text, validate=True)
    except (ValueError, binascii.Error):
        return b""


def _string(data: bytes) -> tuple[bytes | None, bytes]:
    """The first string (RFC 4251, 5) and the rest; None where it is cut off."""
    size = int.from_bytes(data[:4], "big")
    if len(data) < 4 + size:
        return None, b""
    return data[4 : 4 + size], data[4 + size :]
