"""Follows a program's log file from now on, by inode and byte offset.

The host sends counted chunks (verb ``tail`` of ``wrapper.sh``), so after a lost connection reading
continues at the very next byte. Bytes that are lost anyway (a file truncated or moved away before
its end was read) are reported as a LogGap.
"""

import asyncio
import re
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from contextlib import aclosing

from fleet_tui.base.redact import LineRedactor
from fleet_tui.core.ids import AgentName, TaskId
from fleet_tui.core.logs import LogGap, LogLine
from fleet_tui.core.text.untrusted import Untrusted
from fleet_tui.wire.framing import FramedLine, LineFramer, cut_line
from fleet_tui.wire.levels import read_level
from fleet_tui.wire.numbers import written_count
from fleet_tui.wire.programs.wrapper import COMMAND, MAX_NOISE_BYTES, PROTOCOL, RunWrapper
from fleet_tui.wire.shell import ByteSource, ChannelFailure, Shell
from fleet_tui.wire.ssh.failures import SshFailure

STREAM_S = 30
"""A stream ends by itself after this long, so that a dead one cannot stay on the host."""
CROWDED_STREAM_S = 2
"""The same while other logs of the host wait for their turn."""
SILENCE_LIMIT_S = 25
"""The host sends a sign of life every ten seconds."""
RETRY_S = 2.0
UNFINISHED_LINE_S = 45
"""A line without an end is shown as it is after this long without more of it. A program with a full
buffer pauses in the middle of a line; one that asks or has crashed writes no end at all."""
MAX_HEADER_BYTES = 4_096

_TRACE_ID = re.compile(r"(?<![0-9a-f])[0-9a-f]{32}(?![0-9a-f])")


class LogTail:
    """One log file of one agent."""

    def __init__(
        self,
        path: str,
        *,
        agent: AgentName,
        wrapper: RunWrapper,
        reach: Callable[[], Awaitable[Shell | SshFailure]],
        now_ms: Callable[[], int],
        traces: Mapping[str, TaskId],
    ) -> None:
        """``traces`` maps trace ids in lines to tasks."""
        self._path = path
        self._agent = agent
        self._wrapper = wrapper
        self._reach = reach
        self._now_ms = now_ms
        self._traces = traces
        self._inode = "new"
        self._offset = 0
        self._framer = LineFramer()
        self._grew_at_s = 0.0
        self._redactor = LineRedactor()

    async def lines(self) -> AsyncGenerator[LogLine | LogGap, None]:
        """Lines and gaps, for ever."""
        while True:
            shell = await self._reach()
            ended = False
            if not isinstance(shell, SshFailure):
                async with shell.log_streams, aclosing(self._one_stream(shell)) as stream:
                    async for item in stream:
                        if item is None:
                            ended = True
                        else:
                            yield item
            if not ended:
                await asyncio.sleep(RETRY_S)

    async def _one_stream(self, shell: Shell) -> AsyncGenerator[LogLine | LogGap | None, None]:
        """Everything one stream brings; None last if it ended as agreed."""
        crowded = shell.log_streams.locked()
        seconds = CROWDED_STREAM_S if crowded else STREAM_S
        question = self._wrapper.tail_question(self._path, self._inode, self._offset, seconds)
        try:
            async with shell.stream(COMMAND, question) as source:
                if isinstance(source, ChannelFailure):
                    return
                reader = _Chunks(source)
                await reader.skip_noise()
                while True:
                    match await reader.next():
                        case bytes() as data:
                            for line in self._grown(data):
                                yield line
                        case ["end"]:
                            yield None
                            return
                        case words:  # neither the end nor bytes
                            for item in self._heard(words):
                                yield item
        except (OSError, EOFError):
            return

    def _grown(self, data: bytes) -> list[LogLine]:
        """Process more bytes of the file."""
        self._offset += len(data)
        self._grew_at_s = asyncio.get_running_loop().time()
        return self._lines(self._framer.feed(data))

    def _heard(self, words: list[str]) -> list[LogLine | LogGap]:
        """Process the host's report about the file. A file that was replaced or is empty does not
        continue an unfinished line. Raises EOFError for an invalid position."""
        match words:
            case ["at", inode, place] if (offset := written_count(place)) is not None:
                unfinished: list[LogLine | LogGap] = []
                if (inode, offset) != (self._inode, self._offset):
                    unfinished.extend(self._lines(self._framer.finish()))
                if self._inode == "new" and offset:
                    self._framer.begin_inside()
                self._inode, self._offset = inode, offset
                return unfinished
            case ["at", *_]:
                raise EOFError("no place")
            case ["missing"]:
                self._inode, self._offset = "none", 0
                return [*self._lines(self._framer.finish())]
            case ["truncated" | "rotated" as reason]:
                gap = LogGap(
                    received_at_ms=self._now_ms(), source=self._agent, reason=f"log {reason}"
                )
                return [*self._lines(self._framer.finish()), gap]
            case _:  # such as a sign of life
                silent_s = asyncio.get_running_loop().time() - self._grew_at_s
                if self._framer.holds_something and silent_s >= UNFINISHED_LINE_S:
                    return [*self._lines(self._framer.rest())]
        return []

    def _lines(self, framed: list[FramedLine]) -> list[LogLine]:
        return [line for each in framed if (line := self._line(each)) is not None]

    def _line(self, framed: FramedLine) -> LogLine | None:
        """Redacted before it is cut, because a cut secret is no longer recognised."""
        kept = self._redactor.redact(framed.text)
        if kept is None:
            return None
        text = cut_line(FramedLine(kept, framed.dropped_bytes))
        trace = _TRACE_ID.search(text) if self._traces else None
        return LogLine(
            received_at_ms=self._now_ms(),
            source=self._agent,
            level=read_level(kept),
            text=Untrusted(text),
            task=self._traces.get(trace[0]) if trace else None,
        )


class _Chunks:
    """The wrapper's stream: lines of words, and the bytes of blobs as they arrive."""

    def __init__(self, source: ByteSource) -> None:
        self._source = source
        self._buffer = bytearray()
        self._blob_left = 0
        self._after_blob = False

    async def skip_noise(self) -> None:
        """Drop output before the protocol. Raises EOFError where it never begins."""
        while (at := self._buffer.find(PROTOCOL)) < 0:
            if len(self._buffer) > MAX_NOISE_BYTES:
                raise EOFError("no protocol line")
            await self._more()
        del self._buffer[: at + len(PROTOCOL)]

    async def next(self) -> list[str] | bytes:
        """The next line's words, or bytes of the log.

        Raises EOFError at the end of the stream, when the host stays silent, and for bytes that it
        does not count.
        """
        while True:
            if self._blob_left:
                if self._buffer:
                    data = bytes(self._buffer[: self._blob_left])
                    del self._buffer[: len(data)]
                    self._blob_left -= len(data)
                    self._after_blob = not self._blob_left
                    return data
            elif (at := self._buffer.find(b"\n")) >= 0:
                words = self._buffer[:at].decode("utf-8", "replace").split()
                del self._buffer[: at + 1]
                if self._after_blob:
                    self._after_blob = False
                    continue
                match words:
                    case ["blob", "log", said] if (length := written_count(said)) is not None:
                        self._blob_left = length
                        continue
                    case ["blob", *_]:
                        raise EOFError("no length")
                    case _:  # the caller knows the others
                        return words
            elif len(self._buffer) > MAX_HEADER_BYTES:
                raise EOFError("no protocol")
            await self._more()

    async def _more(self) -> None:
        try:
            async with asyncio.timeout(SILENCE_LIMIT_S):
                data = await self._source.read(65_536)
        except TimeoutError:
            raise EOFError("silence") from None
        if not data:
            raise EOFError("the stream ended")
        self._buffer += data
