"""What a command becomes that names something: the nearest names, and one change for many tasks."""

import pytest
from msgspec.structs import replace

from fleet_tui.core.fleet import Nameable
from fleet_tui.core.ids import TaskId
from fleet_tui.core.ledger.decided import Decided, LeftOut, unknown_name
from fleet_tui.core.ledger.events import Event
from fleet_tui.core.ledger.refusals import RefusalCode
from fleet_tui.core.ledger.replies import Refused
from fleet_tui.core.notes.events import NoteAdded
from fleet_tui.core.tasks.commands import MAX_NAMED_TASKS
from fleet_tui.core.tasks.model import Task, TaskPhase
from fleet_tui.core.tasks.named import ended_long_ago, for_each, unknown_task
from fleet_tui.core.text.near import MAX_COMPARED_CHARS, MAX_COMPARED_NAMES
from fleet_tui.core.text.untrusted import Untrusted
from tests.support.fleets import agent, fleet, work
from tests.support.ledger import Story

LONG = "x" * MAX_COMPARED_CHARS


@pytest.mark.parametrize(
    ("name", "known", "hint"),
    [
        ("gqu", ["gpu"], "Did you mean gpu?"),
        ("gqu", ["cpu", "gpu", "far"], "Did you mean gpu?"),
        ("web1", ["web2", "web3"], "Did you mean web3 or web2?"),
        ("web1", ["web2", "web3", "web4", "web5"], "Did you mean web5 or web4 or web3?"),
        ("gpu", ["browser", "memory"], "Known: browser, memory."),
        ("gpu", list("abcdefgh"), "Known: a, b, c, d, e, f, g, h."),
        ("gpu", list("abcdefghi"), "Known: a, b, c, d, e, f, g, h, …."),
        ("gpu", [], "The fleet has no capabilities."),
        (LONG, [LONG[1:]], f"Did you mean {LONG[1:]}?"),
        (LONG + "x", [LONG], f"Known: {LONG}."),
        ("abcd", ["abcdxyz"], "Did you mean abcdxyz?"),
        ("abcdefg", ["abcd"], "Did you mean abcd?"),
        ("gqu", [*["zz"] * (MAX_COMPARED_NAMES - 1), "gpu"], "Did you mean gpu?"),
        (
            "gqu",
            [*["zz"] * MAX_COMPARED_NAMES, "gpu"],
            "Known: zz, zz, zz, zz, zz, zz, zz, zz, ….",
        ),
        ("gqu", [*["far too long"] * MAX_COMPARED_NAMES, "gpu"], "Did you mean gpu?"),
    ],
)
def test_a_name_that_nothing_has_gets_the_nearest_or_what_there_is(
    name: str, known: list[str], hint: str
) -> None:
    refused = unknown_name(Nameable.CAPABILITY, name, iter(known))
    assert refused == Refused(
        code=RefusalCode.UNKNOWN_CAPABILITY,
        text=f"No capability is called {name!r}.",
        hint=hint,
    )


def test_names_of_other_lengths_take_no_room_among_those_compared() -> None:
    for length, is_compared in ((1, False), (2, True), (10, True), (11, False)):
        crowd = ["z" * length] * MAX_COMPARED_NAMES
        hint = unknown_name(Nameable.POOL, "abcdef", [*crowd, "abcdeg"]).hint
        assert (hint == "Did you mean abcdeg?") is not is_compared, length


def story(tasks: int) -> tuple[Story, list[TaskId]]:
    told = Story(fleet(agent("a1")))
    return told, told.submit_many(work(), tasks)


def note(task: Task) -> list[Event]:
    return [NoteAdded(by="me", text=Untrusted(task.id))]


def test_many_tasks_are_changed_once_each_and_those_that_cannot_be_are_left_out() -> None:
    told, (one, two, three) = story(3)
    no = Refused(code=RefusalCode.NOT_WAITING, text="No.")

    def change(task: Task) -> list[Event] | Refused:
        return no if task.id == two else note(task)

    assert for_each(told.state, (two, three, one, three), change) == Decided(
        events=(NoteAdded(by="me", text=Untrusted(three)), NoteAdded(by="me", text=Untrusted(one))),
        changed=2,
        left_out=(LeftOut(two, "t-2", no),),
    )
    unknown = TaskId("none")
    assert for_each(told.state, (unknown, one), change) == Decided(
        events=(NoteAdded(by="me", text=Untrusted(one)),),
        changed=1,
        left_out=(LeftOut(unknown, "none", unknown_task(unknown)),),
    )
    assert for_each(told.state, (two, unknown), change) == no, "the reason of the first"
    assert for_each(told.state, (unknown, two), change) == unknown_task(unknown)


def test_one_task_is_named_in_the_answer_and_a_change_may_have_no_events() -> None:
    told, (one, two) = story(2)
    assert for_each(told.state, (two,), note) == Decided(
        events=(NoteAdded(by="me", text=Untrusted(two)),), task=two, number=2, changed=1
    )
    assert for_each(told.state, (one, two), lambda _: []) == Decided(changed=2)


def test_none_and_too_many_are_refused_and_the_bound_itself_is_not() -> None:
    told, (one,) = story(1)
    none = for_each(told.state, (), note)
    assert none == Refused(code=RefusalCode.NOTHING_NAMED, text="No task was named.")
    most = (one,) * MAX_NAMED_TASKS
    assert isinstance(for_each(told.state, most, note), Decided)
    refused = for_each(told.state, (*most, one), note)
    assert isinstance(refused, Refused)
    assert refused.code is RefusalCode.TOO_MANY


def test_refusals_about_a_task_name_it() -> None:
    assert unknown_task(TaskId("T7")) == Refused(
        code=RefusalCode.UNKNOWN_TASK, text="No task T7 is known."
    )
    told, (one,) = story(1)
    task = replace(told.state.open_tasks[one], phase=TaskPhase.FAILED)
    refused = ended_long_ago(task)
    assert refused.code is RefusalCode.ENDED_LONG_AGO
    assert refused.text.startswith("t-1 failed ")
    assert refused.hint
