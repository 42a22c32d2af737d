"""``fleet-tui release``: let held tasks go."""

import click

from fleet_tui.cli.acting import Consent, Deed, act
from fleet_tui.cli.common import find_fleet, fleet_option, json_option
from fleet_tui.cli.selecting import Selector, select_options
from fleet_tui.core.ledger.commands import Release


@click.command()
@select_options
@fleet_option
@json_option
def command(
    names: tuple[str, ...],
    filter_text: str | None,
    everything: bool,
    yes: bool,
    confirm: int | None,
    dry_run: bool,
    fleet_text: str | None,
    as_json: bool,
) -> int:
    """Let held TASKS (t-42, 42 or ids) go where routing sends them.

    Exit 1 when nothing matched, 5 when some were not held, 6 when none was or nobody said yes.
    """
    deed = Deed("released", lambda ids: Release(tasks=ids), asks=False)
    selector = Selector(names, filter_text, everything)
    consent = Consent(yes, confirm, dry_run)
    return act(find_fleet(fleet_text), selector, lambda _: deed, consent, as_json)
