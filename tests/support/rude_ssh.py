"""SSH servers that break the protocol: before keys are exchanged, at login, and after it."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import asyncssh
from asyncssh.packet import Boolean, String, UInt32

MSG_DISCONNECT = 1
MSG_DEBUG = 4
MSG_USERAUTH_BANNER = 53
MSG_CHANNEL_REQUEST = 98

LATIN_1 = "Für Müller & Söhne".encode("latin-1")
"""Bytes that are no UTF-8."""


def debug(words: bytes = LATIN_1) -> tuple[int, bytes]:
    """A SSH_MSG_DEBUG that says this (RFC 4253, 11.3)."""
    return MSG_DEBUG, Boolean(True) + String(words) + String(b"")


def banner(words: bytes = LATIN_1) -> tuple[int, bytes]:
    """A SSH_MSG_USERAUTH_BANNER that says this (RFC 4252, 5.4)."""
    return MSG_USERAUTH_BANNER, String(words) + String(b"")


def disconnect(words: bytes = LATIN_1, code: int = 2) -> tuple[int, bytes]:
    """A SSH_MSG_DISCONNECT that says this (RFC 4253, 11.1)."""
    return MSG_DISCONNECT, UInt32(code) + String(words) + String(b"")


class _Server(asyncssh.SSHServer):
    def __init__(self, at_login: tuple[tuple[int, bytes], ...], *, lets_in: bool) -> None:
        self._at_login = at_login
        self._lets_in = lets_in
        self._connection: asyncssh.SSHServerConnection | None = None

    def connection_made(self, conn: asyncssh.SSHServerConnection) -> None:
        self._connection = conn

    def begin_auth(self, username: str) -> bool:
        assert self._connection is not None
        for packet in self._at_login:
            self._connection.send_packet(*packet)
        return not self._lets_in

    def public_key_auth_supported(self) -> bool:
        return True

    def validate_public_key(self, username: str, key: asyncssh.SSHKey) -> bool:
        return False


def connection_of(
    process: "asyncssh.SSHServerProcess[bytes]",
) -> asyncssh.SSHServerConnection:
    """What a command's session runs over."""
    found = process.get_extra_info("connection")
    assert isinstance(found, asyncssh.SSHServerConnection)
    return found


def request(process: "asyncssh.SSHServerProcess[bytes]", kind: bytes, body: bytes) -> None:
    """A SSH_MSG_CHANNEL_REQUEST about this session (RFC 4254, 5.4)."""
    process.channel.send_packet(MSG_CHANNEL_REQUEST, String(kind) + Boolean(False) + body)


Serve = Callable[["asyncssh.SSHServerProcess[bytes]"], None]


def answer(process: "asyncssh.SSHServerProcess[bytes]") -> None:
    """A command as any other."""
    process.stdout.write(b"well\n")
    process.exit(0)


@asynccontextmanager
async def rude_server(
    known_hosts: Path,
    *at_login: tuple[int, bytes],
    lets_in: bool = True,
    serve: Serve = answer,
) -> AsyncIterator[int]:
    """Listen on a loopback port; ``known_hosts`` gets the server's key. Sends these packets when
    somebody logs in, and runs each command with ``serve``."""
    key = asyncssh.generate_private_key("ssh-ed25519")
    server = await asyncssh.create_server(
        lambda: _Server(at_login, lets_in=lets_in),
        "127.0.0.1",
        0,
        server_host_keys=[key],
        process_factory=serve,
        encoding=None,
    )
    port = server.get_port()
    public = key.export_public_key().decode().strip()
    known_hosts.write_text(f"[127.0.0.1]:{port} {public}\n")
    try:
        yield port
    finally:
        server.close()
        await server.wait_closed()


@asynccontextmanager
async def that_says(words: bytes, *, hangs_up: bool = True) -> AsyncIterator[int]:
    """Something that says this to everybody, and hangs up or waits."""

    async def say(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(words)
        try:
            await writer.drain()
            if hangs_up:
                writer.write_eof()
            await reader.read()
        except OSError:
            pass
        writer.close()

    listener = await asyncio.start_server(say, "127.0.0.1", 0)
    port: int = listener.sockets[0].getsockname()[1]
    try:
        yield port
    finally:
        listener.close()
