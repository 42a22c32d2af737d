"""Submits tasks: one or a file of them; edits dead letters."""

import os
import secrets
import sys
import time
from collections.abc import Callable
from pathlib import PurePath
from typing import Any, BinaryIO

import click

from fleet_tui.base.errors import CommandRefused, ExitCode, FleetError, Unreachable, UsageError
from fleet_tui.cli.choosing import InputFile, OneOf
from fleet_tui.cli.common import (
    Fleet,
    accepted,
    ask_engine,
    emit_json,
    find_fleet,
    find_task,
    fleet_option,
    json_option,
    latest,
    ledger_of,
    say,
    task_named,
)
from fleet_tui.cli.confirming import confirm
from fleet_tui.cli.selecting import need_open_to
from fleet_tui.cli.written_task import BadTask, WrittenDeadlines, WrittenTask, spec_of
from fleet_tui.core.fleet import Deadlines
from fleet_tui.core.ids import TaskId, task_label
from fleet_tui.core.tasks.dead_letters import edit_of
from fleet_tui.core.tasks.model import Task, TaskPhase, TaskSpec
from fleet_tui.core.tasks.submission import MAX_PAYLOAD_BYTES
from fleet_tui.core.text.firewall import safe_line, safe_text
from fleet_tui.core.text.ulid import ENTROPY_BYTES
from fleet_tui.verbs.dead_letters import EDIT
from fleet_tui.verbs.submitting import TASK_OPTIONS, new_task, notice

POLL_S = 0.2
LINES_SUFFIXES = (".jsonl", ".ndjson")


def task_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """The options of a task, named like the fields in a file of tasks."""
    for each in reversed(TASK_OPTIONS):
        kind = OneOf(each.choices) if each.choices else None
        option = click.option(
            each.option,
            each.field,
            type=kind,
            multiple=each.repeats,
            metavar=each.metavar,
            help=each.help,
        )
        command = option(command)
    return command


@click.command()
@click.argument("text", required=False)
@fleet_option
@json_option
@click.option(
    "--file",
    "file_",
    type=InputFile(),
    help=("Read the text from a file, or from standard input with -."),
)
@click.option(
    "--lines", is_flag=True, help=("Read one JSON task per line; implied for .jsonl files.")
)
@click.option(
    "--skip-bad", is_flag=True, help=("With --lines: submit the valid lines and skip the others.")
)
@task_options
@click.option("--key", help="Idempotency key: submitting it again returns the same task.")
@click.option(
    "--wait", is_flag=True, help="Wait for the answer; with --lines: wait for room in the queue."
)
@click.option("--yes", is_flag=True, help="Accept text that appears to contain a secret.")
def submit_command(
    text: str | None,
    fleet_text: str | None,
    as_json: bool,
    file_: BinaryIO | None,
    lines: bool,
    skip_bad: bool,
    key: str | None,
    wait: bool,
    yes: bool,
    **said: Any,
) -> int:
    """Submit TEXT (or --file, or standard input) as a task.

    Prints the task's label once the task is stored durably. With --wait, exits 0 if the task
    succeeded, 1 if it did not.

    With --lines every line is one task: {"text": "...", "priority": "P1", ...}, with the names of
    the options as fields (key, needs, pool, agent, client, project, regions, priority, class,
    deadlines, labels). Nothing is submitted if a line is invalid or the queue has no room for all.
    Submitting the same file again sends only what is missing, as long as at most 120,000 tasks
    were submitted since.
    """
    fleet = find_fleet(fleet_text)
    options = options_of(**said)
    if lines or (file_ is not None and PurePath(file_.name).suffix in LINES_SUFFIXES):
        from fleet_tui.cli.submit_lines import submit_lines

        if text is not None:
            raise UsageError("give tasks as TEXT or as lines of a file, not both")
        if key is not None:
            raise UsageError("--key is for one task", hint='each line can have its own "key"')
        return submit_lines(
            fleet,
            file_ or _standard_input(),
            options,
            skip_bad=skip_bad,
            wait=wait,
            yes=yes,
            as_json=as_json,
        )
    if skip_bad:
        raise UsageError("--skip-bad is for --lines")
    return _submit_one(fleet, payload_of(text, file_), options, key, wait, yes, as_json)


def _submit_one(
    fleet: Fleet,
    payload: str,
    options: WrittenTask,
    key: str | None,
    wait: bool,
    yes: bool,
    as_json: bool,
) -> int:
    from msgspec.structs import replace

    fleets = Deadlines()
    if options.deadlines is not None:  # the fleet's apply where none are given
        with ledger_of(fleet) as ledger:
            fleets = ledger.load().fleet.deadlines
    try:
        spec = spec_of(replace(options, text=payload, key=key), fleets)
    except BadTask as error:
        raise UsageError(str(error)) from None
    look_at(payload, spec.labels, yes=yes)
    order = new_task(spec, time.time_ns() // 1_000_000, secrets.token_bytes(ENTROPY_BYTES), key)
    reply = accepted(ask_engine(fleet, [order])[0])
    task = reply.task or order.task
    label = task_label(reply.number) if reply.number is not None else task
    if not wait:
        if as_json:
            emit_json("submitted", fleet=fleet.name, task=reply.task, label=label, reply=reply)
        else:
            say(label)
        return ExitCode.OK
    return _wait(fleet, task, as_json)


def look_at(payload: str, labels: dict[str, str], *, yes: bool) -> None:
    """Report findings in a text that its author may not be aware of. Raises CommandRefused when it,
    or a label, seems to contain a secret and the operator does not confirm."""
    found = notice(payload, labels)
    for warning in found.warnings:
        say(f"note: {warning}", err=True)
    first, newline, _ = payload.lstrip().partition("\n")
    if newline and first.startswith("{") and first.rstrip().endswith("}") and '"text"' in first:
        click.echo("note: this is one task; --lines submits one task a line", err=True)
    if found.secrets:
        confirm("Store it in the ledger anyway?", yes=yes)


def options_of(
    *,
    needs: tuple[str, ...],
    regions: tuple[str, ...],
    labels: tuple[str, ...],
    schedule_to_start: str | None,
    start_to_close: str | None,
    heartbeat: str | None,
    total: str | None,
    **names: str | None,
) -> WrittenTask:
    """The values of the options of :func:`task_options`. Raises UsageError."""
    deadlines = WrittenDeadlines(
        schedule_to_start=schedule_to_start,
        start_to_close=start_to_close,
        heartbeat=heartbeat,
        total=total,
    )
    options = WrittenTask(
        needs=needs or None,
        regions=regions or None,
        labels=_labels(labels) or None,
        deadlines=None if deadlines == WrittenDeadlines() else deadlines,
        **names,
    )
    try:
        spec_of(_with_text(options), Deadlines())
    except BadTask as error:
        raise UsageError(str(error)) from None
    return options


def _with_text(options: WrittenTask) -> WrittenTask:
    """A placeholder for checking the options before any text is read."""
    from msgspec.structs import replace

    return replace(options, text="-")


def _standard_input() -> BinaryIO:
    if sys.stdin is None or sys.stdin.isatty():  # None when the parent process had closed it
        raise UsageError("no text: give it as an argument, with --file, or on standard input")
    return sys.stdin.buffer


def payload_of(text: str | None, file_: BinaryIO | None) -> str:
    """The text of one task, from its source. Raises UsageError."""
    if text is not None and file_ is not None:
        raise UsageError("give the text as an argument or with --file, not both")
    if text is not None:
        data = os.fsencode(text)
    else:
        data = (file_ or _standard_input()).read(MAX_PAYLOAD_BYTES + 1)
    if len(data) > MAX_PAYLOAD_BYTES:
        raise UsageError(f"the text is longer than {MAX_PAYLOAD_BYTES:,} bytes")
    try:
        return data.decode()
    except UnicodeDecodeError as error:
        raise UsageError(f"the text is not valid UTF-8: byte {error.start + 1}") from error


def _labels(pairs: tuple[str, ...]) -> dict[str, str]:
    labels = {}
    for pair in pairs:
        key, separator, value = pair.partition("=")
        if not separator or not key:
            raise UsageError(f"{pair!r} is not KEY=VALUE")
        labels[key] = value
    return labels


def _wait(fleet: Fleet, task_id: TaskId, as_json: bool) -> int:
    from fleet_tui.cli.open import engine_answers

    with ledger_of(fleet) as ledger:
        state = ledger.load()
        while True:
            task = find_task(ledger, state, task_id)
            if task is None:
                raise FleetError(
                    "the key's task ended so long ago that the journal no longer holds it",
                    hint="use another key to submit a new task",
                )
            if task.phase.is_closed or _stuck(task):
                break
            if not engine_answers(fleet):
                raise Unreachable(
                    "the engine is gone; the task is stored, and the next engine continues it",
                    hint="`fleet-tui open` starts one",
                )
            time.sleep(POLL_S)
            state = latest(ledger, state)
    if as_json:
        emit_json("task", fleet=fleet.name, task=task)
    else:
        _print_end(task)
    return ExitCode.OK if task.phase is TaskPhase.SUCCEEDED else ExitCode.FAILED


def _stuck(task: Task) -> bool:
    return task.phase is TaskPhase.NEEDS_OPERATOR


def _print_end(task: Task) -> None:
    last = task.attempt
    if last is not None and last.answer.text:
        for line in safe_text(last.answer.text):
            say(line)
    if last is not None and last.answer.lost:
        how = " (exit 0)" if task.phase is TaskPhase.SUCCEEDED else ""
        say(f"{task.label} {task.phase}{how}, its output {safe_line(last.answer.loss)}", err=True)
    if task.phase is not TaskPhase.SUCCEEDED:
        say(f"{task.label} {task.phase}: {task.reason}", err=True)


@click.command()
@click.argument("task")
@click.option("--text", help="The new text.")
@click.option(
    "--file",
    "file_",
    type=InputFile(),
    help=("Read the new text from a file, or from standard input with -."),
)
@task_options
@click.option("--yes", is_flag=True, help="Accept text that appears to contain a secret.")
@fleet_option
@json_option
def edit_command(
    task: str,
    text: str | None,
    file_: BinaryIO | None,
    yes: bool,
    fleet_text: str | None,
    as_json: bool,
    **said: object,
) -> None:
    """Edit TASK (t-42, 42 or its id), which failed or expired. Requeue it afterwards.

    Without --text, --file or another option, opens the text in your editor ($VISUAL, $EDITOR).
    """
    from msgspec.structs import replace

    fleet = find_fleet(fleet_text)
    options = options_of(**said)  # type: ignore[arg-type]  # click gives what task_options declares
    with ledger_of(fleet) as ledger:
        state = ledger.load()
        found = task_named(ledger, state, task)
    need_open_to(EDIT, state, found)
    if text is not None or file_ is not None:
        options = replace(options, text=payload_of(text, file_))
    elif options == WrittenTask():
        options = replace(options, text=_typed(found))
    try:
        wanted = spec_of(replace(options, text=options.text or "-"), state.fleet.deadlines)
    except BadTask as error:
        raise UsageError(str(error)) from None
    spec = _changed(found.spec, wanted, options)
    look_at(options.text or "", options.labels or {}, yes=yes)
    reply = accepted(ask_engine(fleet, [edit_of(found, spec)])[0])
    if as_json:
        emit_json("edited", fleet=fleet.name, task=found.id, label=found.label, reply=reply)
    else:
        say(f"edited: {found.label}; fleet-tui requeue {found.label} runs it")


def _changed(spec: TaskSpec, wanted: TaskSpec, options: WrittenTask) -> TaskSpec:
    """The order with the given options; the rest is unchanged."""
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
    """The text as edited by the operator. Raises CommandRefused when it is unchanged."""
    from fleet_tui.base.children import hidden

    if not all(stream is not None and stream.isatty() for stream in (sys.stdin, sys.stdout)):
        raise UsageError("an editor needs a terminal", hint="give --text or --file")
    before = task.spec.payload.raw
    with hidden():
        after = click.edit(before, extension=".txt")
    if after is not None and not before.endswith("\n"):
        after = after.removesuffix("\n")  # editors terminate the last line
    if after is None or after == before:
        raise CommandRefused("nothing was changed")
    return after
