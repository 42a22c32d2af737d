"""Taking back what was done: what does, as far as it still is so, and what was done last."""

import itertools

from hypothesis import given
from hypothesis import strategies as st

from fleet_tui.core.agents.commands import Cordon, Uncordon
from fleet_tui.core.agents.events import AgentTripped, AgentTrusted, AgentUncordoned
from fleet_tui.core.engine.commands import Freeze, Thaw
from fleet_tui.core.engine.events import EngineModeChanged
from fleet_tui.core.fleet import Priority
from fleet_tui.core.ids import AgentName, Epoch, Seq, TaskId
from fleet_tui.core.ledger.base import Made
from fleet_tui.core.ledger.commands import Command
from fleet_tui.core.ledger.decide import decide
from fleet_tui.core.ledger.decided import Decided
from fleet_tui.core.ledger.events import Event, Recorded, UnknownEvent
from fleet_tui.core.ledger.refusals import RefusalCode
from fleet_tui.core.ledger.replies import Refused
from fleet_tui.core.ledger.state import FleetState
from fleet_tui.core.modes import EngineMode
from fleet_tui.core.notes.commands import AddNote
from fleet_tui.core.routing.schedule import Router
from fleet_tui.core.step import Asked, Memory, StepTime, step
from fleet_tui.core.tasks.commands import Cancel, Expedite, Hold, Release, Requeue, SetPriority
from fleet_tui.core.tasks.events import TaskHeld, TaskReleased, TaskReprioritized
from fleet_tui.core.text.untrusted import Untrusted
from fleet_tui.core.undo import PastAct, author, inverse, last_act
from tests.support.fleets import agent, fleet, work
from tests.support.ledger import Story

ME, BOB = "ann", "bob"


def story(*pools: str) -> Story:
    """An agent in each of the pools, all up: ``a0`` in the first one."""
    told = Story(fleet(*(agent(f"a{n}", pool=pool) for n, pool in enumerate(pools))))
    told.all_up()
    return told


def do(told: Story, command: Command, by: str = ME) -> tuple[Command, ...]:
    """Do it; what takes it back."""
    told.now_ms += 1
    decision = decide(told.state, by, command, told.now_ms)
    assert isinstance(decision, Decided), decision
    back = inverse(told.state, decision.events, Made(by=by, at_ms=told.now_ms))
    told.add(*decision.events)
    return back


def refused(told: Story, command: Command) -> Refused:
    decision = decide(told.state, ME, command, told.now_ms)
    if isinstance(decision, Decided):
        assert not decision.events
        return decision.left_out[0].why
    return decision


def names(*agents: str) -> tuple[AgentName, ...]:
    return tuple(AgentName(name) for name in agents)


def visible(state: FleetState) -> object:
    """What can be taken back, without when it was made so."""
    return (
        {
            t.id: (t.spec.priority, t.hold and (t.hold.by, t.hold.reason), t.phase)
            for t in state.tasks()
        },
        {a.name: a.cordon and (a.cordon.by, a.cordon.reason) for a in state.agents.values()},
        state.engine.mode.mode,
    )


@given(st.data())
def test_what_can_be_taken_back_is_as_it_was_before(data: st.DataObject) -> None:
    told = story("p", "p", "p")
    tasks = [told.submit(work(priority=p)) for p in (Priority.P0, Priority.P2, Priority.P2)]
    agents = names("a0", "a1", "a2")
    some_tasks = st.lists(st.sampled_from(tasks), min_size=1, unique=True).map(tuple)
    some_agents = st.lists(st.sampled_from(agents), min_size=1, unique=True).map(tuple)
    reasons = st.sampled_from(["x", "y"])
    acts = st.one_of(
        st.builds(Hold, tasks=some_tasks, reason=reasons),
        st.builds(Release, tasks=some_tasks),
        st.builds(SetPriority, tasks=some_tasks, priority=st.sampled_from(Priority)),
        st.builds(Cordon, agents=some_agents, reason=reasons),
        st.builds(Uncordon, agents=some_agents),
        st.just(Freeze(reason="x")),
        st.just(Thaw()),
    )
    for command in data.draw(st.lists(acts, min_size=1, max_size=6)):
        decision = decide(told.state, ME, command, told.now_ms)
        if isinstance(decision, Refused) or not decision.events:
            continue
        before = visible(told.state)
        inverses = do(told, command)
        assert visible(told.state) != before
        assert inverses
        for back in inverses:
            do(told, back)
        assert visible(told.state) == before
        do(told, command)


def test_a_thaw_is_taken_back_by_a_freeze_for_the_same_reason() -> None:
    told = story("p")
    frozen = do(told, Freeze(reason="a migration"))
    assert frozen == (Thaw(frozen=Made(by=ME, at_ms=told.now_ms)),)
    assert do(told, Thaw()) == (Freeze(reason="a migration"),)


def test_an_uncordon_is_taken_back_with_the_reason_of_each_cordon() -> None:
    told = story("p", "p", "p")
    do(told, Cordon(agents=names("a0"), reason="a disk"), BOB)
    do(told, Cordon(agents=names("a1", "a2"), reason="a fan"))
    assert do(told, Uncordon(agents=names("a0", "a1", "a2"))) == (
        Cordon(agents=names("a0"), reason="a disk"),
        Cordon(agents=names("a1", "a2"), reason="a fan"),
    )


def test_a_release_is_taken_back_with_the_reason_of_each_hold() -> None:
    told = story("p")
    one, two, three = told.submit_many(work(), 3)
    do(told, Hold(tasks=(one,), reason="a lawsuit"), BOB)
    do(told, Hold(tasks=(two, three), reason="a price"))
    assert do(told, Release(tasks=(one, two, three))) == (
        Hold(tasks=(one,), reason="a lawsuit"),
        Hold(tasks=(two, three), reason="a price"),
    )


def test_what_leaves_a_trace_cannot_be_taken_back() -> None:
    told = story("p")
    one, two, three = told.submit_many(work(), 3)
    assert do(told, Expedite(tasks=(three,))) == ()
    assert do(told, Cancel(tasks=(one, two))) == ()
    assert do(told, Requeue(tasks=(one,))) == ()
    assert inverse(told.state, (), Made(by=ME, at_ms=0)) == ()


def test_a_change_that_changed_nothing_cannot_be_taken_back() -> None:
    """What was so before is not known of a task or an agent that was not there, or not so."""
    told = story("p")
    (task,) = told.submit_many(work(), 1)
    (known,), (stranger,) = names("a0"), names("b0")
    made = Made(by=ME, at_ms=0)
    held = TaskHeld(task=task, by=ME)
    assert inverse(told.state, [held], made) == (Release(tasks=(task,), held=made),)
    nothing: list[Event] = [
        TaskReleased(task=task, by=ME),
        TaskReleased(task=TaskId("gone"), by=ME),
        TaskReprioritized(task=TaskId("gone"), priority=Priority.P1, by=ME),
        AgentUncordoned(agent=known, by=ME),
        AgentUncordoned(agent=stranger, by=ME),
    ]
    for event in nothing:
        assert inverse(told.state, [held, event], made) == ()


def test_of_the_modes_only_freeze_and_thaw_are_taken_back() -> None:
    told = story("p")
    do(told, Freeze(reason="a migration"), BOB)
    made = Made(by=ME, at_ms=0)
    known: dict[tuple[EngineMode, EngineMode], tuple[Command, ...]] = {
        (EngineMode.NORMAL, EngineMode.FROZEN): (Thaw(frozen=made),),
        (EngineMode.FROZEN, EngineMode.NORMAL): (Freeze(reason="a migration"),),
    }
    for was, mode in itertools.product(EngineMode, repeat=2):
        event = EngineModeChanged(was=was, mode=mode, reason="a test")
        assert inverse(told.state, [event], made) == known.get((was, mode), ())


def test_trust_cannot_be_taken_back_and_hides_no_older_act() -> None:
    told = story("p")
    (a0,) = names("a0")
    told.add(AgentTripped(agent=a0, reason="failed 3 in a row", until_ms=told.now_ms))
    assert do(told, Uncordon(agents=(a0,))) == ()
    mine, engines = (AgentTrusted(agent=a0, reason="so", by=by) for by in (ME, ""))
    assert (author(mine), author(engines)) == (ME, "")


def test_what_somebody_else_has_changed_since_is_left_alone() -> None:
    told = story("p", "p")
    one, two = told.submit_many(work(), 2)
    (back,) = do(told, Hold(tasks=(one, two)))
    do(told, Release(tasks=(one,)), BOB)
    do(told, Hold(tasks=(one,), reason="legal hold"), BOB)
    decision = decide(told.state, ME, back, told.now_ms)
    assert isinstance(decision, Decided)
    assert decision.changed == 1
    assert [(out.label, out.why.code, out.why.text) for out in decision.left_out] == [
        ("t-1", RefusalCode.CHANGED_SINCE, "t-1 is held again since then, by bob.")
    ]
    do(told, back)
    assert refused(told, back).code is RefusalCode.CHANGED_SINCE

    (back,) = do(told, Cordon(agents=names("a0")))
    do(told, Uncordon(agents=names("a0")), BOB)
    assert refused(told, back).code is RefusalCode.NOT_CORDONED
    do(told, Cordon(agents=names("a0")))
    assert refused(told, back).text == "a0 is cordoned again since then, by ann."

    (back,) = do(told, SetPriority(tasks=(two,), priority=Priority.P0))
    do(told, SetPriority(tasks=(two,), priority=Priority.P1), BOB)
    assert refused(told, back).text == "t-2 now has priority P1, not P0."

    (back,) = do(told, Freeze())
    do(told, Thaw(), BOB)
    assert refused(told, back).code is RefusalCode.NOT_FROZEN
    do(told, Freeze(reason="faults"), "")
    assert refused(told, back).text.endswith(" is frozen again since then, by the engine.")


def test_the_engine_tells_with_its_reply_what_takes_back_what_it_has_done() -> None:
    told = story("p")
    one, two = told.submit_many(work(), 2)
    do(told, Hold(tasks=(two,)), BOB)
    asked = Asked(ME, Hold(tasks=(one, two)))
    moment = StepTime(told.now_ms - 5, Epoch(1), sweeps=False)
    taken = step(told.state, Memory(router=Router(told.state.fleet)), (asked,), moment)
    (reply,) = taken.replies
    assert isinstance(reply, Decided)
    (back,) = reply.undo
    made = Made(by=ME, at_ms=told.state.at_ms)
    assert back == Release(tasks=(one,), held=made), "nothing of what bob did, no time before his"


def test_the_last_act_of_an_operator_is_what_was_done_at_one_moment() -> None:
    told = story("p")
    one, two = told.submit_many(work(), 2)
    do(told, Hold(tasks=(one, two)))
    at_ms, after = told.now_ms, told.state.seq - 2
    told.now_ms += 1
    told.cordon("a0")  # by somebody else
    found = last_act(told.rows, ME)
    assert isinstance(found, PastAct)
    assert (found.after, found.at_ms, len(found.events)) == (after, at_ms, 2)
    assert last_act(told.rows, "nobody") is None
    assert author(told.rows[0].event) == author(told.rows[1].event) == ""
    do(told, Cancel(tasks=(one,)))
    do(told, Requeue(tasks=(one,)))
    newest = last_act(told.rows, ME)
    assert newest is not None
    assert [type(event).__name__ for event in newest.events] == ["TaskRetrying"]


def test_two_acts_are_two_also_while_the_clock_stands_still() -> None:
    told = story("p")
    one, two = told.submit_many(work(), 2)
    for task in (one, two):
        decision = decide(told.state, ME, Hold(tasks=(task,)), told.now_ms)
        assert isinstance(decision, Decided)
        told.add(*decision.events)
        told.cordon("a0")  # the fleet goes on between the two
    found = last_act(told.rows, ME)
    assert found is not None
    assert [event.task for event in found.events if hasattr(event, "task")] == [two]


def test_a_note_is_no_act_and_what_only_a_newer_version_knows_may_be_one() -> None:
    told = story("p")
    (one,) = told.submit_many(work(), 1)
    do(told, Hold(tasks=(one,)))
    do(told, AddNote(text=Untrusted("so be it")))
    found = last_act(told.rows, ME)
    assert found is not None
    assert [type(event).__name__ for event in found.events] == ["TaskHeld"]
    unknown = UnknownEvent(kind="from-tomorrow", body=b"{}")
    newer = Recorded(Seq(told.state.seq + 1), told.now_ms + 1, Epoch(1), unknown)
    found = last_act([*told.rows, newer], ME)
    assert found is not None
    assert inverse(told.state, found.events, Made(by=ME, at_ms=0)) == ()
