"""``fleet-tui edit``: change what a dead letter asks for."""

import sys
from typing import BinaryIO

import click

from fleet_tui.base.children import hidden
from fleet_tui.base.errors import Refused, UsageError
from fleet_tui.cli.choosing import InputFile
from fleet_tui.cli.common import (
    accepted,
    ask_engine,
    emit_json,
    find_fleet,
    fleet_option,
    json_option,
    ledger_of,
    say,
    task_named,
)
from fleet_tui.cli.submit import look_at, options_of, payload_of, task_options
from fleet_tui.cli.written_task import BadTask, WrittenTask, spec_of
from fleet_tui.core.ledger.commands import Edit
from fleet_tui.core.ledger.commands import Refused as RefusedReply
from fleet_tui.core.ledger.decide import decide
from fleet_tui.core.ledger.decided import ended_long_ago
from fleet_tui.core.ledger.refusals import RefusalCode
from fleet_tui.core.tasks.model import Task, TaskSpec


@click.command()
@click.argument("task")
@click.option("--text", help="The new text.")
@click.option("--file", "file_", type=InputFile(), help="Read the new text from a file or - .")
@task_options
@click.option("--yes", is_flag=True, help="Also if it looks as if there was a secret in it.")
@fleet_option
@json_option
def command(
    task: str,
    text: str | None,
    file_: BinaryIO | None,
    yes: bool,
    fleet_text: str | None,
    as_json: bool,
    **said: object,
) -> None:
    """Change what TASK (t-42, 42 or its id) asks for; it failed or expired. Requeue it afterwards.

    Without --text, --file or another option your editor ($VISUAL, $EDITOR) opens with its text.
    """
    from msgspec.structs import replace

    fleet = find_fleet(fleet_text)
    options = options_of(**said)  # type: ignore[arg-type]  # click gives what task_options declares
    with ledger_of(fleet) as ledger:
        state = ledger.load()
        found = task_named(ledger, state, task)
    if state.task(found.id) is None:
        raise Refused(ended_long_ago(found).text, hint=ended_long_ago(found).hint)
    if text is not None or file_ is not None:
        options = replace(options, text=payload_of(text, file_))
    elif options == WrittenTask():
        possible = decide(state, "", Edit(task=found.id, spec=found.spec), state.at_ms)
        if isinstance(possible, RefusedReply) and possible.code is not RefusalCode.UNCHANGED:
            raise Refused(possible.text)  # before anybody types
        options = replace(options, text=_typed(found))
    try:
        wanted = spec_of(replace(options, text=options.text or "-"), state.fleet.deadlines)
    except BadTask as error:
        raise UsageError(str(error)) from None
    spec = _changed(found.spec, wanted, options)
    look_at(options.text or "", options.labels or {}, yes=yes)
    reply = accepted(ask_engine(fleet, [Edit(task=found.id, spec=spec)])[0])
    if as_json:
        emit_json("edited", fleet=fleet.name, task=found.id, label=found.label, reply=reply)
    else:
        say(f"edited: {found.label}; fleet-tui requeue {found.label} runs it")


def _changed(spec: TaskSpec, wanted: TaskSpec, options: WrittenTask) -> TaskSpec:
    """The order with what the options say; the rest stays."""
    from msgspec.structs import replace

    said = {
        name: getattr(wanted, name)
        for name in TaskSpec.__struct_fields__
        if name != "payload" and getattr(options, name, None) is not None
    }
    if options.deadlines is not None:
        said["written_deadlines"] = wanted.written_deadlines
    if options.text is not None:
        said["payload"] = wanted.payload
    return replace(spec, **said)


def _typed(task: Task) -> str:
    """What the operator makes of the text. Raises Refused when they leave it as it is."""
    if not all(stream is not None and stream.isatty() for stream in (sys.stdin, sys.stdout)):
        raise UsageError("an editor needs a terminal", hint="give --text or --file")
    before = task.spec.payload.raw
    with hidden():
        after = click.edit(before, extension=".txt")
    if after is not None and not before.endswith("\n"):
        after = after.removesuffix("\n")  # editors end the last line
    if after is None or after == before:
        raise Refused("nothing was changed")
    return after
