"""``fleet-tui export``: a fleet's ledger as one file that travels."""

import time
from pathlib import Path

import click

from fleet_tui.cli.common import emit_json, find_fleet, fleet_option, json_option
from fleet_tui.core import words
from fleet_tui.core.quantities import instant_ms
from fleet_tui.errors import Refused, UsageError
from fleet_tui.paths import private_dir, sessions_dir


@click.command()
@click.argument("fleet", required=False)
@fleet_option
@json_option
@click.option("-o", "--output", type=click.Path(path_type=Path), help="Where to write it.")
@click.option("--since", metavar="TIME", help="Start here: 12:04, 10m (ago).")
@click.option("--until", metavar="TIME", help="End here.")
@click.option("--force", is_flag=True, help="Replace a file that is there.")
def command(
    fleet: str | None,
    fleet_text: str | None,
    as_json: bool,
    output: Path | None,
    since: str | None,
    until: str | None,
    force: bool,
) -> None:
    """Write a recording (.fleetrec) that `fleet-tui review` opens anywhere, offline.

    What looks like a secret is redacted on the way out.
    """
    from fleet_tui.journal.recording import export
    from fleet_tui.wire.redact import redact

    found = find_fleet(fleet or fleet_text)
    name = time.strftime(f"{found.name}-%Y%m%d-%H%M%S.fleetrec")
    path = output if output is not None else private_dir(sessions_dir()) / name
    if path.exists() and not force:
        raise Refused(f"{path} exists", hint="--force replaces it")
    done = export(found.directory, path, _instant(since), _instant(until), redact=redact)
    if as_json:
        emit_json(
            "export",
            fleet=found.name,
            path=str(path),
            events=done.events,
            samples=done.samples,
            lines=done.lines,
            bytes=done.bytes,
        )
    else:
        click.echo(f"{path}: {done.events} events, {done.lines} lines, {words.size(done.bytes)}")


def _instant(text: str | None) -> int | None:
    if text is None:
        return None
    now_ms = time.time_ns() // 1_000_000
    found = instant_ms(text, now_ms, time.localtime().tm_gmtoff // 60)
    if found is None:
        raise UsageError(f"{text!r} is not a time like 12:04, 12:04:31 or 10m (ago)")
    return found
