"""``fleet-tui trust``: look at a host's key and enrol it.

The fingerprint has to be typed from somewhere else (the host's console, its provider, a colleague):
a key that is only clicked away proves nothing. A key that changed is never replaced here.
"""

import os
import random
import time
from typing import TYPE_CHECKING

import click

from fleet_tui.cli.common import find_fleet, fleet_option, run
from fleet_tui.core.firewall import safe_line
from fleet_tui.core.ids import HostName
from fleet_tui.errors import FleetError, Refused, Unreachable, UsageError

if TYPE_CHECKING:
    from fleet_tui.core.fleet import FleetSpec, HostSpec
    from fleet_tui.wire.ssh import SshFailure
    from fleet_tui.wire.trust import OfferedKey

LOCAL_COMMAND = "ssh-keygen -lf /etc/ssh/ssh_host_ed25519_key.pub"


@click.command("trust")
@click.argument("target", metavar="HOST|FLEET")
@fleet_option
@click.option(
    "--yes-fingerprint",
    "typed",
    metavar="LAST8",
    help="The last 8 characters of the fingerprint, instead of being asked for them.",
)
def command(target: str, fleet_text: str | None, typed: str | None) -> None:
    """Show the key of a HOST (or of every host of a FLEET) and add it to known_hosts.

    Exit code 0: known now. 4: not reached. 6: not confirmed, changed or revoked.
    """
    spec, names = _meant(target, fleet_text)
    if typed is not None and len(names) != 1:
        raise UsageError("--yes-fingerprint is for one host at a time")
    worst: FleetError | None = None
    for name, offered in run(_look(spec, names)):
        try:
            _decide(name, offered, typed)
        except FleetError as error:
            if len(names) == 1:
                raise
            click.echo(f"{safe_line(name)}: {error.message}", err=True)
            if worst is None or error.exit_code > worst.exit_code:
                worst = error
    if worst is not None:
        raise type(worst)("not every host is trusted now")


def _meant(target: str, fleet_text: str | None) -> "tuple[FleetSpec, list[HostName]]":
    """The fleet and the hosts that were named."""
    from pathlib import Path

    from fleet_tui.config.load import load_fleet

    if fleet_text is None and Path(target).is_file():
        fleet_text, host = target, None
    else:
        host = HostName(target)
    file = find_fleet(fleet_text).file
    if file is None:
        raise UsageError("a fleet file is needed to know its hosts", hint="-f fleet.yaml")
    spec = load_fleet(file, os.environ).spec
    if host is None:
        return spec, list(spec.hosts)
    if host not in spec.hosts:
        known = ", ".join(safe_line(name) for name in list(spec.hosts)[:20])
        raise UsageError(f"the fleet has no host {safe_line(target)!r}", hint=f"it has: {known}")
    return spec, [host]


async def _look(
    spec: "FleetSpec", names: list[HostName]
) -> "list[tuple[HostName, OfferedKey | SshFailure]]":
    from fleet_tui.wire.ssh import SshPool
    from fleet_tui.wire.trust import look_at_key

    hosts: dict[HostName, HostSpec] = spec.hosts
    pool = SshPool(hosts, rng=random.Random(), clock=time.monotonic)  # noqa: S311 - jitter
    try:
        return [(name, await look_at_key(pool, name)) for name in names]
    finally:
        await pool.close()


def _decide(name: HostName, offered: "OfferedKey | SshFailure", typed: str | None) -> None:
    """Tell about one host's key and enrol it if it is new and confirmed."""
    from fleet_tui.wire.ssh import SshFailure
    from fleet_tui.wire.trust import Standing, add_key

    if isinstance(offered, SshFailure):
        reason = safe_line(offered.detail)
        raise Unreachable(f"{safe_line(name)} cannot be looked at: {offered.kind.value}: {reason}")
    where = ", ".join(str(path) for path in offered.files)
    click.echo(f"{safe_line(name)}  {safe_line(offered.label)}")
    click.echo(f"  {offered.algorithm}  {offered.fingerprint}")
    match offered.standing:
        case Standing.KNOWN:
            click.echo(f"  known already in {where}")
        case Standing.CERTIFIED:
            click.echo(f"  vouched for by an authority in {where}")
        case Standing.REVOKED:
            raise Refused(f"this key is revoked in {where}")
        case Standing.CHANGED:
            raise Refused(
                f"this is not the key in {where}: {', '.join(offered.known_fingerprints)}",
                hint="if the host was set up anew, remove the old line yourself: "
                f"ssh-keygen -R '{safe_line(offered.label)}' -f {offered.file}",
            )
        case Standing.NEW:
            click.echo(f"  compare on the host itself: {LOCAL_COMMAND}")
            answer = typed or click.prompt("  last 8 characters of the fingerprint", err=True)
            if not offered.confirms(answer):
                raise Refused("those are not the last 8 characters; nothing was added")
            try:
                add_key(offered)
            except OSError as error:
                raise FleetError(f"{offered.file}: {error.strerror}") from error
            click.echo(f"  added to {offered.file}")
