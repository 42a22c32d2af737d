"""The open tasks in numbers: always those of the tasks at hand, and little is counted twice."""

import random

import msgspec

from fleet_tui.core.open_work import OpenWork
from fleet_tui.core.state import Task, TaskPhase
from fleet_tui.core.status import summarize
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
