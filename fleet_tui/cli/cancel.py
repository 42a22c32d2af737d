"""``fleet-tui cancel``: take tasks off the queue or stop their runs."""

import click

from fleet_tui.cli.common import (
    ask_engine,
    emit_json,
    find_fleet,
    fleet_option,
    json_option,
    ledger_of,
)
from fleet_tui.core.commands import Accepted, Cancel, Refused
from fleet_tui.errors import ExitCode, UsageError


@click.command()
@click.argument("tasks", nargs=-1, required=True)
@fleet_option
@json_option
@click.option("--reason", default="", help="Why, for the record.")
def command(tasks: tuple[str, ...], fleet_text: str | None, as_json: bool, reason: str) -> int:
    """Cancel TASKS (t-42, 42 or ids). Exit 5 when some could not be, 6 when none could."""
    fleet = find_fleet(fleet_text)
    with ledger_of(fleet) as ledger:
        state = ledger.load()
    found = [(text, state.find_task(text)) for text in tasks]
    unknown = [text for text, task in found if task is None]
    if unknown:
        raise UsageError(f"no task {', '.join(unknown)} is known; nothing was cancelled")
    known = [task for _, task in found if task is not None]
    replies = ask_engine(fleet, [Cancel(task=task.id, reason=reason) for task in known])
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
            click.echo(f"{task.label}: {reply.text}", err=True)
        elif not as_json:
            click.echo(f"{task.label} is being cancelled")
    done = sum(isinstance(reply, Accepted) for reply in replies)
    if done == len(replies):
        return ExitCode.OK
    return ExitCode.PARTIAL if done else ExitCode.REFUSED
