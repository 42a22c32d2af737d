"""Keys of submitters: the same key is the same task, also when the task or its place is gone."""

from msgspec.structs import replace

from fleet_tui.cli.submit import submit_command
from fleet_tui.cli.task_file import MAX_LINES
from fleet_tui.cli.written_task import parse_line, spec_of
from fleet_tui.core.engine.events import FleetLoaded
from fleet_tui.core.fleet import Deadlines, Priority
from fleet_tui.core.ids import AgentName, KeyMark, TaskId
from fleet_tui.core.ledger.decide import decide
from fleet_tui.core.ledger.decided import Decided
from fleet_tui.core.ledger.replies import Refused
from fleet_tui.core.tasks.commands import Submit
from fleet_tui.core.tasks.events import TaskEnded
from fleet_tui.core.tasks.keys import is_same_order, key_mark
from fleet_tui.core.tasks.model import TaskPhase, TaskSpec
from fleet_tui.core.tasks.store import MAX_CLOSED_TASKS, MAX_KEYS
from fleet_tui.core.tasks.submission import payload_sha256
from fleet_tui.core.text.untrusted import Untrusted
from tests.support.fleets import agent, fleet, work
from tests.support.ledger import Story

T1 = TaskId("T1")
FLEETS = Deadlines(start_to_close_ms=600_000)


def story() -> Story:
    return Story(fleet(agent("a1"), agent("a2")))


def submit(told: Story, spec: TaskSpec, task: str = "AGAIN") -> Decided | Refused:
    decision = decide(told.state, "me", Submit(task=TaskId(task), key="k", spec=spec), 0)
    if isinstance(decision, Decided):
        told.add(*decision.events)
    return decision


def is_known(decision: Decided | Refused) -> bool:
    """Whether it was taken for the first task; otherwise it was refused as other work."""
    if isinstance(decision, Decided):
        assert decision.duplicate
        assert decision.task == T1
        return True
    assert decision.code == "key-conflict"
    return False


def forget(told: Story) -> None:
    """The task ends, and so many after it that it is forgotten."""
    told.add(TaskEnded(task=T1, phase=TaskPhase.SUCCEEDED))
    later = told.submit_many(work(), MAX_CLOSED_TASKS)
    told.add(*(TaskEnded(task=task, phase=TaskPhase.SUCCEEDED) for task in later))
    assert told.state.task(T1) is None


def test_the_key_of_a_forgotten_task_still_stands_for_what_was_asked() -> None:
    told = story()
    spec = work("pay the rent", client="acme")
    submit(told, spec, T1)
    forget(told)
    assert is_known(submit(told, spec))
    for other in (
        replace(spec, payload=Untrusted("pay somebody else")),
        replace(spec, client=None),
        replace(spec, priority=Priority.P0),
        replace(spec, deadlines=FLEETS),
        replace(spec, labels={"a": "b"}),
    ):
        assert not is_known(submit(told, other))


def test_keys_of_earlier_ledgers_told_the_task_alone() -> None:
    told = story()
    told.state = replace(told.state, keys={"k": KeyMark("T1")})
    assert is_known(submit(told, work("anything")))


def test_the_form_of_a_mark_never_changes() -> None:
    spec = spec_of(
        parse_line(b'{"text":"x","needs":["b","a"],"priority":"P1","deadlines":{"total":"1h"}}'),
        FLEETS,
    )
    assert key_mark(T1, spec, payload_sha256(spec)) == "T1.4b8edbde48d1"


def test_a_line_asks_for_the_same_when_the_fleets_deadlines_changed() -> None:
    line = parse_line(b'{"text":"x","deadlines":{"total":"1h"}}')
    other = parse_line(b'{"text":"x","deadlines":{"total":"2h"}}')
    told = story()
    submit(told, spec_of(line, FLEETS), T1)
    changed = replace(FLEETS, start_to_close_ms=900_000)
    assert is_known(submit(told, spec_of(line, changed)))
    assert not is_known(submit(told, spec_of(other, FLEETS)))
    unsaid = replace(spec_of(line, FLEETS), written_deadlines=None)
    assert is_known(submit(told, unsaid)), "as earlier versions sent it"
    forget(told)
    assert is_known(submit(told, spec_of(line, changed)))
    assert not is_known(submit(told, spec_of(other, FLEETS)))


def test_two_orders_ask_for_the_same_in_whatever_way_they_name_it() -> None:
    said = work(deadlines=Deadlines(total_ms=5, start_to_close_ms=7))
    one = replace(said, written_deadlines=("total_ms", "start_to_close_ms"))
    other = replace(said, written_deadlines=("start_to_close_ms", "total_ms"))
    assert is_same_order(one, other)
    for untold in (said, replace(said, written_deadlines=None)):
        assert is_same_order(one, untold)
        assert is_same_order(untold, one)
    assert not is_same_order(one, replace(other, written_deadlines=("total_ms",)))
    assert not is_same_order(one, replace(other, labels={"a": "b"}))


def test_a_known_task_is_known_also_when_its_agent_left_the_fleet() -> None:
    told = story()
    spec = replace(work(), agent=AgentName("a2"))
    submit(told, spec, T1)
    told.add(FleetLoaded(spec=fleet(agent("a1"))))
    assert is_known(submit(told, spec))
    assert not is_known(submit(told, replace(spec, agent=AgentName("a3"))))


def test_every_line_of_a_file_keeps_its_key() -> None:
    assert MAX_LINES <= MAX_KEYS
    assert f"{MAX_KEYS:,}" in (submit_command.help or "")


def test_a_recording_that_names_no_deadline_is_folded_all_the_same() -> None:
    """Found in a recording that somebody else made: nothing about it may stop a look at it."""
    spec = replace(work(), deadlines=Deadlines(), written_deadlines=("", "__class__", "total_ms"))
    mark = key_mark(TaskId("T"), spec, "0")
    assert mark == key_mark(TaskId("T"), replace(spec, written_deadlines=("total_ms",)), "0")
