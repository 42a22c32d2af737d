"""Servers that misbehave on purpose: an SSH server in this process, and things that are none."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from enum import StrEnum
from pathlib import Path

import asyncssh


class Fault(StrEnum):
    """What goes wrong."""

    NONE = "none"
    REFUSE_AUTH = "refuse-auth"
    SILENT = "silent"
    """Accepts the connection and never says a word."""
    ENDLESS_BANNER = "endless-banner"
    GARBAGE = "garbage"
    CLOSE_AT_ONCE = "close-at-once"
    CLOSE_AFTER_BANNER = "close-after-banner"
    NO_SESSIONS = "no-sessions"
    NO_FORWARDING = "no-forwarding"
    NO_EXIT_STATUS = "no-exit-status"
    HOSTILE_TEXT = "hostile-text"
    """Prints invalid UTF-8 and terminal sequences, and disconnects with such a text."""
    FLOOD = "flood"
    """Prints without end."""


HOSTILE = b"\x1b]0;owned\x07\xff\xfe[red]"


class _Server(asyncssh.SSHServer):
    def __init__(self, fault: Fault) -> None:
        self._fault = fault

    def begin_auth(self, username: str) -> bool:
        return self._fault is Fault.REFUSE_AUTH

    def public_key_auth_supported(self) -> bool:
        return True

    def validate_public_key(self, username: str, key: asyncssh.SSHKey) -> bool:
        return False

    def connection_requested(
        self, dest_host: str, dest_port: int, orig_host: str, orig_port: int
    ) -> bool:
        raise asyncssh.ChannelOpenError(
            asyncssh.OPEN_ADMINISTRATIVELY_PROHIBITED, HOSTILE.decode("latin-1")
        )


async def _serve_command(process: "asyncssh.SSHServerProcess[bytes]", fault: Fault) -> None:
    match fault:
        case Fault.NO_EXIT_STATUS:
            process.stdout.write(b"half an answer")
            process.close()
        case Fault.HOSTILE_TEXT:
            process.stdout.write(HOSTILE)
            process.stderr.write(HOSTILE)
            process.exit(0)
        case Fault.FLOOD:
            try:
                while True:
                    process.stdout.write(b"x" * 65_536)
                    await process.stdout.drain()
            except (OSError, asyncssh.Error):
                return
        case _:
            process.stdout.write(await process.stdin.read())
            process.exit(0)


async def _misbehave(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, fault: Fault
) -> None:
    try:
        match fault:
            case Fault.SILENT:
                await reader.read()
            case Fault.ENDLESS_BANNER:
                while True:
                    writer.write(b"be welcome\r\n" * 1_000)
                    await writer.drain()
            case Fault.GARBAGE:
                writer.write(b"SSH-2.0-x\r\n" + b"\xff" * 4_096)
                await writer.drain()
                await reader.read()
            case Fault.CLOSE_AFTER_BANNER:
                writer.write(b"SSH-2.0-x\r\n")
                await writer.drain()
            case _:
                pass
    except OSError:
        pass
    finally:
        writer.close()


_NOT_SSH = (
    Fault.SILENT,
    Fault.ENDLESS_BANNER,
    Fault.GARBAGE,
    Fault.CLOSE_AT_ONCE,
    Fault.CLOSE_AFTER_BANNER,
)


@asynccontextmanager
async def fault_server(fault: Fault, known_hosts: Path) -> AsyncIterator[int]:
    """Listen on a loopback port with this fault; ``known_hosts`` gets the server's key."""
    key = asyncssh.generate_private_key("ssh-ed25519")
    if fault in _NOT_SSH:
        tasks: set[asyncio.Task[None]] = set()

        def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            task = asyncio.ensure_future(_misbehave(reader, writer, fault))
            tasks.add(task)
            task.add_done_callback(tasks.discard)

        listener = await asyncio.start_server(accept, "127.0.0.1", 0)
        port: int = listener.sockets[0].getsockname()[1]
        known_hosts.write_text("")
        try:
            yield port
        finally:
            listener.close()
            for task in tuple(tasks):
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
        return

    async def serve(process: "asyncssh.SSHServerProcess[bytes]") -> None:
        await _serve_command(process, fault)

    server = await asyncssh.create_server(
        lambda: _Server(fault),
        "127.0.0.1",
        0,
        server_host_keys=[key],
        process_factory=None if fault is Fault.NO_SESSIONS else serve,
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
