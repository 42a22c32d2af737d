"""``fleet-tui drop``: decide that failed work needs nothing more."""

import click

from fleet_tui.cli.acting import Consent, Deed, act
from fleet_tui.cli.common import find_fleet, fleet_option, json_option
from fleet_tui.cli.selecting import Selector, fingerprint_option, select_options
from fleet_tui.core.ledger.commands import Drop


@click.command()
@select_options
@fingerprint_option
@click.option("--reason", required=True, help="Why nothing more is needed; it is recorded.")
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
    reason: str,
    fleet_text: str | None,
    as_json: bool,
) -> int:
    """Decide that dead letters TASKS (t-42, 42 or ids) need nothing more. They stay in the journal.

    Exit 1 when nothing matched, 5 when some are no dead letters, 6 when none is or nobody said yes.
    """
    deed = Deed("dropped", lambda ids: Drop(tasks=ids, reason=reason))
    selector = Selector(names, filter_text, everything, fingerprint)
    consent = Consent(yes, confirm, dry_run)
    return act(find_fleet(fleet_text), selector, lambda _: deed, consent, as_json)
