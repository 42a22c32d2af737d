"""Every command of the union: what was shown of it goes with it, and what takes it back is offered.

Each is played in a fleet in which it can be done.
"""

import ast
from collections.abc import Iterator
from typing import get_args

import pytest

from fleet_tui.core.agents.commands import Cordon, ProbeNow, Uncordon
from fleet_tui.core.alerting.commands import Ack
from fleet_tui.core.alerting.events import AlertRaised
from fleet_tui.core.alerting.model import Severity
from fleet_tui.core.engine.commands import Freeze, StopEngine, Thaw
from fleet_tui.core.fleet import Priority
from fleet_tui.core.ids import AgentName, AlertId, Epoch, TaskId
from fleet_tui.core.ledger.base import Made
from fleet_tui.core.ledger.commands import Command
from fleet_tui.core.ledger.decide import decide
from fleet_tui.core.ledger.decided import Decided
from fleet_tui.core.ledger.refusals import RefusalCode
from fleet_tui.core.ledger.replies import Refused
from fleet_tui.core.notes.commands import AddNote
from fleet_tui.core.plans import Impact, Plan, plan
from fleet_tui.core.step import Asked, StepTime, remember, step
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
from fleet_tui.core.tasks.events import TaskEnded, TaskNeedsOperator
from fleet_tui.core.tasks.model import TaskPhase
from fleet_tui.core.text.untrusted import Untrusted
from fleet_tui.core.undo import inverse
from fleet_tui.verbs.table import VERB_OF
from fleet_tui.verbs.undoing import undoing
from tests.hygiene.sources import modules
from tests.support.fleets import agent, fleet, work
from tests.support.ledger import Story

ME = "ann"
AGENT = (AgentName("a0"),)
ALERT = AlertId("held")


def staged(kind: type[Command]) -> tuple[Story, Command]:
    """A fleet, and a command of the kind that does something there."""
    told = Story(fleet(agent("a0"), agent("a1")))
    told.all_up()
    one, held, failed, judged = told.submit_many(work(), 4)
    told.add(
        TaskEnded(task=failed, phase=TaskPhase.FAILED, reason="exit-1"),
        TaskNeedsOperator(task=judged, reason="nobody knows"),
        AlertRaised(alert=ALERT, severity=Severity.WARN, subject="fleet", text="held"),
    )
    do(told, Hold(tasks=(held,)))
    if kind is Uncordon:
        do(told, Cordon(agents=AGENT, reason="a disk"))
    if kind is Thaw:
        do(told, Freeze(reason="a move"))
    commands: tuple[Command, ...] = (
        Submit(task=TaskId("T"), key="k", spec=work()),
        Cancel(tasks=(one,)),
        Hold(tasks=(one,)),
        Release(tasks=(held,)),
        Expedite(tasks=(one,)),
        SetPriority(tasks=(one,), priority=Priority.P0),
        Requeue(tasks=(failed,)),
        Drop(tasks=(failed,), reason="enough"),
        Edit(task=failed, spec=work("other")),
        Resolve(task=judged, verdict=Verdict.RAN, reason="seen"),
        Cordon(agents=AGENT),
        Uncordon(agents=AGENT),
        ProbeNow(agents=AGENT),
        Ack(alerts=(ALERT,)),
        AddNote(text=Untrusted("here")),
        Freeze(),
        Thaw(),
        StopEngine(),
    )
    return told, next(each for each in commands if type(each) is kind)


def do(told: Story, command: Command) -> tuple[Command, ...]:
    """Do it; what takes it back."""
    told.now_ms += 1
    verdict = decide(told.state, ME, command, told.now_ms)
    assert isinstance(verdict, Decided), verdict
    back = inverse(told.state, verdict.events, Made(by=ME, at_ms=told.now_ms))
    told.add(*verdict.events)
    return back


COUNT_NOTHING = {Ack, AddNote, Freeze, Thaw, StopEngine}
"""They do the same whatever has happened meanwhile."""


@pytest.mark.parametrize("kind", get_args(Command), ids=lambda kind: kind.__name__)
def test_a_plan_that_would_do_more_by_now_is_refused_with_the_difference(
    kind: type[Command],
) -> None:
    told, command = staged(kind)
    found = plan(told.state, ME, command, told.now_ms)
    assert isinstance(found, Plan)
    moment = StepTime(now_ms=told.now_ms, epoch=Epoch(1))
    for shown in (found.impact, None, Impact()):
        asked = Asked(ME, found.command, shown)
        (reply,) = step(told.state, remember(told.state), [asked], moment).replies
        if shown != Impact() or kind in COUNT_NOTHING:
            assert isinstance(reply, Decided)
        else:
            assert isinstance(reply, Refused)
            assert reply.code is RefusalCode.PLAN_CHANGED
            assert "since the plan was shown: " in reply.text
            assert "0 -> 1" in reply.text


TAKEN_BACK_BY: dict[type[Command], type[Command]] = {
    Hold: Release,
    Release: Hold,
    SetPriority: SetPriority,
    Cordon: Uncordon,
    Uncordon: Cordon,
    Freeze: Thaw,
    Thaw: Freeze,
}
"""All others leave a trace that nothing removes."""


@pytest.mark.parametrize("kind", get_args(Command), ids=lambda kind: kind.__name__)
def test_what_can_be_taken_back_is_planned_in_words_and_again_taken_back(
    kind: type[Command],
) -> None:
    told, command = staged(kind)
    back = do(told, command)
    wanted = TAKEN_BACK_BY.get(kind)
    assert [type(each) for each in back] == ([wanted] if wanted is not None else [])
    found = undoing(told.state, ME, back, told.now_ms)
    assert len(found.titles) == len(found.plans) == len(back)
    assert not found.left_out
    for each in back:
        assert type(each) in VERB_OF, "it is told and asked about as any other"
        assert [type(again) for again in do(told, each)] == [kind]


ALONE = {
    ("fleet_tui/console/actions/doing.py", "_say"): "changes nothing in the fleet",
    ("fleet_tui/console/views/submit/screen.py", "submit"): "new work; an edit names what was seen",
    ("fleet_tui/console/views/tasks/verdict.py", "judge"): "it names the run that was looked at",
    ("fleet_tui/cli/demo.py", "_run_headless"): "its own engine, which nobody else asks",
    ("fleet_tui/cli/engine.py", "stop_command"): "does the same whatever has happened",
    ("fleet_tui/cli/submit.py", "_submit_one"): "new work",
    ("fleet_tui/cli/submit.py", "edit_command"): "it names what was seen",
    ("fleet_tui/cli/sending.py", "deliver"): "new work",
    ("fleet_tui/cli/tasks.py", "resolve_command"): "it names the run that was looked at",
}
"""Where a command is sent without the plan that was shown, and why."""


def sent_alone() -> Iterator[tuple[str, str]]:
    for folder in ("fleet_tui/console", "fleet_tui/cli"):
        for source in modules(folder):
            for function in ast.walk(source.tree):
                if not isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef):
                    continue
                for call in _own_calls(function):
                    name = ast.unparse(call.func)
                    sends, asks = name.endswith(".send"), name == "ask_engine"
                    if (sends and len(call.args) < 2) or (asks and len(call.args) < 3):
                        yield source.path, function.name


def _own_calls(function: ast.FunctionDef | ast.AsyncFunctionDef) -> Iterator[ast.Call]:
    todo: list[ast.AST] = list(ast.iter_child_nodes(function))
    while todo:
        node = todo.pop()
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            continue
        if isinstance(node, ast.Call):
            yield node
        todo += ast.iter_child_nodes(node)


def test_what_was_shown_goes_with_every_command_that_a_plan_is_shown_of() -> None:
    assert set(sent_alone()) == set(ALONE)
