"""The commands against a running engine: what they do, print, refuse, and with which exit code."""

import os
import re
import signal
import subprocess
import time
from pathlib import Path

import msgspec
import pytest

from fleet_tui.base.errors import ExitCode
from fleet_tui.cli import logs
from fleet_tui.cli.main import run
from fleet_tui.core.logs import Level, LogLine, LogQuery
from fleet_tui.core.tasks.model import TaskPhase
from fleet_tui.core.text.untrusted import Untrusted
from fleet_tui.journal.recordings.importing import import_recording
from fleet_tui.journal.telemetry.logs import LogReader
from tests.acceptance.rig import PROGRAM
from tests.cli.conftest import WITHIN_S, Shop

AWKWARD = 'it\'s "quoted" $(touch /tmp/x) `id` \\n \\\\ * ? ~\n\tsecond line\r\n\n– ünïcode 🦊\n'
HOSTILE = "ding\a \x1b[31mred\x1b[0m \x9b31m \u202eevil\u202c [bold]x[/bold]"


def answer_of(shop: Shop, label: str) -> str:
    task = next(t for t in shop.tasks() if t.label == label)
    assert task.attempt is not None
    return task.attempt.answer.text.raw


@pytest.mark.parametrize("how", ["argument", "file", "file-", "stdin"])
def test_a_task_arrives_byte_for_byte(shop: Shop, tmp_path: Path, how: str) -> None:
    path = tmp_path / "task.txt"
    path.write_bytes(AWKWARD.encode())
    words, text = {
        "argument": (("--wait", "--", AWKWARD), b""),
        "file": (("--wait", "--file", str(path)), b""),
        "file-": (("--wait", "--file", "-"), AWKWARD.encode()),
        "stdin": (("--wait",), AWKWARD.encode()),
    }[how]
    code, _, err = shop.call("submit", *words, text=text)
    assert code == 0, err
    task = shop.tasks()[-1]
    assert task.spec.payload.raw == AWKWARD
    assert answer_of(shop, task.label) == AWKWARD


def test_an_answer_is_printed_through_the_firewall(shop: Shop) -> None:
    code, out, _ = shop.call("submit", "--wait", "--", HOSTILE)
    assert code == 0
    assert "red" in out
    assert "[bold]x[/bold]" in out
    assert all(char.isprintable() or char == "\n" for char in out)


def test_json_hides_nothing_and_moves_no_cursor(shop: Shop) -> None:
    shop.call("submit", "--wait", "--", HOSTILE)
    code, out, _ = shop.call("tasks", "--json", "--limit", "1")
    assert code == 0
    assert all(char.isprintable() or char == "\n" for char in out)
    assert repr(HOSTILE) in repr(msgspec.json.decode(out))


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (("",), 6, "no text"),
        ((" \n ",), 6, "no text"),
        (("x", "--pool", "quik"), 6, "Did you mean quick?"),
        (("x", "--agent", "ecko"), 6, "Did you mean echo?"),
        (("x", "--label", "nope"), 2, "not KEY=VALUE"),
        (("x", "--file", "-"), 2, "give the text as an argument or with --file"),
        (("x", "--priority", "P9"), 2, "P9"),
    ],
)
def test_a_task_that_cannot_be_is_refused(
    shop: Shop, words: tuple[str, ...], code: int, said: str
) -> None:
    before = len(shop.tasks())
    found, out, err = shop.call("submit", *words)
    assert (found, out) == (code, "")
    assert said in err
    assert len(shop.tasks()) == before


def test_bytes_that_are_no_text_are_refused_with_their_place(shop: Shop) -> None:
    code, _, err = shop.call("submit", text=b"good \xff bad")
    assert code == ExitCode.USAGE
    assert "not valid UTF-8: byte 6" in err


def test_a_key_is_one_task(shop: Shop) -> None:
    first = shop.give("the same", "--key", "k1")
    assert shop.give("the same", "--key", "k1") == first
    document = shop.document("submit", "the same", "--key", "k1")
    assert document["label"] == first
    code, _, err = shop.call("submit", "something else", "--key", "k1")
    assert code == ExitCode.REFUSED
    assert "belongs to" in err
    assert sum(t.spec.payload.raw == "the same" for t in shop.tasks()) == 1


def test_a_task_that_fails_ends_waiting_with_1(shop: Shop) -> None:
    label = shop.give("to be cancelled", "--pool", "slow")
    with subprocess.Popen(
        [*PROGRAM, "submit", "-f", str(shop.file), "stop me", "--pool", "slow", "--wait"],
        env=shop.env,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as waiting:
        shop.wait_until(
            lambda: any(t.spec.payload.raw == "stop me" for t in shop.tasks()), "it is submitted"
        )
        mine = next(t.label for t in shop.tasks() if t.spec.payload.raw == "stop me")
        code, out, err = shop.call("cancel", mine, label, "--reason", "enough")
        assert code == 0, err
        assert out == f"being cancelled: {mine} and {label}\n"
        _, complaint = waiting.communicate(timeout=WITHIN_S)
        assert waiting.returncode == ExitCode.FAILED
        assert f"{mine} cancelled" in complaint.decode()
    shop.wait_until(
        lambda: all(t.phase is TaskPhase.CANCELLED for t in shop.tasks() if t.label == label),
        "both are cancelled",
    )


def test_cancelling_tells_what_could_not_be(shop: Shop) -> None:
    code, _, err = shop.call("submit", "--wait", "over soon")
    assert code == 0, err
    over = shop.tasks()[-1].label
    assert shop.call("cancel", over)[0] == ExitCode.REFUSED
    going = shop.give("goes on", "--pool", "slow")
    code, out, err = shop.call("cancel", over, going)
    assert code == ExitCode.PARTIAL
    assert out == f"being cancelled: {going}\n"
    assert f"{over} is already succeeded" in err
    code, _, err = shop.call("cancel", "t-99999", going)
    assert code == ExitCode.USAGE
    assert "nothing was done" in err


def test_cordoned_agents_get_nothing_and_uncordoned_ones_do(shop: Shop) -> None:
    document = shop.document("cordon", "spare", "--reason", "new disk")
    assert document["agents"] == ["spare"]
    label = shop.give("only for spare", "--need", "spare")
    shop.wait_until(
        lambda: any(t.label == label and t.pending is not None for t in shop.tasks()), "it waits"
    )
    code, out, _ = shop.call("tasks", "--held")
    assert code == 0
    code, out, _ = shop.call("why", label)
    assert "cordoned" in out
    assert "- What would help -\n uncordon spare" in out
    code, out, _ = shop.call("agents")
    assert re.search(r"cordoned +spare.*new disk", out)
    assert shop.call("uncordon", "spare")[0] == 0
    shop.wait_until(
        lambda: any(t.label == label and t.phase is TaskPhase.SUCCEEDED for t in shop.tasks()),
        "it ran",
    )
    code, _, err = shop.call("cordon", "sparse")
    assert code == ExitCode.REFUSED
    assert "Did you mean spare?" in err


def test_a_verdict_that_is_not_needed_is_refused(shop: Shop) -> None:
    assert shop.call("submit", "--wait", "clear")[0] == 0
    label = shop.tasks()[-1].label
    code, _, err = shop.call("resolve", label, "ran", "I saw it")
    assert code == ExitCode.REFUSED
    assert "no verdict is needed" in err
    assert shop.call("resolve", label, "maybe", "x")[0] == ExitCode.USAGE
    assert shop.call("resolve", "t-99999", "ran", "x")[0] == ExitCode.USAGE


def test_why_tells_the_rules_the_scores_and_the_story(shop: Shop) -> None:
    assert shop.call("submit", "--wait", "explain me", "--pool", "quick")[0] == 0
    label = shop.tasks()[-1].label
    code, out, _ = shop.call("why", label)
    assert code == 0
    assert "Candidates: 3 considered, 2 fit" in out
    assert re.search(r"PLACED . (echo|spare)", out)
    assert re.search(r"POOL|pool", out)
    assert re.search(r"- Asked by \w+ -\n explain me\n", out)
    assert f"{label} succeeded" in out
    document = shop.document("why", label)
    assert isinstance(document["events"], list)
    assert len(document["events"]) >= 4
    assert shop.call("why", "t-99999")[0] == ExitCode.USAGE


def test_times_are_the_operators_own(shop: Shop) -> None:
    assert shop.call("submit", "--wait", "when")[0] == 0
    shop.env["TZ"] = "UTC+7"
    try:
        there = shop.call("routes", "--limit", "1")[1].splitlines()[1].split()[0]
    finally:
        shop.env["TZ"] = "UTC"
    utc = shop.call("routes", "--limit", "1")[1].splitlines()[1].split()[0]
    del shop.env["TZ"]
    assert (int(utc[:2]) - int(there[:2])) % 24 == 7
    assert utc[2:] == there[2:]


def test_tasks_are_narrowed(shop: Shop) -> None:
    for _ in range(3):
        assert shop.call("submit", "--wait", "one of many")[0] == 0
    document = shop.document("tasks", "--phase", "succeeded", "--limit", "2")
    assert isinstance(document["matching"], int)
    assert document["matching"] >= 3
    assert isinstance(document["tasks"], list)
    assert len(document["tasks"]) == 2
    assert "more; --limit shows them" in shop.call("tasks", "--limit", "1")[1]


@pytest.mark.parametrize(
    ("words", "schema"),
    [
        (("status",), "status/1"),
        (("agents",), "agents/1"),
        (("tasks",), "tasks/1"),
        (("routes",), "routes/1"),
        (("logs",), "logs/1"),
        (("why", "1"), "why/1"),
        (("submit", "x"), "submitted/1"),
        (("submit", "x", "--wait"), "task/1"),
        (("cordon", "spare"), "cordoned/2"),
        (("uncordon", "spare"), "uncordoned/2"),
        (("probe", "spare"), "probed/1"),
        (("export", "--force", "-o", "schema.fleetrec"), "export/1"),
        (("keys",), "keys/1"),
    ],
)
def test_json_is_one_document_with_its_schema(
    shop: Shop, words: tuple[str, ...], schema: str
) -> None:
    if words[0] == "keys":
        done = shop.cli("keys", "--json")
        document = msgspec.json.decode(done.stdout, type=dict[str, object])
    else:
        shop.give("so that there is one")
        document = shop.document(*words)
    assert document["schema"] == f"fleet-tui/{schema}"


def test_status_is_well_and_says_so(shop: Shop) -> None:
    code, out, _ = shop.call("status")
    assert "lab: 3 agents (3 up)" in out
    assert "queue: 0 waiting" in out
    assert code == 0


@pytest.mark.parametrize("verb", ["status", "agents", "tasks", "routes"])
def test_watching_goes_on_until_it_is_interrupted(shop: Shop, verb: str) -> None:
    with subprocess.Popen(
        [*PROGRAM, verb, "-f", str(shop.file), "--watch", "0.2"],
        env=shop.env,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as process:
        assert process.stdout is not None
        first = process.stdout.readline()
        while process.stdout.readline() != first:
            pass
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=WITHIN_S)
    assert process.returncode == ExitCode.INTERRUPTED
    assert err == b""


def test_logs_are_found_by_words_agent_task_level_and_time(shop: Shop) -> None:
    assert shop.call("submit", "--wait", "find me", "--agent", "echo")[0] == 0
    label = shop.tasks()[-1].label
    shop.wait_until(lambda: f"{label} succeeded" in shop.call("logs", label)[1], "it is logged")
    of_task = shop.call("logs", "--task", label)[1].splitlines()
    assert all(label in line for line in of_task)
    assert any("-> echo" in line for line in of_task)
    assert shop.call("logs", "--agent", "echo", "--since", "1s")[0] == 0
    assert all(
        re.search(r" (WARN|ERROR) ", line)
        for line in shop.call("logs", "--level", "warn")[1].splitlines()
    )
    assert len(shop.call("logs", "-n", "2")[1].splitlines()) == 2
    assert shop.call("logs", "--since", "0ms")[1] == ""
    assert shop.call("logs", "--since", "yesterday")[0] == ExitCode.USAGE
    code, _, err = shop.call("logs", "--agent", "nobody")
    assert code == ExitCode.USAGE
    assert "no agent is called nobody" in err
    assert shop.call("logs", "--task", "t-99999")[0] == ExitCode.USAGE
    assert shop.call("logs", "--json", "--follow")[0] == ExitCode.USAGE
    lines = shop.call("logs", "--jsonl", "-n", "3")[1].splitlines()
    assert len([msgspec.json.decode(line) for line in lines]) == 3


def test_lines_that_come_faster_than_they_are_shown_are_told(
    shop: Shop, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("FLEET_TUI_STATE_DIR", str(shop.directory.parent))
    monkeypatch.setattr(logs, "PAGE_LINES", 2)
    lines = [
        LogLine(received_at_ms=n, source=None, level=Level.INFO, text=Untrusted(str(n)), line_id=n)
        for n in range(1, 4)
    ]
    answers = iter([[], lines[:1], lines[1:]])

    def query(_: LogReader, wanted: LogQuery) -> list[LogLine]:
        if (answer := next(answers, None)) is None:
            raise KeyboardInterrupt
        return answer

    monkeypatch.setattr(LogReader, "query", query)
    assert run(["logs", "-f", str(shop.file), "--follow"]) == ExitCode.INTERRUPTED
    out, err = capsys.readouterr()
    assert len(out.splitlines()) == 3
    assert err == "lines arrived faster than they can be printed: the newest 2 follow\n"


def test_following_the_log_ends_when_it_is_interrupted(shop: Shop) -> None:
    with subprocess.Popen(
        [*PROGRAM, "logs", "-f", str(shop.file), "--follow", "-n", "1"],
        env=shop.env,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        process.stdout.readline()
        label = shop.give("while somebody looks")
        while f"{label} succeeded" not in process.stdout.readline():
            assert process.poll() is None
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=WITHIN_S)
    assert process.returncode == ExitCode.INTERRUPTED
    assert err == ""


def test_a_pager_that_is_left_early_is_no_error(shop: Shop) -> None:
    for number in range(3):
        shop.give(f"line {number}")
    for verb in ("tasks", "agents", "routes", "logs", "status"):
        process = subprocess.Popen(
            [*PROGRAM, verb, "-f", str(shop.file)],
            env=shop.env,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.close()
        with process.stderr:
            assert process.stderr.read() == b""
        assert process.wait(WITHIN_S) == 0, verb


def test_an_export_opens_elsewhere(shop: Shop, tmp_path: Path) -> None:
    assert shop.call("submit", "--wait", "for the record")[0] == 0
    path = tmp_path / "a.fleetrec"
    code, out, err = shop.call("export", "-o", str(path))
    assert code == 0, err
    assert str(path) in out
    assert path.stat().st_mode & 0o077 == 0
    assert shop.call("export", "-o", str(path))[0] == ExitCode.REFUSED
    cache = tmp_path / "cache"
    cache.mkdir(mode=0o700)
    imported = import_recording(path, cache)
    assert imported.bad_record is None
    since = tmp_path / "b.fleetrec"
    assert shop.call("export", "-o", str(since), "--since", "1ms")[0] == 0
    assert since.stat().st_size < path.stat().st_size
    assert shop.call("export", "--since", "never")[0] == ExitCode.USAGE


def test_a_second_engine_names_the_first(shop: Shop) -> None:
    done = shop.cli("engine", str(shop.file))
    assert done.returncode != 0
    assert shop.process is not None
    assert str(shop.process.pid).encode() in done.stderr
    assert b"Traceback" not in done.stderr


def test_stopping_ends_the_engine_and_then_nobody_answers(shop: Shop) -> None:
    assert shop.process is not None
    waiting = subprocess.Popen(
        [*PROGRAM, "submit", "-f", str(shop.file), "for the next one", "--pool", "slow", "--wait"],
        env=shop.env,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    shop.wait_until(
        lambda: any(
            t.spec.payload.raw == "for the next one" and t.phase is TaskPhase.ACTIVE
            for t in shop.tasks()
        ),
        "it runs",
    )
    os.kill(shop.process.pid, signal.SIGHUP)
    document = shop.document("stop", "--reason", "a test")
    assert document["schema"] == "fleet-tui/stopping/1"
    assert shop.process.wait(WITHIN_S) == 0
    shop.process = None
    _, err = waiting.communicate(timeout=WITHIN_S)
    assert waiting.returncode == ExitCode.UNREACHABLE
    assert b"the engine is gone" in err
    code, out, _ = shop.call("status")
    assert "engine: stopped" in out
    assert shop.call("cancel", "1")[0] == ExitCode.REFUSED, "its ledger says that it is over"
    runs = next(t.label for t in shop.tasks() if t.spec.payload.raw == "for the next one")
    code, _, err_text = shop.call("cancel", runs)
    assert code == ExitCode.UNREACHABLE
    assert "fleet-tui open" in err_text
    began = time.time_ns() // 1_000_000
    shop.start()
    assert shop.state().at_ms <= began + 600_000
    shop.wait_until(lambda: "engine: stopped" not in shop.call("status")[1], "it is back")
