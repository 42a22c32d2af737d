"""A person's verdict: evidence on the card, nothing chosen beforehand, a reason recorded."""

import msgspec
import pytest

from fleet_tui.console.shell.places import Place
from fleet_tui.console.text.document import Pen
from fleet_tui.console.views.tasks.detail import task_sections
from fleet_tui.console.views.tasks.evidence import limits
from fleet_tui.console.views.tasks.verdict import MAX_EVIDENCE_LINES, VerdictCard, evidence_lines
from fleet_tui.core.fleet import Deadlines
from fleet_tui.core.tasks.commands import Resolve, Verdict
from fleet_tui.core.tasks.dead_letters import may_have_unseen_run
from fleet_tui.core.tasks.evidence import (
    Answer,
    Checkpoint,
    Finished,
    LostReason,
    Running,
    Started,
)
from fleet_tui.core.tasks.model import AttemptPhase, Task, TaskPhase
from fleet_tui.core.tasks.verdicts import awaits_verdict, may_be_judged
from fleet_tui.core.text.untrusted import Untrusted
from tests.support.console import console, press, running, text_of, until
from tests.support.fake_feed import FakeFeed
from tests.support.scene import NOW_MS, agent_name, seeded_state, task_id
from tests.support.screens import Bench, screen_lines, settle
from tests.support.task import LOST, PATIENCE_MS, Run

STATE = seeded_state()


def judged(**changes: object) -> Task:
    task = STATE.open_tasks[task_id(48_100)]
    attempt = msgspec.structs.replace(task.attempts[0], **changes)
    return msgspec.structs.replace(task, attempts=(attempt,))


async def test_the_card_shows_the_evidence_and_records_verdict_and_reason() -> None:
    feed = FakeFeed()
    app = console(feed)
    async with running(app) as pilot:
        app.go(Place("task", "t-48100"))
        await until(pilot, lambda: "Your verdict is needed" in text_of(app))
        await press(pilot, "V")
        await until(pilot, lambda: isinstance(app.screen, VerdictCard))
        text = text_of(app)
        assert "Did t-48100 run?" in text
        assert "agent-14 was lost while it ran; it may have done the work" in text
        assert "class once: it must not run twice." in text
        assert text.count("( )") == 3, "nothing is chosen beforehand"
        await press(pilot, "j", "space", *"host was rebuilt", "enter")
        await until(pilot, lambda: bool(feed.sent))
        assert feed.sent == [
            Resolve(
                task=task_id(48_100),
                run=judged().attempts[-1].run_id,
                verdict=Verdict.DID_NOT_RUN,
                reason="host was rebuilt",
            )
        ]


async def test_without_a_choice_or_a_reason_nothing_is_sent() -> None:
    feed = FakeFeed()
    app = console(feed)
    async with running(app) as pilot:
        await press(pilot, "3", "V")
        await until(pilot, lambda: isinstance(app.screen, VerdictCard))
        await press(pilot, "tab", *"because", "enter")
        assert "choose a verdict first" in text_of(app)
        await press(pilot, "space", *["backspace"] * 7, "enter")
        assert "a verdict needs a reason" in text_of(app)
        await press(pilot, "escape")
        await until(pilot, lambda: not isinstance(app.screen, VerdictCard))
        assert not feed.sent


def test_who_needs_a_verdict() -> None:
    assert awaits_verdict(judged())
    active = msgspec.structs.replace(judged(phase=AttemptPhase.UNKNOWN), phase=TaskPhase.ACTIVE)
    assert awaits_verdict(active)
    running_task = msgspec.structs.replace(
        judged(phase=AttemptPhase.RUNNING), phase=TaskPhase.ACTIVE
    )
    assert not awaits_verdict(running_task)


def test_a_cancelled_task_of_unknown_fate_is_judged_before_it_is_requeued() -> None:
    cancelled = msgspec.structs.replace(
        judged(phase=AttemptPhase.GIVEN_UP), phase=TaskPhase.CANCELLED
    )
    assert may_be_judged(cancelled)
    assert may_have_unseen_run(cancelled)
    title = "Outcome unknown"
    assert title in [s.title for s in task_sections(cancelled, (), STATE, Pen(), NOW_MS)]
    certain = msgspec.structs.replace(cancelled, judged=cancelled.attempts[-1].run_id)
    assert not may_be_judged(certain)
    assert not may_have_unseen_run(certain)


def test_a_late_answer_is_evidence_and_cannot_act_on_the_terminal() -> None:
    task = judged(
        lost=LostReason.TIMEOUT, late=True, answer=Answer(text=Untrusted("paid\x1b[2J\n" * 9))
    )
    for width in (40, 90):
        lines = evidence_lines(task, Pen(), NOW_MS, width)
        text = "".join(cell.text for line in lines for cell in line)
        assert "paid␛[2J" in text
        assert "no answer came in time" in " ".join(text.split())
        assert text.isprintable()


def test_a_late_failure_is_evidence_though_it_has_no_answer() -> None:
    run = Run()
    run.fact(Started())
    run.hear(LOST)
    run.later(PATIENCE_MS)
    run.fact(Running())
    run.fact(Finished(ok=False, failure="exit-3", detail=Untrusted("card declined")))
    agent = run.task.attempts[0].agent
    text = told(run.task)
    assert f"{agent} said since then that it failed: exit-3" in text
    assert "card declined" in text
    assert "still runs" not in text, "that is over"
    assert "Answer" not in text, "there is none"


def test_a_recording_cannot_act_on_the_terminal_by_the_name_of_a_late_failure() -> None:
    task = judged(late=True, late_ok=False, late_failure="\x1b[2Jgone")
    text = told(task)
    assert "failed: ␛[2Jgone" in text
    assert text.replace("\n", "").isprintable()


def told(task: Task, width: int = 90) -> str:
    lines = evidence_lines(task, Pen(), NOW_MS, width)
    return "\n".join("".join(cell.text for cell in line).rstrip() for line in lines)


def test_the_evidence_says_when_what_was_learned_and_from_whom() -> None:
    text = told(
        judged(
            boot_id="4f1c9d2e-77",
            unknown_since_ms=NOW_MS - 300_000,
            lost=LostReason.CONNECTION_LOST,
            detail=Untrusted("connection reset"),
            late=True,
        )
    )
    assert "attempt 1   on agent-14   ✗ given-up" in text
    assert "11:42:52 agent-14 said that it started, boot 4f1c9d2e" in text
    assert "11:59:31 unknown from here for 2m00s: the connection was lost" in text
    assert "in detail: connection reset" in text
    assert "12:01:31 given-up: lost for 15m" in text
    assert "agent-14 said since then that it ended" in text


def test_the_evidence_tells_of_every_attempt_newest_first_and_says_what_is_left_out() -> None:
    task = judged()
    first = task.attempts[0]
    second = msgspec.structs.replace(
        first,
        number=2,
        agent=agent_name(3),
        phase=AttemptPhase.UNKNOWN,
        started_at_ms=None,
        ended_at_ms=None,
        reason="",
        unknown_since_ms=NOW_MS - 61_000,
        checkpoint=Checkpoint(text=Untrusted("step 4"), sha256="ab" * 32),
    )
    text = told(msgspec.structs.replace(task, attempts=(first, second)))
    assert text.index("attempt 2") < text.index("attempt 1")
    assert "sent to agent-03; its start was never confirmed" in text
    assert "unknown from here for 1m01s, and still is" in text
    assert "agent-03 left a checkpoint: 6 B, sha256 abababababab" in text
    many = msgspec.structs.replace(task, attempts=(second,) * 4)
    assert "more lines on the task's page" in told(many)
    assert len(told(many).splitlines()) == MAX_EVIDENCE_LINES


def much() -> Task:
    """A task with more evidence than fits, and an answer that came late."""
    task = judged(
        unknown_since_ms=NOW_MS - 300_000,
        lost=LostReason.CONNECTION_LOST,
        detail=Untrusted("connection reset by the peer while it was being read"),
        late=True,
        answer=Answer(text=Untrusted("paid\n" * 9)),
    )
    return msgspec.structs.replace(task, attempts=task.attempts * 4)


@pytest.mark.parametrize("size", [(120, 40), (80, 24), (60, 16)])
async def test_the_whole_card_is_on_screen_with_what_each_verdict_risks(
    size: tuple[int, int],
) -> None:
    app = Bench()
    async with app.run_test(size=size) as pilot:
        app.push_screen(VerdictCard(much(), Pen(), NOW_MS))
        await settle(pilot)
        await pilot.press("tab", "enter")
        await settle(pilot)
        text = "\n".join(screen_lines(app))
        said = " ".join(text.replace("│", " ").split())
        assert "Did t-48100 run?" in said
        assert "more lines on the task's page" in said
        assert "answer paid" in said
        assert "( ) it ran succeeded; nothing runs again" in said
        assert "( ) run it again queued again; may be done twice" in said
        assert "the reason; recorded with your name" in said
        assert "choose a verdict first" in said
        assert "enter records it, esc leaves" in said
        assert all(row.rstrip().endswith("│") for row in text.splitlines() if "│" in row)
        assert "┘" in text


async def test_the_card_fits_again_when_the_terminal_changes() -> None:
    app = Bench()
    async with app.run_test(size=(120, 40)) as pilot:
        app.push_screen(VerdictCard(much(), Pen(), NOW_MS))
        for size in ((60, 16), (120, 40), (80, 20)):
            await pilot.resize_terminal(*size)
            await settle(pilot)
            assert "esc leaves" in "\n".join(screen_lines(app))


def test_deadlines_say_what_is_left_of_them() -> None:
    own = Deadlines(
        schedule_to_start_ms=900_000, start_to_close_ms=600_000, heartbeat_ms=30_000,
        total_ms=2_000_000,
    )  # fmt: skip
    task = judged()
    spec = msgspec.structs.replace(task.spec, deadlines=own)
    section, tries = limits(STATE, msgspec.structs.replace(task, spec=spec), NOW_MS)
    text = "".join(cell.text for cell in section.lines[0].cells)
    assert section.title == "Deadlines, its own"
    assert "start within 15m00s " in text, "it started: nothing is left to say"
    assert "sign of life every 30s" in text
    assert "all within 33m20s, 11m30s left" in text
    said = " ".join("".join(cell.text for cell in each.cells) for each in tries.lines)
    assert "1 of " in said
    assert "The fleet may start " in said
    closed = msgspec.structs.replace(task, phase=TaskPhase.FAILED)
    assert limits(STATE, closed, NOW_MS) == []


async def test_a_task_of_unknown_fate_has_its_evidence_on_its_page() -> None:
    task = judged(phase=AttemptPhase.UNKNOWN, unknown_since_ms=NOW_MS - 5_000, ended_at_ms=None)
    lost = msgspec.structs.replace(task, phase=TaskPhase.ACTIVE, reason="")
    tasks = {**STATE.open_tasks, lost.id: lost}
    app = console(FakeFeed(state=msgspec.structs.replace(STATE, open_tasks=tasks)))
    async with running(app) as pilot:
        app.go(Place("task", "t-48100"))
        await until(pilot, lambda: "Outcome unknown" in text_of(app))
        assert "unknown from here for 5s, and still is" in text_of(app)
