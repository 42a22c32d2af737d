"""Why something cannot be done now, in a few words; None when it can."""

from collections.abc import Callable

from fleet_tui.console.actions.selection import Context
from fleet_tui.core.modes import EngineMode
from fleet_tui.core.tasks.model import Task, TaskPhase
from fleet_tui.core.tasks.verdicts import in_doubt, may_be_judged
from fleet_tui.feed.feed import Link


def no_agent(context: Context) -> str | None:
    """For actions on agents."""
    return None if context.selection.agents else "no agent is selected"


def no_task(context: Context) -> str | None:
    """For actions on tasks."""
    return None if context.selection.tasks else "no task is selected"


def no_subject(context: Context) -> str | None:
    """For actions on agents or tasks."""
    chosen = context.selection
    return None if chosen.agents or chosen.tasks else "nothing is selected"


def nothing_to_explain(context: Context) -> str | None:
    """A task, and not its explanation on screen already."""
    if context.place is not None and context.place.view == "why":
        return "this is the explanation"
    return no_task(context)


def no_other_details(context: Context) -> str | None:
    """An agent or a task, and not its own page on screen already."""
    chosen, place = context.selection, context.place
    here = (chosen.tasks or chosen.agents)[:1]
    if place is not None and place.view in ("task", "agent") and here == (place.subject,):
        return "this is its page"
    return no_subject(context)


def no_other_definition(context: Context) -> str | None:
    """An agent, and not its definition on screen already."""
    if context.place is not None and context.place.view == "definition":
        return "this is the definition"
    return no_agent(context)


def nothing_to_cordon(context: Context) -> str | None:
    """At least one agent that is not cordoned."""
    agents = context.view.state.agents
    names = context.selection.agents
    if not names:
        return "no agent is selected"
    if all(name in agents and agents[name].cordon for name in names):
        return "already cordoned"
    return None


def nothing_to_uncordon(context: Context) -> str | None:
    """At least one agent that is cordoned."""
    agents = context.view.state.agents
    names = context.selection.agents
    if not names:
        return "no agent is selected"
    if not any(name in agents and agents[name].cordon for name in names):
        return "not cordoned"
    return None


def nothing_to_cancel(context: Context) -> str | None:
    """At least one task that has not ended."""
    tasks = context.selection.tasks
    if not tasks:
        return "no task is selected"
    if not any(task in context.view.state.open_tasks for task in tasks):
        return "the task has ended"
    return None


def nothing_to_judge(context: Context) -> str | None:
    """At least one task that needs a person's verdict."""
    return _none_of(context, may_be_judged, "only for tasks of which nobody knows whether they ran")


def may_hold(task: Task) -> bool:
    """Waits and is not held."""
    return task.phase is TaskPhase.WAITING and task.hold is None


def may_release(task: Task) -> bool:
    """Is held by an operator."""
    return task.hold is not None and not task.phase.is_closed


def may_expedite(task: Task) -> bool:
    """Waits behind others."""
    return task.phase is TaskPhase.WAITING and task.expedited_at_ms is None


def may_move(task: Task) -> bool:
    """Waits: another priority can still matter."""
    return task.phase is TaskPhase.WAITING


def may_requeue(task: Task) -> bool:
    """Ended, not well, and its class or a verdict allows another run."""
    badly = task.phase.is_closed and task.phase is not TaskPhase.SUCCEEDED
    return badly and not in_doubt(task)


def nothing_to_hold(context: Context) -> str | None:
    """At least one waiting task that is not held."""
    return _none_of(context, may_hold, "only waiting tasks that are not held")


def nothing_to_release(context: Context) -> str | None:
    """At least one held task."""
    return _none_of(context, may_release, "not held by an operator")


def nothing_to_expedite(context: Context) -> str | None:
    """At least one waiting task that does not go first already."""
    return _none_of(context, may_expedite, "only waiting tasks that do not go first already")


def nothing_to_move(context: Context) -> str | None:
    """At least one waiting task."""
    return _none_of(context, may_move, "only waiting tasks have a place in the queue")


def nothing_to_requeue(context: Context) -> str | None:
    """At least one task that ended badly."""
    why_not = "only tasks that failed, expired or were cancelled"
    return _none_of(context, may_requeue, why_not)


def nothing_to_edit(context: Context) -> str | None:
    """Exactly one dead letter."""
    dead = context.view.state.dead_letters
    problem = _none_of(context, lambda task: task.id in dead, "only tasks that failed or expired")
    return problem or ("one at a time" if len(context.selection.tasks) > 1 else None)


def nothing_to_drop(context: Context) -> str | None:
    """At least one dead letter."""
    dead = context.view.state.dead_letters
    why_not = "only tasks that failed or expired and were not dropped"
    return _none_of(context, lambda task: task.id in dead, why_not)


def _none_of(context: Context, may: Callable[[Task], bool], why_not: str) -> str | None:
    """``why_not`` unless it may be done to one of the selected tasks."""
    state, tasks = context.view.state, context.selection.tasks
    if not tasks:
        return "no task is selected"
    known = (state.task(task) for task in tasks)
    return None if any(task is not None and may(task) for task in known) else why_not


def already_frozen(context: Context) -> str | None:
    """An engine that starts work."""
    return "frozen already" if context.view.engine.mode is EngineMode.HOLD else None


def not_frozen(context: Context) -> str | None:
    """An engine that was told to start nothing."""
    return None if context.view.engine.mode is EngineMode.HOLD else "not frozen"


def nothing_to_undo(context: Context) -> str | None:
    """Something was done here that can be taken back."""
    return None if context.can_undo else "nothing was done here that can be taken back"


def nothing_to_ack(context: Context) -> str | None:
    """At least one open alert nobody has in hand."""
    alerts = context.view.state.alerts
    chosen = [alerts[a] for a in context.selection.alerts if a in alerts]
    if not chosen:
        return "no open alert is selected"
    return "already acknowledged" if all(a.acked_by for a in chosen) else None


def cannot_note(context: Context) -> str | None:
    """Whatever is written to the ledger needs the engine."""
    answers = context.view.link is not Link.RECONNECTING
    takes = answers and context.view.engine.mode.takes_commands
    return None if context.can_act and takes else "this needs an engine that takes commands"
