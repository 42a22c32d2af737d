"""What a command would do before it is done, and what it costs."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from fleet_tui.core.agents.commands import Cordon, ProbeNow, Uncordon
from fleet_tui.core.agents.model import Health
from fleet_tui.core.alerting.commands import Ack
from fleet_tui.core.alerting.events import AlertRaised
from fleet_tui.core.alerting.model import Severity
from fleet_tui.core.engine.commands import Freeze, StopEngine, Thaw
from fleet_tui.core.engine.events import FleetLoaded
from fleet_tui.core.fleet import Priority, TaskClass
from fleet_tui.core.ids import AgentName, AlertId, Epoch, PoolName, TaskId
from fleet_tui.core.ledger.base import Tier
from fleet_tui.core.ledger.commands import Command
from fleet_tui.core.ledger.decide import decide
from fleet_tui.core.ledger.decided import Decided
from fleet_tui.core.ledger.refusals import RefusalCode
from fleet_tui.core.ledger.replies import Refused
from fleet_tui.core.notes.commands import AddNote
from fleet_tui.core.plans import (
    Impact,
    Plan,
    PoolLeft,
    differences,
    impact_of,
    impact_words,
    named,
    plan,
    plan_in_turn,
    subjects,
    title,
    without,
    worse,
)
from fleet_tui.core.routing.schedule import Router
from fleet_tui.core.step import Asked, StepTime, remember, step
from fleet_tui.core.tasks.attempts import learn
from fleet_tui.core.tasks.commands import (
    Cancel,
    Drop,
    Edit,
    Expedite,
    Hold,
    Release,
    Requeue,
    Resolve,
    SetPriority,
    Submit,
    Verdict,
)
from fleet_tui.core.tasks.dead_letters import may_have_unseen_run
from fleet_tui.core.tasks.events import AttemptGivenUp, TaskNeedsOperator, TaskRetrying
from fleet_tui.core.tasks.evidence import Definite, LostReason, Started, Unknown
from fleet_tui.core.text.untrusted import Untrusted
from fleet_tui.core.undo import author
from tests.support.fleets import agent, fleet, work
from tests.support.ledger import Story

ME = "ann"


def story(*pools: str, slots: int = 1) -> Story:
    """An agent in each of the pools, all up: ``a0`` in the first one."""
    told = Story(fleet(*(agent(f"a{n}", pool=pool, slots=slots) for n, pool in enumerate(pools))))
    told.all_up()
    return told


def protected(told: Story) -> Story:
    told.add(FleetLoaded(spec=replace(told.state.fleet, protected=True)))
    return told


def route(told: Story) -> None:
    told.add(*Router(told.state.fleet).schedule(told.state, {}, told.now_ms))


def planned(told: Story, command: Command) -> Plan:
    found = plan(told.state, ME, command, told.now_ms)
    assert isinstance(found, Plan)
    return found


def refusal(told: Story, command: Command) -> Refused:
    found = plan(told.state, ME, command, told.now_ms)
    assert isinstance(found, Refused)
    return found


def do(told: Story, command: Command) -> None:
    decision = decide(told.state, ME, command, told.now_ms)
    assert isinstance(decision, Decided)
    told.now_ms += 1
    told.add(*decision.events)


def names(*agents: str) -> tuple[AgentName, ...]:
    return tuple(AgentName(name) for name in agents)


def test_a_plan_names_only_what_something_is_done_to_and_says_why_not_to_the_others() -> None:
    told = story("p")
    one, two, three = told.submit_many(work(), 3)
    do(told, Hold(tasks=(two,)))
    found = planned(told, Hold(tasks=(one, two, three, TaskId("none")), reason="why"))
    assert found.command == Hold(tasks=(one, three), reason="why")
    told_why = [(each.label, each.why.code) for each in found.left_out]
    assert told_why == [("t-2", RefusalCode.ALREADY_HELD), ("none", RefusalCode.UNKNOWN_TASK)]
    assert (found.tier, found.impact) == (Tier.LINE, Impact(tasks=2))
    assert refusal(told, Hold(tasks=(two,))).code is RefusalCode.ALREADY_HELD


def test_a_plan_for_what_is_so_already_is_refused_with_the_reason() -> None:
    told = story("p", "p")
    do(told, Cordon(agents=names("a0")))
    assert refusal(told, Cordon(agents=names("a0"))).text == "a0 is already cordoned by ann."
    assert refusal(told, Uncordon(agents=names("a1"))).text == "a1 is not cordoned."
    both = planned(told, Cordon(agents=names("a0", "a1")))
    assert both.command == Cordon(agents=names("a1"))
    assert [each.label for each in both.left_out] == ["a0"]
    other = planned(told, Uncordon(agents=names("a0", "a1")))
    assert other.command == Uncordon(agents=names("a0"))


def test_alerts_are_taken_in_hand_once() -> None:
    told = story("p")
    one, two = AlertId("a:1"), AlertId("a:2")
    told.add(
        *(
            AlertRaised(alert=each, severity=Severity.WARN, subject="x", text="y")
            for each in (one, two)
        )
    )
    first = decide(told.state, ME, Ack(alerts=(one,)), told.now_ms)
    assert isinstance(first, Decided)
    assert first.changed == 1
    do(told, Ack(alerts=(one,)))
    assert refusal(told, Ack(alerts=(one,))).text == "a:1 is already acknowledged by ann."
    both = planned(told, Ack(alerts=(one, two)))
    assert both.command == Ack(alerts=(two,))
    assert [each.label for each in both.left_out] == ["a:1"]
    assert refusal(told, Ack(alerts=())).code is RefusalCode.NOTHING_NAMED
    assert refusal(told, Ack(alerts=(AlertId("b"),))).code is RefusalCode.UNKNOWN_ALERT


def test_a_cancel_says_which_work_is_lost() -> None:
    told = story("p", slots=2)
    runs, lost, waits = told.submit_many(work(), 3)
    route(told)
    for task in (runs, lost):
        (attempt,) = told.state.open_tasks[task].attempts
        told.add(*learn(told.state, attempt.run_id, Definite(Started()), told.now_ms))
    (attempt,) = told.state.open_tasks[lost].attempts
    unseen = Unknown(reason=LostReason.UNREACHABLE)
    told.add(*learn(told.state, attempt.run_id, unseen, told.now_ms))
    found = planned(told, Cancel(tasks=(runs, lost, waits)))
    assert found.impact == Impact(tasks=3, lost_runs=1, unsure_runs=1)
    assert found.tier is Tier.PLAN
    assert impact_words(found.impact) == [
        "1 run is stopped: its work is lost.",
        "1 run in unknown state: stopped if still running.",
    ]
    assert impact_words(Impact(lost_runs=1_234)) == ["1 234 runs are stopped: their work is lost."]


def test_a_run_that_was_given_up_may_still_go_on_while_an_operator_is_asked() -> None:
    told = story("p", slots=2)
    asked, again = told.submit(work(task_class=TaskClass.ONCE)), told.submit(work())
    route(told)
    for task in (asked, again):
        (attempt,) = told.state.open_tasks[task].attempts
        told.add(*learn(told.state, attempt.run_id, Definite(Started()), told.now_ms))
        told.add(AttemptGivenUp(run=attempt.run_id, reason="a test"))
    told.add(TaskNeedsOperator(task=asked, reason="a test"))
    told.add(TaskRetrying(task=again, not_before_ms=0, reason="a test"))
    assert planned(told, Cancel(tasks=(asked,))).impact == Impact(tasks=1, unsure_runs=1)
    assert planned(told, Cancel(tasks=(again,))).impact == Impact(tasks=1)
    told.add(TaskNeedsOperator(task=told.submit(work()), reason="a test"))
    never = told.state.task(TaskId("TASK" + "0" * 21 + "3"))
    assert never is not None
    assert planned(told, Cancel(tasks=(never.id,))).impact == Impact(tasks=1)


def test_a_cordon_says_what_is_left_of_the_pools() -> None:
    told = story("p", "p", "p", "p", "q")
    told.cordon("a3")
    few = planned(told, Cordon(agents=names("a0")))
    assert few.impact.pools == (PoolLeft(pool=PoolName("p"), agents=4, serving=3, left=2),)
    assert not few.impact.pools[0].is_much
    assert (few.tier, impact_words(few.impact)) == (Tier.LINE, [])
    many = planned(told, Cordon(agents=names("a0", "a1", "a4")))
    assert many.tier is Tier.NAME
    assert impact_words(many.impact) == ["p in service 3/4 -> 1", "q in service 1/1 -> 0"]
    two = planned(told, Cordon(agents=names("a0", "a1")))
    assert two.tier is Tier.NAME
    assert planned(told, Uncordon(agents=names("a3"))).impact == Impact(agents=1)
    told.health("a2", Health.DOWN)
    assert planned(told, Cordon(agents=names("a2"))).impact == Impact(agents=1)
    told.health("a2", Health.UP)
    alone = planned(told, Cordon(agents=names("a4")))
    assert alone.tier is Tier.LINE, "one agent is one line, whatever its pool loses"
    assert planned(protected(told), Cordon(agents=names("a4"))).tier is Tier.NAME


@pytest.mark.parametrize(
    ("command", "plain", "in_protected"),
    [
        (Freeze(), Tier.PLAN, Tier.NAME),
        (StopEngine(), Tier.PLAN, Tier.NAME),
        (AddNote(text=Untrusted("x")), Tier.NOTHING, Tier.NOTHING),
        (Cordon(agents=names("a0")), Tier.LINE, Tier.LINE),
        (ProbeNow(agents=names("a0")), Tier.NOTHING, Tier.NOTHING),
    ],
)
def test_a_protected_fleet_asks_for_its_name(
    command: Command, plain: Tier, in_protected: Tier
) -> None:
    told = story(*"ppppp")
    assert planned(told, command).tier is plain
    assert planned(protected(told), command).tier is in_protected


EVERY: tuple[Command, ...] = (
    Submit(task=TaskId("T"), key="k", spec=work()),
    Cancel(tasks=(TaskId("T"),)),
    Hold(tasks=(TaskId("T"),)),
    Release(tasks=(TaskId("T"),)),
    Expedite(tasks=(TaskId("T"),)),
    SetPriority(tasks=(TaskId("T"),), priority=Priority.P1),
    Requeue(tasks=(TaskId("T"),)),
    Drop(tasks=(TaskId("T"),), reason="x"),
    Edit(task=TaskId("T"), spec=work()),
    Resolve(task=TaskId("T"), verdict=Verdict.RAN, reason="x"),
    Cordon(agents=names("T")),
    Uncordon(agents=names("T")),
    ProbeNow(agents=names("T")),
    Ack(alerts=(AlertId("T"),)),
    AddNote(text=Untrusted("x")),
    Freeze(),
    Thaw(),
    StopEngine(),
)


def test_every_command_has_a_tier_and_says_what_it_names() -> None:
    assert {type(command) for command in EVERY} == set(Command.__args__)
    assert all("tier" in vars(type(command)) for command in EVERY)
    of_the_fleet = {Submit, AddNote, Freeze, Thaw, StopEngine}
    for command in EVERY:
        assert bool(subjects(command)) is (type(command) not in of_the_fleet)
        assert without(command, ()) is command


# --- a plan that has changed ---

COUNTS = st.integers(0, 3)
POOLS = st.lists(
    st.builds(
        PoolLeft, pool=st.sampled_from(["p", "q"]), agents=st.just(4), serving=COUNTS, left=COUNTS
    ),
    max_size=2,
    unique_by=lambda each: each.pool,
).map(tuple)
IMPACTS = st.builds(
    Impact, tasks=COUNTS, lost_runs=COUNTS, unsure_runs=COUNTS, agents=COUNTS, pools=POOLS
)


@given(IMPACTS)
def test_what_was_shown_is_never_worse_than_itself_nor_is_less_of_it(shown: Impact) -> None:
    assert differences(shown, shown) == []
    less = Impact(tasks=shown.tasks // 2, lost_runs=shown.lost_runs // 2)
    assert differences(shown, less) == []


@pytest.mark.parametrize(
    ("now", "said"),
    [
        (Impact(tasks=3), "tasks 2 -> 3"),
        (Impact(tasks=2, lost_runs=1), "runs lost 0 -> 1"),
        (Impact(tasks=2, unsure_runs=1), "runs in unknown state 0 -> 1"),
        (Impact(tasks=2, agents=4), "agents 0 -> 4"),
        (
            Impact(pools=(PoolLeft(pool=PoolName("p"), agents=4, serving=2, left=1),)),
            "in service in p afterwards 2 -> 1",
        ),
    ],
)
def test_each_measure_that_is_worse_is_told(now: Impact, said: str) -> None:
    assert differences(Impact(tasks=2), now) == [said]


def test_a_pool_of_which_less_is_left_than_was_shown_is_told() -> None:
    def left(count: int, serving: int) -> Impact:
        pool = PoolLeft(pool=PoolName("p"), agents=4, serving=serving, left=count)
        return Impact(agents=1, pools=(pool,))

    assert differences(left(2, 3), left(1, 2)) == ["in service in p afterwards 2 -> 1"]
    assert differences(left(2, 3), left(3, 4)) == []


def test_a_submit_is_one_task_and_all_that_is_worse_is_told() -> None:
    told = story("p")
    submit = Submit(task=TaskId("T"), key="k", spec=work())
    assert planned(told, submit).impact == Impact(tasks=1)
    tasks = tuple(told.submit_many(work(), 2))
    route(told)
    cancel = Cancel(tasks=tasks)
    decision = decide(told.state, ME, cancel, told.now_ms)
    assert isinstance(decision, Decided)
    refused = worse(told.state, cancel, decision, Impact())
    assert refused is not None
    assert refused.text == (
        "The fleet has changed since the plan was shown: tasks 0 -> 2, runs lost 0 -> 1."
    )


def test_a_command_whose_plan_has_changed_is_refused_by_the_engine_with_the_difference() -> None:
    told = story("p")
    task = told.submit(work())
    cancel = Cancel(tasks=(task,))
    shown = planned(told, cancel).impact
    route(told)  # and now it runs
    moment = StepTime(now_ms=told.now_ms, epoch=Epoch(1))
    asked = Asked(ME, cancel, shown)
    after = step(told.state, remember(told.state), [asked], moment)
    (reply,) = after.replies
    assert isinstance(reply, Refused)
    assert reply.code is RefusalCode.PLAN_CHANGED
    assert reply.text == ("The fleet has changed since the plan was shown: runs lost 0 -> 1.")
    assert reply.hint == "Nothing was done. Review the new plan, or freeze the fleet first."
    assert not any(author(event) == ME for event in after.events)
    for unchanged in (Asked(ME, cancel, Impact(tasks=1, lost_runs=1)), Asked(ME, cancel)):
        (reply,) = step(told.state, remember(told.state), [unchanged], moment).replies
        assert isinstance(reply, Decided)


def test_what_is_left_out_meanwhile_does_not_count_against_a_plan() -> None:
    told = story("p")
    one, two = told.submit_many(work(), 2)
    hold = Hold(tasks=(one, two))
    shown = planned(told, hold).impact
    do(told, Cancel(tasks=(one,)))
    decision = decide(told.state, ME, hold, told.now_ms)
    assert isinstance(decision, Decided)
    assert worse(told.state, hold, decision, shown) is None
    assert decision.changed == 1


# --- taking it back ---


TITLES = [
    "submit a task",
    "cancel t-1",
    "hold t-1",
    "release t-1",
    "expedite t-1",
    "move t-1 to P1",
    "requeue t-1",
    "drop t-1",
    "edit t-1",
    'give the verdict "it ran" on t-1',
    "cordon T",
    "uncordon T",
    "probe T",
    "acknowledge T",
    "add a note",
    "freeze the fleet",
    "thaw the fleet",
    "stop the engine",
]


def test_every_command_has_a_title() -> None:
    told = story("p")
    (task,) = told.submit_many(work(), 1)
    for command, said in zip(EVERY, TITLES, strict=True):
        named = command
        if isinstance(command, Edit | Resolve):
            named = replace(command, task=task)
        elif "tasks" in command.__struct_fields__:
            named = replace(command, tasks=(task,))
        assert title(told.state, named) == said


def test_a_title_names_three_and_counts_more() -> None:
    told = story("p")
    tasks = tuple(told.submit_many(work(), 4))
    assert title(told.state, Hold(tasks=tasks[:2])) == "hold t-1 and t-2"
    assert title(told.state, Hold(tasks=tasks[:3])) == "hold t-1, t-2 and t-3"
    assert title(told.state, Hold(tasks=tasks)) == "hold 4 tasks"
    assert title(told.state, Hold(tasks=(TaskId("none"),))) == "hold none"
    assert title(told.state, Cordon(agents=names(*"abcd"))) == "cordon 4 agents"
    alerts = tuple(AlertId(each) for each in "abcd")
    assert title(told.state, Ack(alerts=alerts)) == "acknowledge 4 alerts"


def test_what_a_command_names_is_called_as_people_call_it() -> None:
    told = story("p")
    (task,) = told.submit_many(work(), 1)
    alert = AlertId("agent:a0")
    told.add(AlertRaised(alert=alert, severity=Severity.WARN, subject="a0", text="is lost"))
    assert named(told.state, Edit(task=task, spec=work())) == "t-1"
    assert named(told.state, Ack(alerts=(alert, AlertId("gone")))) == "a0 is lost and gone"
    assert named(told.state, Freeze()) == told.state.fleet.name
    assert title(told.state, Ack(alerts=(alert,))) == "acknowledge a0 is lost"


def test_a_freeze_of_a_frozen_fleet_would_do_nothing() -> None:
    told = story("p")
    do(told, Freeze(reason="a migration"))
    found = refusal(told, Freeze())
    assert found.code is RefusalCode.ALREADY_FROZEN
    assert found.code.is_so_already
    assert found.text == f"{told.state.fleet.name} is already frozen."
    again = decide(told.state, ME, Freeze(), told.now_ms)
    assert isinstance(again, Decided), "whoever asks twice makes no mistake"
    assert not again.events


def test_commands_in_turn_are_planned_for_what_those_before_leave() -> None:
    told = story("p", "p", "p", "p")
    first, second = (Cordon(agents=names(name)) for name in ("a0", "a1"))
    one, two, again = plan_in_turn(told.state, ME, (first, second, first), told.now_ms)
    assert isinstance(one, Plan)
    assert isinstance(two, Plan)
    assert [pool.left for pool in one.impact.pools] == [3]
    assert [pool.left for pool in two.impact.pools] == [2]
    assert isinstance(again, Refused)
    assert again.code is RefusalCode.ALREADY_CORDONED
    for each in (one, two):
        decision = decide(told.state, ME, each.command, told.now_ms)
        assert isinstance(decision, Decided)
        assert worse(told.state, each.command, decision, each.impact) is None
        do(told, each.command)


def test_a_task_that_may_run_twice_is_told_before_it_is_requeued() -> None:
    told = story("p")
    (task,) = told.submit_many(work(), 1)
    route(told)
    (attempt,) = told.state.open_tasks[task].attempts
    told.add(*learn(told.state, attempt.run_id, Definite(Started()), told.now_ms))
    told.add(
        AttemptGivenUp(run=attempt.run_id, reason="lost"),
        TaskNeedsOperator(task=task, reason="lost"),
    )
    do(told, Cancel(tasks=(task,)))
    judged = Resolve(task=task, run=attempt.run_id, verdict=Verdict.DID_NOT_RUN, reason="seen")
    found = told.state.task(task)
    assert found is not None
    assert may_have_unseen_run(found)
    assert impact_of(told.state, Requeue(tasks=(task,))) == Impact(tasks=1, maybe_twice=1)
    do(told, judged)
    found = told.state.task(task)
    assert found is not None
    assert not may_have_unseen_run(found)
    assert impact_of(told.state, Requeue(tasks=(task,))).maybe_twice == 0
    assert impact_words(Impact(tasks=1, maybe_twice=1)) == [
        "1 task may run twice: how its last run ended is unknown."
    ]
    assert impact_words(Impact(tasks=3, maybe_twice=2)) == [
        "2 tasks may run twice: how their last runs ended is unknown."
    ]
    assert differences(Impact(tasks=1), Impact(tasks=1, maybe_twice=1)) == [
        "tasks that may run twice 0 -> 1"
    ]
