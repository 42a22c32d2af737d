"""Submitting a file of tasks: all or nothing, again and again, and what a line may not be."""

import json
import os
import pty
import re
import signal
import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from fleet_tui.base.errors import ExitCode
from fleet_tui.cli.sending import Sent, send_all
from fleet_tui.core.fleet import Priority, TaskClass
from fleet_tui.core.ids import Seq, TaskId
from fleet_tui.core.ledger.refusals import RefusalCode
from fleet_tui.core.ledger.replies import Accepted, Refused, Reply
from fleet_tui.core.tasks.commands import Submit
from fleet_tui.core.tasks.model import Task, TaskSpec
from fleet_tui.core.text.names import flaw_of
from fleet_tui.core.text.untrusted import Untrusted
from tests.acceptance.rig import PROGRAM
from tests.cli.conftest import FLEET, WITHIN_S, Shop, opened
from tests.support.secret_shapes import CANARY, TOKENS

SMALL = """
defaults: {probe: {every: 1s, timeout: 900ms}}
pools: {quick: , slow: }
limits: {open: 40, lanes: {P1: 10}, clients: {acme: 5}}
agents:
  hang: {kind: local, command: [sh, -c, "cat; sleep 600"], slots: 1, pool: slow}
  echo: {kind: local, command: [cat], slots: 4, pool: quick}
"""


@pytest.fixture(scope="module")
def shop() -> Iterator[Shop]:
    """A frozen fleet of the module's own: what is submitted is the subject, and a thousand programs
    that run meanwhile would only take time."""
    with opened(FLEET) as shop:
        assert shop.call("freeze")[0] == 0
        yield shop


@pytest.fixture(scope="module")
def small() -> Iterator[Shop]:
    """A fleet whose queue is soon full, of the module's own."""
    with opened(SMALL) as shop:
        yield shop


def lines(*tasks: Mapping[str, object]) -> bytes:
    return "".join(json.dumps(task) + "\n" for task in tasks).encode()


def texts(shop: Shop) -> list[str]:
    return [task.spec.payload.raw for task in shop.tasks()]


def newest(shop: Shop) -> Task:
    return shop.tasks()[-1]


def emptied(shop: Shop) -> None:
    running = [task.label for task in shop.state().open_tasks.values()]
    if running:
        shop.call("cancel", *running)
    shop.wait_until(lambda: not shop.state().open_tasks, "nothing is open")


@pytest.mark.parametrize("how", ["file", "stdin", "pipe"])
def test_every_line_is_a_task_and_the_file_again_is_nothing_new(
    shop: Shop, tmp_path: Path, how: str
) -> None:
    data = b"\xef\xbb\xbf" + lines(*({"text": f"{how} {n}"} for n in range(300))) + b"\n  \n"
    path = tmp_path / "tasks.jsonl"
    path.write_bytes(data)
    words, text = {
        "file": (("--file", str(path)), b""),
        "stdin": (("--lines",), data),
        "pipe": (("--lines", "--file", "-"), data),
    }[how]
    code, out, err = shop.call("submit", *words, text=text)
    assert (code, out, err) == (0, "300 tasks submitted\n", "")
    assert [t for t in texts(shop) if t.startswith(how)] == [f"{how} {n}" for n in range(300)]
    code, out, _ = shop.call("submit", *words, text=text)
    assert (code, out) == (0, "0 tasks submitted, 300 known already\n")
    assert sum(t.startswith(how) for t in texts(shop)) == 300


def test_what_was_missing_is_all_that_is_submitted(shop: Shop) -> None:
    """Given keys say what is known, whatever file they stand in."""
    tasks = [{"text": f"keyed {n}", "key": f"keyed-{n}"} for n in range(20)]
    assert shop.call("submit", "--lines", text=lines(*tasks[:12]))[0] == 0
    code, out, _ = shop.call("submit", "--lines", text=lines(*tasks))
    assert (code, out) == (0, "8 tasks submitted, 12 known already\n")
    assert sum(t.startswith("keyed") for t in texts(shop)) == 20


def test_a_line_says_what_options_say_and_wins_over_them(shop: Shop) -> None:
    task = {
        "payload": "everything said",
        "key": "all-fields",
        "needs": ["spare"],
        "pool": "quick",
        "client": "acme",
        "project": "p",
        "regions": [],
        "priority": 1,
        "class": "idempotent",
        "deadlines": {"schedule_to_start": "5m", "total": "none"},
        "labels": {"team": "ops", "of": "line"},
    }
    options = ("--priority", "P3", "--label", "of=option", "--label", "by=option")
    code, _, err = shop.call(
        "submit", "--lines", *options, "--heartbeat", "30s", "--total", "1h", text=lines(task)
    )
    assert code == 0, err
    found = newest(shop)
    assert (found.key, found.spec.client, found.spec.project) == ("all-fields", "acme", "p")
    assert (found.spec.priority, found.spec.task_class) == (Priority.P1, TaskClass.IDEMPOTENT)
    assert found.spec.labels == {"team": "ops", "of": "line", "by": "option"}
    limits = found.spec.deadlines
    assert limits is not None
    assert (limits.schedule_to_start_ms, limits.heartbeat_ms) == (300_000, 30_000)
    assert (limits.total_ms, limits.start_to_close_ms) == (None, 600_000)


BAD = [
    (b"{", "not JSON"),
    (b"[]", "expected an object"),
    (b'"text"', "expected an object"),
    (b"{}", "a task has a text"),
    (b'{"text": "a", "payload": "b"}', "give text or payload"),
    (b'{"text": ""}', "no text"),
    (b'{"text": " \\n "}', "no text"),
    (b'{"text": 3}', "expected str, got int at text"),
    (b'{"text": "x", "text": "y"}', '"text" stands there twice'),
    (b'{"text": "x", "labels": {"a": "1", "a": "2"}}', '"a" stands there twice'),
    (b'{"text": "x", "prioriti": "P1"}', "did you mean priority?"),
    (b'{"text": "x", "priority": "P9"}', "one of P0 P1 P2 P3"),
    (b'{"text": "x", "priority": NaN}', "NaN is no JSON"),
    (b'{"text": "x", "priority": ' + b"9" * 5_000 + b"}", "a number of 5000 digits"),
    (b'{"text": "x", "priority": 1e999}', "priority"),
    (b'{"text": "x", "class": "twice"}', "one of once idempotent resumable"),
    (b'{"text": "x", "needs": "gpu"}', "expected array, got str at needs"),
    (b'{"text": "x", "needs": [""]}', "a name has visible characters"),
    (b'{"text": "x", "client": "a\\u001bb"}', "invisible character U+001B"),
    (b'{"text": "x", "client": "\\ud800"}', "invisible character U+D800"),
    (b'{"text": "x", "key": ""}', "visible characters"),
    (b'{"text": "x", "key": "' + b"k" * 300 + b'"}', "1 to 256"),
    (b'{"text": "x", "deadlines": {"total": "soon"}}', "deadlines.total: expected a duration"),
    (b'{"text": "x", "deadlines": {"total": 60}}', "expected str, got int at deadlines.total"),
    (b'{"text": "x", "deadlines": {"run": "1s"}}', 'unknown field "run" of deadlines'),
    (b'{"text": "x", "labels": {"": "1"}}', "a name has visible characters"),
    (b'{"text": "x", "pool": "quik"}', "Did you mean quick?"),
    (b'{"text": "x", "agent": "ecko"}', "Did you mean echo?"),
    (b'{"text": "a \xff b"}', "not valid UTF-8: byte 13"),
    (b'{"text": "\\ud800"}', "not valid text: character 1"),
    (b'{"text": "a\\u0000b"}', "NUL character at position 2"),
    (b'{"text": "a\x01b"}', "not JSON: invalid control character at column 12"),
    (b"[" * 200_000, "nested too deeply"),
    (b'{"text": "' + b"x" * (4 * 1024 * 1024 + 1) + b'"}', "at most 4,194,304"),
    (b'{"text": "' + b"x" * (9 * 1024 * 1024) + b'"}', "longer than 8,388,608 bytes"),
    (b"\x00\x01\x02", "not JSON"),
]


def test_every_bad_line_is_told_and_then_nothing_is_submitted(shop: Shop) -> None:
    before = len(shop.tasks())
    for first in range(0, len(BAD), 15):
        part = BAD[first : first + 15]
        data = lines({"text": "good"}) + b"".join(line + b"\n" for line, _ in part)
        code, out, err = shop.call("submit", "--lines", text=data)
        assert (code, out) == (
            ExitCode.INVALID_CONFIG,
            f"0 tasks submitted, {len(part)} bad lines\n",
        )
        told = err.splitlines()
        for number, (line, reason) in enumerate(part, start=2):
            assert told[number - 2].startswith(f"line {number}: "), (line[:60], told)
            assert reason in told[number - 2], (line[:60], told[number - 2])
        assert (
            told[-1] == f"{len(part)} of {len(part) + 1} lines bad; --skip-bad submits the others"
        )
    assert len(shop.tasks()) == before


def test_bad_lines_are_named_up_to_a_bound_and_counted(shop: Shop) -> None:
    document = shop.document("submit", "--lines", code=ExitCode.INVALID_CONFIG, text=b"{}\n" * 500)
    assert document["accepted"] == 0
    bad = document["bad"]
    assert isinstance(bad, dict)
    assert bad["count"] == 500
    assert [line["line"] for line in bad["first"]] == list(range(1, 21))


def test_bad_lines_can_be_skipped(shop: Shop) -> None:
    data = lines({"text": "skip 1"}) + b"no\n" + lines({"text": "skip 2"})
    code, out, err = shop.call("submit", "--lines", "--skip-bad", text=data)
    assert (code, out) == (ExitCode.PARTIAL, "2 tasks submitted, 1 bad line\n")
    assert "line 2: not JSON" in err
    assert texts(shop)[-2:] == ["skip 1", "skip 2"]
    assert shop.call("submit", "--lines", "--skip-bad", text=b"no\n")[0] == ExitCode.INVALID_CONFIG


def test_a_key_stands_for_one_task_in_the_file_and_in_the_fleet(shop: Shop) -> None:
    twice = lines({"text": "a", "key": "dup"}, {"text": "b", "key": "dup"})
    code, _, err = shop.call("submit", "--lines", text=twice)
    assert code == ExitCode.INVALID_CONFIG
    assert "line 2: key dup is also used on line 1" in err
    shop.give("mine", "--key", "taken")
    code, _, err = shop.call("submit", "--lines", text=lines({"text": "other", "key": "taken"}))
    assert code == ExitCode.INVALID_CONFIG
    assert "line 1: Key taken belongs to t-" in err


def test_no_lines_are_no_tasks(shop: Shop) -> None:
    assert shop.call("submit", "--lines", text=b"\n\n")[:2] == (0, "0 tasks submitted\n")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("text", "--lines"), "give tasks as TEXT or as lines of a file"),
        (("--lines", "--key", "k"), "--key is for one task"),
        (("text", "--skip-bad"), "--skip-bad is for --lines"),
        (("--lines", "--file", "missing.jsonl"), "No such file"),
        (("--lines", "--file", "/"), "directory"),
        (("--lines", "--total", "soon"), "expected a duration"),
        (("text", "--client", "a\x1bb"), "invisible character U+001B"),
    ],
)
def test_options_that_do_not_go_together(shop: Shop, words: tuple[str, ...], said: str) -> None:
    code, out, err = shop.call("submit", *words)
    assert (code, out) == (ExitCode.USAGE, "")
    assert said in err


@pytest.mark.parametrize("kind", TOKENS)
def test_every_token_needs_a_yes(shop: Shop, kind: str) -> None:
    token = TOKENS[kind]
    tried: list[tuple[tuple[str, ...], bytes]] = [
        ((f"use {token}",), b""),
        (("--lines",), lines({"text": "go"}, {"text": token})),
    ]
    if flaw_of(token) is None:
        tried += [
            (("go", "--label", f"team={token}"), b""),
            (("go", "--label", f"{token}=x"), b""),
            (("--lines",), lines({"text": "go", "labels": {"team": token}})),
            (("--lines",), lines({"text": "go", "labels": {token: "x"}})),
        ]
    for words, text in tried:
        code, out, err = shop.call("submit", *words, text=text)
        assert (code, out) == (ExitCode.REFUSED, "")
        assert "contain a secret" in err
        assert CANARY not in err
        assert "ASIAIO" not in err


def test_a_label_that_says_its_value_is_a_secret_needs_a_yes(shop: Shop) -> None:
    code, _, err = shop.call("submit", "go", "--label", "db_password=hunter", "--label", "a=b")
    assert code == ExitCode.REFUSED
    assert "note: the label db_password appears to contain a secret\n" in err
    assert shop.call("submit", "go", "--label", "team=red")[0] == 0


def test_secrets_need_a_yes(shop: Shop) -> None:
    secret = "use the api_key=abcdef123456789 for it"
    before = len(shop.tasks())
    for words, text in (((secret,), b""), (("--lines",), lines({"text": "a"}, {"text": secret}))):
        code, out, err = shop.call("submit", *words, text=text)
        assert (code, out) == (ExitCode.REFUSED, "")
        assert "contain a secret" in err
        assert "--yes" in err
        assert "abcdef" not in err
        assert len(shop.tasks()) == before
    assert shop.call("submit", "--lines", "--yes", text=lines({"text": secret}))[0] == 0
    assert shop.call("submit", "--yes", secret)[0] == 0


def test_what_cannot_be_seen_or_may_be_a_command_is_told(shop: Shop) -> None:
    code, _, err = shop.call("submit", "/compact now\u200b")
    assert code == 0
    assert "note: 1 invisible or control character in the text" in err
    assert "an agent may interpret /compact as a command" in err
    data = lines({"text": "fine"}, {"text": "/skill x"}, {"text": "hid\u202eden"})
    code, _, err = shop.call("submit", "--lines", text=data)
    assert code == 0
    assert "1 text with invisible characters, the first in line 3" in err
    assert "1 text beginning with /" in err
    code, _, err = shop.call("submit", "--file", "-", text=lines({"text": "a"}, {"text": "b"}))
    assert code == 0
    assert "--lines submits one task a line" in err


def test_a_file_that_has_no_room_is_refused_as_a_whole(small: Shop) -> None:
    emptied(small)
    tasks = [{"text": f"fill {n}", "pool": "slow"} for n in range(60)]
    code, out, err = small.call("submit", "--lines", text=lines(*tasks))
    assert (code, out) == (ExitCode.REFUSED, "0 tasks submitted\n")
    assert "The queue has room for 40 of 60 tasks: 40 may be open." in err
    assert "60 tasks left; run the same command again to submit the rest; --wait" in err
    assert not small.state().open_tasks
    code, out, _ = small.call("submit", "--lines", text=lines(*tasks[:40]))
    assert (code, out) == (0, "40 tasks submitted\n")
    code, out, err = small.call("submit", "--lines", text=lines(tasks[0]))
    assert "The queue is full: 40 of at most 40 tasks are open" in err
    emptied(small)


@pytest.mark.parametrize(
    ("said", "code", "room"),
    [({"priority": "P1"}, "lane-full", 10), ({"client": "acme"}, "client-full", 5)],
)
def test_a_lane_or_client_without_room_refuses_it(
    small: Shop, said: dict[str, object], code: str, room: int
) -> None:
    emptied(small)
    data = lines(*({"text": f"{code} {n}", "pool": "slow", **said} for n in range(room + 3)))
    document = small.document("submit", "--lines", code=ExitCode.REFUSED, text=data)
    assert (document["accepted"], document["left"]) == (0, room + 3)
    stopped = document["stopped"]
    assert isinstance(stopped, dict)
    assert stopped["code"] == code
    assert f"room for {room} of {room + 3} tasks" in stopped["text"]


class FilledMeanwhile:
    """An engine whose queue others filled after the file was judged."""

    def __init__(self, room: int) -> None:
        self.room = room

    async def send(self, command: Submit) -> Reply:
        self.room -= 1
        if self.room < 0:
            return Refused(code=RefusalCode.QUEUE_FULL, text="The queue is full.")
        return Accepted(seq=Seq(1), task=command.task)


async def test_a_queue_that_others_fill_meanwhile_stops_it() -> None:
    sent = Sent()
    orders = (
        (n, Submit(task=TaskId(f"T{n}"), key=f"k{n}", spec=TaskSpec(payload=Untrusted("x"))))
        for n in range(1, 100)
    )
    client = FilledMeanwhile(40)
    await send_all(client, orders, sent, wait=False, taken=lambda: None)  # type: ignore[arg-type]  # only sends
    assert (sent.accepted, sent.stopped_line) == (40, 41)
    assert sent.stopped is not None
    assert sent.stopped.code == "queue-full"


def test_waiting_for_room_submits_everything(small: Shop) -> None:
    emptied(small)
    data = lines(*({"text": f"room {n}", "pool": "quick"} for n in range(150)))
    document = small.document("submit", "--lines", "--wait", text=data)
    assert (document["accepted"], document["left"]) == (150, 0)
    assert sorted(t for t in texts(small) if t.startswith("room")) == sorted(
        f"room {n}" for n in range(150)
    )
    small.wait_until(lambda: not small.state().open_tasks, "all of them ran")


def test_an_interruption_says_how_to_go_on(small: Shop, tmp_path: Path) -> None:
    emptied(small)
    path = tmp_path / "long.jsonl"
    path.write_bytes(lines(*({"text": f"cut {n}", "pool": "slow"} for n in range(60))))
    with subprocess.Popen(
        [*PROGRAM, "submit", "-f", str(small.file), "--file", str(path), "--wait"],
        env=small.env,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as submitting:
        small.wait_until(lambda: len(small.state().open_tasks) == 40, "the queue is full")
        submitting.send_signal(signal.SIGINT)
        out, err = submitting.communicate(timeout=WITHIN_S)
        assert submitting.returncode == ExitCode.INTERRUPTED
    assert re.fullmatch(r"\d+ tasks? submitted\n", out.decode())  # those it had heard of
    assert err.decode() == "interrupted; run the same command again to submit the rest\n"
    emptied(small)
    code, said, _ = small.call("submit", "--file", str(path))
    assert (code, said) == (0, "20 tasks submitted, 40 known already\n")
    emptied(small)


def test_a_terminal_is_shown_a_bar_and_asked_about_secrets(shop: Shop, tmp_path: Path) -> None:
    path = tmp_path / "tasks.jsonl"
    path.write_bytes(lines(*({"text": f"password=hunter{n}2345"} for n in range(50))))
    ours, theirs = pty.openpty()
    try:
        with subprocess.Popen(
            [*PROGRAM, "submit", "-f", str(shop.file), "--file", str(path)],
            env=shop.env | {"TERM": "xterm"},
            stdin=theirs,
            stdout=subprocess.PIPE,
            stderr=theirs,
        ) as submitting:
            seen = b""
            while b"[y/N]" not in seen:
                seen += os.read(ours, 4_096)
            os.write(ours, b"y\n")
            out, _ = submitting.communicate(timeout=WITHIN_S)
            while b"submitting" not in seen or b"100%" not in seen.split(b"submitting")[-1]:
                seen += os.read(ours, 4_096)
    finally:
        os.close(ours)
        os.close(theirs)
    assert submitting.returncode == 0
    assert out == b"50 tasks submitted\n"
    assert b"50 texts that appear to contain a secret" in seen
