import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from fleet_tui.core.ids import AgentName, TaskId
from fleet_tui.core.logs import Level, LogGap, LogLine, LogQuery
from fleet_tui.core.text.untrusted import Untrusted
from fleet_tui.journal.directory import prepare
from fleet_tui.journal.ledger import segments
from fleet_tui.journal.ledger.segments import numbered_files
from fleet_tui.journal.telemetry import rolling
from fleet_tui.journal.telemetry.logs import BUFFER_FULL, LogReader, LogWriter
from fleet_tui.journal.telemetry.rolling import Bounds

A, B = AgentName("agent-01"), AgentName("agent-02")
TASK = TaskId("01J00000000000000000000042")


def line(
    text: str,
    at_ms: int = 1,
    source: AgentName | None = A,
    level: Level = Level.INFO,
    task: TaskId | None = None,
) -> LogLine:
    return LogLine(
        received_at_ms=at_ms, source=source, level=level, text=Untrusted(text), task=task
    )


LINES = [
    line("run started", 1, task=TASK),
    line("error: disk full on /var/lib/agent.", 2, level=Level.ERROR),
    line("GET http://10.0.0.7:8080/readyz took 12ms", 3, source=B),
    line("état: prêt, 100% sûr", 4, source=B, level=Level.WARN),
    line("fleet thawed", 5, source=None),
    line("run finished", 6, task=TASK),
]


async def stored(directory: Path) -> LogReader:
    prepare(directory)
    writer = await LogWriter.open(directory)
    assert writer.write(LINES) == 0
    await writer.close()
    return LogReader(directory)


def texts(reader: LogReader, wanted: LogQuery) -> list[str]:
    return [found.text.raw for found in reader.query(wanted)]


@pytest.mark.parametrize(
    ("words", "found"),
    [
        ("error", [1]),
        ("ERROR disk", [1]),
        ("full error", [1]),
        ("/var/lib/agent", [1]),
        ("var/lib/agent", [1]),
        ("10.0.0.7", []),
        ("http://10.0.0.7:8080/readyz", [2]),
        ("http*", [2]),
        ("run", [0, 5]),
        ("run*", [0, 5]),
        ("prêt", [3]),
        ("100%", [3]),
        ("prêt thawed", []),
        ("run nothing", []),
        ("***", []),
        ("[!]", []),
        ("--", []),
        ("run --", []),
        ("%", [3]),
        ("://", [2]),
        ("GET ://", [2]),
        ("% prêt", [3]),
        ("% thé", []),
        ('"run" AND (OR NEAR', []),
        ("", [0, 1, 2, 3, 4, 5]),
    ],
)
async def test_lines_are_found_by_their_words(
    directory: Path, words: str, found: list[int]
) -> None:
    with closing(await stored(directory)) as reader:
        expected = [LINES[place].text.raw for place in found]
        assert texts(reader, LogQuery(words=words)) == expected


async def test_lines_that_are_all_signs_are_stored_as_fast_as_others(directory: Path) -> None:
    """Were each run of signs read again from each of its places, a few hostile lines would hold up
    the engine for minutes: longer than a test may take."""
    prepare(directory)
    writer = await LogWriter.open(directory)
    assert writer.write([line(f"a{'-' * 4_000}z {n}") for n in range(2_000)]) == 0
    await writer.close()
    (found,) = LogReader(directory).query(LogQuery(words="1234"))
    assert found.text.raw.endswith(" 1234")


async def test_every_filter_narrows(directory: Path) -> None:
    with closing(await stored(directory)) as reader:
        everything = reader.query(LogQuery())
        assert [found.line_id for found in everything] == [1, 2, 3, 4, 5, 6]
        assert len(texts(reader, LogQuery(source=B))) == 2
        assert texts(reader, LogQuery(task=TASK)) == ["run started", "run finished"]
        assert texts(reader, LogQuery(level=Level.ERROR)) == [LINES[1].text.raw]
        assert len(texts(reader, LogQuery(since_ms=2, until_ms=3))) == 2
        assert texts(reader, LogQuery(limit=1)) == ["run finished"]
        assert texts(reader, LogQuery(before_line=6, limit=1)) == ["fleet thawed"]
        assert texts(reader, LogQuery(after_line=5)) == ["run finished"]
        assert texts(reader, LogQuery(words="run", task=TASK, before_line=6)) == ["run started"]
        assert texts(reader, LogQuery(words="run", source=B)) == []
        assert texts(reader, LogQuery(contains="UN S")) == ["run started", LINES[3].text.raw]
        assert texts(reader, LogQuery(contains="0%")) == [LINES[3].text.raw]
        assert texts(reader, LogQuery(contains="n_s", source=A)) == []
        assert everything[4].source is None


async def test_the_stored_line_is_the_line(directory: Path) -> None:
    prepare(directory)
    writer = await LogWriter.open(directory)
    hostile = LogLine(
        received_at_ms=1,
        source=None,
        level=Level.UNKNOWN,
        text=Untrusted("\x1b]0;x\x07 [red] a\x00b"),
        written_at_ms=7,
    )
    writer.write([hostile, line("half \ud800 pair")])
    await writer.close()
    with closing(LogReader(directory)) as reader:
        first, second = reader.query(LogQuery())
    assert first.text == hostile.text
    assert first.written_at_ms == 7
    assert second.text.raw == "half \\ud800 pair"


async def test_following_gives_lines_and_gaps_in_order(directory: Path) -> None:
    prepare(directory)
    writer = await LogWriter.open(directory, Bounds(file_bytes=1, files=100, keep_ms=2**40))
    gap = LogGap(received_at_ms=2, source=A, reason="rotated", lines=3, bytes=99, line_id=2)
    for one in (line("a", 1), gap, line("b", 3)):
        writer.write([one])
        await writer.flush()
    await writer.close()
    assert len(numbered_files(directory, "logs")) == 4
    with closing(LogReader(directory)) as reader:
        found = reader.after(0, 10)
        assert found[1] == gap
        assert len(found) == 3
        assert reader.after(2, 10) == found[2:]
        assert reader.after(0, 2) == found[:2]
        assert [one.text.raw for one in reader.query(LogQuery())] == ["a", "b"]
        assert reader.newest_id() == 3


async def test_a_flood_drops_lines_and_counts_them(
    directory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rolling, "MAX_BUFFERED_ROWS", 10)
    prepare(directory)
    writer = await LogWriter.open(directory)
    assert writer.write([line(str(number)) for number in range(25)]) == 15
    await writer.flush()
    assert writer.write([line("after", 9)]) == 0
    await writer.close()
    assert writer.dropped == 15
    with closing(LogReader(directory)) as reader:
        found = reader.after(0, 100)
    assert found[10] == LogGap(
        received_at_ms=9, source=None, reason=BUFFER_FULL, lines=15, line_id=11
    )
    assert len(found) == 12


async def test_a_row_that_cannot_be_stored_does_not_end_the_writer(directory: Path) -> None:
    prepare(directory)
    writer = await LogWriter.open(directory)
    writer.write([LogGap(received_at_ms=1, source=A, reason="skipped", bytes=10**30)])
    await writer.flush()
    assert (writer.dropped, "too large" in writer.failure) == (1, True)
    writer.write(LINES)
    await writer.flush()
    assert (writer.newest_id, writer.failure) == (len(LINES), "")
    await writer.close()


async def test_logs_are_capped_by_bytes_oldest_first(directory: Path) -> None:
    prepare(directory)
    writer = await LogWriter.open(directory, Bounds(file_bytes=1, files=2, keep_ms=2**40))
    for number in range(6):
        writer.write([line(f"line {number}", number)])
        await writer.flush()
    await writer.close()
    assert len(numbered_files(directory, "logs")) == 2
    with closing(LogReader(directory)) as reader:
        assert texts(reader, LogQuery()) == ["line 5"]


def refused() -> sqlite3.OperationalError:
    error = sqlite3.OperationalError("unable to open database file")
    error.sqlite_errorcode = sqlite3.SQLITE_CANTOPEN
    error.sqlite_errorname = "SQLITE_CANTOPEN"
    return error


async def test_a_passing_refusal_deletes_no_lines(
    directory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """At the start, where the newest file is opened, and where old files are looked for."""
    with closing(await stored(directory)) as reader:
        before = numbered_files(directory, "logs")

        def cannot_be_opened(*_: object) -> sqlite3.Connection:
            raise refused()

        with monkeypatch.context() as patched:
            patched.setattr(rolling, "check_format", cannot_be_opened)
            patched.setattr(rolling, "open_read_only", cannot_be_opened)
            writer = await LogWriter.open(directory, Bounds(file_bytes=1, files=8, keep_ms=100))
            for at_ms in (1_000, 2_000):
                writer.write([line("later", at_ms)])
                await writer.flush()
            assert len(numbered_files(directory, "logs")) > 2
        assert numbered_files(directory, "logs")[: len(before)] == before
        assert len(reader.query(LogQuery())) == len(LINES) + 2
        await writer.close()


async def test_a_refusal_while_a_file_is_made_costs_no_later_lines(
    directory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    prepare(directory)
    writer = await LogWriter.open(directory, Bounds(file_bytes=1, files=8, keep_ms=10_000))

    def no_room(_: str) -> str:
        raise refused()

    with monkeypatch.context() as patched:
        patched.setattr(segments, "schema", no_room)
        writer.write([line("one")])
        await writer.flush()
        assert "unable to open" in writer.failure
    writer.write([line("two")])
    await writer.flush()
    assert (writer.failure, writer.dropped) == ("", 0)
    await writer.close()
    with closing(LogReader(directory)) as reader:
        assert texts(reader, LogQuery()) == ["one", "two"]
    assert not list(directory.glob(".*.new*"))
