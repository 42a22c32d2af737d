"""``python -m fleet_tui.sim``: look for seeds whose world breaks a promise."""

import re
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path

import click
import msgspec

from fleet_tui.base import interrupt
from fleet_tui.base.errors import ExitCode
from fleet_tui.sim.virtual.mutants import BY_NAME, MUTANTS
from fleet_tui.sim.virtual.runner import Report, hunt, search

MAX_SEEDS = 100_000_000


def read_seeds(text: str) -> range:
    """``7`` or ``1..300``, both ends included. Raises ValueError for anything else."""
    found = re.fullmatch(r"(\d{1,12})(?:\.\.(\d{1,12}))?", text)
    if found is None:
        raise ValueError(f"{text!r} is no seed and no range of seeds such as 1..300")
    first = int(found[1])
    last = first if found[2] is None else int(found[2])
    if last < first or last - first >= MAX_SEEDS:
        raise ValueError(f"{text!r} is no range of 1 to {MAX_SEEDS:,} seeds")
    return range(first, last + 1)


def _seeds(_: click.Context, __: click.Parameter, value: str) -> range:
    try:
        return read_seeds(value)
    except ValueError as error:
        raise click.BadParameter(str(error)) from None


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.option("--seeds", default="1..300", show_default=True, callback=_seeds, metavar="N..M")
@click.option(
    "--mutant",
    type=click.Choice(["all", *BY_NAME]),
    help="Plant this bug and look for the first seed that shows it.",
)
@click.option("--jobs", type=click.IntRange(1, 256), default=1, show_default=True)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
@click.option(
    "--recordings",
    type=click.Path(file_okay=False, path_type=Path),
    default=Path("sim-recordings"),
    show_default=True,
    help="Where the recordings of broken worlds go.",
)
def main(seeds: range, mutant: str | None, jobs: int, as_json: bool, recordings: Path) -> None:
    """Play worlds in virtual time, each from one seed, and check every promise in them.

    Ends with 0 when all is well, with 1 when a promise was broken or a planted bug survived.
    """
    try:
        report = _report(seeds, mutant, jobs, recordings)
    except KeyboardInterrupt:  # of which click would make a 1
        sys.exit(ExitCode.INTERRUPTED)
    if as_json:
        click.echo(msgspec.json.encode(report))
    else:
        _say(report)
    sys.exit(0 if report.well else 1)


def _report(seeds: range, mutant: str | None, jobs: int, recordings: Path) -> Report:
    if mutant is None:
        tell = _progress(len(seeds), "seeds", "violations")
        return search(seeds, jobs=jobs, recordings=recordings, tell=tell)
    names = [m.name for m in MUTANTS] if mutant == "all" else [mutant]
    return hunt(names, seeds, jobs=jobs, tell=_progress(len(names), "bugs", "survived"))


def _progress(total: int, what: str, found: str) -> Callable[[int, int], None] | None:
    """A progress line that overwrites itself, on a terminal."""
    if not sys.stderr.isatty():
        return None

    def tell(done: int, count: int) -> None:
        end = "\n" if done >= total else ""
        click.echo(f"\r{done}/{total} {what}, {count} {found}{end}", err=True, nl=False)

    return tell


def _say(report: Report) -> None:
    for found in report.violations:
        click.echo(f"seed {found.seed}: {found.invariant} at {found.at_ms / 1_000:.3f} s")
        click.echo(f"  {found.text}")
        if found.recording is not None:
            click.echo(f"  fleet-tui review {found.recording}")
    for caught in report.mutants:
        said = "SURVIVED" if caught.first_seed is None else f"caught by seed {caught.first_seed}"
        click.echo(f"{caught.name}: {said}")
        if caught.text is not None:
            click.echo(f"  {caught.invariant}: {caught.text}")
    broken = len({found.seed for found in report.violations})
    if not report.mutants:
        click.echo(f"{report.seeds} seeds, {broken} with a broken promise")


if __name__ == "__main__":
    interrupt.program(partial(main, prog_name="python -m fleet_tui.sim"))
