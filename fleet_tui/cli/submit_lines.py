"""``fleet-tui submit --lines``: validate a file of tasks, then send it, and report the progress."""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import BinaryIO

import click

from fleet_tui.base.errors import ExitCode
from fleet_tui.base.paths import socket_path
from fleet_tui.cli.common import (
    Fleet,
    emit_json,
    ledger_of,
    operator,
    run,
    say,
)
from fleet_tui.cli.confirming import confirm
from fleet_tui.cli.sending import Sent, send_all
from fleet_tui.cli.task_file import (
    JudgedFile,
    TaskFile,
    commands,
    judge,
    rereadable,
)
from fleet_tui.cli.written_task import WrittenTask
from fleet_tui.core.ledger.replies import Refused
from fleet_tui.core.ledger.state import FleetState
from fleet_tui.core.tasks.submission import no_room
from fleet_tui.core.text import words

AGAIN = "run the same command again to submit the rest"


def submit_lines(
    fleet: Fleet,
    file: BinaryIO,
    options: WrittenTask,
    *,
    skip_bad: bool,
    wait: bool,
    yes: bool,
    as_json: bool,
) -> int:
    """Submit every line of a file, and report the number of tasks. Returns the exit code."""
    with ledger_of(fleet) as ledger:
        state = ledger.load()
    with rereadable(file) as tasks:
        with _bar("checking", tasks.size) as progress:
            judged = judge(tasks, options, state, operator(), progress)
        _tell_bad(judged)
        if judged.bad and not (skip_bad and len(judged.bad) < judged.lines):
            return _end(fleet, judged, Sent(), ExitCode.INVALID_CONFIG, as_json)
        full = None if wait else no_room(state, judged.wanted)
        if full is not None:
            return _end(fleet, judged, Sent(stopped=full), ExitCode.REFUSED, as_json)
        _tell_of(judged)
        if judged.secret.count and judged.missing:
            confirm("Store them in the ledger anyway?", yes=yes)
        sent = Sent()
        try:
            run(_send(fleet, tasks, options, state, judged, sent, wait))
        except KeyboardInterrupt:
            say(f"interrupted; {AGAIN}", err=True)
            return _end(fleet, judged, sent, ExitCode.INTERRUPTED, as_json)
    return _end(fleet, judged, sent, _code(judged, sent), as_json)


async def _send(
    fleet: Fleet,
    tasks: TaskFile,
    options: WrittenTask,
    state: FleetState,
    judged: JudgedFile,
    sent: Sent,
    wait: bool,
) -> None:
    from fleet_tui.feed.client import EngineClient

    client = await EngineClient.connect(socket_path(fleet.directory), operator())
    try:
        with _bar("submitting", judged.missing) as progress:
            lines = commands(tasks, options, state, judged)
            await send_all(client, lines, sent, wait=wait, taken=lambda: progress(1))
    finally:
        await client.close()


def _code(judged: JudgedFile, sent: Sent) -> ExitCode:
    if sent.stopped is None:
        return ExitCode.PARTIAL if judged.bad else ExitCode.OK
    if sent.stopped.code.is_unanswered:
        return ExitCode.UNREACHABLE
    return ExitCode.REFUSED


def _tell_bad(judged: JudgedFile) -> None:
    for bad in judged.reasons:
        say(f"line {bad.line}: {bad.reason}", err=True)
    more = len(judged.bad) - len(judged.reasons)
    if more:
        say(f"and {words.plural(more, 'more bad line')}", err=True)


def _tell_of(judged: JudgedFile) -> None:
    """Report findings in the texts that the author of the file may not be aware of."""
    for seen, what in (
        (judged.invisible, "with invisible characters"),
        (judged.slash, "beginning with /, which an agent may interpret as a command"),
        (judged.secret, "that appear to contain a secret"),
    ):
        if seen.count:
            count = words.plural(seen.count, "text")
            say(f"note: {count} {what}, the first in line {seen.first}", err=True)


def _end(fleet: Fleet, judged: JudgedFile, sent: Sent, code: ExitCode, as_json: bool) -> int:
    known = len(judged.known) + sent.known
    left = judged.missing - sent.answered
    if as_json:
        emit_json(
            "submitted-lines",
            fleet=fleet.name,
            lines=judged.lines,
            accepted=sent.accepted,
            known=known,
            left=left,
            bad={"count": len(judged.bad), "first": judged.reasons},
            notes={"secret": judged.secret, "invisible": judged.invisible, "slash": judged.slash},
            waited=sent.waited,
            stopped=sent.stopped,
        )
    else:
        _print_end(judged, sent, known)
    if sent.stopped is not None:
        _tell_stop(sent.stopped, sent.stopped_line, left)
    elif judged.bad and code is ExitCode.PARTIAL:
        click.echo(
            "correct the bad lines in a separate file: a changed file has other keys",
            err=True,
        )
    elif judged.bad:
        bad, lines = words.grouped(len(judged.bad)), words.plural(judged.lines, "line")
        say(f"{bad} of {lines} bad; --skip-bad submits the others", err=True)
    return code


def _print_end(judged: JudgedFile, sent: Sent, known: int) -> None:
    parts = [f"{words.plural(sent.accepted, 'task')} submitted"]
    if known:
        parts.append(f"{words.grouped(known)} known already")
    if judged.bad:
        parts.append(words.plural(len(judged.bad), "bad line"))
    click.echo(", ".join(parts))


def _tell_stop(refused: Refused, line: int, left: int) -> None:
    say(f"stopped at line {line}: {refused.text}" if line else refused.text, err=True)
    if refused.hint:
        say(f"  hint: {refused.hint}", err=True)
    hint = "; --wait waits for room" if refused.code.is_full else ""
    say(f"  {words.plural(left, 'task')} left; {AGAIN}{hint}", err=True)


@contextmanager
def _bar(label: str, length: int) -> Iterator[Callable[[int], None]]:
    """A bar on standard error, if that is a terminal."""
    stream = sys.stderr
    if not length or stream is None or not stream.isatty():
        yield lambda _: None
        return
    step = max(1, length // 200)
    with click.progressbar(
        length=length, label=label, file=stream, update_min_steps=step, show_pos=False
    ) as bar:
        yield bar.update
