"""Short reasons why an action is unavailable; None when it is available."""

from collections.abc import Callable

from fleet_tui.console.actions.selection import Context
from fleet_tui.core.tasks.model import Task
from fleet_tui.core.tasks.verdicts import may_be_judged
from fleet_tui.feed.feed import Link


def possible(context: Context) -> str | None:
    """Always available."""
    del context
    return None


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
    """Needs a task whose explanation is not on screen already."""
    if context.place is not None and context.place.view == "why":
        return "this is the explanation"
    return no_task(context)


def no_other_details(context: Context) -> str | None:
    """Needs an agent or a task whose page is not on screen already."""
    chosen, place = context.selection, context.place
    here = (chosen.tasks or chosen.agents)[:1]
    if place is not None and place.view in ("task", "agent") and here == (place.subject,):
        return "this is its page"
    return no_subject(context)


def no_other_definition(context: Context) -> str | None:
    """Needs an agent whose definition is not on screen already."""
    if context.place is not None and context.place.view == "definition":
        return "this is the definition"
    return no_agent(context)


def nothing_to_judge(context: Context) -> str | None:
    """Needs at least one task that needs a verdict."""
    return _none_of(context, may_be_judged, "only for tasks whose outcome is unknown")


def nothing_to_edit(context: Context) -> str | None:
    """Needs exactly one dead letter."""
    dead = context.view.state.dead_letters
    problem = _none_of(context, lambda task: task.id in dead, "only tasks that failed or expired")
    return problem or ("one at a time" if len(context.selection.tasks) > 1 else None)


def _none_of(context: Context, may: Callable[[Task], bool], why_not: str) -> str | None:
    """``why_not`` unless the action applies to one of the selected tasks."""
    state, tasks = context.view.state, context.selection.tasks
    if not tasks:
        return "no task is selected"
    known = (state.task(task) for task in tasks)
    return None if any(task is not None and may(task) for task in known) else why_not


def nothing_to_undo(context: Context) -> str | None:
    """Needs an action of this console that can be undone."""
    return None if context.can_undo else "no action in this console can be undone"


def cannot_note(context: Context) -> str | None:
    """Notes are written to the ledger, which needs the engine."""
    answers = context.view.link is not Link.RECONNECTING
    takes = answers and context.view.engine.mode.takes_commands
    return None if context.can_act and takes else "this needs an engine that accepts commands"
