"""``fleet-tui submit``: give the fleet a task and, if wanted, wait for its answer."""

import os
import secrets
import sys
import time
from typing import BinaryIO

import click

from fleet_tui.cli.common import (
    Fleet,
    accepted,
    ask_engine,
    emit_json,
    find_fleet,
    fleet_option,
    json_option,
    latest,
    ledger_of,
    say,
)
from fleet_tui.core.commands import Submit
from fleet_tui.core.firewall import invisible_count, safe_text
from fleet_tui.core.fleet import Priority, TaskClass
from fleet_tui.core.ids import (
    AgentName,
    Capability,
    ClientName,
    PoolName,
    Region,
    TaskId,
    task_label,
)
from fleet_tui.core.state import Task, TaskPhase, TaskSpec
from fleet_tui.core.submission import MAX_PAYLOAD_BYTES
from fleet_tui.core.ulid import new_ulid
from fleet_tui.core.untrusted import Untrusted
from fleet_tui.errors import ExitCode, Unreachable, UsageError

POLL_S = 0.2


@click.command()
@click.argument("text", required=False)
@fleet_option
@json_option
@click.option("--file", "file_", type=click.File("rb"), help="Read the text from a file or - .")
@click.option("--need", "needs", multiple=True, metavar="CAPABILITY", help="Needed capability.")
@click.option("--pool", help="Only agents of this pool.")
@click.option("--agent", help="Only this agent.")
@click.option("--client", help="Whose work it is.")
@click.option("--project", help="The project it belongs to.")
@click.option("--region", "regions", multiple=True, help="Where it may run; repeatable.")
@click.option(
    "--priority", type=click.Choice([p.name for p in Priority]), default="P2", show_default=True
)
@click.option(
    "--class",
    "task_class",
    type=click.Choice([c.value for c in TaskClass]),
    default=TaskClass.ONCE.value,
    show_default=True,
    help="What may be done when its agent dies.",
)
@click.option("--label", "labels", multiple=True, metavar="KEY=VALUE", help="A label; repeatable.")
@click.option("--key", help="Your key: the same key is the same task, however often it is sent.")
@click.option("--wait", is_flag=True, help="Wait for the end and print the answer.")
def command(
    text: str | None,
    fleet_text: str | None,
    as_json: bool,
    file_: BinaryIO | None,
    needs: tuple[str, ...],
    pool: str | None,
    agent: str | None,
    client: str | None,
    project: str | None,
    regions: tuple[str, ...],
    priority: str,
    task_class: str,
    labels: tuple[str, ...],
    key: str | None,
    wait: bool,
) -> int:
    """Give the fleet TEXT (or --file, or standard input) as a task.

    Prints the task's label once it is stored for good. With --wait, exit 0 when it succeeded, 1
    when it did not.
    """
    fleet = find_fleet(fleet_text)
    payload = _payload(text, file_)
    spec = TaskSpec(
        payload=Untrusted(payload),
        needs=frozenset(Capability(n) for n in needs),
        pool=PoolName(pool) if pool else None,
        agent=AgentName(agent) if agent else None,
        client=ClientName(client) if client else None,
        project=project,
        regions=tuple(Region(r) for r in regions),
        priority=Priority[priority],
        task_class=TaskClass(task_class),
        labels=_labels(labels),
    )
    hidden = invisible_count(spec.payload)
    if hidden:
        click.echo(f"note: the text has {hidden} invisible characters", err=True)
    ulid = TaskId(new_ulid(time.time_ns() // 1_000_000, secrets.token_bytes(10)))
    submit = Submit(task=ulid, key=key or ulid, spec=spec)
    reply = accepted(ask_engine(fleet, [submit])[0])
    label = task_label(reply.number) if reply.number is not None else (reply.task or ulid)
    if not wait:
        if as_json:
            emit_json("submitted", fleet=fleet.name, task=reply.task, label=label, reply=reply)
        else:
            click.echo(label)
        return ExitCode.OK
    return _wait(fleet, reply.task or ulid, as_json)


def _payload(text: str | None, file_: BinaryIO | None) -> str:
    if text is not None and file_ is not None:
        raise UsageError("give the text once: as an argument or with --file")
    if text is not None:
        data = os.fsencode(text)
    elif file_ is not None:
        data = file_.read(MAX_PAYLOAD_BYTES + 1)
    elif sys.stdin is None or sys.stdin.isatty():  # None when whoever started us had closed it
        raise UsageError("no text: give it as an argument, with --file, or on standard input")
    else:
        data = sys.stdin.buffer.read(MAX_PAYLOAD_BYTES + 1)
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
            task = state.task(task_id)
            if task is not None and (task.phase.is_closed or _stuck(task)):
                break
            if not engine_answers(fleet):
                raise Unreachable(
                    "the engine is gone; the task is kept and goes on with the next one",
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
            click.echo(line)
    if task.phase is not TaskPhase.SUCCEEDED:
        say(f"{task.label} {task.phase}: {task.reason}", err=True)
