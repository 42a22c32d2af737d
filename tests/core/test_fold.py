"""What facts about engine, fleet, agents and alerts change, and that they change nothing else."""

import pytest
from msgspec.structs import replace

from fleet_tui.core.agents.events import (
    AgentCordoned,
    AgentEvent,
    AgentTripped,
    AgentTrusted,
    FailoverBraked,
    FailoverResumed,
    HealthChanged,
)
from fleet_tui.core.agents.fold import next_agent
from fleet_tui.core.agents.model import AgentState, Health
from fleet_tui.core.agents.vitals import FailureKind
from fleet_tui.core.alerting.events import AlertAcked, AlertRaised, AlertResolved
from fleet_tui.core.alerting.model import MAX_CLOSED_ALERTS, Alert, Severity
from fleet_tui.core.engine.events import (
    EngineModeChanged,
    EngineStarted,
    EngineStopped,
    EngineTroubled,
    EngineUnitFailed,
    FleetFileJudged,
    FleetLoaded,
    MachinesFound,
)
from fleet_tui.core.fleet import CommandAgent, FleetSpec, Prices
from fleet_tui.core.ids import AgentName, AlertId, Epoch, HostName, Seq
from fleet_tui.core.ledger import events as e
from fleet_tui.core.ledger.fold import Folding, fold
from fleet_tui.core.ledger.state import FleetState
from fleet_tui.core.modes import EngineMode, EngineState, ModeNow, Trouble
from fleet_tui.core.notes.events import NoteAdded
from fleet_tui.core.notes.model import MAX_NOTES, Note
from fleet_tui.core.text.untrusted import Untrusted
from tests.support.fleets import agent, fleet
from tests.support.midway import (
    A1,
    A2,
    ALERT,
    AT_WORK,
    BEFORE,
    GENERAL,
    GONE,
    GPU,
    NOW_MS,
    SAID,
    SPEC,
    STRUCK,
    after,
    but,
    with_agent,
)

# The engine, the fleet file, notes and alerts


def engine(**changes: object) -> FleetState:
    return but(engine=replace(BEFORE.engine, **changes))


PLAIN: list[tuple[e.Event, FleetState]] = [
    (
        FailoverBraked(pool=GENERAL, reason="half of it is lost"),
        but(braked_pools={GPU: "too many lost", GENERAL: "half of it is lost"}),
    ),
    (FailoverResumed(pool=GPU), but(braked_pools={})),
    (FailoverResumed(pool=GENERAL), but()),
    (
        NoteAdded(by="you", text=Untrusted("now")),
        but(notes=(*BEFORE.notes, Note(at_ms=NOW_MS, by="you", text=Untrusted("now")))),
    ),
    (
        EngineStarted(epoch=Epoch(4), version="2", pid=11),
        but(engine=EngineState(epoch=Epoch(4), version="2", pid=11, started_at_ms=NOW_MS)),
    ),
    (
        EngineModeChanged(mode=EngineMode.FROZEN, was=EngineMode.NORMAL, reason="repair", by="you"),
        engine(mode=ModeNow(mode=EngineMode.FROZEN, reason="repair", since_ms=NOW_MS, by="you")),
    ),
    (EngineUnitFailed(unit="prober", error="KeyError"), but()),
    (
        EngineTroubled(trouble=Trouble.LOCKED, text="held by 77"),
        engine(troubles={Trouble.SLOW_DISK: "the disk is slow", Trouble.LOCKED: "held by 77"}),
    ),
    (
        EngineTroubled(trouble=Trouble.SLOW_DISK, text="slower"),
        engine(troubles={Trouble.SLOW_DISK: "slower"}),
    ),
    (EngineTroubled(trouble=Trouble.SLOW_DISK), engine(troubles={})),
    (FleetFileJudged(problem="a2 has no host"), engine(file_problem="a2 has no host")),
    (FleetFileJudged(), engine(file_problem="")),
    (
        MachinesFound(same={HostName("b"): HostName("a")}),
        but(fleet=replace(SPEC, same={HostName("b"): HostName("a")})),
    ),
    (EngineStopped(reason="asked"), engine(stopped_at_ms=NOW_MS)),
    (e.UnknownEvent(kind="from.later", body=b"{}"), but(unknown_events=5)),
    (
        AlertRaised(
            alert=AlertId("x:y"), severity=Severity.CRIT, subject="y", text="bad", detail=SAID
        ),
        but(
            alerts={
                ALERT.id: ALERT,
                AlertId("x:y"): Alert(
                    id=AlertId("x:y"),
                    severity=Severity.CRIT,
                    subject="y",
                    text="bad",
                    detail=SAID,
                    raised_at_ms=NOW_MS,
                ),
            }
        ),
    ),
    (
        AlertRaised(alert=ALERT.id, severity=Severity.CRIT, subject="queue", text="worse"),
        but(
            alerts={
                ALERT.id: replace(ALERT, severity=Severity.CRIT, text="worse", detail=Untrusted(""))
            }
        ),
    ),
    (
        AlertResolved(alert=ALERT.id),
        but(alerts={}, closed_alerts=(replace(ALERT, resolved_at_ms=NOW_MS),)),
    ),
    (AlertResolved(alert=AlertId("x:y")), but()),
    (
        AlertAcked(alert=ALERT.id, by="you"),
        but(alerts={ALERT.id: replace(ALERT, acked_by="you")}),
    ),
    (AlertAcked(alert=AlertId("x:y"), by="you"), but()),
]


@pytest.mark.parametrize(("event", "expected"), PLAIN)
def test_a_fact_changes_what_it_is_about(event: e.Event, expected: FleetState) -> None:
    assert after(event) == expected


def test_a_new_engine_keeps_a_hold_and_no_other_mode() -> None:
    for mode in EngineMode:
        changed = EngineModeChanged(mode=mode, was=EngineMode.NORMAL, reason="r", by="you")
        held = after(changed)
        started = after(EngineStarted(epoch=Epoch(4), version="2", pid=11), state=held)
        kept = held.engine.mode if mode is EngineMode.FROZEN else ModeNow()
        assert started.engine.mode == kept


@pytest.mark.parametrize(
    ("event", "field", "most"),
    [
        (NoteAdded(by="you", text=SAID), "notes", MAX_NOTES),
        (AlertResolved(alert=ALERT.id), "closed_alerts", MAX_CLOSED_ALERTS),
    ],
)
def test_what_piles_up_is_bounded_and_the_oldest_goes(
    event: e.Event, field: str, most: int
) -> None:
    filler = getattr(after(event), field)[-1:]
    first = (replace(filler[0], **{filler[0].__struct_fields__[0]: "first"}),)
    for size in (most - 1, most):
        piled = replace(BEFORE, **{field: (*first, *filler * (size - 1))})
        now = getattr(after(event, state=piled), field)
        assert len(now) == most
        assert (now[0] == first[0]) == (size < most)
        assert now[-1] == filler[0]


def test_a_segment_begins_with_the_state_that_it_brings() -> None:
    opened = replace(BEFORE, seq=Seq(100), at_ms=1, agents={}, notes=())
    begun = after(NoteAdded(by="you", text=SAID), e.SegmentOpened(state=opened))
    assert begun == replace(opened, seq=Seq(9), at_ms=NOW_MS)


# Agents


AGENT_EVENTS: list[AgentEvent] = [
    HealthChanged(agent=A1, health=Health.DOWN, was=Health.UP, reason="gone"),
    AgentCordoned(agent=A1, by="me"),
    AgentTripped(agent=A1, reason="failed", until_ms=70_000),
    AgentTrusted(agent=A1, reason="well"),
]


@pytest.mark.parametrize("event", AGENT_EVENTS)
def test_a_fact_about_an_agent_changes_that_agent(event: AgentEvent) -> None:
    assert after(event) == with_agent(next_agent(AT_WORK, event, NOW_MS))
    assert after(replace(event, agent=GONE)) == but(), "one that is not known stays so"


def loaded(*names: str, **changes: object) -> FleetSpec:
    """The fleet of before without all agents but these, changed so."""
    agents = {AgentName(n): SPEC.agents[AgentName(n)] for n in names}
    return replace(SPEC, agents={n: replace(spec, **changes) for n, spec in agents.items()})


def test_a_fleet_file_brings_its_agents_and_ends_the_problem_of_the_last() -> None:
    spec = fleet(agent("a1"), agent("a2", pool="gpu"), agent("a3"))
    a3 = AgentName("a3")
    assert after(FleetLoaded(spec=spec)) == but(
        fleet=spec,
        engine=replace(BEFORE.engine, file_problem=""),
        agents={A1: AT_WORK, A2: STRUCK, a3: AgentState(name=a3, since_ms=NOW_MS)},
    )


@pytest.mark.parametrize(
    ("change", "is_another"),
    [
        ({"slots": 9}, False),
        ({"kind": CommandAgent(command=("other",))}, True),
        ({"host": HostName("h2")}, True),
    ],
)
def test_what_failed_under_another_description_is_not_held_against_an_agent(
    change: dict[str, object], is_another: bool
) -> None:
    spec = loaded("a1", "a2", **change)
    now = after(FleetLoaded(spec=spec)).agents[A2]
    assert now == (replace(STRUCK, strikes=(), breaker=None) if is_another else STRUCK)


def test_an_agent_that_the_file_before_did_not_name_starts_without_strikes() -> None:
    state = replace(BEFORE, fleet=loaded("a1"))
    now = after(FleetLoaded(spec=SPEC), state=state).agents[A2]
    assert now == replace(STRUCK, strikes=(), breaker=None)


def test_an_agent_that_the_file_does_not_name_is_kept_while_it_runs_something() -> None:
    priced = Prices(per_hour_microusd=3)
    before = replace(BEFORE, fleet=loaded("a1", "a2", prices=priced))
    gone = after(FleetLoaded(spec=loaded()), state=before)
    retired = replace(AT_WORK, health=Health.RETIRED, since_ms=NOW_MS, reason="", prices=priced)
    assert gone.agents == {A1: retired}
    again = after(FleetLoaded(spec=loaded()), state=replace(gone, at_ms=1))
    assert again.agents == {A1: retired}, "it is retired once, and keeps its prices"


def test_an_agent_of_no_file_that_is_known_costs_nothing() -> None:
    gone = after(FleetLoaded(spec=loaded()), state=replace(BEFORE, fleet=loaded()))
    assert gone.agents[A1].prices == Prices()


def test_an_agent_that_is_back_joins_anew_with_what_it_runs() -> None:
    retired = replace(
        AT_WORK,
        health=Health.RETIRED,
        since_ms=1,
        reason="r",
        failure=FailureKind.TIMEOUT,
        failing_since_ms=1,
    )
    before = replace(BEFORE, agents={A1: retired})
    back = after(FleetLoaded(spec=loaded("a1")), state=before)
    assert back.agents == {A1: replace(AT_WORK, health=Health.JOINING, since_ms=NOW_MS, reason="")}


def test_a_batch_gives_what_its_facts_give_one_by_one() -> None:
    events = [event for event, _ in PLAIN]
    folding, state = Folding(BEFORE), BEFORE
    for n, event in enumerate(events):
        row = e.Recorded(Seq(8 + n), NOW_MS + n, Epoch(9), event)
        folding.apply(row)
        state = fold(state, [row])
    assert folding.state() == state
