"""``fleet-tui priority``: give waiting tasks another priority."""

import click

from fleet_tui.cli.acting import Consent, Deed, act
from fleet_tui.cli.choosing import OneOf
from fleet_tui.cli.common import find_fleet, fleet_option, json_option
from fleet_tui.cli.selecting import Selector, select_options
from fleet_tui.core.fleet import Priority
from fleet_tui.core.ledger.commands import SetPriority


@click.command()
@click.argument("priority", type=OneOf(p.name for p in Priority))
@select_options
@fleet_option
@json_option
def command(
    priority: str,
    names: tuple[str, ...],
    filter_text: str | None,
    everything: bool,
    yes: bool,
    confirm: int | None,
    dry_run: bool,
    fleet_text: str | None,
    as_json: bool,
) -> int:
    """Give waiting TASKS (t-42, 42 or ids) another PRIORITY; P0 is the most urgent.

    Exit 1 when nothing matched, 5 when some could not be changed, 6 when none could or nobody said
    yes.
    """
    wanted = Priority[priority]
    deed = Deed(
        "reprioritized",
        lambda ids: SetPriority(tasks=ids, priority=wanted),
        how=f", {wanted.name} from now on",
        asks=False,
    )
    selector = Selector(names, filter_text, everything)
    consent = Consent(yes, confirm, dry_run)
    return act(find_fleet(fleet_text), selector, lambda _: deed, consent, as_json)
