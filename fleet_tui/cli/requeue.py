"""``fleet-tui requeue``: run work that failed, expired or was cancelled again."""

from collections.abc import Sequence

import click

from fleet_tui.cli.acting import Consent, Deed, act, reason_option
from fleet_tui.cli.common import find_fleet, fleet_option, json_option
from fleet_tui.cli.selecting import Selector, fingerprint_option, select_options
from fleet_tui.core.ledger.commands import Requeue
from fleet_tui.core.tasks.dead_letters import MAX_PER_MINUTE
from fleet_tui.core.tasks.model import Task
from fleet_tui.core.text import words


@click.command()
@select_options
@fingerprint_option
@click.option(
    "--per-minute",
    type=click.IntRange(1, MAX_PER_MINUTE),
    metavar="N",
    help="Spread them out: so many a minute.",
)
@reason_option
@fleet_option
@json_option
def command(
    names: tuple[str, ...],
    filter_text: str | None,
    everything: bool,
    yes: bool,
    confirm: int | None,
    dry_run: bool,
    fingerprint: str | None,
    per_minute: int | None,
    reason: str,
    fleet_text: str | None,
    as_json: bool,
) -> int:
    """Run TASKS (t-42, 42 or ids) that failed, expired or were cancelled again.

    Says first how many they are, whose, and how long it takes. Exit 1 when nothing matched, 5 when
    some could not be requeued, 6 when none could or nobody said yes.
    """

    def deed(tasks: Sequence[Task]) -> Deed:
        how = ""
        if per_minute is not None and len(tasks) > 1:
            takes = words.about((len(tasks) - 1) * 60_000 / per_minute)
            how = f", {words.grouped(per_minute)} a minute: done in about {takes}"
        return Deed(
            "requeued",
            lambda ids: Requeue(tasks=ids, per_minute=per_minute, reason=reason),
            how=how,
            whole=per_minute is not None,
        )

    selector = Selector(names, filter_text, everything, fingerprint)
    consent = Consent(yes, confirm, dry_run)
    return act(find_fleet(fleet_text), selector, deed, consent, as_json)
