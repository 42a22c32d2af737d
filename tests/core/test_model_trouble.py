"""Runs whose agent asks a failing model again: told, shown, and an alert over several agents."""

from hypothesis import given
from hypothesis import strategies as st

from fleet_tui.core.agents.events import HealthChanged
from fleet_tui.core.agents.model import Health
from fleet_tui.core.agents.model_trouble import (
    MAX_REASON_CHARS,
    in_words,
    reason_of,
    trouble_of,
    troubles_in,
)
from fleet_tui.core.agents.vitals import FailureKind, ModelTrouble, VitalsReading
from fleet_tui.core.alerting.alerts import OUTAGE_FROM_TRY, OUTAGE_NAMED, conditions
from fleet_tui.core.ids import AgentName, AlertId, RunId, run_id
from fleet_tui.core.ledger.narrate import narrate
from fleet_tui.core.routing.schedule import Router
from fleet_tui.core.tasks.attempts import learn
from fleet_tui.core.tasks.events import AttemptTroubled
from fleet_tui.core.tasks.evidence import Answer, Definite, Finished, Started
from fleet_tui.core.tasks.model import Task
from fleet_tui.core.tasks.open_run import notes
from fleet_tui.core.tasks.silence import in_words as silence_in_words
from fleet_tui.core.tasks.silence import silence_of
from fleet_tui.core.text.firewall import safe_line
from tests.support.fleets import agent, fleet, work
from tests.support.ledger import Story
from tests.support.task import LOST, Run

LIMITED = ModelTrouble(reason="rate limit", attempt=4, of=10)


def look(name: str, troubles: dict[RunId, ModelTrouble] | None) -> VitalsReading:
    return VitalsReading(
        agent=AgentName(name),
        observed_at_ms=1,
        latency_ms=1.0,
        ready=True,
        model_troubles=troubles,
    )


def told(run: Run, troubles: dict[RunId, ModelTrouble] | None) -> list[str]:
    events = troubles_in(run.story.state, look(run.task.attempts[0].agent, troubles))
    run.story.add(*events)
    return [s.text for e in events if (s := narrate(e, run.story.state)) is not None]


def at_work() -> Run:
    run = Run()
    run.fact(Started())
    return run


def test_a_failing_model_is_told_once_and_again_when_it_changes() -> None:
    run = at_work()
    assert notes(run.story.state, run.task, 1) == []
    (first,) = told(run, {run.run: LIMITED})
    assert first.endswith("gets no answer, model: rate limit, try 4 of 10")
    assert told(run, {run.run: LIMITED}) == [], "nothing changed"
    assert notes(run.story.state, run.task, 1) == ["model: rate limit, try 4 of 10"]
    (again,) = told(run, {})
    assert again.endswith("its model answers again")
    assert notes(run.story.state, run.task, 1) == []


def test_an_agent_that_does_not_tell_changes_nothing() -> None:
    run = at_work()
    told(run, {run.run: LIMITED})
    assert told(run, None) == []
    assert trouble_of(run.task.open_attempt) == LIMITED


def test_only_runs_at_work_have_troubles() -> None:
    run = Run()
    assert told(run, {run.run: LIMITED}) == [], "it has not begun"
    run.fact(Started())
    run.hear(LOST)
    assert told(run, {run.run: LIMITED}) == [], "nobody knows what it does"
    run = at_work()
    told(run, {run.run: LIMITED})
    run.fact(Finished(ok=False, failure="rate_limit", answer=Answer()))
    assert told(run, {}) == [], "it is over"
    assert trouble_of(run.task.open_attempt) is None
    assert told(run, {RunId("01JTASK.7"): LIMITED}) == [], "nobody knows that run"


def test_words_without_an_end_of_the_tries() -> None:
    assert in_words(ModelTrouble(reason="timeout", attempt=2)) == "model: timeout, try 2"


def test_of_two_runs_of_an_agent_each_has_its_own_trouble() -> None:
    story = Story(fleet(agent("a1")))
    story.all_up()
    first, second = story.submit_many(work(), 2)
    story.add(*Router(story.state.fleet).schedule(story.state, {}, story.now_ms))
    story.add(*learn(story.state, run_id(second, 1), Definite(Started()), story.now_ms))
    troubles = {run_id(task, 1): LIMITED for task in (first, second)}
    (event,) = troubles_in(story.state, look("a1", troubles))
    assert event == AttemptTroubled(run=run_id(second, 1), trouble=LIMITED), "one has not begun"
    story.add(*learn(story.state, run_id(first, 1), Definite(Started()), story.now_ms))
    events = troubles_in(story.state, look("a1", troubles))
    assert [e.run for e in events if isinstance(e, AttemptTroubled)] == [
        run_id(first, 1),
        run_id(second, 1),
    ]


def test_a_reason_is_as_long_as_a_line_can_bear() -> None:
    long = ModelTrouble(reason="ab" * MAX_REASON_CHARS, attempt=2)
    assert len(reason_of(long)) <= MAX_REASON_CHARS
    assert reason_of(long).startswith("abab")


@given(st.text())
def test_a_reason_out_of_a_recording_is_safe_to_show(reason: str) -> None:
    said = in_words(ModelTrouble(reason=reason, attempt=2))
    assert said == safe_line(said)
    assert "\x1b" not in in_words(ModelTrouble(reason="\x1b]52;c;eA==\x07", attempt=2))


def troubled(count: int, attempt: int = OUTAGE_FROM_TRY) -> tuple[Story, list[Task]]:
    """That many agents, each with one run whose model fails."""
    story = Story(fleet(*(agent(f"a{n}") for n in range(count))))
    story.all_up()
    for _ in range(count):
        story.submit(work())
    story.add(*Router(story.state.fleet).schedule(story.state, {}, story.now_ms))
    tasks = list(story.state.open_tasks.values())
    trouble = ModelTrouble(reason="overloaded", attempt=attempt, of=10)
    for task in tasks:
        (placed,) = task.attempts
        run = run_id(task.id, placed.number)
        story.add(*learn(story.state, run, Definite(Started()), story.now_ms))
        story.add(*troubles_in(story.state, look(placed.agent, {run: trouble})))
    assert len({task.attempts[0].agent for task in tasks}) == count
    return story, tasks


def outage(story: Story) -> str | None:
    found = conditions(story.state, story.now_ms).get(AlertId("model-outage:models"))
    return found.text if found is not None else None


def test_a_model_that_fails_on_several_agents_is_an_outage() -> None:
    story, tasks = troubled(2)
    assert outage(story) == "the model keeps failing on a0, a1: overloaded"
    first = tasks[0].attempts[0]
    story.add(*troubles_in(story.state, look(first.agent, {})))
    assert outage(story) is None, "one agent may have a trouble of its own"


def test_one_try_more_is_no_outage() -> None:
    story, _ = troubled(3, OUTAGE_FROM_TRY - 1)
    assert outage(story) is None


def test_of_many_agents_a_few_are_named() -> None:
    story, _ = troubled(OUTAGE_NAMED + 2)
    assert outage(story) == "the model keeps failing on a0, a1, a2 and more: overloaded"


def test_what_was_told_before_an_agent_fell_silent_says_nothing_now() -> None:
    story, tasks = troubled(2)
    assert outage(story) is not None
    lost = tasks[0].attempts[0].agent
    story.add(
        HealthChanged(
            agent=lost,
            health=Health.DOWN,
            was=Health.UP,
            reason="gone",
            failure=FailureKind.GATEWAY_HUNG,
        )
    )
    assert outage(story) is None
    now_ms = story.now_ms + 5_000
    quiet = silence_of(story.state, tasks[0])
    assert quiet is not None
    said = notes(story.state, tasks[0], now_ms)
    assert said == [silence_in_words(quiet, now_ms)]
    assert said[0].startswith("no sign of life for 5s")
    east = notes(story.state, tasks[0], now_ms, offset_minutes=90)
    assert east == [silence_in_words(quiet, now_ms, 90)], "by the clock that somebody looks at"
    assert east != said
