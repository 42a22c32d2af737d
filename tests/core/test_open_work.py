"""The open tasks in numbers: always those of the tasks at hand, and little is counted twice."""

import random

import msgspec
import pytest

from fleet_tui.core.fleet import Priority
from fleet_tui.core.routing.decision import Pending, PendingCode
from fleet_tui.core.status import summarize
from fleet_tui.core.tasks.model import AttemptPhase, Task, TaskPhase
from fleet_tui.core.tasks.open_work import OpenWork
from tests.support.fleets import work as spec
from tests.support.midway import CHOSEN, RUNNING, WAITING
from tests.support.scene import NOW_MS, seeded_state, task_id


def test_numbers_that_follow_are_those_of_a_fresh_count() -> None:
    chance, state, work = random.Random(7), seeded_state(), OpenWork()
    everything = [*state.tasks()]
    for round_ in range(50):
        tasks = dict(state.open_tasks)
        for name in chance.sample(sorted(tasks), min(len(tasks), chance.randrange(5))):
            del tasks[name]
        for like in chance.sample(everything, 4):
            tasks[like.id] = msgspec.structs.replace(like, number=round_)
        state = msgspec.structs.replace(state, open_tasks=tasks)
        assert summarize(state, NOW_MS, (), work) == summarize(state, NOW_MS)


def test_a_task_is_counted_again_only_when_it_changed() -> None:
    like = next(seeded_state().waiting())
    tasks = {task_id(n): replaced(like, n) for n in range(5_000)}
    work = OpenWork().follow(tasks)
    before = work.counted
    changed = {**tasks, task_id(9): msgspec.structs.replace(tasks[task_id(9)], reason="other")}
    del changed[task_id(10)]
    work.follow(changed)
    assert (before, work.counted, work.waiting) == (5_000, 5_001, 4_999)
    assert like.phase is TaskPhase.WAITING


def replaced(like: Task, number: int) -> Task:
    return msgspec.structs.replace(like, id=task_id(number), number=number)


def waiting(
    number: int,
    priority: Priority = Priority.P2,
    code: PendingCode | None = PendingCode.CAPACITY,
    *,
    pool: str | None = None,
    sent_to: str | None = None,
    submitted_at_ms: int = 9_000,
) -> Task:
    """A task that waits in a pool that it named, or where routing sent it."""
    decision = msgspec.structs.replace(CHOSEN, candidates=(), pool=sent_to)
    pending = Pending(code=code, since_ms=1, decision=decision) if code is not None else None
    return msgspec.structs.replace(
        WAITING,
        id=task_id(number),
        spec=spec(priority=priority, pool=pool),
        pending=pending,
        submitted_at_ms=submitted_at_ms,
    )


def running(number: int, phase: AttemptPhase) -> Task:
    attempt = msgspec.structs.replace(RUNNING.attempts[-1], phase=phase)
    return msgspec.structs.replace(RUNNING, id=task_id(number), attempts=(attempt,))


def counts(*tasks: Task) -> OpenWork:
    return OpenWork().follow({task.id: task for task in tasks})


def test_nothing_open_is_nothing_of_each() -> None:
    work = counts()
    assert (work.waiting, work.held, work.running, work.unknown, work.needs_operator) == (0,) * 5
    assert work.by_priority() == dict.fromkeys(Priority, 0)
    assert (work.by_pool(), work.oldest_ms, work.counted) == ({}, None, 0)


@pytest.mark.parametrize("phase", [phase for phase in AttemptPhase if phase.is_open])
def test_a_run_is_under_way_or_nobody_can_tell_of_it(phase: AttemptPhase) -> None:
    work = counts(running(1, phase), running(2, AttemptPhase.RUNNING))
    unknown = phase is AttemptPhase.UNKNOWN
    assert (work.running, work.unknown) == ((1, 1) if unknown else (2, 0))
    assert (work.waiting, work.oldest_ms) == (0, None)


def test_a_task_that_wants_a_verdict_neither_waits_nor_runs() -> None:
    asks = msgspec.structs.replace(
        running(1, AttemptPhase.GIVEN_UP), phase=TaskPhase.NEEDS_OPERATOR
    )
    work = counts(asks, running(2, AttemptPhase.RUNNING))
    assert (work.needs_operator, work.running, work.unknown, work.waiting) == (1, 1, 0, 0)


def test_waiting_tasks_by_priority_and_pool_and_which_are_held() -> None:
    work = counts(
        waiting(1, Priority.P0, pool="gpu", submitted_at_ms=3_000),
        waiting(2, Priority.P0, pool="gpu", sent_to="general", submitted_at_ms=2_000),
        waiting(3, Priority.P1, sent_to="general"),
        waiting(4, Priority.P1, PendingCode.CAPABILITY),
        waiting(5, Priority.P1, PendingCode.HOLD, pool="general"),
        waiting(6, Priority.P3, None, pool="gpu"),
        running(7, AttemptPhase.RUNNING),
    )
    assert (work.waiting, work.held, work.running) == (6, 2, 1)
    assert list(work.by_priority().items()) == [
        (Priority.P0, 2),
        (Priority.P1, 3),
        (Priority.P2, 0),
        (Priority.P3, 1),
    ]
    assert work.by_pool() == {"gpu": 3, "general": 2}
    assert work.oldest_ms == 2_000


def test_tasks_that_go_are_not_counted_however_many_come() -> None:
    tasks = [waiting(n) for n in range(8)]
    for before in range(4):
        for come in range(4):
            work = counts(*tasks[:before])
            work.follow({task.id: task for task in tasks[4 : 4 + come]})
            assert (work.waiting, work.by_priority()[Priority.P2]) == (come, come)
