"""What a server says in the clear before keys are exchanged, and why it then would not talk to us.

asyncssh passes over lines before the version, and an sshd that finds no algorithm in common just
hangs up: both look like a network fault. So the first bytes are kept and read again on a failure.
Sources: RFC 4253, 4.2 (version lines), 6 (packets) and 7.1 (SSH_MSG_KEXINIT).
"""

import asyncssh
import msgspec

from fleet_tui.core.agents.vitals import FailureKind
from fleet_tui.core.text.untrusted import Untrusted
from fleet_tui.wire.ssh.failures import SshFailure

MAX_HELLO_BYTES = 65_536
MAX_SHOWN_CHARS = 200
MAX_SHOWN_NAMES = 8
_KEXINIT = 20
_COOKIE_BYTES = 16

_NO_ALGORITHMS = ("ext-info-", "kex-strict-")
"""Signs among the key exchanges that are none (RFC 8308, 2.1)."""
_TURNED_AWAY = ("Not allowed at this time", "Exceeded MaxStartups")
"""Lines of sshd (sshd.c, send_rexec_state and drop_connection) to those it takes no more of."""


class Offers(msgspec.Struct, frozen=True, kw_only=True):
    """The name lists of a server's SSH_MSG_KEXINIT, in its order."""

    key_exchanges: tuple[str, ...]
    host_keys: tuple[str, ...]
    ciphers_in: tuple[str, ...]
    ciphers_out: tuple[str, ...]
    macs_in: tuple[str, ...]
    macs_out: tuple[str, ...]


class Hello(msgspec.Struct, frozen=True, kw_only=True):
    """The beginning of what a server sent."""

    lines: tuple[str, ...] = ()
    """Before its version, or all there is."""
    version: str | None = None
    offers: Offers | None = None


def parse_hello(data: bytes) -> Hello:
    """Read the first bytes of a server; whatever they are, and cut off anywhere."""
    lines: list[str] = []
    while data:
        line, end, rest = data.partition(b"\n")
        text = line.rstrip(b"\r").decode("utf-8", "replace")
        if text.startswith("SSH-"):
            return Hello(lines=tuple(lines), version=text, offers=_offers(rest) if end else None)
        lines.append(text)
        data = rest
    return Hello(lines=tuple(line for line in lines if line.strip()))


def _offers(packet: bytes) -> Offers | None:
    length = int.from_bytes(packet[:4], "big")
    if len(packet) < 4 + length or length < 2 + _COOKIE_BYTES or packet[5] != _KEXINIT:
        return None
    names: list[tuple[str, ...]] = []
    at = 6 + _COOKIE_BYTES
    for _ in range(6):
        size = int.from_bytes(packet[at : at + 4], "big")
        text = packet[at + 4 : at + 4 + size]
        if len(text) != size or at + 4 > len(packet):
            return None
        names.append(tuple(text.decode("ascii", "replace").split(",")) if text else ())
        at += 4 + size
    kex, keys, ciphers_out, ciphers_in, macs_out, macs_in = names
    return Offers(
        key_exchanges=kex,
        host_keys=keys,
        ciphers_in=ciphers_in,
        ciphers_out=ciphers_out,
        macs_in=macs_in,
        macs_out=macs_out,
    )


def why_not(hello: Hello, ours: Offers) -> SshFailure | None:
    """Why a server that hung up would not talk to us; None if nothing it said tells.

    SSH_UNREACHABLE means that it may another time, SSH_PROTOCOL that somebody has to act.
    """
    if hello.version is None:
        return _without_version(hello.lines)
    if not hello.version.startswith(("SSH-2.", "SSH-1.99-")):
        said = f"it speaks no SSH version 2: {_shown(hello.version)}"
        return SshFailure(kind=FailureKind.SSH_PROTOCOL, detail=Untrusted(said))
    if hello.offers is None:
        return None
    theirs = hello.offers
    for what, wanted, offered in (
        ("key exchange", ours.key_exchanges, theirs.key_exchanges),
        ("host key algorithm", ours.host_keys, theirs.host_keys),
        ("cipher", ours.ciphers_out, theirs.ciphers_out),
        ("cipher", ours.ciphers_in, theirs.ciphers_in),
        ("MAC", ours.macs_out, theirs.macs_out),
        ("MAC", ours.macs_in, theirs.macs_in),
    ):
        if what == "MAC" and _needs_no_mac(ours, theirs):
            continue
        if not set(wanted) & set(offered):
            said = f"no {what} in common, it offers {_names(offered)}"
            return SshFailure(kind=FailureKind.SSH_PROTOCOL, detail=Untrusted(said))
    return None


def _without_version(lines: tuple[str, ...]) -> SshFailure | None:
    if not lines:
        return None
    said = _shown(lines[0])
    if lines[0].startswith(_TURNED_AWAY):
        detail = f"it took no more connections of ours, saying: {said}"
        return SshFailure(kind=FailureKind.SSH_UNREACHABLE, detail=Untrusted(detail))
    detail = f"no SSH server answers there, but something that says: {said}"
    return SshFailure(kind=FailureKind.SSH_PROTOCOL, detail=Untrusted(detail))


def _needs_no_mac(ours: Offers, theirs: Offers) -> bool:
    """Whether the cipher that will be chosen authenticates by itself."""
    chosen = next((name for name in ours.ciphers_out if name in theirs.ciphers_out), "")
    return "gcm" in chosen or "poly1305" in chosen


def _names(names: tuple[str, ...]) -> str:
    names = tuple(name for name in names if name.strip() and not name.startswith(_NO_ALGORITHMS))
    more = len(names) - MAX_SHOWN_NAMES
    shown = ", ".join(map(_shown, names[:MAX_SHOWN_NAMES])) or "none"
    return f"{shown} and {more} more" if more > 0 else shown


def _shown(text: str) -> str:
    return text if len(text) <= MAX_SHOWN_CHARS else f"{text[:MAX_SHOWN_CHARS]}…"


def our_offers(options: asyncssh.SSHClientConnectionOptions) -> Offers:
    """What we offer to a server."""

    def names(said: object) -> tuple[str, ...]:
        assert isinstance(said, list | tuple)
        return tuple(each.decode("ascii") if isinstance(each, bytes) else each for each in said)

    ciphers, macs = names(options.encryption_algs), names(options.mac_algs)
    return Offers(
        key_exchanges=names(options.kex_algs),
        host_keys=names(options.server_host_key_algs),
        ciphers_in=ciphers,
        ciphers_out=ciphers,
        macs_in=macs,
        macs_out=macs,
    )


class Listener(asyncssh.SSHClient):
    """A client that keeps what the server says first, and its banner to those who log in."""

    def __init__(self) -> None:
        self._first = bytearray()
        self._is_listening = True
        self.banner = ""

    def connection_made(self, conn: asyncssh.SSHClientConnection) -> None:
        """Hear what comes before asyncssh does."""
        usual = conn.data_received

        def hear(data: bytes, datatype: int | None = None) -> None:
            if self._is_listening:
                self._first += data[: MAX_HELLO_BYTES - len(self._first)]
            usual(data, datatype)

        conn.data_received = hear  # type: ignore[method-assign]  # the transport asks for it anew

    def auth_banner_received(self, msg: str, lang: str) -> None:
        """Kept for the case that nobody is let in."""
        self.banner = " ".join(msg.split())[:MAX_SHOWN_CHARS]

    @property
    def heard(self) -> Hello:
        """What the server said in the clear."""
        return parse_hello(bytes(self._first))

    def stop_listening(self) -> None:
        """The handshake is over; what comes now is for asyncssh alone."""
        self._is_listening = False
        self._first.clear()
