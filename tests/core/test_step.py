"""One step of the loop: what goes in comes to events, replies and a memory; nothing else moves."""

from collections.abc import Iterable, Sequence

import pytest
from msgspec.structs import replace

from fleet_tui.core.agents.commands import Cordon, Uncordon
from fleet_tui.core.agents.events import AgentCordoned, FailoverBraked, HealthChanged
from fleet_tui.core.agents.model import Health
from fleet_tui.core.agents.vitals import FailureKind, ProbeFailure, VitalsReading
from fleet_tui.core.alerting.events import AlertRaised
from fleet_tui.core.engine.commands import Freeze
from fleet_tui.core.engine.events import (
    EngineModeChanged,
    EngineUnitFailed,
    FleetFileJudged,
    FleetLoaded,
    MachinesFound,
)
from fleet_tui.core.fleet import Deadlines
from fleet_tui.core.ids import AgentName, Epoch, HostName, RunId, Seq, TaskId
from fleet_tui.core.ledger.decided import Decided
from fleet_tui.core.ledger.events import Event, Recorded
from fleet_tui.core.ledger.fold import fold
from fleet_tui.core.ledger.replies import Refused
from fleet_tui.core.ledger.state import FleetState
from fleet_tui.core.modes import EngineMode, Trouble
from fleet_tui.core.notes.events import NoteAdded
from fleet_tui.core.routing.schedule import ProbeResults, Router
from fleet_tui.core.step import (
    RECONCILERS,
    AgentProbed,
    Asked,
    FleetChanged,
    FleetFileSeen,
    Input,
    MachinesSeen,
    Memory,
    Pace,
    RunReported,
    Step,
    StepTime,
    Tick,
    Told,
    noted,
    noted_sign_of_life,
    remember,
    settled,
    step,
)
from fleet_tui.core.tasks.commands import Cancel, Edit, Hold, Requeue, Submit
from fleet_tui.core.tasks.events import (
    AttemptSeen,
    AttemptStarted,
    TaskEnded,
    TaskPending,
    TaskPlaced,
    TaskSubmitted,
)
from fleet_tui.core.tasks.evidence import Definite, Finished, LostReason, Running, Started, Unknown
from fleet_tui.core.tasks.heartbeat import Beat
from fleet_tui.core.text.untrusted import Untrusted
from tests.support.fleets import HOST, agent, fleet, work
from tests.support.ledger import Story

A1, A2 = AgentName("a1"), AgentName("a2")
EPOCH = Epoch(1)
TASK = TaskId("T1")
SUBMIT = Asked("ana", Submit(task=TASK, key="k", spec=work()))


class Loop:
    """An engine's loop without the engine: every step is committed."""

    def __init__(self, told: Story) -> None:
        self.told = told
        self.memory = remember(told.state)

    def take(self, *inputs: Input, sweeps: bool = True) -> Step:
        """A step, not committed."""
        moment = StepTime(self.told.now_ms, EPOCH, sweeps)
        return step(self.told.state, self.memory, inputs, moment)

    def do(self, *inputs: Input, sweeps: bool = True) -> tuple[Event, ...]:
        """A step, committed."""
        moment = StepTime(self.told.now_ms, EPOCH, sweeps)
        taken = step(self.told.state, self.memory, inputs, moment)
        self.told.add(*taken.events)
        assert self.told.state == taken.state
        self.memory = taken.memory
        return taken.events


def loop(*names: str) -> Loop:
    told = Story(fleet(*(agent(name) for name in names or ("a1",))))
    told.all_up()
    return Loop(told)


def kinds(events: Sequence[Event]) -> list[type[object]]:
    return [type(event) for event in events]


def reading(name: AgentName, at_ms: int) -> VitalsReading:
    return VitalsReading(agent=name, observed_at_ms=at_ms, latency_ms=1.0)


def miss(name: AgentName, at_ms: int) -> ProbeFailure:
    return ProbeFailure(agent=name, observed_at_ms=at_ms, kind=FailureKind.TIMEOUT)


def placed(told: Story) -> TaskPlaced:
    return next(r.event for r in told.rows if isinstance(r.event, TaskPlaced))


def test_a_submit_is_placed_in_the_same_step_and_answered() -> None:
    here = loop()
    taken = here.take(SUBMIT)
    assert kinds(taken.events) == [TaskSubmitted, TaskPlaced]
    assert taken.replies == (Decided(events=taken.events[:1], task=TASK, number=1),)
    assert taken.memory.unrouted == (TASK,)


def test_replies_stand_in_the_order_of_the_questions() -> None:
    refused = Asked("ana", Cordon(agents=(AgentName("nobody"),)))
    taken = loop().take(refused, Tick(), SUBMIT)
    first, second = taken.replies
    assert isinstance(first, Refused)
    assert isinstance(second, Decided)


def test_the_same_values_give_the_same_step_and_stay_as_they_were() -> None:
    inputs = (AgentProbed(reading(A1, 1_000)), SUBMIT, Tick())

    def twice() -> tuple[Step, FleetState, Memory]:
        here = loop("a1", "a2")
        return here.take(*inputs), here.told.state, here.memory

    (one, state, memory), (other, _, _) = twice(), twice()
    assert one.events == other.events
    assert one.state == other.state
    assert state == loop("a1", "a2").told.state
    assert (memory.probes, memory.watches, memory.beats, memory.unrouted) == ({}, {}, {}, ())


def test_nothing_put_in_means_nothing_is_looked_through() -> None:
    here = loop()
    here.told.submit(work())
    assert here.take().events == ()
    assert here.take(FleetFileSeen("")).events == ()
    assert kinds(here.take(Tick()).events) == [TaskPlaced]


def test_a_sweep_needs_a_tick_and_leave() -> None:
    here = loop()
    here.told.cordon("a1")
    here.do(Tick())
    here.told.submit(work(deadlines=Deadlines(total_ms=10)))
    here.told.now_ms += 10
    assert TaskEnded not in kinds(here.take(SUBMIT).events)
    assert TaskEnded not in kinds(here.take(Tick(), sweeps=False).events)
    assert TaskEnded in kinds(here.take(Tick()).events)


def test_the_brake_comes_first_and_in_each_step() -> None:
    assert RECONCILERS[0].pace is Pace.STEP
    assert [r.pace for r in RECONCILERS[1:]] == [Pace.SWEEP] * 4 + [Pace.STEP]
    here = loop("a1", "a2", "a3")
    for name in ("a1", "a2", "a3"):
        here.told.health(name, Health.DOWN)
    first, second = here.take(Told((EngineUnitFailed(unit="x", error="E"),))).events
    assert isinstance(first, EngineUnitFailed)
    assert isinstance(second, FailoverBraked)


def test_a_look_is_remembered_and_judged() -> None:
    here = loop()
    here.told.now_ms += 1_000
    events = here.do(AgentProbed(miss(A1, 1_500)))
    assert kinds(events) == [HealthChanged]
    assert here.memory.probes == {A1: miss(A1, 1_500)}
    assert here.memory.watches[A1].misses == 1
    here.do(AgentProbed(miss(A1, 1_700)))
    assert here.memory.watches[A1].misses == 2


def test_a_look_at_nobody_is_nothing() -> None:
    taken = loop().take(AgentProbed(reading(A2, 1_000)))
    assert taken.events == ()
    assert taken.memory.probes == {}


@pytest.mark.parametrize(("until_ms", "counts"), [(1_000, True), (1_001, False)])
def test_after_a_pause_a_miss_is_seen_and_not_counted(until_ms: int, counts: bool) -> None:
    here = loop()
    here.memory = Memory(router=here.memory.router, distrust_until_ms=until_ms)
    taken = here.take(AgentProbed(miss(A1, 1_000)))
    assert taken.memory.probes == {A1: miss(A1, 1_000)}
    assert (A1 in taken.memory.watches) is counts
    assert bool(taken.events) is counts
    assert A1 in here.take(AgentProbed(reading(A1, 1_000))).memory.watches


def test_a_word_is_learned_and_its_beat_kept_while_the_run_is_open() -> None:
    here = loop()
    here.do(SUBMIT)
    run = placed(here.told).run
    assert here.do(RunReported(run, Definite(Started())))[0] == AttemptStarted(run=run)
    here.told.now_ms += 5
    assert here.do(RunReported(run, Definite(Running(output_bytes=7)))) == ()
    assert here.memory.beats == {run: Beat(at_ms=1_005, output_bytes=7)}
    here.told.now_ms += 5
    here.do(RunReported(run, Definite(Running(output_bytes=7))))
    assert here.memory.beats == {run: Beat(at_ms=1_005, output_bytes=7)}
    here.do(Tick())
    assert here.memory.beats.keys() == {run}


def test_beats_of_runs_that_are_over_are_forgotten_by_a_sweep() -> None:
    here = loop()
    run = "gone.1"
    here.memory = Memory(router=here.memory.router, beats={run: Beat(at_ms=1)})  # type: ignore[dict-item]  # any run
    assert here.take(Tick(), sweeps=False).memory.beats.keys() == {run}
    assert here.take(Tick()).memory.beats == {}


def test_a_run_that_beats_is_not_silent() -> None:
    here = loop()
    spec = work(deadlines=Deadlines(heartbeat_ms=50))
    here.do(Asked("ana", Submit(task=TASK, key="k", spec=spec)))
    run = placed(here.told).run
    here.do(RunReported(run, Definite(Started())))
    here.told.now_ms += 49
    here.do(RunReported(run, Definite(Running())))
    here.told.now_ms += 49
    assert here.take(Tick()).events == ()
    here.told.now_ms += 1
    assert len(here.take(Tick()).events) == 1
    listening = Memory(
        router=here.memory.router, beats=here.memory.beats, listens_since_ms=here.told.now_ms
    )
    here.memory = listening
    assert here.take(Tick()).events == ()


def test_another_fleet_file_is_loaded_and_whoever_left_is_forgotten() -> None:
    here = loop("a1", "a2")
    here.do(AgentProbed(reading(A1, 1_000)), AgentProbed(reading(A2, 1_000)))
    before = here.memory.router
    spec = fleet(agent("a2"))
    events = here.do(FleetChanged(spec, "ana"))
    assert events[0] == FleetLoaded(spec=spec, by="ana")
    assert here.memory.probes.keys() == here.memory.watches.keys() == {A2}
    assert here.memory.router is not before
    assert here.memory.router.fleet is spec


def test_hosts_that_are_found_to_be_one_machine_are_recorded_once_and_routed_by() -> None:
    here = loop()
    same = {HostName("h2"): HOST}
    seen = MachinesSeen(here.told.state.fleet.hosts, same)
    assert here.do(seen)[0] == MachinesFound(same=same)
    assert here.memory.router.fleet.same == here.told.state.fleet.same == same
    assert here.do(seen) == ()


def test_what_was_found_out_of_the_hosts_of_an_older_file_says_nothing() -> None:
    here = loop()
    router = here.memory.router
    assert here.do(MachinesSeen({}, {HostName("h2"): HOST})) == ()
    assert here.memory.router is router


def test_the_same_file_again_knows_which_hosts_are_one_machine() -> None:
    here = loop()
    file = here.told.state.fleet
    same = {HostName("h2"): HOST}
    here.do(MachinesSeen(file.hosts, same))
    assert here.do(FleetChanged(file, "ana"))[0] == FleetLoaded(
        spec=replace(file, same=same), by="ana"
    )
    assert here.memory.router.fleet.same == same


def test_a_bad_fleet_file_is_told_and_its_cure_once() -> None:
    here = loop()
    assert here.do(FleetFileSeen("no")) == (FleetFileJudged(problem="no"),)
    assert here.do(FleetFileSeen("")) == (FleetFileJudged(problem=""),)
    assert here.do(FleetFileSeen("")) == ()


def test_troubles_become_alerts_by_a_sweep() -> None:
    here = loop()
    here.memory = Memory(router=here.memory.router, troubles={Trouble.DISK_FULL: "room"})
    assert AlertRaised in kinds(here.do(Tick()))


def test_nothing_is_placed_while_work_is_held() -> None:
    here = loop()
    hold = EngineModeChanged(mode=EngineMode.FROZEN, was=EngineMode.NORMAL, reason="r")
    assert kinds(here.do(Told((hold,)), SUBMIT)) == [EngineModeChanged, TaskSubmitted]
    assert here.memory.unrouted == (TASK,)
    thaw = EngineModeChanged(mode=EngineMode.NORMAL, was=EngineMode.FROZEN, reason="r")
    assert TaskPlaced in kinds(here.do(Told((thaw,))))


def test_what_waits_is_routed_again_only_where_it_may_have_changed() -> None:
    here = loop()
    here.told.cordon("a1")
    assert kinds(here.do(SUBMIT)) == [TaskSubmitted, TaskPending]
    assert kinds(here.do(Asked("ana", Uncordon(agents=(A1,)))))[-1] is TaskPlaced


def test_where_nothing_was_stored_what_was_seen_stays_seen() -> None:
    here = loop()
    run = "T9.1"
    word = RunReported(run, Definite(Running()))  # type: ignore[arg-type]  # any run
    taken = here.take(AgentProbed(reading(A1, 1_000)), word, SUBMIT)
    kept = taken.unstored(here.memory)
    assert kept.probes == {A1: reading(A1, 1_000)}
    assert kept.beats.keys() == {run}
    assert (kept.watches, kept.unrouted) == ({}, ())


def test_what_gives_signs_of_life_while_nothing_can_be_stored_is_not_silent() -> None:
    here = loop()
    spec = work(deadlines=Deadlines(heartbeat_ms=50))
    here.do(Asked("ana", Submit(task=TASK, key="k", spec=spec)))
    run = placed(here.told).run
    here.do(RunReported(run, Definite(Started())))
    for at_ms, output in ((1_040, 1), (1_080, 2), (1_110, 2)):
        word = Definite(Running(output_bytes=output))
        here.memory = noted_sign_of_life(here.memory, run, word, at_ms)
    assert here.memory.beats == {run: Beat(at_ms=1_080, output_bytes=2)}
    here.told.now_ms = 1_129
    assert here.take(Tick()).events == ()
    here.told.now_ms = 1_130
    assert len(here.take(Tick()).events) == 1


def test_no_other_word_is_a_sign_of_life() -> None:
    here = loop()
    run = RunId("T9.1")
    for word in (Definite(Started()), Unknown(LostReason.TIMEOUT)):
        assert noted_sign_of_life(here.memory, run, word, 1_000) == here.memory


def test_where_nothing_was_stored_the_router_forgets_it() -> None:
    here = loop()
    here.told.cordon("a1")
    kept = here.take(SUBMIT).unstored(here.memory)
    moment = StepTime(here.told.now_ms, EPOCH)
    assert TaskPending not in kinds(step(here.told.state, kept, [Tick()], moment).events)


def test_a_step_from_the_same_memory_is_the_same_whatever_was_tried_from_it_before() -> None:
    here = loop()
    here.told.submit_many(work(), 3)  # more than it has slots for
    here.do(SUBMIT)
    expected = here.take(Asked("ana", Hold(tasks=(TASK,))))
    other = here.take(Asked("ana", Cancel(tasks=(TASK,))), Asked("ana", Freeze()))
    assert expected.events != other.events
    again = here.take(Asked("ana", Hold(tasks=(TASK,))))
    assert (again.events, again.replies, again.state) == (
        expected.events,
        expected.replies,
        expected.state,
    )


def test_a_step_goes_on_with_the_queues_and_tells_the_router_of_each_change_once() -> None:
    here = loop()
    before = here.memory.router
    here.do(SUBMIT)
    assert here.memory.router is not before
    assert here.memory.unrouted == (TASK,)
    here.do(Tick())
    assert here.memory.unrouted == ()


def test_events_stand_one_after_the_other() -> None:
    here = loop()
    events = [NoteAdded(by="ana", text=Untrusted(str(n))) for n in range(3)]
    taken = noted(here.told.state, here.memory, events, StepTime(1_000, EPOCH))
    assert taken.state.seq == here.told.state.seq + 3


class Listening(Router):
    """Hears which tasks may have changed."""

    told: Iterable[TaskId] | None = None

    def schedule(
        self,
        state: FleetState,
        probes: ProbeResults,
        now_ms: int,
        changed: Iterable[TaskId] | None = None,
    ) -> list[Event]:
        """As a router, and keeps what it was told."""
        self.told = changed
        return super().schedule(state, probes, now_ms, changed)


def test_the_router_is_told_what_changed_in_this_step_and_before() -> None:
    here = loop()
    router = Listening(here.told.state.fleet)
    earlier = here.told.submit(work())
    memory = Memory(router=router, unrouted=(earlier,))
    taken = step(here.told.state, memory, [SUBMIT], StepTime(here.told.now_ms, EPOCH))
    assert isinstance(taken.memory.router, Listening)
    assert taken.memory.router.told == (earlier, TASK)
    assert router.told is None


def test_noted_events_bring_nothing_with_them() -> None:
    here = loop()
    here.told.submit(work())
    event = AgentCordoned(agent=A1, by="ana")
    taken = noted(here.told.state, here.memory, [event], StepTime(2_000, EPOCH))
    assert taken.events == (event,)
    assert taken.replies == ()
    assert taken.state.at_ms == 2_000
    (row,) = [Recorded(taken.state.seq, 2_000, EPOCH, event)]
    assert settled(here.told.state, taken, [row]) is taken.state


def test_the_state_after_the_commit_is_the_one_looked_ahead_to_or_folded_anew() -> None:
    here = loop()
    before, taken = here.told.state, here.take(SUBMIT)
    first = before.seq + 1

    def rows(shift: int, at_ms: int) -> list[Recorded]:
        return [
            Recorded(Seq(first + shift + n), at_ms, EPOCH, event)
            for n, event in enumerate(taken.events)
        ]

    assert taken.state.seq == before.seq + len(taken.events)
    assert settled(before, taken, rows(0, 1_000)) is taken.state
    for elsewhere in (rows(1, 1_000), rows(0, 1_001)):
        assert settled(before, taken, elsewhere) == fold(before, elsewhere)
        assert settled(before, taken, elsewhere) != taken.state


def test_a_run_found_again_is_seen() -> None:
    here = loop()
    here.do(SUBMIT)
    run = placed(here.told).run
    assert here.do(RunReported(run, Definite(Running())))[0] == AttemptSeen(run=run)


@pytest.mark.parametrize("place", range(3))
def test_what_is_due_is_looked_for_wherever_the_tick_stands_among_the_inputs(place: int) -> None:
    here = loop()
    here.told.cordon("a1")
    here.do(Tick())
    here.told.submit(work(deadlines=Deadlines(total_ms=10)))
    here.told.now_ms += 10
    inputs: list[Input] = [AgentProbed(reading(A1, here.told.now_ms))] * 2
    inputs.insert(place, Tick())
    assert TaskEnded in kinds(here.take(*inputs).events)


def test_edited_work_goes_where_it_may_go_now() -> None:
    """The loop's router placed it before, as it was asked for then."""
    told = Story(
        fleet(agent("a1", clients=("acme",)), agent("a2"), isolated=("acme",)),
    )
    told.all_up()
    here = Loop(told)
    before = Asked("ana", Submit(task=TASK, key="k", spec=work()))
    (first,) = (e for e in here.do(before) if isinstance(e, TaskPlaced))
    assert first.agent == A2
    here.do(RunReported(first.run, Definite(Finished(ok=False, failure="exit-1"))))
    here.do(Asked("ana", Edit(task=TASK, spec=work(client="acme"))))
    again = here.do(Asked("ana", Requeue(tasks=(TASK,))))
    assert [e.agent for e in again if isinstance(e, TaskPlaced)] == [A1]
