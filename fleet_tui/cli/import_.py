"""``fleet-tui import``: a fleet file from an existing list of hosts."""

import os
import sys
from dataclasses import replace
from pathlib import Path

import click

from fleet_tui.base.errors import ExitCode, FleetError, InvalidConfig, UsageError
from fleet_tui.base.files import read_regular
from fleet_tui.base.paths import has_home
from fleet_tui.cli.common import emit_json, ending_tidily, json_option, run, say
from fleet_tui.cli.files import write_new
from fleet_tui.config.importers.ansible import read_inventory
from fleet_tui.config.importers.found import DEFAULT_POOL, Findings, fleet_file
from fleet_tui.config.importers.hosts_file import read_hosts, text_of
from fleet_tui.config.importers.ssh_aliases import aliases, found_aliases
from fleet_tui.config.load import load_text
from fleet_tui.config.models import MAX_ENTRIES
from fleet_tui.config.problems import count_of, visible
from fleet_tui.config.ssh_warnings import same_agents, without_ssh_problem
from fleet_tui.config.values import Unacceptable, name

MAX_SHOWN_IGNORED = 50
MAX_ALIASES = 20_000

_OUTPUT = click.option(
    "-o",
    "--output",
    "target",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Write to this file instead of standard output.",
)
_FORCE = click.option("--force", is_flag=True, help="Overwrite an existing file.")
_FLEET = click.option("--fleet", default="imported", show_default=True, help="The fleet's name.")
_POOL = click.option(
    "--pool", default=DEFAULT_POOL, show_default=True, help="The pool of every agent."
)


@click.group("import")
def import_command() -> None:
    """Generate a fleet file from an existing list of hosts.

    Passwords and keys are never copied; everything left out is reported on standard error.
    """


@import_command.command("ssh-config")  # a command's name
@click.option(
    "--match", default="*", show_default=True, help=("Only aliases that match this glob pattern.")
)
@click.option(
    "--config",
    "path",
    type=click.Path(path_type=Path),
    help="Read this file instead of ~/.ssh/config.",
)
@_POOL
@_FLEET
@_OUTPUT
@_FORCE
@json_option
def from_ssh_config(
    match: str,
    path: Path | None,
    pool: str,
    fleet: str,
    target: Path | None,
    force: bool,
    as_json: bool,
) -> int:
    """Import the Host aliases of ~/.ssh/config.

    Only the alias is kept, so ssh_config still applies to it. Aliases that `ssh -G` resolves to
    the same machine become one agent. Entries that ssh refuses and files that cannot be read are
    reported with exit 5; the fleet file is still written.
    """
    if path is None and not has_home():
        raise UsageError(
            "this user has no home directory, so there is no ~/.ssh/config",
            hint="set HOME, or name a file with --config",
        )
    if path is not None:
        try:
            read_regular(path, 1)
        except OSError as refused:
            raise InvalidConfig(f"{path}: {refused.strerror}") from None
    file = path or Path.home() / ".ssh" / "config"
    findings = run(_ssh_aliases(path, match, pool))
    return _write(findings, fleet, str(file), target, force, as_json)


async def _ssh_aliases(path: Path | None, match: str, pool: str) -> Findings:
    from fleet_tui.core.fleet import HostSpec
    from fleet_tui.core.ids import HostName
    from fleet_tui.wire.ssh.resolver import SshResolver

    resolver = SshResolver(config=path, canonicalize=False)
    text = await resolver.text()
    names = aliases(text, match=match)[:MAX_ALIASES]
    answers = await resolver.resolve_all(HostSpec(name=HostName(n), address=n) for n in names)
    findings = found_aliases(dict(zip(names, answers, strict=True)), text, pool=pool)
    if text.has_own and resolver.without_ssh is not None:
        findings.ignored.insert(0, without_ssh_problem(resolver.without_ssh).message)
    return findings


@import_command.command("ansible")
@click.argument("inventory", type=click.Path(path_type=Path, exists=True))
@click.option(
    "--group",
    "groups",
    multiple=True,
    metavar="GROUP[=POOL]",
    help="Only hosts of this group, into this pool. May be repeated.",
)
@_FLEET
@_OUTPUT
@_FORCE
@json_option
def from_ansible(
    inventory: Path,
    groups: tuple[str, ...],
    fleet: str,
    target: Path | None,
    force: bool,
    as_json: bool,
) -> int:
    """Import the hosts of an Ansible inventory.

    Reads it with ansible-inventory, from PATH or from the extra fleet-tui[ansible]: every
    inventory format works, and the inventory's own programs and plugins are run, as Ansible does.
    A host's first group becomes its pool; its other groups and their parents become labels.
    Address, port, user, key file and jump hosts are kept. Settings that a fleet file cannot
    express are reported with their host and variable, with exit 5; the file is still written.
    """
    wanted = {group: pool or group for group, _, pool in (each.partition("=") for each in groups)}
    with ending_tidily():  # or Ansible would keep running, and its directory would stay
        found = read_inventory(inventory, wanted, os.environ)
    return _write(found, fleet, str(inventory), target, force, as_json)


@import_command.command("hosts")
@click.argument(
    "file", type=click.Path(path_type=Path, exists=True, dir_okay=False, allow_dash=True)
)
@_POOL
@_FLEET
@_OUTPUT
@_FORCE
@json_option
def from_hosts(
    file: Path, pool: str, fleet: str, target: Path | None, force: bool, as_json: bool
) -> int:
    """Import a plain list (- for standard input): one [user@]host[:port] per line, # for comments.

    Put an IPv6 address with a port in brackets: user@[::1]:22. Invalid lines are reported with
    exit 5; the file is still written.
    """
    stream = None if sys.stdin is None else sys.stdin.buffer
    origin = "standard input" if str(file) == "-" else str(file)
    found = read_hosts(text_of(file, stream), pool=pool)
    return _write(found, fleet, origin, target, force, as_json)


def _write(
    findings: Findings, fleet: str, origin: str, target: Path | None, force: bool, as_json: bool
) -> int:
    try:
        name(fleet)
    except Unacceptable as reason:
        raise click.UsageError(f"--fleet: {reason.message} ({reason.hint})") from None
    if has_home():  # else there is no ~/.ssh/config
        run(_leave_out_twins(findings, fleet, origin))
    text = fleet_file(findings, fleet=fleet, origin=origin)
    if not as_json:
        _tell_left_out(findings)
    if "\nagents:\n  " not in text:
        raise FleetError(f"no hosts were found in {visible(origin)}")
    spec = load_text(text, env=os.environ).spec
    if target is not None:
        write_new(target, text, force=force)
    if as_json:
        emit_json(
            "import",
            fleet=spec.name,
            origin=origin,
            file=None if target is None else str(target),
            text=text if target is None else None,
            agents=list(spec.agents),
            pools=list(spec.pools),
            ignored=findings.ignored,
            renamed=findings.renamed,
            missed=findings.missed,
        )
    else:
        if target is None:
            click.echo(text, nl=False)
        else:
            say(f"wrote {target}", err=True)
        agents, pools = count_of(len(spec.agents), "agent"), count_of(len(spec.pools), "pool")
        say(f"{agents} in {pools}", err=True)
    return ExitCode.PARTIAL if findings.missed else ExitCode.OK


def _tell_left_out(findings: Findings) -> None:
    for each in findings.ignored[:MAX_SHOWN_IGNORED]:
        say(f"ignored: {visible(each)}", err=True)
    if len(findings.ignored) > MAX_SHOWN_IGNORED:
        say(f"ignored: {len(findings.ignored) - MAX_SHOWN_IGNORED} more", err=True)
    for each in findings.renamed[:MAX_ENTRIES]:
        say(f"renamed: {each}", err=True)
    for each in findings.missed[:MAX_ENTRIES]:
        say(f"not carried over: {each}", err=True)
    if len(findings.missed) > MAX_ENTRIES:
        say(f"not carried over: {len(findings.missed) - MAX_ENTRIES} more", err=True)


async def _leave_out_twins(findings: Findings, fleet: str, origin: str) -> None:
    """Remove hosts that ssh_config resolves to the machine of an earlier one: `check` refuses a
    file with both."""
    from fleet_tui.wire.ssh.resolver import SshResolver

    draft = replace(findings, ignored=[], missed=[], renamed=[])
    text = fleet_file(draft, fleet=fleet, origin=origin)
    if not draft.agents:
        return
    spec = load_text(text, env=os.environ).spec
    resolver = SshResolver(canonicalize=False)
    answers = await resolver.resolve_all(spec.hosts.values())
    known = dict(zip(spec.hosts, answers, strict=True))
    twins = [(later, first) for later, first, *_ in same_agents(spec, known)]
    gone = {id(draft.agents[later]) for later, _ in twins}
    for later, first in twins:
        findings.same_machine(draft.agents[later], draft.agents[first])
    findings.hosts = [each for each in findings.hosts if id(each) not in gone]
