"""What reads bytes from outside, each as a function that fails only where there is a bug.

Add a target here, a file that once broke it to ``tests/fuzz/regressions/<target>/``, and both the
tests and ``python -m tests.fuzz`` (CONTRIBUTING.md, "Testing") try it.
"""

import tempfile
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from fleet_tui.base.paths import private_dir
from fleet_tui.base.redact import LineRedactor, redact
from fleet_tui.console.terminal.seatbelt import ReplyFilter, belted
from fleet_tui.core.ids import AgentName
from fleet_tui.core.logs import MAX_LINE_CHARS, Level
from fleet_tui.core.tasks.evidence import Definite, Unknown
from fleet_tui.core.text.firewall import safe_line, safe_text
from fleet_tui.core.text.untrusted import Untrusted
from fleet_tui.journal.errors import JournalError
from fleet_tui.journal.recordings.importing import import_recording
from fleet_tui.wire.framing import LineFramer, cut_line
from fleet_tui.wire.levels import read_level
from fleet_tui.wire.openclaw import frames, logs
from fleet_tui.wire.programs.wrapper import (
    PROTOCOL,
    WrapperReply,
    inspection_of,
    read_checkpoint,
    read_reply,
    read_usage,
)
from fleet_tui.wire.shell import Completed

MARK_CHARS = 64
"""Room for the note of a cut."""


def _remote(data: bytes) -> Untrusted:
    return Untrusted(data.decode(errors="backslashreplace"))


def firewall(data: bytes) -> None:
    """Nothing that comes out steers a terminal, and a second time changes nothing."""
    for text in (
        _remote(data).raw,
        data.decode("utf-8", "surrogateescape"),
    ):
        line = safe_line(text)
        assert line.isprintable(), line
        assert safe_line(line) == line
        assert all(each.isprintable() for each in safe_text(text))


def framer(data: bytes) -> None:
    """Lines do not depend on how the bytes were cut, and are bounded."""
    whole, pieces = LineFramer(), LineFramer()
    lines = whole.feed(data) + whole.finish()
    cut = [data[at : at + 7] for at in range(0, len(data), 7)]
    assert [*(x for piece in cut for x in pieces.feed(piece)), *pieces.finish()] == lines
    assert all(len(cut_line(line)) <= MAX_LINE_CHARS + MARK_CHARS for line in lines)
    assert all(read_level(line.text) in Level for line in lines)


def answers(data: bytes) -> None:
    """A gateway's JSON is understood or malformed, never an error."""
    for shape in (frames.GatewayFrame, frames.GatewayHello, frames.RunAccepted, frames.Challenge):
        frames.decode(data, shape)
    read_usage(data)


def gateway_log(data: bytes) -> None:
    """A line of a gateway's log is always a line of ours."""
    text = _remote(data).raw
    line = logs.parse_line(
        text, source=AgentName("a"), received_at_ms=1, tasks={}, redactor=LineRedactor()
    )
    assert len(line.text.raw) <= MAX_LINE_CHARS + MARK_CHARS


def wrapper(data: bytes) -> None:
    """What a host says about a run is an answer or no answer."""
    for output in (data, PROTOCOL + data):
        reply = read_reply(Definite(Completed(exit_status=0, stdout=output)))
        assert isinstance(reply, WrapperReply | Unknown)
        if isinstance(reply, WrapperReply):
            inspection_of(reply)
            read_checkpoint(reply)


def terminal(data: bytes) -> None:
    """Answers of a terminal do not depend on how they were cut, and hold nothing back for ever."""
    text = data.decode("utf-8", "replace")
    replies = ReplyFilter()
    kept = "".join(replies.feed(char) for char in text) + replies.flush()
    assert len(kept) <= 5 * len(text), "escape and a digit become the longer escape key"
    assert replies.patience_s is None
    frame = belted(f"\x1b[1;1H{text}")
    assert belted(frame) == frame


def redactor(data: bytes) -> None:
    """Redacting ends, and what is redacted stays so."""
    text = redact(_remote(data).raw)
    assert isinstance(text, str)


def recording(data: bytes) -> None:
    """A file is a recording, or told not to be one."""
    with tempfile.TemporaryDirectory() as directory:
        path = Path(directory) / "x.fleetrec"
        path.write_bytes(data)
        with suppress(JournalError):
            import_recording(path, private_dir(Path(directory) / "cache"))


TARGETS: dict[str, Callable[[bytes], None]] = {
    "firewall": firewall,
    "framer": framer,
    "answers": answers,
    "gateway_log": gateway_log,
    "wrapper": wrapper,
    "terminal": terminal,
    "redactor": redactor,
    "recording": recording,
}
