"""How long nothing was heard of a run, and what happens then."""

import pytest
from msgspec.structs import replace

from fleet_tui.core.agents.events import AgentIdentified, FailoverBraked, HealthChanged
from fleet_tui.core.agents.model import Health
from fleet_tui.core.agents.vitals import FailureKind, Limit
from fleet_tui.core.engine.events import FleetLoaded
from fleet_tui.core.fleet import TaskClass
from fleet_tui.core.ids import PoolName
from fleet_tui.core.ledger.decided import Decided
from fleet_tui.core.tasks.commands import Cancel
from fleet_tui.core.tasks.evidence import Started
from fleet_tui.core.tasks.model import TaskPhase
from fleet_tui.core.tasks.queueing import cancel
from fleet_tui.core.tasks.silence import Silence, in_words, silence_of
from tests.support.task import LOST, Run


def silence(run: Run) -> Silence | None:
    return silence_of(run.story.state, run.task)


def hang(run: Run, health: Health = Health.SUSPECT) -> None:
    """Its agent answers nothing any more, and holds the connection."""
    name = run.task.attempts[0].agent
    run.story.add(
        HealthChanged(
            agent=name,
            health=health,
            was=run.story.state.agents[name].health,
            reason="probe failed",
            failure=FailureKind.GATEWAY_HUNG,
        )
    )


def test_a_run_on_an_agent_that_hangs_has_an_age_before_it_is_unknown() -> None:
    run = Run(TaskClass.IDEMPOTENT)
    run.fact(Started())
    assert silence(run) is None
    hang(run)
    found = silence(run)
    assert found is not None
    now_ms = run.story.now_ms + 40_000
    assert in_words(found, now_ms) == "no sign of life for 40s; moved not before 00:15:01"
    assert found.ends_at_ms is not None
    passed_ms = found.ends_at_ms + 20_000
    told = in_words(found, passed_ms)
    assert told == "no sign of life for 15m20s; moved not before 00:30:21", "it is not unknown yet"
    told = in_words(found, found.ends_at_ms)
    assert told == "no sign of life for 15m00s; moved not before 00:30:01"


def test_a_run_that_becomes_unknown_is_silent_for_as_long_as_its_agent() -> None:
    run = Run(TaskClass.IDEMPOTENT)
    run.fact(Started())
    hang(run)
    run.story.now_ms += 90_000
    run.hear(LOST)
    found = silence(run)
    assert found is not None
    told = in_words(found, run.story.now_ms + 5_000)
    assert told == "no sign of life for 1m35s; moved at 00:16:31"
    assert found.ends_at_ms is not None
    run.later(found.ends_at_ms - run.story.now_ms)
    assert run.task.attempts[0].reason == "no sign of life from the run on a1 for 16m30s"


def test_the_age_of_a_silence_goes_on_when_its_agent_is_lost() -> None:
    run = Run(TaskClass.IDEMPOTENT)
    run.fact(Started())
    hang(run)
    run.story.now_ms += 12_000
    hang(run, Health.DOWN)
    found = silence(run)
    assert found is not None
    told = in_words(found, run.story.now_ms + 3_000)
    assert told == "no sign of life for 15s; moved not before 00:15:01"
    run.story.health(run.task.attempts[0].agent, Health.UP)
    assert silence(run) is None
    run.story.now_ms += 60_000
    hang(run)
    found = silence(run)
    assert found is not None
    assert in_words(found, run.story.now_ms).startswith("no sign of life for 0s")


def test_an_unknown_run_says_when_it_is_moved_or_put_before_a_person() -> None:
    for task_class, then in (
        (TaskClass.IDEMPOTENT, "moved"),
        (TaskClass.ONCE, "yours to decide"),
    ):
        run = Run(task_class)
        run.fact(Started())
        run.hear(LOST)
        found = silence(run)
        assert found is not None
        told = in_words(found, run.story.now_ms + 5_000, offset_minutes=60)
        assert told == f"no sign of life for 5s; {then} at 01:15:01"
        assert found.ends_at_ms is not None
        run.later(found.ends_at_ms - run.story.now_ms - 1)
        assert silence(run) is not None
        run.later(1)
        assert silence(run) is None, "and so it was"


@pytest.mark.parametrize("task_class", TaskClass)
def test_a_silent_run_that_is_to_be_cancelled_says_that_it_will_count_as_cancelled(
    task_class: TaskClass,
) -> None:
    run = Run(task_class)
    run.fact(Started())
    decision = cancel(run.story.state, "me", Cancel(tasks=(run.id,)))
    assert isinstance(decision, Decided)
    run.story.add(*decision.events)
    hang(run)
    found = silence(run)
    assert found is not None
    now_ms = run.story.now_ms + 40_000
    words = "no sign of life for 40s; counts as cancelled not before 00:15:01"
    assert in_words(found, now_ms) == words
    run.hear(LOST)
    found = silence(run)
    assert found is not None
    assert found.ends_at_ms is not None
    run.later(found.ends_at_ms - run.story.now_ms)
    assert run.task.phase is TaskPhase.CANCELLED, "and so it was"


def test_what_an_agent_that_cannot_be_fenced_may_still_start_is_not_said_to_be_moved() -> None:
    run = Run(TaskClass.IDEMPOTENT)
    name = run.task.attempts[0].agent
    old = AgentIdentified(agent=name, version=None, boot_id=None, limits=(Limit.NO_FENCE,))
    run.story.add(old)
    run.hear(LOST)
    found = silence(run)
    assert found is not None
    assert in_words(found, run.story.now_ms).endswith("; yours to decide at 00:15:01")
    assert found.ends_at_ms is not None
    run.later(found.ends_at_ms - run.story.now_ms)
    assert run.task.phase is TaskPhase.NEEDS_OPERATOR, "and so it was"


def test_where_nothing_is_given_up_it_says_that_it_waits() -> None:
    run = Run(TaskClass.IDEMPOTENT)
    run.fact(Started())
    run.hear(LOST)
    run.story.add(FailoverBraked(pool=PoolName("general"), reason="a test"))
    found = silence(run)
    assert found is not None
    assert in_words(found, run.story.now_ms) == "no sign of life for 0s; still waiting"
    run = Run()
    run.story.add(FleetLoaded(spec=replace(run.story.state.fleet, lost_after_ms=None)))
    run.fact(Started())
    run.hear(LOST)
    found = silence(run)
    assert found is not None
    assert (found.ends_at_ms, found.patience_ms) == (None, 0)


@pytest.mark.parametrize(
    ("health", "failure", "is_silent"),
    [
        (Health.SUSPECT, FailureKind.GATEWAY_HUNG, True),
        (Health.DOWN, FailureKind.GATEWAY_DOWN, True),
        (Health.SUSPECT, None, False),
        (Health.DEGRADED, FailureKind.CANNOT_WORK, False),
    ],
)
def test_only_an_agent_that_fails_its_looks_and_is_out_of_service_is_silent(
    health: Health, failure: FailureKind | None, is_silent: bool
) -> None:
    run = Run()
    run.fact(Started())
    agent = run.story.state.agents[run.task.attempts[0].agent]
    since_ms = run.story.now_ms + 77
    agents = {agent.name: replace(agent, health=health, failure=failure, since_ms=since_ms)}
    found = silence_of(replace(run.story.state, agents=agents), run.task)
    assert (found is not None) is is_silent
    assert found is None or found.since_ms == since_ms
    assert silence_of(replace(run.story.state, agents={}), run.task) is None


def test_the_brake_of_another_pool_stops_nothing_here() -> None:
    run = Run(TaskClass.IDEMPOTENT)
    run.fact(Started())
    run.hear(LOST)
    run.story.add(FailoverBraked(pool=PoolName("other"), reason="a test"))
    found = silence(run)
    assert found is not None
    assert found.ends_at_ms is not None
