"""Commands: what they become, and clear refusals."""

from collections.abc import Callable

import pytest

from fleet_tui.core.agents.breaker import PROBATION_MS
from fleet_tui.core.agents.commands import Cordon, ProbeNow, Uncordon
from fleet_tui.core.agents.events import (
    AgentCordoned,
    AgentTripped,
    AgentTrusted,
    AgentUncordoned,
    HealthChanged,
)
from fleet_tui.core.agents.model import Health
from fleet_tui.core.agents.vitals import FailureKind
from fleet_tui.core.alerting.commands import Ack
from fleet_tui.core.engine.commands import Freeze, Thaw
from fleet_tui.core.engine.events import EngineModeChanged
from fleet_tui.core.fleet import Deadlines
from fleet_tui.core.ids import AgentName, AlertId, RunId, TaskId
from fleet_tui.core.ledger.base import Made
from fleet_tui.core.ledger.commands import Command
from fleet_tui.core.ledger.decide import decide, public
from fleet_tui.core.ledger.decided import Decided
from fleet_tui.core.ledger.replies import Refused
from fleet_tui.core.modes import EngineMode
from fleet_tui.core.notes.commands import AddNote
from fleet_tui.core.notes.events import NoteAdded
from fleet_tui.core.notes.model import MAX_NOTE_CHARS
from fleet_tui.core.routing.schedule import Router
from fleet_tui.core.tasks.attempts import learn, reconcile_attempts
from fleet_tui.core.tasks.commands import Cancel, Hold, Requeue, Resolve, Submit, Verdict
from fleet_tui.core.tasks.events import TaskEnded, TaskNeedsOperator, TaskPlaced
from fleet_tui.core.tasks.evidence import Definite, NotStarted
from fleet_tui.core.tasks.model import TaskPhase, TaskSpec
from fleet_tui.core.tasks.submission import MAX_PAYLOAD_BYTES
from fleet_tui.core.text.untrusted import Untrusted
from tests.support.fleets import agent, fleet, work
from tests.support.ledger import Story

T1 = TaskId("T1")


def story() -> Story:
    told = Story(fleet(agent("a1"), agent("gpu-1", pool="gpu")))
    told.all_up()
    return told


def refused(told: Story, command: Command) -> Refused:
    decision = decide(told.state, "me", command, told.now_ms)
    assert isinstance(decision, Refused)
    assert decision.text
    return decision


def done(told: Story, command: Command) -> Decided:
    decision = decide(told.state, "me", command, told.now_ms)
    assert isinstance(decision, Decided)
    told.add(*decision.events)
    return decision


def submit(spec: TaskSpec, key: str = "k") -> Submit:
    return Submit(task=T1, key=key, spec=spec)


@pytest.mark.parametrize(
    ("spec", "code", "words"),
    [
        (work("  \n"), "empty", "no text"),
        (work("x" * (MAX_PAYLOAD_BYTES + 1)), "too-large", "4,194,305"),
        (work("a\ud800b"), "not-utf8", "character 2"),
        (work("a\x00b"), "nul", "position 2"),
        (work(pool="gqu"), "unknown-pool", "'gqu'"),
        (TaskSpec(payload=Untrusted("x"), agent=AgentName("a9")), "unknown-agent", "'a9'"),
    ],
)
def test_bad_submissions_say_what_is_wrong(spec: TaskSpec, code: str, words: str) -> None:
    decision = refused(story(), submit(spec))
    assert decision.code == code
    assert words in decision.text


def test_a_near_miss_gets_a_suggestion() -> None:
    assert "gpu" in refused(story(), submit(work(pool="gqu"))).hint


def test_the_same_key_is_the_same_task_also_after_its_end() -> None:
    told = story()
    first = done(told, submit(work("one")))
    done(told, Cancel(tasks=(T1,)))
    again = done(told, submit(work("one")))
    assert again.duplicate
    assert (again.task, again.number) == (first.task, first.number)
    assert refused(told, submit(work("two"))).code == "key-conflict"


def test_cancelling_a_waiting_task_ends_it_and_a_second_time_is_refused() -> None:
    told = story()
    done(told, submit(work()))
    done(told, Cancel(tasks=(T1,)))
    task = told.state.task(T1)
    assert task is not None
    assert task.phase is TaskPhase.CANCELLED
    assert refused(told, Cancel(tasks=(T1,))).code == "already-over"
    assert refused(told, Cancel(tasks=(TaskId("none"),))).code == "unknown-task"


def test_cordon_names_the_unknown_and_does_nothing_then() -> None:
    told = story()
    both = (AgentName("a1"), AgentName("a2"))
    assert refused(told, Cordon(agents=both)).code == "unknown-agent"
    assert told.state.agents[AgentName("a1")].cordon is None
    done(told, Cordon(agents=both[:1], reason="kernel"))
    assert not told.state.agents[AgentName("a1")].in_service
    assert done(told, Cordon(agents=both[:1])).events == ()
    done(told, Uncordon(agents=both[:1]))
    assert told.state.agents[AgentName("a1")].in_service


@pytest.mark.parametrize(
    ("verdict", "phase"),
    [
        (Verdict.RAN, TaskPhase.SUCCEEDED),
        (Verdict.DID_NOT_RUN, TaskPhase.WAITING),
        (Verdict.RUN_AGAIN, TaskPhase.WAITING),
    ],
)
def test_a_verdict_needs_a_reason_and_settles_the_task(verdict: Verdict, phase: TaskPhase) -> None:
    told = story()
    done(told, submit(work()))
    assert refused(told, Resolve(task=T1, verdict=verdict, reason="x")).code == (
        "no-verdict-needed"
    )
    told.add(TaskNeedsOperator(task=T1, reason="died"))
    assert refused(told, Resolve(task=T1, verdict=verdict, reason=" ")).code == "no-reason"
    done(told, Resolve(task=T1, verdict=verdict, reason="saw it"))
    task = told.state.task(T1)
    assert task is not None
    assert task.phase is phase


def test_requeue_is_for_what_ended_badly() -> None:
    told = story()
    done(told, submit(work()))
    assert refused(told, Requeue(tasks=(T1,))).code == "not-failed"
    done(told, Cancel(tasks=(T1,)))
    done(told, Requeue(tasks=(T1,)))
    assert T1 in told.state.open_tasks
    assert T1 not in told.state.closed_tasks
    placed = Router(told.state.fleet).schedule(told.state, {}, told.now_ms + 1)
    assert [p.run for p in placed if isinstance(p, TaskPlaced)] == [RunId("T1.1")]


def test_unknown_alerts_and_empty_notes_are_refused() -> None:
    assert refused(story(), Ack(alerts=(AlertId("x:y"),))).code == "unknown-alert"
    assert refused(story(), AddNote(text=Untrusted(" "))).code == "empty"


def test_a_task_that_was_cancelled_and_requeued_is_a_task_like_any_other() -> None:
    told = story()
    done(told, submit(work()))
    done(told, Cancel(tasks=(T1,)))
    done(told, Requeue(tasks=(T1,)))
    (placed,) = Router(told.state.fleet).schedule(told.state, {}, told.now_ms)
    assert isinstance(placed, TaskPlaced)
    told.add(placed)
    refusal = Definite(NotStarted(reason="draining"))
    told.add(*learn(told.state, placed.run, refusal, told.now_ms))
    task = told.state.task(T1)
    assert task is not None
    assert task.phase is TaskPhase.WAITING


@pytest.mark.parametrize(
    "deadlines", [Deadlines(schedule_to_start_ms=1_000), Deadlines(total_ms=1_000)]
)
def test_the_deadlines_of_a_requeued_task_begin_anew(deadlines: Deadlines) -> None:
    told = story()
    done(told, submit(TaskSpec(payload=Untrusted("x"), deadlines=deadlines)))
    told.now_ms += 1_000
    told.add(*reconcile_attempts(told.state, told.now_ms))
    task = told.state.task(T1)
    assert task is not None
    assert task.phase is TaskPhase.EXPIRED
    done(told, Requeue(tasks=(T1,)))
    assert reconcile_attempts(told.state, told.now_ms + 999) == []
    (ended,) = reconcile_attempts(told.state, told.now_ms + 1_000)
    assert isinstance(ended, TaskEnded)


# What is recorded


A1, GPU_1 = AgentName("a1"), AgentName("gpu-1")


def test_only_agents_that_are_in_are_cordoned_and_only_those_that_are_out_let_in() -> None:
    told = story()
    cordon = Cordon(agents=(A1,), reason="a new disk")
    assert done(told, cordon).events == (AgentCordoned(agent=A1, by="me", reason="a new disk"),)
    both = Cordon(agents=(A1, GPU_1), reason="all")
    second = done(told, both)
    assert second.events == (AgentCordoned(agent=GPU_1, by="me", reason="all"),)
    assert second.changed == 1
    assert done(told, both).changed == 0
    assert done(told, Uncordon(agents=(A1,))).events == (AgentUncordoned(agent=A1, by="me"),)
    back = Uncordon(agents=(A1, GPU_1))
    first = done(told, back)
    assert first.events == (AgentUncordoned(agent=GPU_1, by="me"),)
    assert first.changed == 1
    again = done(told, back)
    assert (again.events, again.changed) == ((), 0)


def test_an_agent_without_a_cordon_whose_work_failed_is_trusted_again_by_an_uncordon() -> None:
    told = story()
    failed = AgentTripped(agent=A1, reason="failed 3 in a row", until_ms=told.now_ms)
    told.add(failed, HealthChanged(agent=A1, health=Health.SUSPECT, was=Health.UP, reason="so"))
    done(told, Cordon(agents=(A1, GPU_1)))
    both = Uncordon(agents=(A1, GPU_1))
    cordons = done(told, both)
    assert cordons.events == tuple(AgentUncordoned(agent=a, by="me") for a in both.agents)
    assert told.state.agents[A1].breaker is not None, "a cordon says nothing about its work"

    made = Uncordon(agents=(A1,), cordoned=Made(by="me", at_ms=told.now_ms))
    assert done(told, made).changed == 0
    decision = done(told, both)
    assert decision.events == (
        AgentTrusted(agent=A1, reason="uncordoned by me", by="me"),
        HealthChanged(agent=A1, health=Health.UP, was=Health.SUSPECT, reason="uncordoned by me"),
    )
    assert (decision.changed, [out.label for out in decision.left_out]) == (1, [GPU_1])
    assert told.state.agents[A1].in_service
    assert done(told, both).changed == 0


def test_an_agent_on_probation_is_trusted_in_full() -> None:
    told = story()
    told.add(
        AgentTripped(agent=A1, reason="failed 3 in a row", until_ms=told.now_ms),
        AgentTrusted(agent=A1, reason="a canary run succeeded", by_canary=True),
    )
    assert told.state.agents[A1].probation is not None
    later = decide(told.state, "me", Uncordon(agents=(A1,)), told.now_ms + PROBATION_MS)
    assert isinstance(later, Decided)
    assert later.changed == 0, "it is over by then"
    decision = done(told, Uncordon(agents=(A1,)))
    assert decision.events == (AgentTrusted(agent=A1, reason="uncordoned by me", by="me"),)
    assert told.state.agents[A1].probation is None
    assert done(told, Uncordon(agents=(A1,))).changed == 0


def test_an_agent_that_is_trusted_again_and_misses_its_looks_stays_out_for_these() -> None:
    told = story()
    told.add(
        AgentTripped(agent=A1, reason="failed 3 in a row", until_ms=told.now_ms),
        HealthChanged(
            agent=A1,
            health=Health.SUSPECT,
            was=Health.UP,
            reason="so",
            failure=FailureKind.TIMEOUT,
        ),
    )
    decision = done(told, Uncordon(agents=(A1,)))
    assert decision.events == (AgentTrusted(agent=A1, reason="uncordoned by me", by="me"),)
    assert told.state.agents[A1].breaker is None
    assert not told.state.agents[A1].in_service


@pytest.mark.parametrize(
    "verb",
    [lambda a: Cordon(agents=a), lambda a: Uncordon(agents=a), lambda a: ProbeNow(agents=a)],
)
def test_agents_have_to_be_named_and_to_exist(
    verb: Callable[[tuple[AgentName, ...]], Command],
) -> None:
    none = refused(story(), verb(()))
    assert (none.code, none.text) == ("nothing-named", "No agent was named.")
    other = refused(story(), verb((A1, AgentName("a2"))))
    assert (other.code, other.text) == ("unknown-agent", "No agent is called 'a2'.")
    assert "a1" in other.hint
    assert done(story(), verb((A1,))) is not None


def test_a_freeze_and_its_end_are_changes_of_mode() -> None:
    told = story()
    early = refused(told, Thaw())
    assert (early.code, early.text) == ("not-frozen", "The engine is not frozen.")
    assert done(told, Freeze(reason="a fire drill")).events == (
        EngineModeChanged(
            mode=EngineMode.FROZEN, was=EngineMode.NORMAL, reason="a fire drill", by="me"
        ),
    )
    assert done(told, Freeze(reason="again")).events == ()
    assert done(told, Thaw()).events == (
        EngineModeChanged(mode=EngineMode.NORMAL, was=EngineMode.FROZEN, reason="thawed", by="me"),
    )
    (unsaid,) = done(told, Freeze()).events
    assert isinstance(unsaid, EngineModeChanged)
    assert unsaid.reason == "nothing is to be started"


def test_a_note_has_words_and_a_bound() -> None:
    told = story()
    text = Untrusted("x" * MAX_NOTE_CHARS)
    assert done(told, AddNote(text=text)).events == (NoteAdded(by="me", text=text),)
    assert refused(told, AddNote(text=Untrusted(" \n"))).code == "empty"
    long = refused(told, AddNote(text=Untrusted("x" * (MAX_NOTE_CHARS + 1))))
    assert (long.code, long.text) == ("too-long", "A note has at most 2000 characters.")


def test_an_alert_that_is_not_open_is_not_acknowledged() -> None:
    nobody = AlertId("agent:a9")
    unknown = refused(story(), Ack(alerts=(nobody,)))
    assert (unknown.code, unknown.text) == ("unknown-alert", "No open alert is called agent:a9.")


def test_the_words_of_a_command_have_no_secret_in_them() -> None:
    secret = "sk-ant-api03-" + "a1B2c3D4" * 6
    note = public(AddNote(text=Untrusted(f"the key is {secret}")))
    assert isinstance(note, AddNote)
    assert secret not in note.text.raw
    held = public(Hold(tasks=(T1,), reason=f"leaked {secret}"))
    assert isinstance(held, Hold)
    assert secret not in held.reason
    assert held.tasks == (T1,)
    plain = Hold(tasks=(T1,), reason="wrong customer")
    assert public(plain) is plain
    thaw = Thaw()
    assert public(thaw) is thaw
