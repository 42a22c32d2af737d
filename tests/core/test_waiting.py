"""The lines that tasks wait in: who is first, who is told, and who stands in none."""

import random

import pytest
from msgspec.structs import replace

from fleet_tui.core.fleet import Priority, Strategy
from fleet_tui.core.ids import AgentName, PoolName, RunId, TaskId
from fleet_tui.core.ledger.state import EMPTY_STATE, FleetState
from fleet_tui.core.routing.decision import PendingCode, RoutingDecision
from fleet_tui.core.routing.requirement import Requirement, requirement_of
from fleet_tui.core.routing.waiting import SLACK, WaitQueue, WaitQueues, urgency
from fleet_tui.core.tasks.model import Attempt, AttemptPhase, HoldRecord, Task, TaskPhase
from tests.support.fleets import agent, fleet, work

SPEC = fleet(agent("a1"))
NOW_MS = 1_000


def task(
    number: int,
    *,
    priority: Priority = Priority.P2,
    at_ms: int = 5,
    expedited_at_ms: int | None = None,
    pool: str | None = None,
) -> Task:
    return Task(
        id=TaskId(f"T{number}"),
        number=number,
        key="",
        spec=work(priority=priority, pool=pool),
        by="me",
        submitted_at_ms=at_ms,
        payload_sha256="",
        expedited_at_ms=expedited_at_ms,
    )


def tried(before: Task) -> Task:
    attempt = Attempt(
        run_id=RunId("r"),
        number=1,
        agent=AgentName("a1"),
        phase=AttemptPhase.DIED,
        planned_at_ms=9,
        decision=RoutingDecision(strategy=Strategy.LOAD_AWARE, policy="", considered=1),
    )
    return replace(before, attempts=(attempt,))


def wanted(of: Task) -> Requirement:
    return requirement_of(SPEC, of.spec)


def state(*tasks: Task) -> FleetState:
    return replace(EMPTY_STATE, open_tasks={each.id: each for each in tasks})


def queue(*tasks: Task) -> WaitQueue:
    made = WaitQueue(wanted(tasks[0]), retries=False)
    for each in tasks:
        made.add(each)
    return made


def drained(from_: WaitQueue) -> list[int]:
    """The numbers of all tasks, as the line gives them out."""
    found = []
    while (head := from_.head()) is not None:
        rank, name = head
        found.append(int(name[1:]))
        assert rank[-1] == found[-1]
        from_.remove(name)
    assert not len(from_)
    return found


IN_ORDER = [
    task(9, expedited_at_ms=50, priority=Priority.P3),
    task(8, expedited_at_ms=60, priority=Priority.P0),
    task(6, expedited_at_ms=60, priority=Priority.P1),
    task(7, expedited_at_ms=60, priority=Priority.P1),
    task(5, priority=Priority.P0, at_ms=9),
    task(4, at_ms=3),
    task(2, at_ms=4),
    task(3, at_ms=4),
    task(1, priority=Priority.P3, at_ms=1),
]
"""Expedited ones as they were, then by priority, then first come first served."""


@pytest.mark.parametrize("seed", range(10))
def test_a_line_gives_out_the_most_urgent_first_in_whatever_order_they_came(seed: int) -> None:
    mixed = random.Random(seed).sample(IN_ORDER, len(IN_ORDER))
    assert sorted(mixed, key=urgency) == IN_ORDER
    assert drained(queue(*mixed)) == [each.number for each in IN_ORDER]


def test_a_task_that_joins_again_stands_where_it_belongs_now() -> None:
    made = queue(task(1), task(2), task(3))
    made.add(task(3, priority=Priority.P0))
    made.add(task(1, priority=Priority.P3))
    assert len(made) == 3
    assert drained(made) == [3, 2, 1]


def test_a_line_in_which_tasks_come_and_go_stays_small_and_right() -> None:
    made = queue(*(task(n) for n in range(10)))
    for n in range(1_000):
        made.add(task(n % 10, at_ms=n + 10))
        assert len(made._heap) <= 2 * len(made) + SLACK
    assert drained(made) == list(range(10))


@pytest.mark.parametrize("tasks", [1, 10])
def test_the_heap_is_made_anew_only_when_it_holds_more_than_its_slack(tasks: int) -> None:
    made = queue(*(task(n) for n in range(tasks)))
    for n in range(tasks + SLACK):
        made.add(task(0, at_ms=n + 10))
    assert len(made._heap) == 2 * tasks + SLACK
    made.add(task(0, at_ms=9_000))
    assert len(made._heap) == tasks


def told(by: WaitQueue, code: PendingCode) -> list[str]:
    return list(by.to_tell(code))


def test_why_it_waits_is_told_to_everybody_once_and_then_to_newcomers() -> None:
    made = queue(task(2), task(1))
    assert told(made, PendingCode.CAPACITY) == ["T1", "T2"]
    assert told(made, PendingCode.CAPACITY) == []
    made.add(task(4))
    made.add(task(3))
    assert told(made, PendingCode.CAPACITY) == ["T3", "T4"]
    assert told(made, PendingCode.CAPACITY) == []
    assert told(made, PendingCode.STATE) == ["T1", "T2", "T3", "T4"]
    made.add(task(5))
    made.remove(TaskId("T5"))
    made.remove(TaskId("T1"))
    made.remove(TaskId("never there"))
    assert told(made, PendingCode.STATE) == []
    assert told(made, PendingCode.CAPACITY) == ["T2", "T3", "T4"]


def stands(waiting: WaitQueues) -> dict[tuple[PoolName | None, bool], list[TaskId]]:
    """Who is in which line, by the pool that is wanted and whether it is one of retries."""
    queues = list(waiting.queues())
    found = {(each.wanted.pool, each.retries): sorted(each._ranks) for each in queues}
    assert len(found) == len(queues)
    return found


def follow(waiting: WaitQueues, by: FleetState, *names: str, now_ms: int = NOW_MS) -> None:
    waiting.follow(by, [TaskId(name) for name in names], now_ms)


def test_the_most_urgent_is_told_first() -> None:
    assert told(queue(*reversed(IN_ORDER)), PendingCode.STATE) == [each.id for each in IN_ORDER]


def test_tasks_that_ask_for_the_same_stand_together_and_retries_apart() -> None:
    waiting = WaitQueues(wanted)
    tasks = [task(1), task(2), task(3, pool="general"), tried(task(4))]
    follow(waiting, state(*tasks), "T1", "T2", "T3", "T4", "gone")
    assert stands(waiting) == {
        (None, False): ["T1", "T2"],
        ("general", False): ["T3"],
        (None, True): ["T4"],
    }


@pytest.mark.parametrize(
    "now",
    [
        replace(task(1), phase=TaskPhase.ACTIVE),
        replace(task(1), phase=TaskPhase.NEEDS_OPERATOR),
        replace(task(1), hold=HoldRecord(by="me", reason="", since_ms=1)),
        replace(task(1), not_before_ms=NOW_MS + 1),
        None,
    ],
)
def test_a_task_that_may_not_be_placed_now_stands_in_no_line(now: Task | None) -> None:
    waiting = WaitQueues(wanted)
    follow(waiting, state(task(1)), "T1")
    assert stands(waiting) == {(None, False): ["T1"]}
    follow(waiting, state(*(() if now is None else (now,))), "T1")
    assert list(waiting.queues()) == [], "a line without tasks is none"


def test_a_task_that_asks_for_something_else_changes_its_line() -> None:
    waiting = WaitQueues(wanted)
    follow(waiting, state(task(1), task(2)), "T1", "T2")
    follow(waiting, state(task(1, pool="general"), task(2)), "T1")
    assert stands(waiting) == {(None, False): ["T2"], ("general", False): ["T1"]}


def test_tasks_with_a_time_join_when_it_has_come_and_not_before() -> None:
    waiting = WaitQueues(wanted)
    later = state(*(replace(task(n), not_before_ms=NOW_MS + ms) for n, ms in ((1, 20), (2, 10))))
    follow(waiting, later, "T1", "T2")
    for ms, there in ((9, []), (10, ["T2"]), (19, ["T2"]), (20, ["T1", "T2"])):
        follow(waiting, later, now_ms=NOW_MS + ms)
        assert [name for names in stands(waiting).values() for name in names] == there


def test_a_time_that_was_changed_lets_a_task_join_once() -> None:
    waiting = WaitQueues(wanted)
    follow(waiting, state(replace(task(1), not_before_ms=NOW_MS + 10)), "T1")
    follow(waiting, state(task(1)), "T1")
    (first,) = waiting.queues()
    assert told(first, PendingCode.CAPACITY) == ["T1"]
    follow(waiting, state(task(1)), now_ms=NOW_MS + 10)
    assert told(first, PendingCode.CAPACITY) == [], "it is no newcomer"
    follow(waiting, state(), "T1", now_ms=NOW_MS + 11)
    assert list(waiting.queues()) == []


def test_a_line_that_came_anew_is_not_thrown_away_with_an_old_one() -> None:
    waiting = WaitQueues(wanted)
    follow(waiting, state(task(1)), "T1")
    (old,) = waiting.queues()
    follow(waiting, state(), "T1")
    follow(waiting, state(task(2)), "T2")
    (new,) = waiting.queues()
    assert new is not old
    assert stands(waiting) == {(None, False): ["T2"]}
