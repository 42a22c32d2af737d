"""Dead letters: grouped by what went wrong, edited, requeued, dropped; their growth is loud."""

from msgspec.structs import replace

from fleet_tui.core.alerting.alerts import DEAD_LETTER_GROWTH, DEAD_LETTER_WINDOW_MS, conditions
from fleet_tui.core.fleet import Deadlines, Priority, TaskClass
from fleet_tui.core.ids import TaskId
from fleet_tui.core.ledger.commands import Command
from fleet_tui.core.ledger.decide import decide
from fleet_tui.core.ledger.decided import Decided
from fleet_tui.core.ledger.refusals import RefusalCode
from fleet_tui.core.ledger.replies import Refused
from fleet_tui.core.tasks import dead_letters
from fleet_tui.core.tasks.attempts import reconcile_attempts
from fleet_tui.core.tasks.commands import Drop, Edit, Requeue, Submit
from fleet_tui.core.tasks.events import TaskDropped, TaskEdited, TaskEnded, TaskRetrying
from fleet_tui.core.tasks.model import Task, TaskPhase
from fleet_tui.core.tasks.store import MAX_CLOSED_TASKS, MAX_DEAD_LETTERS
from fleet_tui.core.tasks.submission import payload_sha256
from fleet_tui.core.text.untrusted import NOTHING_SAID
from tests.support.fleets import agent, fleet, work
from tests.support.ledger import Story
from tests.support.task import LOST, PATIENCE_MS, Run

DEAD_ALERT = "dead-letters:tasks"


class Letters:
    """A fleet with failed work."""

    def __init__(self) -> None:
        self.story = Story(fleet(agent("a1"), agent("agent-12")))
        self.story.all_up()

    def dead(
        self,
        reason: str,
        client: str | None = None,
        phase: TaskPhase = TaskPhase.FAILED,
        deadlines: Deadlines | None = None,
    ) -> TaskId:
        task = self.story.submit(work(client=client, deadlines=deadlines))
        self.story.now_ms += 1_000
        self.story.add(TaskEnded(task=task, phase=phase, reason=reason))
        return task

    def ask(self, command: Command) -> Decided | Refused:
        decision = decide(self.story.state, "ann", command, self.story.now_ms)
        if isinstance(decision, Decided):
            self.story.add(*decision.events)
        return decision

    def refusal(self, command: Command) -> Refused:
        decision = self.ask(command)
        assert isinstance(decision, Refused)
        return decision

    def task(self, task_id: TaskId) -> Task:
        task = self.story.state.task(task_id)
        assert task is not None
        return task

    def groups(self) -> list[dead_letters.DeadLetters]:
        state = self.story.state
        return dead_letters.group(state.dead_letters.values(), state.fleet)


def test_the_same_failure_is_one_group_whatever_its_numbers() -> None:
    letters = Letters()
    first = letters.dead("exit-3 after 12 s", client="acme")
    other = letters.dead("no agent could start it in time", phase=TaskPhase.EXPIRED)
    last = letters.dead("exit-3 after 7.5 s", client="beta")
    newest, older = letters.groups()
    assert newest.tasks == (first, last)
    assert newest.clients == ("acme", "beta")
    assert newest.sample.id == last
    assert (newest.first_ms, newest.last_ms) == (2_000, 4_000)
    assert older.tasks == (other,)
    assert newest.fingerprint != older.fingerprint
    assert newest.fingerprint == dead_letters.fingerprint(newest.kind), "a function of the kind"


def test_different_exit_codes_stay_different_kinds() -> None:
    letters = Letters()
    letters.dead("exit-3")
    letters.dead("exit-4")
    assert len(letters.groups()) == 2


def test_requeueing_many_spreads_them_out() -> None:
    letters = Letters()
    dead = [letters.dead("exit-1") for _ in range(3)]
    now_ms = letters.story.now_ms
    asked = letters.ask(Requeue(tasks=tuple(dead), per_minute=30, reason="fixed the disk"))
    assert isinstance(asked, Decided)
    assert asked.changed == 3
    waits = [e.not_before_ms - now_ms for e in asked.events if isinstance(e, TaskRetrying)]
    assert waits == [0, 2_000, 4_000]
    assert letters.story.state.dead_letters == {}
    assert letters.task(dead[0]).phase is TaskPhase.WAITING
    assert letters.refusal(Requeue(tasks=tuple(dead))).code == "not-failed"
    assert letters.refusal(Requeue(tasks=tuple(dead), per_minute=0)).code == "bad-rate"


def test_the_wait_for_a_paced_requeue_counts_from_each_ones_turn() -> None:
    letters = Letters()
    limit_ms = 600_000
    deadlines = Deadlines(schedule_to_start_ms=limit_ms)
    dead = [letters.dead("exit-1", deadlines=deadlines) for _ in range(30)]
    letters.ask(Requeue(tasks=tuple(dead), per_minute=1))
    began_ms = letters.story.now_ms
    for minutes in (9, 10, 20, 38):
        letters.story.now_ms = began_ms + minutes * 60_000
        letters.story.add(*reconcile_attempts(letters.story.state, letters.story.now_ms))
        expired = [t for t in dead if letters.task(t).phase is TaskPhase.EXPIRED]
        assert expired == dead[: max(0, minutes - 9)], "those whose ten minutes are over"


def test_an_edited_dead_letter_asks_for_something_else_and_keeps_its_key() -> None:
    letters = Letters()
    spec = work("bad words")
    letters.ask(Submit(task=TaskId("T1"), key="k", spec=spec))
    edited = work("good words")
    assert letters.refusal(Edit(task=TaskId("T1"), spec=edited)).code == "no-dead-letter"
    letters.story.add(TaskEnded(task=TaskId("T1"), phase=TaskPhase.FAILED, reason="exit-1"))
    assert letters.refusal(Edit(task=TaskId("T1"), spec=spec)).code == "unchanged"
    assert letters.refusal(Edit(task=TaskId("T1"), spec=work(" "))).code == "empty"
    letters.ask(Edit(task=TaskId("T1"), spec=edited))
    task = letters.task(TaskId("T1"))
    assert task.spec == edited
    assert task.payload_sha256 != payload_sha256(spec)
    again = letters.ask(Submit(task=TaskId("T2"), key="k", spec=spec))
    assert isinstance(again, Decided)
    assert again.duplicate, "what was submitted under the key is still that task"


def test_dropping_needs_a_reason_and_is_counted() -> None:
    letters = Letters()
    task = letters.dead("exit-1")
    assert letters.refusal(Drop(tasks=(task,), reason=" ")).code == "no-reason"
    letters.ask(Drop(tasks=(task,), reason="customer gone"))
    assert letters.story.state.dead_letters == {}
    assert letters.task(task).dropped_by == "ann"
    assert letters.task(task).phase is TaskPhase.FAILED
    assert letters.story.state.totals.dropped == 1
    assert letters.refusal(Drop(tasks=(task,), reason="again")).code == "no-dead-letter"
    letters.ask(Requeue(tasks=(task,)))
    assert letters.task(task).dropped_by is None


def test_growth_raises_an_alert_that_ends_by_itself_or_by_dropping() -> None:
    letters = Letters()
    dead = [letters.dead("exit-1") for _ in range(DEAD_LETTER_GROWTH - 1)]
    assert DEAD_ALERT not in conditions(letters.story.state, letters.story.now_ms)
    dead.append(letters.dead("exit-1"))
    assert DEAD_ALERT in conditions(letters.story.state, letters.story.now_ms)
    later = letters.story.now_ms + DEAD_LETTER_WINDOW_MS
    assert DEAD_ALERT not in conditions(letters.story.state, later)
    letters.ask(Drop(tasks=(dead[0],), reason="seen"))
    assert DEAD_ALERT not in conditions(letters.story.state, letters.story.now_ms)


def test_closed_work_does_not_push_dead_letters_out() -> None:
    letters = Letters()
    dead = letters.dead("exit-1")
    for _ in range(MAX_CLOSED_TASKS + 10):
        task = letters.story.submit(work())
        letters.story.add(TaskEnded(task=task, phase=TaskPhase.SUCCEEDED))
    assert len(letters.story.state.closed_tasks) == MAX_CLOSED_TASKS
    assert letters.task(dead).phase is TaskPhase.FAILED
    assert MAX_DEAD_LETTERS > MAX_CLOSED_TASKS


# What is recorded, and in which words


def test_a_kind_of_failure_names_no_agent_and_no_number() -> None:
    letters = Letters()
    task = letters.task(letters.dead("a1 gave up after 12 s; agent-12 is well, and so is a1-b"))
    (attempt,) = Run().task.attempts
    tried = replace(task, attempts=(attempt,))
    kind = dead_letters.failure_kind(tried, letters.story.state.fleet)
    assert attempt.agent == "a1"
    assert kind == "failed: <agent> gave up after # s; agent-12 is well, and so is a1-b"
    assert dead_letters.failure_kind(replace(tried, reason=""), letters.story.state.fleet) == (
        "failed"
    )


def test_any_text_has_a_fingerprint_of_eight_digits() -> None:
    found = dead_letters.fingerprint("failed: \ud800")
    assert len(found) == dead_letters.FINGERPRINT_CHARS == 8
    assert found == dead_letters.fingerprint("failed: ?")


def test_a_group_is_in_the_order_in_which_its_tasks_ended() -> None:
    letters = Letters()
    first, second = (letters.task(letters.dead("exit-3")) for _ in range(2))
    swapped = [replace(first, ended_at_ms=9_000), replace(second, ended_at_ms=8_000)]
    (group,) = dead_letters.group(swapped, letters.story.state.fleet)
    assert group.tasks == (second.id, first.id)
    assert (group.first_ms, group.last_ms) == (8_000, 9_000)
    unknown = [replace(task, ended_at_ms=None) for task in (second, first)]
    (group,) = dead_letters.group(unknown, letters.story.state.fleet)
    assert group.tasks == (first.id, second.id)
    assert (group.first_ms, group.last_ms) == (0, 0)
    mixed = [replace(first, ended_at_ms=1), replace(second, ended_at_ms=None)]
    (group,) = dead_letters.group(mixed, letters.story.state.fleet)
    assert group.tasks == (second.id, first.id), "the end of a task that tells none is the earliest"


def test_a_requeue_is_recorded_with_its_author_and_reason() -> None:
    for command_reason, words in (("", "requeued by ann"), ("fixed", "requeued by ann: fixed")):
        letters = Letters()
        task = letters.dead("exit-3")
        asked = letters.ask(Requeue(tasks=(task,), reason=command_reason))
        assert isinstance(asked, Decided)
        again = TaskRetrying(
            task=task,
            not_before_ms=letters.story.now_ms,
            reason=words,
            by="ann",
            why=command_reason,
        )
        assert asked.events == (again,)


def test_rates_have_bounds_and_spread_the_tasks_over_the_minute() -> None:
    letters = Letters()
    tasks = tuple(letters.dead("exit-3") for _ in range(3))
    for rate in (0, -1, dead_letters.MAX_PER_MINUTE + 1):
        refused = letters.refusal(Requeue(tasks=tasks, per_minute=rate))
        assert refused.code == "bad-rate"
        assert refused.text == f"A rate is from 1 to 60,000 a minute, not {rate:,}."
    now_ms = letters.story.now_ms
    asked = letters.ask(Requeue(tasks=tasks, per_minute=7))
    assert isinstance(asked, Decided)
    waits = [e.not_before_ms - now_ms for e in asked.events if isinstance(e, TaskRetrying)]
    assert waits == [0, 60_000 // 7, 2 * 60_000 // 7]
    for rate in (1, dead_letters.MAX_PER_MINUTE):
        letters = Letters()
        one = letters.dead("exit-3")
        assert isinstance(letters.ask(Requeue(tasks=(one,), per_minute=rate)), Decided)


def test_an_edit_is_recorded_and_says_of_which_task() -> None:
    letters = Letters()
    task = letters.dead("exit-3")
    spec = work("better")
    same = letters.refusal(Edit(task=task, spec=letters.task(task).spec))
    assert (same.code, same.text) == ("unchanged", "t-1 already has exactly these settings.")
    asked = letters.ask(Edit(task=task, spec=spec))
    edited = TaskEdited(task=task, spec=spec, payload_sha256=payload_sha256(spec), by="ann")
    assert asked == Decided(events=(edited,), task=task, number=1)


def test_an_edit_of_what_somebody_else_has_edited_since_is_refused_with_the_difference() -> None:
    letters = Letters()
    task = letters.dead("exit-1")
    before = letters.task(task)
    mine = dead_letters.edit_of(before, work("mine"))
    theirs = work("theirs", priority=Priority.P0)
    letters.ask(dead_letters.edit_of(before, theirs))
    refused = letters.refusal(mine)
    assert refused.code is RefusalCode.PLAN_CHANGED
    assert refused.text == "t-1 was edited since it was shown: text, priority."
    assert refused.hint == "Nothing was done. Look at what it asks for now."
    assert letters.task(task).spec == theirs
    letters.ask(dead_letters.edit_of(letters.task(task), work("mine")))
    assert letters.task(task).spec == work("mine")


def test_what_is_no_dead_letter_is_neither_edited_nor_dropped() -> None:
    letters = Letters()
    waiting = letters.story.submit(work())
    edit = letters.refusal(Edit(task=waiting, spec=work("better")))
    drop = letters.refusal(Drop(tasks=(waiting,), reason="old"))
    assert edit.code == drop.code == "no-dead-letter"
    assert edit.text == "t-1 is waiting; only dead letters can be edited."
    assert drop.text == "t-1 is waiting; only dead letters can be dropped."
    assert letters.refusal(Edit(task=TaskId("none"), spec=work())).code == "unknown-task"


def test_whether_a_dead_letter_can_be_edited_is_known_before_anybody_says_how() -> None:
    letters = Letters()
    waiting, dead = letters.story.submit(work()), letters.dead("exit-1")
    state = letters.story.state
    assert dead_letters.not_edited(state, letters.task(dead)) is None
    refused = dead_letters.not_edited(state, letters.task(waiting))
    assert refused == letters.refusal(Edit(task=waiting, spec=work(pool="no such pool")))
    told = "t-1 is waiting; only dead letters can be edited."
    assert refused == Refused(code=RefusalCode.NO_DEAD_LETTER, text=told)


def test_a_group_is_found_by_its_fingerprint_in_capitals_or_not() -> None:
    letters = Letters()
    letters.dead("exit-3")
    letters.dead("out of memory")
    state = letters.story.state
    for each in letters.groups():
        assert dead_letters.letters_called(state, each.fingerprint) == each
        assert dead_letters.letters_called(state, each.fingerprint.upper()) == each
    assert dead_letters.letters_called(state, "") is None
    assert dead_letters.letters_called(state, letters.groups()[0].fingerprint[:-1]) is None


def test_a_drop_wants_a_reason_and_records_it() -> None:
    letters = Letters()
    task = letters.dead("exit-3")
    assert letters.refusal(Drop(tasks=(task,), reason=" ")).code == "no-reason"
    asked = letters.ask(Drop(tasks=(task,), reason="old"))
    assert isinstance(asked, Decided)
    assert asked.events == (TaskDropped(task=task, by="ann", reason="old"),)


def test_a_task_of_which_nobody_knows_whether_it_ran_wants_a_verdict_first() -> None:
    run = Run()
    run.hear(LOST)
    run.later(PATIENCE_MS)
    refused = decide(run.story.state, "ann", Requeue(tasks=(run.id,)), run.story.now_ms)
    assert isinstance(refused, Refused)
    assert (refused.code, refused.text) == ("verdict-needed", "Whether t-1 ran is unknown.")
    assert refused.hint


def test_an_edit_carries_what_was_seen_without_its_text_and_names_fields_in_words() -> None:
    letters = Letters()
    task = letters.dead("exit-1")
    mine = dead_letters.edit_of(letters.task(task), work("mine"))
    assert mine.seen == replace(letters.task(task).spec, payload=NOTHING_SAID)
    theirs = work("x", task_class=TaskClass.RESUMABLE)
    letters.ask(dead_letters.edit_of(letters.task(task), theirs))
    assert "task class" in letters.refusal(mine).text
