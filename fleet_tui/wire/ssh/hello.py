"""The plaintext that a server sends before keys are exchanged, and why it then disconnected.

asyncssh skips lines before the version, and reports a server that disconnects before the first
packet merely as disconnected: both look like a network fault. So the first bytes are kept and
parsed again on a failure. Sources: RFC 4253, 4.2 (version lines), 6 (packets), 7.1
(SSH_MSG_KEXINIT) and 11.1 (SSH_MSG_DISCONNECT).
"""

import re
from collections.abc import Iterator

import asyncssh
import msgspec
from asyncssh.packet import PacketDecodeError, SSHPacket

from fleet_tui.core.agents.vitals import FailureKind
from fleet_tui.wire.ssh.failures import SshFailure, broken_words
from fleet_tui.wire.words import beginning, words_of

MAX_HELLO_BYTES = 65_536
MAX_LINES = 1_024
"""Before the version: at one more asyncssh disconnects (connection.py, _MAX_BANNER_LINES)."""
MAX_SHOWN_CHARS = 200
MAX_SHOWN_NAMES = 8
_DISCONNECT = 1
_KEXINIT = 20
_NEWKEYS = 21
_COOKIE_BYTES = 16

_NO_ALGORITHMS = ("ext-info-", "kex-strict-")
"""Markers in the list of key exchanges that are not key exchanges (RFC 8308, 2.1)."""
_TURNED_AWAY = ("Not allowed at this time", "Exceeded MaxStartups")
"""Lines that sshd (sshd.c, send_rexec_state and drop_connection) sends to connections that it
drops."""
_VERSION = re.compile(r"SSH-(?P<protocol>[0-9]+\.[0-9]+)-[^\0]+")


class Offers(msgspec.Struct, frozen=True, kw_only=True):
    """The name lists of a server's SSH_MSG_KEXINIT, in its order."""

    key_exchanges: tuple[str, ...]
    host_keys: tuple[str, ...]
    ciphers_in: tuple[str, ...]
    ciphers_out: tuple[str, ...]
    macs_in: tuple[str, ...]
    macs_out: tuple[str, ...]
    compressions_in: tuple[str, ...]
    compressions_out: tuple[str, ...]


class Goodbye(msgspec.Struct, frozen=True):
    """A server's SSH_MSG_DISCONNECT."""

    code: int
    words: str


class SshHello(msgspec.Struct, frozen=True, kw_only=True):
    """The beginning of a server's output."""

    lines: tuple[str, ...] = ()
    """Lines before its version, or all of them without one."""
    version: str | None = None
    offers: Offers | None = None
    broken: str | None = None
    """The fault of the packet with its offers."""
    goodbye: Goodbye | None = None


def parse_hello(data: bytes) -> SshHello:
    """Parse the first bytes of a server, whatever they are and wherever they are cut off."""
    lines: list[str] = []
    at = 0
    while at < len(data) and len(lines) <= MAX_LINES:
        end = data.find(b"\n", at)
        line = data[at:end] if end >= 0 else data[at:]
        at += len(line) + 1
        text = line.rstrip(b"\r").decode("utf-8", "replace")
        if text.startswith("SSH-"):
            return _with_packets(SshHello(lines=tuple(lines), version=text), data, at)
        lines.append(text)
    return SshHello(lines=tuple(line for line in lines if line.strip()))


def _with_packets(hello: SshHello, data: bytes, at: int) -> SshHello:
    """Add the first offers and a disconnect message among the packets that begin at ``at``."""
    for payload in _packets(data, at):
        kind = payload[:1]
        try:
            if kind == bytes([_KEXINIT]) and hello.offers is None:
                hello = msgspec.structs.replace(hello, offers=_offers(payload))
            elif kind == bytes([_DISCONNECT]):
                return msgspec.structs.replace(hello, goodbye=_goodbye(payload))
            elif kind == bytes([_NEWKEYS]):
                return hello  # everything after it is encrypted
        except PacketDecodeError as error:
            return msgspec.structs.replace(hello, broken=broken_words(error))
    return hello


def _packets(data: bytes, at: int) -> Iterator[bytes]:
    """The payload of each complete plaintext packet, from ``at`` on."""
    while len(data) - at > 4:
        begin = at + 4
        end = begin + int.from_bytes(data[at:begin], "big")
        if len(data) < end or end == begin:
            return
        yield data[begin + 1 : max(begin + 1, end - data[begin])]
        at = end


def _offers(payload: bytes) -> Offers:
    """Raises PacketDecodeError."""
    packet = SSHPacket(payload)
    packet.get_byte()
    packet.get_bytes(_COOKIE_BYTES)
    names = [
        tuple(name.decode("ascii", "replace") for name in packet.get_namelist()) for _ in range(10)
    ]
    packet.get_boolean()
    packet.get_uint32()
    packet.check_end()
    kex, keys, ciphers_out, ciphers_in, macs_out, macs_in, packed_out, packed_in, *_ = names
    return Offers(
        key_exchanges=kex,
        host_keys=keys,
        ciphers_in=ciphers_in,
        ciphers_out=ciphers_out,
        macs_in=macs_in,
        macs_out=macs_out,
        compressions_in=packed_in,
        compressions_out=packed_out,
    )


def _goodbye(payload: bytes) -> Goodbye:
    """Raises PacketDecodeError."""
    packet = SSHPacket(payload)
    packet.get_byte()
    code = packet.get_uint32()
    return Goodbye(code, " ".join(packet.get_string().decode("utf-8", "replace").split()))


def why_not(hello: SshHello, ours: Offers) -> SshFailure | None:
    """Why a server disconnected; None if its output does not show it.

    SSH_UNREACHABLE means that another attempt may succeed, SSH_PROTOCOL that an operator has to
    act.
    """
    if hello.version is None:
        return _without_version(hello.lines)
    version = _VERSION.fullmatch(hello.version)
    if version is None:
        return _act(broken_words(f"its version line is {_shown(hello.version)}"))
    if not version["protocol"].startswith("2.") and version["protocol"] != "1.99":
        return _act(f"it speaks no SSH version 2: {_shown(hello.version)}")
    if hello.broken is not None:
        return _act(hello.broken)
    return _nothing_in_common(hello.offers, ours) or _said_goodbye(hello.goodbye)


def _nothing_in_common(theirs: Offers | None, ours: Offers) -> SshFailure | None:
    if theirs is None:
        return None
    for what, wanted, offered in (
        ("key exchange", ours.key_exchanges, theirs.key_exchanges),
        ("host key algorithm", ours.host_keys, theirs.host_keys),
        ("cipher", ours.ciphers_out, theirs.ciphers_out),
        ("cipher", ours.ciphers_in, theirs.ciphers_in),
        ("MAC", ours.macs_out, theirs.macs_out),
        ("MAC", ours.macs_in, theirs.macs_in),
        ("compression", ours.compressions_out, theirs.compressions_out),
        ("compression", ours.compressions_in, theirs.compressions_in),
    ):
        if what == "MAC" and _needs_no_mac(ours, theirs):
            continue
        if not set(wanted) & set(offered):
            return _act(f"no {what} in common, it offers {_names(offered)}")
    return None


def _said_goodbye(goodbye: Goodbye | None) -> SshFailure | None:
    if goodbye is None:
        return None
    said = f"it said goodbye: {_shown(goodbye.words) or f'reason {goodbye.code}'}"
    if goodbye.code == asyncssh.DISC_TOO_MANY_CONNECTIONS:
        return SshFailure(kind=FailureKind.SSH_UNREACHABLE, detail=words_of(said))
    return _act(said)


def _act(said: str) -> SshFailure:
    return SshFailure(kind=FailureKind.SSH_PROTOCOL, detail=words_of(said))


def _without_version(lines: tuple[str, ...]) -> SshFailure | None:
    if not lines:
        return None
    said = _shown(lines[0])
    if lines[0].startswith(_TURNED_AWAY):
        detail = f"it took no more connections of ours, saying: {said}"
        return SshFailure(kind=FailureKind.SSH_UNREACHABLE, detail=words_of(detail))
    return _act(f"no SSH server answers there, but something that says: {said}")


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
    shown = beginning(text, MAX_SHOWN_CHARS)
    return shown if len(text) <= MAX_SHOWN_CHARS else f"{shown}…"


def our_offers(options: asyncssh.SSHClientConnectionOptions) -> Offers:
    """What we offer to a server."""

    def names(said: object) -> tuple[str, ...]:
        assert isinstance(said, list | tuple)
        return tuple(each.decode("ascii") if isinstance(each, bytes) else each for each in said)

    ciphers, macs = names(options.encryption_algs), names(options.mac_algs)
    compressions = names(options.compression_algs)
    return Offers(
        key_exchanges=names(options.kex_algs),
        host_keys=names(options.server_host_key_algs),
        ciphers_in=ciphers,
        ciphers_out=ciphers,
        macs_in=macs,
        macs_out=macs,
        compressions_in=compressions,
        compressions_out=compressions,
    )


class HelloListener(asyncssh.SSHClient):
    """A client that records the first bytes of the server, and its login banner."""

    def __init__(self) -> None:
        self._first = bytearray()
        self._is_listening = True
        self.banner = ""

    def connection_made(self, conn: asyncssh.SSHClientConnection) -> None:
        """Start reading the input before asyncssh does."""
        usual = conn.data_received

        def hear(data: bytes, datatype: int | None = None) -> None:
            if self._is_listening:
                self._first += data[: MAX_HELLO_BYTES - len(self._first)]
            usual(data, datatype)

        conn.data_received = hear  # type: ignore[method-assign]  # the transport asks for it anew

    def auth_banner_received(self, msg: str, lang: str) -> None:
        """Keep the banner for the case that the login is refused."""
        self.banner = beginning(" ".join(msg.split()), MAX_SHOWN_CHARS)

    @property
    def heard(self) -> SshHello:
        """The server's plaintext."""
        return parse_hello(bytes(self._first))

    def stop_listening(self) -> None:
        """The handshake is over; further input is for asyncssh alone."""
        self._is_listening = False
        self._first.clear()
