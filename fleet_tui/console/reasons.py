"""Why something cannot be done now, in a few words; None when it can."""

from fleet_tui.console.selection import Context
from fleet_tui.core.state import AttemptPhase, Task, TaskPhase
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
    """At least one task that ended badly or needs an operator."""
    if not context.selection.tasks:
        return "no task is selected"
    for name in context.selection.tasks:
        task = context.view.state.task(name)
        if task is not None and (task.phase in _JUDGED or _is_unknown(task)):
            return None
    return "only tasks that failed, expired or need an operator"


def _is_unknown(task: Task) -> bool:
    """Nobody knows now whether its attempt runs: a person may, without waiting any longer."""
    return task.open_attempt is not None and task.open_attempt.phase is AttemptPhase.UNKNOWN


_JUDGED = frozenset(
    {TaskPhase.NEEDS_OPERATOR, TaskPhase.FAILED, TaskPhase.EXPIRED, TaskPhase.CANCELLED}
)


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
    return None if context.can_act and answers else "this needs an engine that takes commands"
