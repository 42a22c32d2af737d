"""``fleet-tui diff``: what changed in a fleet between two moments."""

import click

from fleet_tui.base.errors import UsageError
from fleet_tui.cli.common import (
    clock,
    emit_json,
    emit_table,
    fleet_option,
    instant,
    json_option,
    say,
)
from fleet_tui.cli.recordings import look_at
from fleet_tui.core.diff import Change, Moments, diff
from fleet_tui.core.text import words


@click.command()
@click.argument("moment", metavar="FROM")
@click.argument("until", metavar="[TO]", required=False)
@fleet_option
@json_option
def diff_command(moment: str, until: str | None, fleet_text: str | None, as_json: bool) -> None:
    """Show what changed between two moments: alerts, agents, the fleet file, the engine, work.

    FROM and TO are 11:50, 11:50:10, 2026-11-21T11:50 or 15m (ago). TO defaults to now, or to the
    end of a recording. Changes that were reversed in between are not shown.
    """
    from fleet_tui.feed.stores import Stores

    fleet = look_at(fleet_text)
    stores = Stores(fleet.directory)
    try:
        now_ms = fleet.now_ms(stores.ledger.load())
        from_ms, until_ms = instant(moment, now_ms), instant(until, now_ms)
        assert from_ms is not None, "FROM is required"
        until_ms = now_ms if until_ms is None else until_ms
        if until_ms < from_ms:
            raise UsageError(f"FROM {clock(from_ms)} is later than TO {clock(until_ms)}")
        moments = stores.moments(from_ms, until_ms, last_ms=now_ms)
    finally:
        stores.close()
    if moments.before_ms > from_ms:
        say(f"note: the ledger begins at {clock(moments.before_ms)}", err=True)
    found = diff(moments)
    if as_json:
        emit_json(
            "diff",
            fleet=fleet.name,
            from_ms=moments.before_ms,
            to_ms=moments.after_ms,
            changes=found,
        )
        return
    _print(moments, found)


def _print(moments: Moments, found: list[Change]) -> None:
    span = words.duration(words.elapsed_ms(moments.before_ms, moments.after_ms))
    say(f"from {clock(moments.before_ms)} to {clock(moments.after_ms)}, {span}")
    emit_table(
        ("ABOUT", "NAME", "BEFORE", "AFTER", "WHAT"),
        (
            (
                change.about,
                change.name or "-",
                change.before or "-",
                change.after or "-",
                change.field,
            )
            for change in found
        ),
        empty="Nothing changed.",
    )
