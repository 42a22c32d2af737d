"""Log lines of a gateway: levels, times, tasks, secrets, gaps."""

import json
from pathlib import Path

import pytest

from fleet_tui.base.redact import LineRedactor
from fleet_tui.core.ids import AgentName, TaskId
from fleet_tui.core.logs import MAX_LINE_CHARS, Level, LogGap, LogLine
from fleet_tui.wire.openclaw.frames import decode
from fleet_tui.wire.openclaw.logs import Tail, gap_of, parse_line

DATA = Path(__file__).parent / "data" / "openclaw"
AGENT = AgentName("agent-1")
NOW_MS = 1_795_201_000_000
TRACE = "dc53f9906b2ec97af14235d3b39ceeaf"


def parse(line: str, redactor: LineRedactor | None = None) -> LogLine:
    return parse_line(
        line,
        source=AGENT,
        received_at_ms=NOW_MS,
        tasks={TRACE: TaskId("T1")},
        redactor=redactor or LineRedactor(),
    )


def tail(name: str) -> Tail:
    decoded = decode((DATA / name).read_bytes(), Tail)
    assert isinstance(decoded, Tail)
    return decoded


def test_recorded_lines_belong_to_the_task_whose_trace_they_carry() -> None:
    lines = [parse(line) for line in tail("logs-tail.json").lines]
    assert [line.task for line in lines] == ["T1", "T1", "T1"]
    assert lines[0].text.raw.startswith("[agent/embedded] tool-search")
    assert lines[0].level is Level.INFO
    assert lines[0].written_at_ms == 1_795_200_973_104
    assert lines[0].received_at_ms == NOW_MS
    assert lines[0].source == AGENT


@pytest.mark.parametrize(
    ("name", "level"),
    [("WARN", Level.WARN), ("FATAL", Level.ERROR), ("SILLY", Level.TRACE), ("?", Level.UNKNOWN)],
)
def test_levels(name: str, level: Level) -> None:
    assert parse(json.dumps({"message": "m", "_meta": {"logLevelName": name}})).level is level


@pytest.mark.parametrize(
    ("message", "level", "text"),
    [
        ("10%\r20%\rERROR disk gone", Level.ERROR, "ERROR disk gone"),
        ("ERROR 10%\rdone", Level.UNKNOWN, "done"),
        ("WARN slow\r\nand slower\r\n", Level.WARN, "WARN slow\nand slower\n"),
    ],
)
def test_the_level_is_that_of_what_is_shown(message: str, level: Level, text: str) -> None:
    parsed = parse(json.dumps({"message": message}))
    assert (parsed.level, parsed.text.raw) == (level, text)


@pytest.mark.parametrize(
    "line", ["", "plain text", "[1]", "{", '{"message": 5}', '{"a":' + "[" * 100_000, "\ud800"]
)
def test_a_line_that_is_no_record_stays_as_it_came(line: str) -> None:
    parsed = parse(line)
    assert parsed.task is None
    assert parsed.written_at_ms is None
    assert len(parsed.text.raw) <= MAX_LINE_CHARS
    assert parsed.text.raw[:5] == line.encode("utf-8", "backslashreplace").decode()[:5]


@pytest.mark.parametrize("time", ["", "soon", "2026-11-20T18:56:13", "0001-01-01T00:00:00+00:00"])
def test_a_time_that_cannot_be_believed_is_left_out(time: str) -> None:
    assert parse(json.dumps({"message": "m", "time": time})).written_at_ms is None


def test_secrets_are_taken_out_before_a_long_line_is_cut() -> None:
    key = "sk-" + "a1b2c3d4" * 4
    padding = "x" * (MAX_LINE_CHARS - 40)
    text = parse(json.dumps({"message": f"{padding} {key} end"})).text.raw
    assert "a1b2c3d4" not in text
    assert len(text) <= MAX_LINE_CHARS


def test_a_key_over_many_records_is_hidden_as_a_whole() -> None:
    redactor = LineRedactor()
    lines = ["-----BEGIN EC PRIVATE KEY-----", "c4n4ry", "-----END EC PRIVATE KEY-----", "after"]
    kept = [parse(json.dumps({"message": line}), redactor).text.raw for line in lines]
    assert kept == ["[redacted:private-key]"] * 3 + ["after"]


def gap(answer: Tail) -> LogGap | None:
    return gap_of(answer, source=AGENT, received_at_ms=NOW_MS)


def test_an_up_to_date_answer_has_no_gap() -> None:
    assert gap(tail("logs-tail.json")) is None


def test_skipped_bytes_are_a_gap_of_that_size() -> None:
    skipped = gap(tail("logs-reset.json"))
    assert skipped is not None
    assert skipped.bytes == 649_467
    assert skipped.reason == "too many lines at once"


def test_a_replaced_file_is_a_gap_of_unknown_size() -> None:
    replaced = gap(Tail(cursor=0, reset=True))
    assert replaced is not None
    assert replaced.bytes is None
    assert "replaced" in replaced.reason


def test_lines_cut_off_without_a_reset_are_a_gap_too() -> None:
    assert gap(Tail(cursor=9, truncated=True)) is not None


@pytest.mark.parametrize("skipped", [10**30, -1])
def test_a_gap_of_a_size_that_cannot_be_is_of_unknown_size(skipped: int) -> None:
    found = gap(Tail(cursor=9, reset=True, truncated=True, skipped_bytes=skipped))
    assert found is not None
    assert (found.bytes, found.reason) == (None, "too many lines at once")
