"""``fleet-tui cancel``: take tasks off the queue or stop their runs."""

import click

from fleet_tui.base.errors import ExitCode, Unreachable, UsageError
from fleet_tui.cli.common import (
    TASKS_HINT,
    ask_engine,
    emit_json,
    find_fleet,
    find_task,
    fleet_option,
    json_option,
    ledger_of,
    say,
)
from fleet_tui.core.ledger.commands import Accepted, Cancel, Refused
from fleet_tui.core.ledger.decided import ended_long_ago


@click.command()
@click.argument("tasks", nargs=-1, required=True)
@fleet_option
@json_option
@click.option("--reason", default="", help="Why, for the record.")
@click.option("--yes", is_flag=True, help="Do not ask. What is named is cancelled without, too.")
def command(
    tasks: tuple[str, ...], fleet_text: str | None, as_json: bool, reason: str, yes: bool
) -> int:
    """Cancel TASKS (t-42, 42 or ids). Exit 5 when some could not be, 6 when none could."""
    del yes  # the tasks are named one by one, so there is nothing to ask
    fleet = find_fleet(fleet_text)
    with ledger_of(fleet) as ledger:
        state = ledger.load()
        found = [(text, find_task(ledger, state, text)) for text in tasks]
    unknown = [text for text, task in found if task is None]
    if unknown:
        raise UsageError(
            f"no task {', '.join(unknown)} is known; nothing was cancelled", hint=TASKS_HINT
        )
    known = [task for _, task in found if task is not None]
    asked = [task for task in known if state.task(task.id) is not None]
    commands = [Cancel(task=task.id, reason=reason) for task in asked]
    told = iter(ask_engine(fleet, commands) if commands else ())
    known_now = {task.id for task in asked}
    replies = [next(told) if task.id in known_now else ended_long_ago(task) for task in known]
    if all(isinstance(reply, Refused) and reply.code.is_unanswered for reply in replies):
        raise Unreachable("the engine broke off; look at the tasks before you repeat it")
    if as_json:
        emit_json(
            "cancelled",
            fleet=fleet.name,
            tasks=[
                {"task": task.id, "label": task.label, "reply": reply}
                for task, reply in zip(known, replies, strict=True)
            ],
        )
    for task, reply in zip(known, replies, strict=True):
        if isinstance(reply, Refused):
            say(f"{task.label}: {reply.text}", err=True)
        elif not as_json:
            say(f"{task.label} is being cancelled")
    done = sum(isinstance(reply, Accepted) for reply in replies)
    if done == len(replies):
        return ExitCode.OK
    return ExitCode.PARTIAL if done else ExitCode.REFUSED
