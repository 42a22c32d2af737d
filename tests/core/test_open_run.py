"""What is said of an open run beside its phase."""

from msgspec.structs import replace

from fleet_tui.core.agents.events import HealthChanged
from fleet_tui.core.agents.model import Health
from fleet_tui.core.agents.vitals import FailureKind, ModelTrouble
from fleet_tui.core.tasks.events import AttemptCancelling, AttemptTroubled
from fleet_tui.core.tasks.evidence import LostReason, Running, Started, Unknown
from fleet_tui.core.tasks.model import CancelCause
from fleet_tui.core.tasks.open_run import notes
from fleet_tui.core.text.untrusted import Untrusted
from tests.support.task import Run

STOPPED = "but suspended on its host for 2m00s or longer; SIGCONT resumes it"
FAILS = "model: rate limit, try 4 of 10"


def stopped() -> Run:
    run = Run()
    run.fact(Started())
    run.fact(Running(suspended=True))
    return run


def said(run: Run) -> list[str]:
    return notes(run.story.state, run.task, run.story.now_ms + 120_000)


def test_a_run_that_is_stopped_on_its_host_says_so_until_it_goes_on() -> None:
    run = stopped()
    assert said(run) == [STOPPED]
    run.fact(Running())
    assert said(run) == []


def test_also_while_it_is_cancelled() -> None:
    run = stopped()
    run.story.add(AttemptCancelling(run=run.run, cause=CancelCause.OPERATOR))
    assert said(run) == [STOPPED]


def test_a_cancel_that_its_agent_does_not_take_is_said() -> None:
    run = Run()
    run.fact(Started())
    run.story.add(AttemptCancelling(run=run.run, cause=CancelCause.OPERATOR))
    assert said(run) == []
    run.hear(Unknown(LostReason.CANNOT_CANCEL, Untrusted("gateway-suspending")))
    refused = "its agent accepts no cancel while it drains; it is asked again"
    assert said(run) == [refused]


def test_what_its_model_did_is_said_too() -> None:
    run = stopped()
    trouble = ModelTrouble(reason="rate limit", attempt=4, of=10)
    run.story.add(AttemptTroubled(run=run.run, trouble=trouble))
    assert said(run) == [FAILS, STOPPED]


def test_what_was_seen_before_it_was_lost_says_nothing_now() -> None:
    run = stopped()
    run.hear(Unknown(LostReason.HUNG))
    assert not any("stopped" in note for note in said(run))


def test_what_was_seen_before_its_agent_fell_silent_says_nothing_now() -> None:
    run = stopped()
    run.story.add(
        HealthChanged(
            agent=run.task.attempts[0].agent,
            health=Health.SUSPECT,
            was=Health.UP,
            reason="probe failed",
            failure=FailureKind.GATEWAY_HUNG,
        )
    )
    assert [note.partition(" for ")[0] for note in said(run)] == ["no sign of life"]


def test_a_task_without_an_open_run_has_none() -> None:
    run = stopped()
    task = replace(run.task, attempts=())
    assert notes(run.story.state, task, run.story.now_ms) == []
