"""What operators do to waiting tasks, and what the queue refuses."""

from collections.abc import Callable

import pytest
from msgspec.structs import replace

from fleet_tui.core.alerting.alerts import conditions
from fleet_tui.core.engine.events import FleetLoaded
from fleet_tui.core.fleet import Priority, QueueLimits, RetryBudget
from fleet_tui.core.ids import ClientName, TaskId
from fleet_tui.core.ledger.commands import Command
from fleet_tui.core.ledger.decide import decide
from fleet_tui.core.ledger.decided import Decided
from fleet_tui.core.ledger.replies import Refused
from fleet_tui.core.routing.decision import PendingCode
from fleet_tui.core.routing.schedule import Router
from fleet_tui.core.tasks.attempts import learn
from fleet_tui.core.tasks.commands import (
    MAX_NAMED_TASKS,
    Cancel,
    Expedite,
    Hold,
    Release,
    SetPriority,
    Submit,
)
from fleet_tui.core.tasks.events import (
    AttemptCancelling,
    TaskCancelRequested,
    TaskEnded,
    TaskExpedited,
    TaskHeld,
    TaskPlaced,
    TaskReleased,
    TaskReprioritized,
)
from fleet_tui.core.tasks.evidence import Definite, NotStarted
from fleet_tui.core.tasks.model import CancelCause, Task, TaskPhase
from fleet_tui.core.tasks.retry_budget import WINDOW_S
from fleet_tui.core.tasks.submission import RoomWanted, no_room
from tests.support.fleets import agent, fleet, work
from tests.support.ledger import Story


class Queue:
    """One agent with one slot, and a queue before it."""

    def __init__(
        self,
        slots: int = 1,
        limits: QueueLimits | None = None,
        retry_budget: RetryBudget | None = None,
    ) -> None:
        spec = fleet(agent("a1", slots=slots), limits=limits, retry_budget=retry_budget)
        self.story = Story(spec)
        self.story.all_up()

    def ask(self, command: Command) -> Decided | Refused:
        decision = decide(self.story.state, "ann", command, self.story.now_ms)
        if isinstance(decision, Decided):
            self.story.add(*decision.events)
        return decision

    def refusal(self, command: Command) -> Refused:
        decision = self.ask(command)
        assert isinstance(decision, Refused)
        return decision

    def submit(self, priority: Priority = Priority.P2) -> TaskId:
        return self.story.submit(work(priority=priority))

    def route(self) -> list[TaskId]:
        events = Router(self.story.state.fleet).schedule(self.story.state, {}, self.story.now_ms)
        self.story.add(*events)
        return [e.task for e in events if isinstance(e, TaskPlaced)]

    def task(self, task_id: TaskId) -> Task:
        task = self.story.state.task(task_id)
        assert task is not None
        return task


def test_a_held_task_waits_until_it_is_released() -> None:
    queue = Queue()
    first, second = queue.submit(), queue.submit()
    queue.ask(Hold(tasks=(first,), reason="wrong customer"))
    assert queue.route() == [second]
    pending = queue.task(first).pending
    assert pending is not None
    assert pending.code is PendingCode.HOLD
    assert pending.detail == "held by ann: wrong customer"
    assert queue.refusal(Hold(tasks=(first,))).code == "already-held"
    queue.ask(Release(tasks=(first,)))
    assert queue.task(first).hold is None
    assert queue.refusal(Release(tasks=(first,))).code == "not-held"


def test_a_held_task_that_was_cancelled_is_not_released() -> None:
    queue = Queue()
    task = queue.submit()
    queue.ask(Hold(tasks=(task,)))
    queue.ask(Cancel(tasks=(task,)))
    refused = queue.refusal(Release(tasks=(task,)))
    assert refused.code == "not-waiting"
    assert "cancelled" in refused.text
    queue.story.add(TaskReleased(task=task, by="ann"))  # as older engines recorded
    assert queue.task(task).pending is None


def test_what_an_operator_holds_raises_no_alert() -> None:
    queue = Queue()
    task = queue.submit()
    queue.ask(Hold(tasks=(task,)))
    assert not [a for a in conditions(queue.story.state, 10_000_000) if a.endswith(":tasks")]


def test_an_expedited_task_goes_before_more_urgent_ones() -> None:
    queue = Queue()
    urgent, low = queue.submit(priority=Priority.P0), queue.submit(priority=Priority.P3)
    queue.ask(Expedite(tasks=(low,), reason="board demo"))
    assert queue.route() == [low]
    assert queue.task(urgent).phase is TaskPhase.WAITING
    assert queue.refusal(Expedite(tasks=(low,))).code == "already-expedited"


def test_another_priority_changes_the_order_and_not_what_the_key_stands_for() -> None:
    queue = Queue()
    spec = work("same")
    first = TaskId("F" * 26)
    queue.ask(Submit(task=first, key="k", spec=spec))
    queue.submit(priority=Priority.P1)
    queue.ask(SetPriority(tasks=(first,), priority=Priority.P0))
    assert queue.story.state.open_by_priority == {Priority.P0: 1, Priority.P1: 1}
    again = queue.ask(Submit(task=TaskId("G" * 26), key="k", spec=spec))
    assert isinstance(again, Decided)
    assert again.duplicate
    assert queue.refusal(SetPriority(tasks=(first,), priority=Priority.P0)).code == (
        "same-priority"
    )
    assert queue.route() == [first]


def test_many_tasks_at_once_leave_out_those_it_cannot_be_done_for() -> None:
    queue = Queue()
    running, waiting = queue.submit(), queue.submit()
    queue.route()
    done = queue.ask(Hold(tasks=(running, waiting, TaskId("none"))))
    assert isinstance(done, Decided)
    assert done.changed == 1
    assert queue.task(waiting).hold is not None
    assert queue.refusal(Hold(tasks=(running,))).code == "not-waiting"
    assert queue.refusal(Hold(tasks=())).code == "nothing-named"
    too_many = (waiting,) * (MAX_NAMED_TASKS + 1)
    assert queue.refusal(Release(tasks=too_many)).code == "too-many"


@pytest.mark.parametrize(
    ("limits", "code", "setting"),
    [
        (QueueLimits(open=1), "queue-full", "limits.open"),
        (QueueLimits(lanes={Priority.P2: 1}), "lane-full", "limits.lanes.P2"),
        (QueueLimits(clients={ClientName("acme"): 1}), "client-full", "limits.clients.acme"),
        (QueueLimits(per_client=1), "client-full", "limits.clients.acme"),
    ],
)
def test_a_full_queue_refuses_and_says_which_limit(
    limits: QueueLimits, code: str, setting: str
) -> None:
    queue = Queue(limits=limits)
    spec = work("one", client="acme")
    queue.ask(Submit(task=TaskId("T1"), key="1", spec=spec))
    refused = queue.refusal(Submit(task=TaskId("T2"), key="2", spec=spec))
    assert refused.code == code
    assert "1 of at most 1 tasks are open" in refused.text
    assert setting in refused.hint
    same = queue.ask(Submit(task=TaskId("T3"), key="1", spec=spec))
    assert isinstance(same, Decided), "the same key is the same task, however full the queue is"
    queue.ask(Cancel(tasks=(TaskId("T1"),)))
    assert isinstance(queue.ask(Submit(task=TaskId("T2"), key="2", spec=spec)), Decided)


def test_nothing_more_needs_no_room_however_full_the_queue_is() -> None:
    """The same file of tasks once more, after the limit was lowered."""
    queue = Queue()
    for _ in range(3):
        queue.submit()
    lowered = replace(queue.story.state.fleet, limits=QueueLimits(open=2))
    queue.story.add(FleetLoaded(spec=lowered))
    assert no_room(queue.story.state, RoomWanted()) is None


def test_retries_wait_when_the_budget_is_spent_and_first_tries_do_not() -> None:
    queue = Queue(slots=10, retry_budget=RetryBudget(percent=50, floor=1))
    tasks = [queue.submit() for _ in range(4)]
    assert queue.route() == tasks
    for task_id in tasks:
        (run,) = queue.task(task_id).attempts
        refused = Definite(NotStarted(reason="gateway-draining"))
        queue.story.add(*learn(queue.story.state, run.run_id, refused, queue.story.now_ms))
    queue.story.now_ms += 31_000  # past every backoff
    again = queue.route()
    assert len(again) == 2, "half of four first tries"
    waiting = next(t for t in tasks if t not in again)
    pending = queue.task(waiting).pending
    assert pending is not None
    assert pending.code is PendingCode.RETRY_BUDGET
    assert "retry-budget:queue" in conditions(queue.story.state, queue.story.now_ms)
    assert queue.route() == [], "the reason is told once"
    fresh = queue.submit()
    assert queue.route() == [fresh]
    queue.story.now_ms += WINDOW_S * 1_000
    assert len(queue.route()) == 1, "the floor"


def test_the_newest_fleet_files_limits_hold() -> None:
    queue = Queue(limits=QueueLimits(open=1))
    queue.ask(Submit(task=TaskId("T1"), key="1", spec=work()))
    queue.story.add(FleetLoaded(spec=fleet(agent("a1"))))
    assert isinstance(queue.ask(Submit(task=TaskId("T2"), key="2", spec=work())), Decided)


# What is recorded


def decided(queue: Queue, command: Command) -> Decided:
    decision = queue.ask(command)
    assert isinstance(decision, Decided)
    return decision


def test_a_waiting_task_is_cancelled_at_once() -> None:
    queue = Queue()
    task = queue.submit()
    done = decided(queue, Cancel(tasks=(task,), reason="not needed"))
    assert done == Decided(
        events=(
            TaskCancelRequested(task=task, by="ann", reason="not needed"),
            TaskEnded(task=task, phase=TaskPhase.CANCELLED, reason="cancelled by ann"),
        ),
        task=task,
        number=1,
        changed=1,
    )


def test_a_running_task_is_stopped_and_a_second_cancel_asks_for_no_second_stop() -> None:
    queue = Queue()
    task = queue.submit()
    queue.route()
    (attempt,) = queue.task(task).attempts
    requested = TaskCancelRequested(task=task, by="ann", reason="too slow")
    stopping = AttemptCancelling(run=attempt.run_id, cause=CancelCause.OPERATOR, by="ann")
    cancel = Cancel(tasks=(task,), reason="too slow")
    first = Decided(events=(requested, stopping), task=task, number=1, changed=1)
    assert decided(queue, cancel) == first
    again = Decided(events=(requested,), task=task, number=1, changed=1)
    assert decided(queue, cancel) == again


def test_a_task_that_is_over_or_that_nobody_knows_is_not_cancelled() -> None:
    queue = Queue()
    task = queue.submit()
    queue.ask(Cancel(tasks=(task,)))
    again = queue.refusal(Cancel(tasks=(task,)))
    assert (again.code, again.text) == ("already-over", "t-1 is already cancelled.")
    none = queue.refusal(Cancel(tasks=(TaskId("none"),)))
    assert (none.code, none.text) == ("unknown-task", "No task none is known.")


def test_what_is_done_to_waiting_tasks_is_recorded_with_its_author_and_reason() -> None:
    queue = Queue()
    task = queue.submit()
    for command, event in (
        (Hold(tasks=(task,), reason="why"), TaskHeld(task=task, by="ann", reason="why")),
        (Release(tasks=(task,)), TaskReleased(task=task, by="ann")),
        (Expedite(tasks=(task,), reason="why"), TaskExpedited(task=task, by="ann", reason="why")),
        (
            SetPriority(tasks=(task,), priority=Priority.P0),
            TaskReprioritized(task=task, priority=Priority.P0, by="ann"),
        ),
    ):
        done = decided(queue, command)
        assert done == Decided(events=(event,), task=task, number=1, changed=1)


@pytest.mark.parametrize(
    ("verb", "done"),
    [
        (lambda task: Hold(tasks=(task,)), "held"),
        (lambda task: Release(tasks=(task,)), "released"),
        (lambda task: Expedite(tasks=(task,)), "expedited"),
        (lambda task: SetPriority(tasks=(task,), priority=Priority.P0), "moved"),
    ],
)
def test_what_cannot_be_done_to_a_task_that_does_not_wait_is_named(
    verb: Callable[[TaskId], Command], done: str
) -> None:
    queue = Queue()
    task = queue.submit()
    queue.ask(Cancel(tasks=(task,)))
    refused = queue.refusal(verb(task))
    assert refused.code == "not-waiting"
    assert refused.text == f"t-1 is cancelled; only waiting tasks can be {done}."


def test_what_is_so_already_is_refused_and_says_what_is_so() -> None:
    queue = Queue()
    task = queue.submit()
    queue.ask(Hold(tasks=(task,)))
    queue.ask(Expedite(tasks=(task,)))
    assert queue.refusal(Hold(tasks=(task,))).text == "t-1 is already held by ann."
    assert queue.refusal(Expedite(tasks=(task,))).text == "t-1 is already expedited."
    same = SetPriority(tasks=(task,), priority=Priority.P2)
    assert queue.refusal(same).text == "t-1 already has priority P2."
    queue.ask(Release(tasks=(task,)))
    assert queue.refusal(Release(tasks=(task,))).text == "t-1 is not held."
