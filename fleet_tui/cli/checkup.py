"""What `fleet-tui doctor` looks at. Each check is a function that yields findings; none changes
anything and none contacts a host."""

import os
import platform
import sys
import time
from collections.abc import Iterator
from enum import StrEnum
from pathlib import Path

import msgspec

from fleet_tui import __version__
from fleet_tui.cli.common import Fleet, engine_now, operator
from fleet_tui.core import words
from fleet_tui.core.firewall import safe_line
from fleet_tui.core.fleet import FleetSpec, HostSpec, OpenClawAgent
from fleet_tui.core.modes import EngineMode
from fleet_tui.errors import FleetError
from fleet_tui.journal import ballast
from fleet_tui.journal.directory import check, file_system, lock_holder
from fleet_tui.journal.errors import JournalMissing
from fleet_tui.journal.reader import JournalReader
from fleet_tui.journal.segments import SQLITE_VERSION
from fleet_tui.journal.verifying import verify
from fleet_tui.paths import socket_path

LITTLE_ROOM_BYTES = 1024 * 1024 * 1024
CLOCK_TOLERANCE_MS = 5_000


class Standing(StrEnum):
    """How a finding is."""

    OK = "ok"
    WARN = "warn"
    FAIL = "fail"


class Finding(msgspec.Struct, frozen=True, kw_only=True):
    """One line of the report."""

    about: str
    standing: Standing
    text: str
    todo: str = ""
    """What to do about it."""


def ok(about: str, text: str) -> Finding:
    """Nothing to do."""
    return Finding(about=about, standing=Standing.OK, text=text)


def warn(about: str, text: str, todo: str) -> Finding:
    """It works, and may not for long."""
    return Finding(about=about, standing=Standing.WARN, text=text, todo=todo)


def fail(about: str, text: str, todo: str) -> Finding:
    """It does not work."""
    return Finding(about=about, standing=Standing.FAIL, text=text, todo=todo)


def versions() -> Iterator[Finding]:
    """Ours and those of what we stand on."""
    text = f"fleet-tui {__version__}, Python {platform.python_version()}"
    yield ok("versions", f"{text}, SQLite {SQLITE_VERSION}, {sys.platform}")


def state_directory(fleet: Fleet) -> Iterator[Finding]:
    """Whether it is private, local and has room."""
    directory = fleet.directory
    try:
        check(directory)
    except JournalMissing:
        yield warn("state", f"{directory} is not there yet", "`fleet-tui open` makes it")
        return
    except FleetError as error:
        yield fail("state", error.message, error.hint or "an engine refuses to use it")
        return
    kind = file_system(directory)
    yield ok("state", f"{directory} is private, on {kind or 'a file system without a name'}")
    disk = os.statvfs(directory)
    free = disk.f_bavail * disk.f_frsize
    text = f"{words.size(free)} free"
    if free < ballast.wanted_bytes(directory):
        yield fail("disk", text, "make room: the engine can store nothing")
    elif free < LITTLE_ROOM_BYTES:
        yield warn("disk", text, "make room before the engine can store nothing more")
    else:
        yield ok("disk", text)
    if ballast.is_made(directory):
        size = words.size(ballast.wanted_bytes(directory))
        yield ok("ballast", f"{size} kept back for a full disk")
    else:
        yield warn("ballast", "no room is kept back", "an engine makes it when there is room")


def journal(fleet: Fleet) -> Iterator[Finding]:
    """Whether the ledger is what was written, and not from the future."""
    try:
        verdict = verify(fleet.directory)
    except JournalMissing:
        yield warn("journal", "there is none yet", "`fleet-tui open` starts one")
        return
    except FleetError as error:
        yield fail("journal", error.message, error.hint)
        return
    if not verdict.intact:
        text = f"{verdict.reason}; events {verdict.bad_range} cannot be trusted"
        yield fail("journal", text, "`fleet-tui restore` puts a backup in place")
        return
    yield ok("journal", f"intact, {words.plural(verdict.events, 'event')}")
    reader = JournalReader(fleet.directory)
    try:
        _, last_ms = reader.span()
    finally:
        reader.close()
    ahead_ms = last_ms - time.time_ns() // 1_000_000
    if ahead_ms > CLOCK_TOLERANCE_MS:
        text = f"{words.duration(ahead_ms)} behind the ledger's last event"
        yield fail("clock", text, "set the clock: deadlines would come late")
    else:
        yield ok("clock", time.strftime("%Y-%m-%d %H:%M:%S %Z"))


def engine(fleet: Fleet) -> Iterator[Finding]:
    """Who owns the ledger, and whether the door is answered."""
    holder = lock_holder(fleet.directory)
    told = engine_now(fleet)
    path = socket_path(fleet.directory)
    if holder is None and told is None:
        yield ok("engine", "none runs")
        return
    if holder is None:
        text = f"one answers at {path}, and nobody holds the ledger's lock"
        yield fail("engine", text, "stop it: its lock file was removed")
        return
    if told is None:
        text = f"{holder} owns the ledger and does not answer at {path}"
        yield fail("engine", text, "look at engine.log in the state directory, or end that process")
        return
    if told.mode.mode is not EngineMode.NORMAL:
        text = f"pid {told.pid} is {told.mode.mode.label}: {told.mode.reason}"
        yield fail("engine", text, told.mode.mode.way_out)
    elif told.version != __version__:
        text = f"pid {told.pid} is version {told.version}"
        yield warn("engine", text, "`fleet-tui stop` and `fleet-tui open` bring this version in")
    else:
        yield ok("engine", f"pid {told.pid} works, epoch {told.epoch}")


def ssh(spec: FleetSpec) -> Iterator[Finding]:
    """What is taken from ssh_config, and whether hosts can be told from impostors."""
    from fleet_tui.config.ssh_warnings import ssh_config_warnings
    from fleet_tui.wire.ssh_failures import LocalSetupError
    from fleet_tui.wire.ssh_options import SshFiles

    for problem in ssh_config_warnings(spec, Path.home()):
        about = f"{problem.file}:{problem.line}" if problem.line else problem.file
        yield warn("ssh config", f"{about}: {problem.message}", "say it in the fleet file instead")
    files = SshFiles()
    for name, host in spec.hosts.items():
        try:
            route = files.route(host)
        except LocalSetupError as error:
            yield fail(f"host {name}", str(error), "`fleet-tui check` and `ssh -G` say more")
            continue
        user = route.options.username or operator()
        way = f"{user}@{route.options.host}:{route.port}{_through(host, bool(route.jump_chain))}"
        if route.known.keys or route.known.authorities:
            yield ok(f"host {name}", f"{way}, its key is known")
        else:
            files_text = " and ".join(str(path) for path in route.known_hosts_files[:2])
            text = f"{way}, its key is in neither of {files_text}"
            yield fail(f"host {name}", text, f"`fleet-tui trust {name}` shows it and enrols it")


def _through(host: HostSpec, has_chain: bool) -> str:
    if host.jump is not None:
        return f" through {host.jump}"
    return " through what ssh_config says" if has_chain else ""


async def secrets(spec: FleetSpec) -> list[Finding]:
    """Whether tokens can be had; never what they are."""
    from fleet_tui.wire.secrets import SecretProblem, resolve_secret

    found = []
    for name, agent in spec.agents.items():
        if not isinstance(agent.kind, OpenClawAgent):
            continue
        about, reference = f"token of {name}", agent.kind.token
        if reference.startswith("secret:host:"):
            found.append(ok(about, "read from its own host when the engine connects"))
            continue
        answer = await resolve_secret(reference)
        if isinstance(answer, SecretProblem):
            found.append(fail(about, safe_line(answer.detail), "the engine needs it where it runs"))
        else:
            found.append(ok(about, "can be had"))
    return found
