"""What operators do to tasks, one by one and by the hundred: meant, asked, done, refused."""

import json
import os
import pty
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from fleet_tui.base.errors import ExitCode
from fleet_tui.core.fleet import Priority
from fleet_tui.core.ids import AgentName
from fleet_tui.core.tasks.dead_letters import fingerprint
from fleet_tui.core.tasks.model import Task, TaskPhase
from tests.acceptance.rig import PROGRAM
from tests.cli.conftest import WITHIN_S, Shop, opened

FLEET = """
defaults: {probe: {every: 300ms, timeout: 2s, down_after: 3, up_after: 1}}
agents:
  echo: {kind: local, command: [cat], slots: 8}
  fails: {kind: local, command: [sh, -c, "cat; exit 3"], slots: 8, capabilities: [doom]}
  dies: {kind: local, command: [sh, -c, "kill -9 $PPID"], capabilities: [fate]}
"""
NOBODY = ("--need", "doom", "--need", "fate")
"""No agent can do both."""
EXIT_3 = fingerprint("failed: exit-3")


@pytest.fixture(scope="module")
def depot() -> Iterator[Shop]:
    """A fleet in which some work waits for ever and some fails at once, of the module's own."""
    with opened(FLEET) as shop:
        yield shop


def task(shop: Shop, label: str) -> Task:
    return next(t for t in shop.tasks() if t.label == label)


def waiting(shop: Shop, client: str, count: int) -> list[str]:
    """Tasks that nobody can take."""
    return [shop.give(f"wait {n}", *NOBODY, "--client", client) for n in range(count)]


def failed(shop: Shop, client: str, count: int) -> list[str]:
    """Tasks that have failed."""
    given = [shop.give(f"fail {n}", "--need", "doom", "--client", client) for n in range(count)]
    shop.wait_until(
        lambda: all(task(shop, label).phase is TaskPhase.FAILED for label in given), "all failed"
    )
    return given


UNDO = "`fleet-tui undo` undoes it\n"


def test_held_tasks_are_released_by_whatever_they_are_called(depot: Shop) -> None:
    first, second = waiting(depot, "holders", 2)
    number, ulid = first.removeprefix("t-"), task(depot, second).id
    code, out, err = depot.call("hold", number, ulid, first, "--reason", "disk is full")
    assert (code, out, err) == (0, f"held: {first} and {second}\n", UNDO)
    hold = task(depot, first).hold
    assert hold is not None
    assert hold.reason == "disk is full"
    code, out, _ = depot.call("tasks", "--held")
    assert re.search(rf"{first} .*held by \w+: disk is full", out)
    code, out, err = depot.call("release", "--filter", "client:holders state:held")
    assert code == ExitCode.REFUSED
    assert "2 tasks" in err or f"Release {first} and {second}. Work of 1 client." in err
    assert task(depot, first).hold is not None
    code, out, _ = depot.call("release", "--filter", "client:holders state:held", "--yes")
    assert (code, out) == (0, f"released: {first} and {second}\n")
    assert task(depot, second).hold is None


def test_expedited_and_reprioritized_tasks_say_so(depot: Shop) -> None:
    (label,) = waiting(depot, "hurry", 1)
    assert depot.call("expedite", label, "--reason", "the customer waits")[0] == 0
    assert depot.call("priority", "p0", label)[:2] == (0, f"reprioritized: {label}\n")
    found = task(depot, label)
    assert found.expedited_at_ms is not None
    assert found.spec.priority is Priority.P0
    assert re.search(rf"{label} +P0 +held.*goes first", depot.call("tasks")[1])
    code, _, err = depot.call("expedite", label)
    assert code == ExitCode.REFUSED
    assert "is already expedited" in err
    assert depot.call("priority", "P9", label)[0] == ExitCode.USAGE


def test_some_of_the_named_is_partial_and_none_is_refused(depot: Shop) -> None:
    (waits,) = waiting(depot, "partly", 1)
    (over,) = failed(depot, "partly", 1)
    document = depot.document("hold", waits, over, code=ExitCode.PARTIAL)
    assert document["changed"] == 1
    left_out = document["left_out"]
    assert isinstance(left_out, list)
    assert [(one["label"], one["refused"]["code"]) for one in left_out] == [(over, "not-waiting")]
    code, out, err = depot.call("hold", over)
    assert (code, out) == (ExitCode.REFUSED, "")
    assert f"{over} is failed; only waiting tasks can be held" in err


VERBS = (
    ("hold",),
    ("release",),
    ("expedite",),
    ("priority", "P1"),
    ("cancel",),
    ("requeue",),
    ("drop", "--reason", "x"),
)

SELECTORS = [
    ((), ExitCode.USAGE, "no task was named"),
    (("*",), ExitCode.USAGE, "this selects every task"),
    (("",), ExitCode.USAGE, "this selects every task"),
    (("--filter", " "), ExitCode.USAGE, "this selects every task"),
    (("--filter", "*"), ExitCode.USAGE, "this selects every task"),
    (("--all", "t-1"), ExitCode.USAGE, "takes no other selection"),
    (("t-1", "--filter", "x"), ExitCode.USAGE, "not both"),
    (("t-99999",), ExitCode.USAGE, "no task t-99999 is known; nothing was done"),
    (("t-1", "\x1b[31m"), ExitCode.USAGE, "is known; nothing was done"),
    (("--filter", "clint:acme"), ExitCode.USAGE, "did you mean client:"),
    (("--filter", "("), ExitCode.USAGE, "--filter, column"),
    (("--filter", "client:nobody", "--yes"), ExitCode.FAILED, "nothing matched"),
]


@pytest.mark.parametrize(("words", "code", "said"), SELECTORS)
def test_what_is_not_meant_is_not_done(
    depot: Shop, words: tuple[str, ...], code: ExitCode, said: str
) -> None:
    if not depot.tasks():
        waiting(depot, "first", 1)
    before = [(t.hold, t.phase) for t in depot.tasks()]
    for verb in VERBS if not words else VERBS[:1]:
        found, out, err = depot.call(*verb, *words)
        assert (found, out) == (code, ""), verb
        assert said in err
        assert "\x1b" not in err
    assert [(t.hold, t.phase) for t in depot.tasks()] == before


def test_all_needs_their_number(depot: Shop) -> None:
    waiting(depot, "all", 2)
    count = sum(t.hold is None for t in depot.state().waiting())
    for words in ((), ("--yes",), ("--confirm", str(count + 1))):
        code, out, err = depot.call("hold", "--all", *words)
        assert (code, out) == (ExitCode.REFUSED, ""), err
        assert "nothing was done" in err
    assert depot.document("hold", "--all", "--confirm", str(count))["changed"] == count
    assert all(t.hold is not None for t in depot.state().waiting())
    code, _, err = depot.call("hold", "--all", "--confirm", "0")
    assert code == ExitCode.FAILED
    assert "nothing matched" in err
    everything = str(len(tuple(depot.state().waiting())))
    assert depot.call("release", "--all", "--confirm", everything)[0] == 0


def test_dead_letters_are_grouped_requeued_and_dropped(depot: Shop) -> None:
    given = [*failed(depot, "acme", 3), *failed(depot, "globex", 1)]  # up to three are named
    code, out, _ = depot.call("dead")
    assert code == 0
    assert re.search(rf"{EXIT_3} +\d+ .*acme.* failed: exit-3", out)
    code, out, _ = depot.call("dead", EXIT_3)
    assert code == 0
    assert all(label in out for label in given)
    document = depot.document("dead")
    groups = document["groups"]
    assert isinstance(groups, list)
    assert groups[0]["fingerprint"] == EXIT_3
    count = groups[0]["count"]
    requeue = ("requeue", "--fingerprint", EXIT_3, "--per-minute")
    code, out, _ = depot.call(*requeue, "30", "--dry-run")
    assert code == 0
    assert out.startswith(f"would requeue {count} tasks. Work of ")
    assert "  pace  30 per minute; the last one is placed in " in out
    code, _, err = depot.call(*requeue, "60000")
    assert code == ExitCode.REFUSED
    assert "not confirmed" in err
    yes = ("60000", "--yes", "--reason", "disk is back")
    assert depot.document(*requeue, *yes)["changed"] == count
    assert task(depot, given[0]).requeued_at_ms is not None
    depot.wait_until(lambda: len(depot.state().dead_letters) == count, "they failed again")
    drop = ("drop", "--fingerprint", EXIT_3, "--yes", "--reason", "not worth it")
    assert depot.document(*drop)["changed"] == count
    assert not depot.state().dead_letters
    again: tuple[tuple[str, ...], ...] = (drop, ("dead", EXIT_3))
    for words in again:
        code, out, err = depot.call(*words)
        assert (code, out) == (ExitCode.FAILED, "")
        assert "nothing matched" in err
    assert depot.call("dead")[:2] == (0, "No dead letters.\n")


@pytest.mark.parametrize("rate", ["0", "-1", "60001", "many", "1e3"])
def test_a_rate_is_a_number_that_can_be(depot: Shop, rate: str) -> None:
    code, _, err = depot.call("requeue", "t-1", "--per-minute", rate, "--yes")
    assert code == ExitCode.USAGE
    assert "per-minute" in err


def test_a_drop_needs_a_reason(depot: Shop) -> None:
    (label,) = failed(depot, "reasons", 1)
    assert depot.call("drop", label, "--yes")[0] == ExitCode.USAGE
    code, _, err = depot.call("drop", label, "--yes", "--reason", " ")
    assert code == ExitCode.REFUSED
    assert "needs a reason" in err


def test_an_edited_dead_letter_asks_for_something_else(depot: Shop) -> None:
    (label,) = failed(depot, "editors", 1)
    code, out, err = depot.call("edit", label, "--text", "better", "--class", "idempotent")
    assert code == 0, err
    assert out == f"edited: {label}; fleet-tui requeue {label} runs it\n"
    spec = task(depot, label).spec
    assert (spec.payload.raw, spec.task_class.value, spec.client) == (
        "better",
        "idempotent",
        "editors",
    )
    for words, code_wanted, said in (
        ((label, "--text", "better"), ExitCode.REFUSED, "already has exactly these settings"),
        ((label, "--text", " "), ExitCode.REFUSED, "no text"),
        ((label, "--text", "password=abcdefgh1"), ExitCode.REFUSED, "secret"),
        ((label, "--agent", "ecko"), ExitCode.REFUSED, "Did you mean echo?"),
        ((label, "--total", "soon"), ExitCode.USAGE, "expected a duration"),
        ((label,), ExitCode.USAGE, "an editor needs a terminal"),
        (("t-99999", "--text", "x"), ExitCode.USAGE, "no task t-99999 is known"),
        ((waiting(depot, "editors", 1)[0], "--text", "x"), ExitCode.REFUSED, "only dead letters"),
    ):
        found, out, err = depot.call("edit", *words)
        assert (found, out) == (code_wanted, ""), words
        assert said in err


def test_the_operators_editor_changes_the_text(depot: Shop, tmp_path: Path) -> None:
    (label,) = failed(depot, "screen", 1)
    editor = tmp_path / "editor"
    editor.write_text(f'#!/bin/sh\nenv > {tmp_path}/env\nprintf "by hand\\n" > "$1"\n')
    editor.chmod(0o700)
    ours, theirs = pty.openpty()
    try:
        done = subprocess.run(
            [*PROGRAM, "edit", "-f", str(depot.file), label],
            env=depot.env | {"VISUAL": str(editor), "TERM": "xterm", "GITHUB_TOKEN": "abc12345"},
            stdin=theirs,
            stdout=theirs,
            stderr=subprocess.PIPE,
            timeout=WITHIN_S,
            check=False,
        )
    finally:
        os.close(ours)
        os.close(theirs)
    assert done.returncode == 0, done.stderr.decode()
    assert task(depot, label).spec.payload.raw == "by hand"
    assert "TERM=xterm" in (seen := (tmp_path / "env").read_text())
    assert "abc12345" not in seen, "an editor's plugins are programs of others"


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("--need", "dooom"), "No capability is called 'dooom'.\n  hint: Did you mean doom?"),
        (("--region", "mars"), "No region is called 'mars'.\n  hint: The fleet has no regions."),
        (("--pool", "defualt"), "Did you mean default?"),
        (("--agent", "echos"), "Did you mean echo?"),
    ],
)
def test_names_that_the_fleet_does_not_define_are_refused(
    depot: Shop, words: tuple[str, str], says: str
) -> None:
    code, out, err = depot.call("submit", "x", *words)
    assert (code, out) == (ExitCode.REFUSED, "")
    assert says in err
    field, value = words[0].removeprefix("--"), words[1]
    many = {"need": "needs", "region": "regions"}
    line = {"text": "x", many.get(field, field): [value] if field in many else value}
    code, out, err = depot.call("submit", "--lines", text=json.dumps(line).encode() + b"\n")
    assert code == ExitCode.INVALID_CONFIG
    assert "line 1: " in err
    assert words[1] in err
    assert says.splitlines()[-1].removeprefix("  hint: ") in err


def test_why_tells_what_holds_a_task_and_its_limits(depot: Shop) -> None:
    (label,) = waiting(depot, "whys", 1)
    assert depot.call("hold", label, "--reason", "look first")[0] == 0
    code, out, err = depot.call("why", label)
    assert code == 0, err
    assert re.search(r"held by \w+: look first, for \d+s", out)
    assert f"`fleet-tui release {label}` releases" in out
    assert "- Deadlines, the fleet's -\n a run at most 10m00s" in out
    label = depot.give("own", *NOBODY, "--schedule-to-start", "2h", "--total", "none")
    code, out, err = depot.call("why", label)
    assert code == 0, err
    assert re.search(r"- Deadlines, its own -\n start within 2h00m, 1h59m left ", out)
    (over,) = failed(depot, "whys", 1)
    assert depot.call("drop", over, "--yes", "--reason", "x")[0] == 0
    assert "dismissed" in depot.call("why", over)[1]


def test_a_verdict_rests_on_what_is_known(depot: Shop) -> None:
    label = depot.give("nobody knows", "--need", "fate")
    depot.wait_until(
        lambda: task(depot, label).phase is TaskPhase.NEEDS_OPERATOR, "a verdict is needed"
    )
    code, out, err = depot.call("why", label)
    assert code == 0, err
    assert "- Your verdict is needed -" in out
    assert f"`fleet-tui resolve {label}` it ran / it did not run / run it again" in out
    assert re.search(r"(sent to dies|dies said that it started)", out)
    assert "died: " in out
    assert "class once: it must not run twice" in out
    code, out, err = depot.call("resolve", label)
    assert (code, out) == (ExitCode.REFUSED, "")
    assert "class once: it must not run twice" in err
    assert "give VERDICT and REASON" in err
    ours, theirs = pty.openpty()
    try:
        with subprocess.Popen(
            [*PROGRAM, "resolve", "-f", str(depot.file), label],
            env=depot.env | {"TERM": "xterm"},
            stdin=theirs,
            stdout=subprocess.PIPE,
            stderr=theirs,
        ) as resolving:
            seen = b""
            for question, answer in ((b"Verdict", b"ran\n"), (b"Reason", b"I looked\n")):
                while question not in seen:
                    seen += os.read(ours, 4_096)
                os.write(ours, answer)
            told, _ = resolving.communicate(timeout=WITHIN_S)
    finally:
        os.close(ours)
        os.close(theirs)
    assert seen.index(b"it must not run twice") < seen.index(b"Verdict")
    assert (resolving.returncode, told.decode()) == (0, f"{label}: it ran, recorded\n")
    assert task(depot, label).phase is TaskPhase.SUCCEEDED
    code, _, err = depot.call("resolve", label, "ran", "again")
    assert code == ExitCode.REFUSED
    assert "no verdict is needed" in err


def test_what_may_be_done_twice_is_told(depot: Shop) -> None:
    label = depot.give("again", "--need", "fate")

    def asked(runs: int) -> bool:
        found = task(depot, label)
        return found.phase is TaskPhase.NEEDS_OPERATOR and len(found.attempts) == runs

    depot.wait_until(lambda: asked(1), "a verdict is needed")
    assert "done twice" not in depot.call("why", label)[1]
    assert depot.call("resolve", label, "run-again", "I want it")[0] == 0
    depot.wait_until(lambda: asked(2), "it ran again")
    out = depot.call("why", label)[1]
    assert "an earlier run may have had effects" in out
    assert depot.call("resolve", label, "ran", "I looked")[0] == 0


def test_what_was_done_last_is_taken_back_and_again(depot: Shop) -> None:
    first, second = waiting(depot, "undoers", 2)
    assert depot.call("priority", "P0", second)[0] == 0
    assert depot.call("hold", first, second, "--reason", "a mistake")[0] == 0
    code, out, err = depot.call("undo")
    assert (code, out) == (ExitCode.REFUSED, "")
    assert f"held {first}" in err or f"{first} held" in err, err
    assert f"Undo: release {first} and {second}" in err
    assert task(depot, first).hold is not None
    code, out, _ = depot.call("undo", "--dry-run")
    assert (code, out) == (0, f"would undo: release {first} and {second}\n")
    assert depot.call("undo", "--yes")[:2] == (0, f"undone: release {first} and {second}\n")
    assert task(depot, first).hold is task(depot, second).hold is None
    document = depot.document("undo", "--yes")
    assert document["commands"] == [f"hold {first} and {second}"]
    assert depot.document("release", first)["undo"] == [f"hold {first}"]
    assert depot.call("hold", first)[2] == UNDO
    assert depot.document("expedite", depot.give("no way back", *NOBODY))["undo"] == []
    hold = task(depot, second).hold
    assert hold is not None
    assert hold.reason == "a mistake"


def test_what_cannot_be_taken_back_says_so(depot: Shop) -> None:
    (label,) = waiting(depot, "undoers", 1)
    code, _, err = depot.call("undo", "--yes")
    assert code == ExitCode.REFUSED
    assert "this action cannot be undone: " in err
    assert depot.call("hold", label)[0] == 0
    assert depot.call("cancel", label)[0] == 0
    code, _, err = depot.call("undo", "--yes")
    assert code == ExitCode.REFUSED
    assert "this action cannot be undone: " in err


def test_a_cancel_by_description_says_which_work_is_lost_and_asks(depot: Shop) -> None:
    (label,) = waiting(depot, "stoppers", 1)
    code, _, err = depot.call("cancel", "--filter", "client:stoppers")
    assert code == ExitCode.REFUSED
    assert f"Cancel {label}. Work of 1 client." in err
    assert f"{label}  queued: removed from the queue  wait 0" in err
    code, out, _ = depot.call("cancel", "--filter", "client:stoppers", "--yes")
    assert (code, out) == (0, f"being cancelled: {label}\n")


# --- agents, alerts, the fleet ---


def test_what_is_so_already_is_no_mistake_and_says_whose_it_is(depot: Shop) -> None:
    assert depot.call("cordon", "fails", "--reason", "a disk")[:2] == (0, "cordoned: fails\n")
    code, out, err = depot.call("cordon", "fails", "dies", "--reason", "another disk")
    assert (code, out) == (0, "cordoned: dies\n")
    told = r"fails: fails is already cordoned by \w+\.\n`fleet-tui undo` undoes it\n"
    assert re.fullmatch(told, err)
    code, out, err = depot.call("cordon", "fails", "dies", "dies")
    assert (code, out) == (0, "")
    assert re.fullmatch(
        r"fails: fails is already cordoned by \w+\.\ndies: dies is already cordoned by \w+\.\n",
        err,
    )
    assert depot.state().agents[AgentName("fails")].cordon is not None
    document = depot.document("uncordon", "fails", "dies", "echo")
    assert (document["schema"], document["agents"]) == ("fleet-tui/uncordoned/2", ["fails", "dies"])
    left_out = document["left_out"]
    assert isinstance(left_out, list)
    assert [each["label"] for each in left_out] == ["echo"]
    code, _, err = depot.call("cordon", "fail")
    assert code == ExitCode.REFUSED
    assert "Did you mean fails?" in err


def test_most_of_a_pool_is_taken_out_of_routing_by_a_yes_alone(depot: Shop) -> None:
    code, _, err = depot.call("cordon", "echo", "fails", "dies")
    assert code == ExitCode.REFUSED
    assert "Cordon echo, fails and dies." in err
    assert re.search(r"\w+ in service \d/3 -> 0", err)
    assert not depot.state().agents[AgentName("echo")].cordon
    code, out, _ = depot.call("cordon", "echo", "fails", "dies", "--dry-run")
    assert (code, out.splitlines()[0]) == (0, "would cordon echo, fails and dies.")
    assert depot.call("cordon", "echo", "fails", "dies", "--yes")[0] == 0
    code, out, _ = depot.call("undo", "--yes")
    assert (code, out) == (0, "undone: uncordon echo, fails and dies\n")


def test_a_freeze_is_done_once_and_a_thaw_needs_one(depot: Shop) -> None:
    name = depot.state().fleet.name
    assert depot.call("freeze", "--reason", "a migration")[:2] == (0, f"frozen: {name}\n")
    code, out, err = depot.call("freeze")
    assert (code, out, err) == (0, "", f"{name}: {name} is already frozen.\n")
    assert depot.call("thaw")[:2] == (0, f"thawed: {name}\n")
    code, _, err = depot.call("thaw")
    assert (code, "The engine is not frozen." in err) == (ExitCode.REFUSED, True)


def test_an_agent_that_is_named_twice_is_one(depot: Shop) -> None:
    assert depot.call("cordon", "dies", "dies")[:2] == (0, "cordoned: dies\n")
    assert depot.call("uncordon", "dies", "dies")[:2] == (0, "uncordoned: dies\n")


def test_agents_are_probed_and_unknown_alerts_refused(depot: Shop) -> None:
    assert depot.call("probe", "echo", "fails")[:2] == (0, "being probed: echo and fails\n")
    code, _, err = depot.call("ack", "no-such")
    assert (code, "No open alert is called no-such." in err) == (ExitCode.REFUSED, True)


def test_an_undo_leaves_alone_what_was_made_anew_since(depot: Shop) -> None:
    first, second = waiting(depot, "anew", 2)
    assert depot.call("hold", first, second)[0] == 0
    assert depot.call("release", second)[0] == 0
    assert depot.call("hold", second, "--reason", "legal hold")[0] == 0
    assert depot.call("undo", "--yes")[:2] == (0, f"undone: release {second}\n")
    # Then the undo is what was done last.
    assert depot.call("undo", "--yes")[:2] == (0, f"undone: hold {second}\n")
    hold = task(depot, second).hold
    assert hold is not None
    assert hold.reason == "legal hold"


def test_a_reason_that_says_nothing_is_the_reason_of_the_refusal(depot: Shop) -> None:
    failed(depot, "blank", 1)
    code, _, err = depot.call("drop", "--filter", "client:blank", "--reason", " ", "--yes")
    assert (code, "Dropping needs a reason" in err) == (ExitCode.REFUSED, True)
