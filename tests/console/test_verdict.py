"""A person's verdict: evidence on the card, nothing chosen beforehand, a reason recorded."""

import msgspec

from fleet_tui.console.detail_rows import Pen
from fleet_tui.console.places import Place
from fleet_tui.console.verdict import VerdictCard, evidence_lines, needs_verdict
from fleet_tui.core.commands import Resolve, Verdict
from fleet_tui.core.evidence import Answer, LostReason
from fleet_tui.core.state import AttemptPhase, Task, TaskPhase
from fleet_tui.core.untrusted import Untrusted
from tests.support.console import console, press, running, text_of, until
from tests.support.fake_feed import FakeFeed
from tests.support.scene import NOW_MS, seeded_state, task_id

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
        await press(pilot, "Y")
        await until(pilot, lambda: isinstance(app.screen, VerdictCard))
        text = text_of(app)
        assert "Did t-48100 run?" in text
        assert "agent-14 was lost while it ran; it may have done the work" in text
        assert "class once: it must not run twice." in text
        assert text.count("( )") == 3, "nothing is chosen beforehand"
        await press(pilot, "j", "space", *"host was rebuilt", "enter")
        await until(pilot, lambda: bool(feed.sent))
        assert feed.sent == [
            Resolve(task=task_id(48_100), verdict=Verdict.DID_NOT_RUN, reason="host was rebuilt")
        ]


async def test_without_a_choice_or_a_reason_nothing_is_sent() -> None:
    feed = FakeFeed()
    app = console(feed)
    async with running(app) as pilot:
        await press(pilot, "3", "Y")
        await until(pilot, lambda: isinstance(app.screen, VerdictCard))
        await press(pilot, "tab", *"because", "enter")
        assert "choose one of the three verdicts first" in text_of(app)
        await press(pilot, "space", *["backspace"] * 7, "enter")
        assert "a verdict needs a reason" in text_of(app)
        await press(pilot, "escape")
        await until(pilot, lambda: not isinstance(app.screen, VerdictCard))
        assert not feed.sent


def test_who_needs_a_verdict() -> None:
    assert needs_verdict(judged())
    active = msgspec.structs.replace(judged(phase=AttemptPhase.UNKNOWN), phase=TaskPhase.ACTIVE)
    assert needs_verdict(active)
    running_task = msgspec.structs.replace(
        judged(phase=AttemptPhase.RUNNING), phase=TaskPhase.ACTIVE
    )
    assert not needs_verdict(running_task)


def test_a_late_answer_is_evidence_and_cannot_act_on_the_terminal() -> None:
    task = judged(
        lost=LostReason.TIMEOUT, late=True, answer=Answer(text=Untrusted("paid\x1b[2J\n" * 9))
    )
    for width in (40, 90):
        lines = evidence_lines(task, Pen(), NOW_MS, width)
        text = "".join(cell.text for line in lines for cell in line)
        assert "paid␛[2J" in text
        assert "timeout" in text
        assert text.isprintable()
