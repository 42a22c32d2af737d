"""One multiplexed SSH connection: byte channels, commands, files.

Nothing here raises for network failures, except :class:`TcpChannel`, because it stands in for a
socket and raises a socket's errors.

Two facts shape it. A command whose connection dies ends in asyncssh without an exception and
without an exit status, so an exit status is the only proof that it ended. And one wrong UTF-8 byte
would close the whole connection, so everything is bytes.
"""

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from enum import StrEnum
from typing import TypeVar

import asyncssh
import msgspec
from asyncssh.channel import SSHChannel

from fleet_tui.core.agents.vitals import FailureKind
from fleet_tui.core.tasks.evidence import Definite, LostReason, Unknown
from fleet_tui.core.text.untrusted import NOTHING_SAID, Untrusted
from fleet_tui.wire.shell import (
    DEFAULT_MAX_OUTPUT_BYTES,
    ChannelFailure,
    Completed,
    RunResult,
)
from fleet_tui.wire.ssh.failures import describe
from fleet_tui.wire.words import words_of

MAX_SESSIONS = 9
"""Commands and files at once on a connection; sshd's own default limit is 10."""
MAX_LONG_POLLS = 4
MAX_LOG_STREAMS = 3
"""This many of the sessions may be long-lived; the rest are for requests that are answered at
once."""
CHANNEL_BUFFER_BYTES = 262_144
"""Unread bytes of a TcpChannel after which the far side is asked to wait."""
CHANNEL_OPEN_TIMEOUT_S = 10
SESSION_RETRY_S = 0.2
MAX_SESSION_REFUSALS = 5
"""This many refusals in a row while no other session of ours is or was open mean that the server
opens none."""
READ_FILE_TIMEOUT_S = 15
NODELAY_TIMEOUT_S = 10

_PROHIBITED = 1
_CONNECT_FAILED = 2
"""Reason codes of SSH_MSG_CHANNEL_OPEN_FAILURE (RFC 4254, 5.1)."""

_T = TypeVar("_T")
_Channel = TypeVar("_Channel", bound="SSHChannel[bytes]")
_Session = TypeVar("_Session")


class FileFault(StrEnum):
    """Why a remote file cannot be read."""

    MISSING = "missing"
    DENIED = "denied"
    TOO_LARGE = "too-large"
    NOT_A_FILE = "not-a-file"
    NO_SFTP = "no-sftp"
    LOST = "lost"
    """The connection ended, which says nothing about the file."""


class FileFailure(msgspec.Struct, frozen=True, kw_only=True):
    """A remote file that could not be read."""

    reason: FileFault
    detail: Untrusted = NOTHING_SAID


class TcpChannel:
    """A byte stream to a port on the far side (SSH direct-tcpip). Close it when done.

    read and write raise ConnectionResetError when the channel or its connection is lost.
    """

    def __init__(self, pipe: "_Pipe") -> None:
        self._pipe = pipe

    async def read(self, max_bytes: int = 65_536) -> bytes:
        """The next bytes as soon as there are some; b"" at the end of the stream."""
        return await self._pipe.take(max_bytes)

    async def write(self, data: bytes) -> None:
        """Send all of ``data``; waits while the other end reads too slowly."""
        await self._pipe.put(data)

    def write_eof(self) -> None:
        """Say that nothing more will be sent."""
        self._pipe.put_eof()

    def close(self) -> None:
        """Close at once, without waiting. Calling it again does nothing."""
        self._pipe.close()


class SshConnection:
    """An open connection to one host, shared by everything that needs that host."""

    lost: asyncio.Event
    """Set once the connection is gone, for whatever reason; never cleared."""

    def __init__(self, connection: asyncssh.SSHClientConnection, lost: asyncio.Event) -> None:
        self.raw = connection
        self.lost = lost
        self.long_polls = asyncio.Semaphore(MAX_LONG_POLLS)
        self.log_streams = asyncio.Semaphore(MAX_LOG_STREAMS)
        self._sessions = asyncio.Semaphore(MAX_SESSIONS)
        self._open_sessions = 0
        self._sessions_ever = 0
        self._session_ended = asyncio.Event()
        self._tasks: set[asyncio.Task[object]] = set()
        self.forwards = False
        """Whether a channel through it ever succeeded."""
        self.given_up = False
        """Whether another one replaces it, so that its end is not a loss."""

    async def open_tcp(self, port: int, host: str = "127.0.0.1") -> TcpChannel | ChannelFailure:
        """Open a byte stream to ``host:port`` as seen from the far side.

        Failures: GATEWAY_DOWN (nothing listens there), FORWARD_DENIED (sshd does not allow it),
        SSH_UNREACHABLE (the connection itself is lost), TIMEOUT.
        """
        opening = self.raw.create_connection(_Pipe, host, port, encoding=None)
        try:
            async with asyncio.timeout(CHANNEL_OPEN_TIMEOUT_S):
                channel, pipe = await self._open(opening)
        except TimeoutError:
            detail = words_of(f"no answer about port {port} in {CHANNEL_OPEN_TIMEOUT_S} s")
            return ChannelFailure(kind=FailureKind.TIMEOUT, detail=detail)
        except asyncssh.ChannelOpenError as error:
            return self._channel_failure(error, port)
        except (asyncssh.Error, OSError) as error:
            return ChannelFailure(kind=FailureKind.SSH_UNREACHABLE, detail=describe(error))
        assert isinstance(pipe, _Pipe)
        self.forwards = True
        channel.set_write_buffer_limits(high=CHANNEL_BUFFER_BYTES)
        return TcpChannel(pipe)

    def _channel_failure(self, error: asyncssh.ChannelOpenError, port: int) -> ChannelFailure:
        if self.lost.is_set() or self.raw.is_closed():
            return ChannelFailure(kind=FailureKind.SSH_UNREACHABLE, detail=describe(error))
        match error.code:
            case code if code == _PROHIBITED:
                detail = words_of(f"sshd does not allow forwarding to port {port}")
                return ChannelFailure(kind=FailureKind.FORWARD_DENIED, detail=detail)
            case code if code == _CONNECT_FAILED:
                detail = words_of(f"nothing answers on port {port}: {describe(error).raw}")
                return ChannelFailure(kind=FailureKind.GATEWAY_DOWN, detail=detail)
            case _:  # any other reason code that a server may send
                return ChannelFailure(kind=FailureKind.SSH_PROTOCOL, detail=describe(error))

    async def run(
        self,
        command: str,
        stdin: bytes = b"",
        *,
        timeout_ms: int,
        max_output_bytes: int = DEFAULT_MAX_OUTPUT_BYTES,
    ) -> RunResult:
        """Run a constant command with ``stdin`` as its input; everything is bytes, no pty.

        A lost connection, a timeout, too much output or a missing exit status is Unknown. A
        session that sshd would not open is a ChannelFailure: the command was never sent.
        """
        output = _Output(max_output_bytes)
        try:
            async with asyncio.timeout(timeout_ms / 1000), self._session(command, output) as opened:
                if isinstance(opened, ChannelFailure):
                    return opened
                _give(opened, stdin)
                await output.ended.wait()
        except TimeoutError:
            return Unknown(LostReason.TIMEOUT, words_of(f"no answer in {timeout_ms} ms"))
        except (asyncssh.Error, OSError) as error:
            return Unknown(LostReason.CONNECTION_LOST, describe(error))
        return output.result()

    @asynccontextmanager
    async def stream(
        self, command: str, stdin: bytes
    ) -> AsyncIterator["TcpChannel | ChannelFailure"]:
        """Run a command whose output is read as it arrives, for as long as the block lasts.

        read() returns b"" when the command ends and raises ConnectionResetError when the connection
        does; that is also raised where the session cannot be opened for lack of a connection.
        """
        pipe = _Pipe()
        async with self._session(command, pipe) as opened:
            if isinstance(opened, ChannelFailure):
                yield opened
            else:
                _give(opened, stdin)
                yield TcpChannel(pipe)

    @asynccontextmanager
    async def _session(
        self, command: str, session: "_Output | _Pipe"
    ) -> AsyncIterator["asyncssh.SSHClientChannel[bytes] | ChannelFailure"]:
        """Open an exec session within the connection's budget and close it in the end.

        Raises OSError where the connection is lost: the command may already have been sent.
        """
        async with self._sessions:
            opened = await self._in_turn(
                lambda: self._open(
                    self.raw.create_session(
                        lambda: session, command, encoding=None, request_pty=False
                    )
                )
            )
            if isinstance(opened, ChannelFailure):
                yield opened
                return
            channel, _ = opened
            with self._counted():
                try:
                    yield channel
                finally:
                    channel.close()

    @contextmanager
    def _counted(self) -> Iterator[None]:
        """A session of ours is open for as long as the block lasts."""
        self._open_sessions += 1
        self._sessions_ever += 1
        try:
            yield
        finally:
            self._open_sessions -= 1
            one_ended, self._session_ended = self._session_ended, asyncio.Event()
            one_ended.set()

    async def _in_turn(self, open_session: Callable[[], Awaitable[_T]]) -> _T | ChannelFailure:
        """The result of opening a session; waits while sshd reports too many of ours (MaxSessions).
        Raises ConnectionResetError when the connection is lost."""
        refusals, others = 0, self._sessions_ever
        while True:
            one_ended = self._session_ended
            try:
                return await open_session()
            except asyncssh.ChannelOpenError as error:
                if self.lost.is_set() or self.raw.is_closed():
                    raise ConnectionResetError(str(error)) from error
                # While other openings succeed, sessions are available in turn.
                others_go_on = self._open_sessions > 0 or self._sessions_ever > others
                refusals = 0 if others_go_on else refusals + 1
                others = self._sessions_ever
                if error.code != _CONNECT_FAILED or refusals > MAX_SESSION_REFUSALS:
                    detail = words_of(f"sshd does not open a session: {describe(error).raw}")
                    return ChannelFailure(kind=FailureKind.SESSION_DENIED, detail=detail)
                # sshd releases an ended session a little later than we do.
                with suppress(TimeoutError):
                    async with asyncio.timeout(SESSION_RETRY_S):
                        await one_ended.wait()
            except asyncssh.Error as error:
                raise ConnectionResetError(describe(error).raw) from error

    async def read_file(self, path: str, max_bytes: int) -> bytes | FileFailure:
        """The whole of a regular file over SFTP; ``~/`` is the far side's home."""
        try:
            async with asyncio.timeout(READ_FILE_TIMEOUT_S), self._sessions:
                sftp = await self._in_turn(self.raw.start_sftp_client)
                if isinstance(sftp, ChannelFailure):
                    return FileFailure(reason=FileFault.NO_SFTP, detail=sftp.detail)
                with self._counted():
                    async with sftp:
                        found = await _sftp_read(sftp, path.removeprefix("~/"), max_bytes)
                return found
        except (asyncssh.SFTPNoSuchFile, asyncssh.SFTPNoSuchPath) as error:
            return FileFailure(reason=FileFault.MISSING, detail=describe(error))
        except asyncssh.SFTPPermissionDenied as error:
            return FileFailure(reason=FileFault.DENIED, detail=describe(error))
        except (asyncssh.Error, OSError) as error:
            is_lost = self.lost.is_set() or isinstance(error, TimeoutError)
            reason = FileFault.LOST if is_lost else FileFault.NO_SFTP
            return FileFailure(reason=reason, detail=describe(error))

    def make_snappy(self) -> None:
        """Open and end one session in the background.

        sshd turns TCP_NODELAY on only with the first session; without it a fresh channel answers in
        44 ms instead of 2.5. A server that allows no sessions is left as it is.
        """
        self._keep(asyncio.create_task(self._one_session()))

    async def _one_session(self) -> None:
        await self.run("exit", timeout_ms=NODELAY_TIMEOUT_S * 1000, max_output_bytes=65_536)

    async def close(self) -> None:
        """Close the connection and wait briefly for its disconnect."""
        for task in tuple(self._tasks):
            task.cancel()
        self.raw.close()
        try:
            async with asyncio.timeout(1):
                await self.raw.wait_closed()
        except TimeoutError:
            self.raw.abort()

    async def _open(
        self, opening: Coroutine[object, object, tuple[_Channel, _Session]]
    ) -> tuple[_Channel, _Session]:
        """Await an opening; if we are cancelled, close what opens afterwards.

        asyncssh forgets a channel whose opener was cancelled, and sshd would keep counting it.
        """
        task = asyncio.create_task(opening)
        try:
            return await asyncio.shield(task)
        except asyncio.CancelledError:
            self._keep(task)
            task.add_done_callback(_close_late)
            raise

    def _keep(self, task: "asyncio.Task[_T]") -> None:
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)


def _give(channel: "asyncssh.SSHClientChannel[bytes]", stdin: bytes) -> None:
    """Send a command its input. It is no error if the command ended without reading it."""
    with suppress(OSError):
        channel.write(stdin)
        channel.write_eof()


def _close_late(task: "asyncio.Task[tuple[_Channel, _Session]]") -> None:
    if not task.cancelled() and task.exception() is None:
        task.result()[0].close()


async def _sftp_read(sftp: asyncssh.SFTPClient, path: str, max_bytes: int) -> bytes | FileFailure:
    found = await sftp.stat(path)
    if found.type != asyncssh.FILEXFER_TYPE_REGULAR:
        return FileFailure(reason=FileFault.NOT_A_FILE, detail=words_of(path))
    async with sftp.open(path, "rb") as file:
        data: bytes = await file.read(max_bytes + 1)
    if len(data) > max_bytes:
        detail = words_of(f"more than {max_bytes} bytes")
        return FileFailure(reason=FileFault.TOO_LARGE, detail=detail)
    return data


class _Output(asyncssh.SSHClientSession[bytes]):
    """Collects what a command writes, up to a limit, and how it ended."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._chunks: dict[bool, list[bytes]] = {False: [], True: []}
        self._size = 0
        self._status: int | None = None
        self._error: Exception | None = None
        self.ended = asyncio.Event()

    def data_received(self, data: bytes, datatype: int | None) -> None:
        self._size += len(data)
        if self._size > self._limit:
            self.ended.set()
        else:
            self._chunks[datatype is not None].append(data)

    def exit_status_received(self, status: int) -> None:
        self._status = status

    def exit_signal_received(self, signal: str, core_dumped: bool, msg: str, lang: str) -> None:
        self._status = -1

    def connection_lost(self, exc: Exception | None) -> None:
        self._error = exc
        self.ended.set()

    def result(self) -> Definite[Completed] | Unknown:
        """The result from the collected bytes."""
        if self._size > self._limit:
            detail = words_of(f"more than {self._limit} bytes of output")
            return Unknown(LostReason.BAD_ANSWER, detail)
        if self._status is None:
            detail = describe(self._error) if self._error else Untrusted("no exit status")
            return Unknown(LostReason.CONNECTION_LOST, detail)
        stdout, stderr = (b"".join(self._chunks[which]) for which in (False, True))
        return Definite(Completed(exit_status=self._status, stdout=stdout, stderr=stderr))


class _Pipe(asyncssh.SSHTCPSession[bytes], asyncssh.SSHClientSession[bytes]):
    """A channel as a byte stream, with back-pressure both ways. Error output is ignored."""

    def __init__(self) -> None:
        self._channel: SSHChannel[bytes] | None = None
        self._chunks: deque[bytes] = deque()
        self._buffered = 0
        self._reading_paused = False
        self._finished = False
        self._error: Exception | None = None
        self._readable = asyncio.Event()
        self._writable = asyncio.Event()
        self._writable.set()

    def connection_made(self, chan: object) -> None:
        assert isinstance(chan, SSHChannel)
        self._channel = chan

    def data_received(self, data: bytes, datatype: int | None) -> None:
        if datatype is not None:
            return
        self._chunks.append(data)
        self._buffered += len(data)
        self._readable.set()
        if self._buffered > CHANNEL_BUFFER_BYTES and self._channel is not None:
            self._reading_paused = True
            self._channel.pause_reading()

    def eof_received(self) -> bool:
        self._finished = True
        self._readable.set()
        return True

    def pause_writing(self) -> None:
        self._writable.clear()

    def resume_writing(self) -> None:
        self._writable.set()

    def connection_lost(self, exc: Exception | None) -> None:
        self._channel = None
        if exc is not None or not self._finished:
            self._error = exc or ConnectionResetError("SSH closed the channel")
        self._finished = True
        self._readable.set()
        self._writable.set()

    async def take(self, max_bytes: int) -> bytes:
        """Up to ``max_bytes`` of the input; b"" at the end. Raises ConnectionResetError."""
        while not self._chunks:
            if self._error is not None:
                raise ConnectionResetError(describe(self._error).raw) from self._error
            if self._finished:
                return b""
            self._readable.clear()
            await self._readable.wait()
        chunk = self._chunks.popleft()
        if len(chunk) > max_bytes:
            self._chunks.appendleft(chunk[max_bytes:])
            chunk = chunk[:max_bytes]
        self._buffered -= len(chunk)
        if self._reading_paused and self._buffered <= CHANNEL_BUFFER_BYTES // 2:
            self._reading_paused = False
            if self._channel is not None:
                self._channel.resume_reading()
        return chunk

    async def put(self, data: bytes) -> None:
        """Send ``data``. Raises ConnectionResetError when the channel is gone."""
        if self._channel is None or self._channel.is_closing():
            raise ConnectionResetError("the channel is closed")
        self._channel.write(data)
        await self._writable.wait()
        if self._error is not None:
            raise ConnectionResetError(describe(self._error).raw) from self._error

    def put_eof(self) -> None:
        """Signal the end of the data."""
        if self._channel is not None and not self._channel.is_closing():
            self._channel.write_eof()

    def close(self) -> None:
        """Close the channel; unread data is dropped."""
        if self._channel is not None:
            self._channel.close()
