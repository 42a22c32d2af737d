"""Short reasons why an action is unavailable; None when it is available."""

from fleet_tui.console.actions.selection import Context
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


def nothing_to_undo(context: Context) -> str | None:
    """Needs an action of this console that can be undone."""
    return None if context.can_undo else "no action in this console can be undone"


def cannot_note(context: Context) -> str | None:
    """Notes are written to the ledger, which needs the engine."""
    answers = context.view.link is not Link.RECONNECTING
    takes = answers and context.view.engine.mode.takes_commands
    return None if context.can_act and takes else "this needs an engine that accepts commands"
