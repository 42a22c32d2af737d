"""``fleet-tui expedite``: place waiting tasks before all others."""

import click

from fleet_tui.cli.acting import Consent, Deed, act, reason_option
from fleet_tui.cli.common import find_fleet, fleet_option, json_option
from fleet_tui.cli.selecting import Selector, select_options
from fleet_tui.core.ledger.commands import Expedite


@click.command()
@select_options
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
    reason: str,
    fleet_text: str | None,
    as_json: bool,
) -> int:
    """Place waiting TASKS (t-42, 42 or ids) before all others. Nothing that runs is stopped.

    Exit 1 when nothing matched, 5 when some could not be, 6 when none could or nobody said yes.
    """
    deed = Deed("expedited", lambda ids: Expedite(tasks=ids, reason=reason), asks=False)
    selector = Selector(names, filter_text, everything)
    consent = Consent(yes, confirm, dry_run)
    return act(find_fleet(fleet_text), selector, lambda _: deed, consent, as_json)
