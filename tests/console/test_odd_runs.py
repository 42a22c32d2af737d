"""What is odd about an open run stands wherever its task stands."""

from msgspec.structs import replace

from fleet_tui.console.shell.places import Place
from fleet_tui.console.text.cells import Tone
from fleet_tui.console.text.document import Pen, plain
from fleet_tui.console.views.agents.detail import outcome
from fleet_tui.console.views.tasks.detail import task_sections, why_of
from fleet_tui.console.views.tasks.reasons import reasons
from fleet_tui.console.views.tasks.table import TasksPane
from fleet_tui.core.agents.events import HealthChanged
from fleet_tui.core.agents.model import Health
from fleet_tui.core.agents.vitals import FailureKind, ModelTrouble
from fleet_tui.core.fleet import TaskClass
from fleet_tui.core.ids import AgentName
from fleet_tui.core.ledger.state import FleetState
from fleet_tui.core.routing.schedule import Router
from fleet_tui.core.tasks.events import (
    AttemptCancelling,
    AttemptTroubled,
    TaskCancelRequested,
)
from fleet_tui.core.tasks.evidence import LostReason, Running, Started, Unknown
from fleet_tui.core.tasks.model import CancelCause, Task
from tests.support.console import at_rest, console, running, until
from tests.support.fake_feed import FakeFeed
from tests.support.fleets import agent, fleet, work
from tests.support.ledger import Story
from tests.support.task import Run

PEN = Pen()
FAILS = "model: rate limit, try 4 of 10"
STOPPED = "but suspended on its host for 40s or longer; SIGCONT resumes it"


def silent() -> Run:
    """Its agent holds the connection and answers nothing."""
    run = Run(TaskClass.IDEMPOTENT)
    run.fact(Started())
    run.story.add(
        HealthChanged(
            agent=run.task.attempts[0].agent,
            health=Health.SUSPECT,
            was=Health.UP,
            reason="probe failed",
            failure=FailureKind.GATEWAY_HUNG,
        )
    )
    return run


def failing() -> Run:
    run = Run()
    run.fact(Started())
    trouble = ModelTrouble(reason="rate limit", attempt=4, of=10)
    run.story.add(AttemptTroubled(run=run.run, trouble=trouble))
    return run


def page(task: Task, state: FleetState, now_ms: int) -> str:
    return "\n".join(plain(task_sections(task, (), state, PEN, now_ms)))


async def row_of(run: Run, later_ms: int) -> tuple[str, Tone]:
    feed = FakeFeed(state=run.story.state)
    feed.push(now_ms=run.story.now_ms + later_ms)
    app = console(feed)
    async with running(app) as pilot:
        app.go(Place("tasks"))
        await until(pilot, lambda: at_rest(app))
        pane = app.screen.query_one(TasksPane)
        cell = pane.cells(pane.all_records[0])["reason"]
        return cell.text, cell.tone


async def test_a_run_of_which_nothing_is_heard() -> None:
    run = silent()
    words = "no sign of life for 40s; moved not before"
    now_ms = run.story.now_ms + 40_000
    assert f"Running, {words}" in page(run.task, run.story.state, now_ms)
    attempt = run.task.attempts[0]
    assert words in outcome(run.task, attempt, run.story.state, PEN, now_ms)
    text, tone = await row_of(run, 40_000)
    assert text.startswith(words)
    assert tone is Tone.WARN


async def test_a_run_whose_model_fails() -> None:
    run = failing()
    now_ms = run.story.now_ms
    assert f"Running, {FAILS}." in page(run.task, run.story.state, now_ms)
    assert FAILS in outcome(run.task, run.task.attempts[0], run.story.state, PEN, now_ms)
    assert await row_of(run, 0) == (FAILS, Tone.WARN)


async def test_a_run_that_is_stopped_on_its_host() -> None:
    run = Run()
    run.fact(Started())
    run.fact(Running(suspended=True))
    now_ms = run.story.now_ms + 40_000
    assert f"Running, {STOPPED}." in page(run.task, run.story.state, now_ms)
    assert STOPPED in outcome(run.task, run.task.attempts[0], run.story.state, PEN, now_ms)
    assert await row_of(run, 40_000) == (STOPPED, Tone.WARN)


async def test_a_run_that_is_to_be_cancelled_says_what_keeps_it() -> None:
    run = silent()
    asked = TaskCancelRequested(task=run.id, by="ops", reason="")
    run.story.add(asked, AttemptCancelling(run=run.run, cause=CancelCause.OPERATOR, by="ops"))
    words = "no sign of life for 40s; counts as cancelled not before"
    assert f"Cancelling, {words}" in page(run.task, run.story.state, run.story.now_ms + 40_000)
    text, tone = await row_of(run, 40_000)
    assert text.startswith(words)
    assert text.endswith(" · cancel requested by ops")
    assert tone is Tone.WARN
    assert reasons(run.task) == ["cancel requested by ops"]


def test_a_lost_run_says_both() -> None:
    run = Run(TaskClass.IDEMPOTENT)
    run.fact(Started())
    run.hear(Unknown(LostReason.HUNG))
    quiet = "no sign of life for 5s"
    assert reasons(run.task, [quiet]) == [quiet, "its agent does not answer"]
    assert reasons(run.task) == ["its agent does not answer"]


def test_a_waiting_task_names_the_agents_that_would_fit_and_opens_them() -> None:
    story = Story(fleet(agent("cleo"), agent("bert")))
    story.all_up()
    for name, kind in (("cleo", FailureKind.GATEWAY_AUTH), ("bert", FailureKind.CANNOT_WORK)):
        story.add(
            HealthChanged(
                agent=AgentName(name),
                health=Health.DOWN,
                was=Health.UP,
                reason=f"because of {kind}",
                failure=kind,
            )
        )
    task_id = story.submit(work())
    story.add(*Router(story.state.fleet).schedule(story.state, {}, story.now_ms))
    task = story.state.task(task_id)
    assert task is not None
    sections = why_of(task, None, story.state, PEN, story.now_ms)
    (found,) = (s for s in sections if s.title.startswith("What is wrong now"))
    shown = "\n".join(plain([found]))
    assert "down: its gateway rejects the token, needs an operator" in shown
    assert "down: because of cannot-work" in shown
    assert [line.target.agent for line in found.lines if line.target] == ["cleo", "bert"]
    gone = replace(task, pending=None)
    assert not any("wrong now" in s.title for s in why_of(gone, None, story.state, PEN, 0))
