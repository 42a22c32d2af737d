"""``fleet-tui trust``: review a host's key and enrol it.

The fingerprint has to be typed from another source (the host's console, its provider, a colleague):
merely accepting the displayed key proves nothing. A key that changed is never replaced here.
"""

import asyncio
import os
import random
import sys
import time
from typing import TYPE_CHECKING, assert_never

import click

from fleet_tui.base.errors import (
    CommandRefused,
    FleetError,
    PartialFailure,
    Unreachable,
    UsageError,
)
from fleet_tui.cli.common import emit_json, find_fleet, fleet_option, json_option, run, say
from fleet_tui.core.ids import HostName
from fleet_tui.core.text.firewall import safe_line

if TYPE_CHECKING:
    from fleet_tui.core.fleet import FleetSpec, HostSpec
    from fleet_tui.wire.ssh.pool import SshFailure
    from fleet_tui.wire.ssh.trust import OfferedKey

LOOKS_AT_ONCE = 32
"""Hosts whose keys are fetched concurrently; each that does not answer takes 15 seconds."""
LOCAL_COMMAND = "ssh-keygen -lf /etc/ssh/ssh_host_ed25519_key.pub"


@click.command("trust")
@click.argument("target", metavar="HOST|FLEET")
@fleet_option
@click.option(
    "--yes-fingerprint",
    "typed",
    metavar="LAST8",
    help="The last 8 characters of the fingerprint, in place of the prompt.",
)
@json_option
def trust_command(
    target: str, fleet_text: str | None, typed: str | None, as_json: bool = False
) -> None:
    """Show the key of a HOST (or of every host of a FLEET) and add it to known_hosts.

    Exits 0 if the keys are known now, 4 if no host was reached, 5 if some were not, 6 if a key was
    not confirmed, has changed or is revoked.
    """
    spec, names = _meant(target, fleet_text)
    if not names and not as_json:
        say(f"fleet {spec.name} has no hosts reached over SSH: there is nothing to trust")
        return
    if typed is not None and len(names) != 1:
        raise UsageError("--yes-fingerprint is for one host at a time")
    failed: list[FleetError] = []
    told: list[dict[str, object]] = []
    for ring in _rings(spec, names):
        for name, offered in run(_look(spec, ring)):
            try:
                _decide(name, offered, typed, err=as_json)
                told.append(_document(name, offered, None))
            except FleetError as error:
                failed.append(error)
                told.append(_document(name, offered, error))
                if len(names) > 1:
                    say(error.message, err=True)
                    if error.hint:
                        say(f"  hint: {error.hint}", err=True)
    if as_json:
        emit_json("trust", fleet=spec.name, hosts=told)
    if failed:
        raise failed[0] if len(names) == 1 else _worst(failed, of=len(names))


def _worst(failed: list[FleetError], *, of: int) -> FleetError:
    """The result of the command: a refused key takes precedence, then partial success."""
    kind = type(max(failed, key=lambda error: error.exit_code))
    if kind is not CommandRefused and len(failed) < of:
        kind = PartialFailure
    return kind("some hosts are not trusted")


def _document(
    name: HostName, offered: "OfferedKey | SshFailure", error: FleetError | None
) -> dict[str, object]:
    """One host for programs: its key, its previous status, and whether it is trusted."""
    from fleet_tui.wire.ssh.pool import SshFailure

    key = None if isinstance(offered, SshFailure) else offered
    return {
        "host": name,
        "trusted": error is None,
        "before": None if key is None else key.trust,
        "address": None if key is None else key.label,
        "algorithm": None if key is None else key.algorithm,
        "fingerprint": None if key is None else key.fingerprint,
        "known_fingerprints": [] if key is None else key.known_fingerprints,
        "files": [] if key is None else [str(path) for path in key.files],
        "problem": None if error is None else error.message,
        "hint": None if error is None else error.hint,
    }


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
        known = ", ".join(safe_line(name) for name in list(spec.hosts)[:20]) or "none"
        raise UsageError(f"the fleet has no host {safe_line(target)!r}", hint=f"it has {known}")
    return spec, [host]


def _rings(spec: "FleetSpec", names: "list[HostName]") -> "list[list[HostName]]":
    """The hosts grouped by the number of jump hosts before them: those have to be trusted before
    the hosts behind them can be reached."""
    rings: dict[int, list[HostName]] = {}
    for name in names:
        before, step = 0, spec.hosts[name].jump
        while step is not None:
            before, step = before + 1, spec.hosts[step].jump
        rings.setdefault(before, []).append(name)
    return [rings[before] for before in sorted(rings)]


async def _look(
    spec: "FleetSpec", names: list[HostName]
) -> "list[tuple[HostName, OfferedKey | SshFailure]]":
    from fleet_tui.wire.ssh.pool import SshPool
    from fleet_tui.wire.ssh.trust import look_at_key

    hosts: dict[HostName, HostSpec] = spec.hosts
    pool = SshPool(hosts, rng=random.Random(), clock=time.monotonic)  # noqa: S311 - jitter
    at_once = asyncio.Semaphore(LOOKS_AT_ONCE)

    async def look(name: HostName) -> "tuple[HostName, OfferedKey | SshFailure]":
        async with at_once:
            return name, await look_at_key(pool, name)

    try:
        return await asyncio.gather(*map(look, names))
    finally:
        await pool.close()


def _decide(
    name: HostName, offered: "OfferedKey | SshFailure", typed: str | None, *, err: bool
) -> None:
    """Show one host's key, on standard error if ``err``, and enrol it if it is new and confirmed.
    Raises FleetError if it is not trusted afterwards."""
    from fleet_tui.wire.ssh.pool import SshFailure
    from fleet_tui.wire.ssh.trust import KeyTrust, add_key

    if isinstance(offered, SshFailure):
        reason = safe_line(offered.detail)
        raise Unreachable(f"{safe_line(name)} cannot be checked: {offered.kind.text}: {reason}")
    found = f"{offered.trust.text} {', '.join(str(path) for path in offered.files)}"
    say(f"{safe_line(name)}  {safe_line(offered.label)}", err=err)
    say(f"  {offered.algorithm}  {offered.fingerprint}", err=err)
    match offered.trust:
        case KeyTrust.KNOWN | KeyTrust.CERTIFIED:
            say(f"  {found}", err=err)
        case KeyTrust.REVOKED:
            raise CommandRefused(f"{safe_line(name)}: {found}")
        case KeyTrust.CHANGED:
            raise CommandRefused(
                f"{safe_line(name)}: {found}: {', '.join(offered.known_fingerprints)}",
                hint="if the host was reinstalled, remove the old line yourself: ssh-keygen -R "
                f"'{safe_line(offered.label)}' -f {offered.file}",
            )
        case KeyTrust.NEW:
            say(f"  compare on the host itself: {LOCAL_COMMAND}", err=err)
            if not offered.confirms(typed or _ask(name)):
                raise CommandRefused(
                    f"{safe_line(name)}: those are not the last 8 characters; nothing was added"
                )
            try:
                add_key(offered)
            except OSError as error:
                raise FleetError(f"{offered.file}: {error.strerror}") from error
            say(f"  added to {offered.file}", err=err)
        case _:
            assert_never(offered.trust)


def _ask(name: HostName) -> str:
    """The end of the fingerprint, as typed by the operator."""
    try:
        return str(click.prompt("  last 8 characters of the fingerprint", err=True))
    except click.Abort:
        if sys.stdin is not None and sys.stdin.isatty():  # ctrl+c: stop altogether
            raise
        click.echo(err=True)
        raise CommandRefused(
            f"{safe_line(name)}: it was not confirmed; nothing was added",
            hint=f"fleet-tui trust {safe_line(name)} --yes-fingerprint LAST8",
        ) from None
