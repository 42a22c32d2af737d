"""The checks of `fleet-tui doctor`. Each is a function that yields findings; none changes anything
and none contacts a host."""

import os
import platform
import sys
import time
from collections.abc import Iterator
from enum import StrEnum
from typing import assert_never

import msgspec

from fleet_tui import __version__
from fleet_tui.base.errors import FleetError
from fleet_tui.base.paths import has_home, socket_path
from fleet_tui.cli.common import (
    Fleet,
    engine_gone,
    engine_now,
    ledger_of,
    offset_minutes,
    operator,
    was_killed,
)
from fleet_tui.config.load import Loaded
from fleet_tui.config.problems import Problem, ProblemSeverity
from fleet_tui.core.agents.model import Health
from fleet_tui.core.agents.troubles import cure_of, next_trial, trouble_of
from fleet_tui.core.agents.words import limited_releases
from fleet_tui.core.alerting.alerts import is_out_of_service
from fleet_tui.core.fleet import FleetSpec, HostSpec, OpenClawAgent
from fleet_tui.core.modes import TROUBLES, EngineMode
from fleet_tui.core.text import words
from fleet_tui.core.text.firewall import safe_line
from fleet_tui.journal.directory import check, file_system, lock_holder
from fleet_tui.journal.errors import JournalMissing
from fleet_tui.journal.ledger.reader import JournalReader
from fleet_tui.journal.ledger.segments import SQLITE_VERSION
from fleet_tui.journal.ledger.verifying import verify
from fleet_tui.journal.upkeep import ballast

LITTLE_ROOM_BYTES = 1024 * 1024 * 1024
CLOCK_TOLERANCE_MS = 5_000
MAX_SAID_CHARS = 200


class CheckOutcome(StrEnum):
    """The status of a finding."""

    OK = "ok"
    WARN = "warn"
    FAIL = "fail"


class Finding(msgspec.Struct, frozen=True, kw_only=True):
    """One line of the report."""

    about: str
    standing: CheckOutcome
    text: str
    todo: str = ""
    """What to do about it."""


def ok(about: str, text: str) -> Finding:
    """Nothing to do."""
    return Finding(about=about, standing=CheckOutcome.OK, text=text)


def warn(about: str, text: str, todo: str) -> Finding:
    """It works, but may stop working."""
    return Finding(about=about, standing=CheckOutcome.WARN, text=text, todo=todo)


def fail(about: str, text: str, todo: str) -> Finding:
    """It does not work."""
    return Finding(about=about, standing=CheckOutcome.FAIL, text=text, todo=todo)


def versions() -> Iterator[Finding]:
    """Our version and those of our dependencies."""
    text = f"fleet-tui {__version__}, Python {platform.python_version()}"
    yield ok("versions", f"{text}, SQLite {SQLITE_VERSION}, {sys.platform}")


def state_directory(fleet: Fleet) -> Iterator[Finding]:
    """Whether it is private, local and has free space."""
    directory = fleet.directory
    try:
        check(directory)
    except JournalMissing:
        yield warn("state", f"{directory} does not exist yet", "`fleet-tui open` creates it")
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
        yield fail("disk", text, "free disk space: the engine cannot write")
    elif free < LITTLE_ROOM_BYTES:
        yield warn("disk", text, "free disk space before the engine cannot write")
    else:
        yield ok("disk", text)
    if ballast.is_made(directory):
        size = words.size(ballast.wanted_bytes(directory))
        yield ok("ballast", f"{size} reserved for a full disk")
    else:
        yield warn(
            "ballast", "no space is reserved", ("an engine reserves it when the disk has room")
        )


def journal(fleet: Fleet) -> Iterator[Finding]:
    """Whether the ledger is intact, and not from the future."""
    try:
        checked = verify(fleet.directory)
    except JournalMissing:
        yield warn("journal", "there is none yet", "`fleet-tui open` starts one")
        return
    except FleetError as error:
        yield fail("journal", error.message, error.hint)
        return
    if not checked.intact:
        text = f"{checked.reason}; events {checked.bad_range} cannot be trusted"
        yield fail("journal", text, "`fleet-tui restore` restores a backup")
        return
    yield ok("journal", f"intact, {words.plural(checked.events, 'event')}")
    reader = JournalReader(fleet.directory)
    try:
        _, last_ms = reader.span()
    finally:
        reader.close()
    ahead_ms = last_ms - time.time_ns() // 1_000_000
    if ahead_ms > CLOCK_TOLERANCE_MS:
        text = f"{words.duration(ahead_ms)} behind the ledger's last event"
        yield fail("clock", text, "set the clock: otherwise deadlines fire late")
    else:
        yield ok("clock", time.strftime("%Y-%m-%d %H:%M:%S %Z"))


def engine(fleet: Fleet) -> Iterator[Finding]:
    """The owner of the ledger, and whether its socket answers."""
    holder = lock_holder(fleet.directory)
    told = engine_now(fleet)
    path = socket_path(fleet.directory)
    if holder is None and told is None:
        yield _no_engine(fleet)
        return
    if holder is None:
        text = f"an engine answers at {path} without holding the ledger's lock"
        yield fail(
            "engine", text, ("its lock file was removed; the engine recreates it within seconds")
        )
        return
    if told is None:
        text = f"{holder} owns the ledger and does not answer at {path}"
        todo = "a removed socket is recreated within seconds; `fleet-tui stop` ends that process"
        yield fail("engine", text, todo)
        return
    if told.mode.mode is not EngineMode.NORMAL:
        text = f"pid {told.pid} is {told.mode.mode.label}: {told.mode.reason}"
        yield fail("engine", text, told.mode.way_out)
    elif told.version != __version__:
        text = f"pid {told.pid} is version {told.version}"
        yield warn(
            "engine", text, ("run `fleet-tui stop`, then `fleet-tui open`, to use this version")
        )
    else:
        yield ok("engine", f"pid {told.pid} works, epoch {told.epoch}")
    if told.mode.mode is EngineMode.NORMAL:
        yield from _troubles(fleet)


def _no_engine(fleet: Fleet) -> Finding:
    try:
        with ledger_of(fleet) as ledger:
            state = ledger.load()
    except FleetError:  # there is no ledger, or another check reports its fault
        return ok("engine", "none runs")
    if not was_killed(state):
        return ok("engine", "none runs")
    said = engine_gone(fleet, state).removeprefix("engine: ")
    return warn("engine", said, "`fleet-tui open` starts one, which picks up the open runs")


def _troubles(fleet: Fleet) -> Iterator[Finding]:
    """The resources that a running engine reports as lacking."""
    reader = JournalReader(fleet.directory)
    try:
        troubles = reader.load().engine.troubles
    finally:
        reader.close()
    for trouble, text in troubles.items():
        yield warn("engine", text, TROUBLES[trouble].way_out)


def agents(fleet: Fleet) -> Iterator[Finding]:
    """The agents' health according to the running engine; nothing where none runs."""
    if engine_now(fleet) is None:
        return
    with ledger_of(fleet) as ledger:
        state = ledger.load()
    now_ms = time.time_ns() // 1_000_000
    known = [agent for agent in state.agents.values() if agent.health is not Health.RETIRED]
    well = 0
    for agent in known:
        trouble = trouble_of(agent)
        if trouble is None:
            well += 1
            continue
        said = f": {safe_line(agent.detail, MAX_SAID_CHARS)}" if agent.detail else ""
        text = (
            f"{safe_line(trouble, MAX_SAID_CHARS)}{said}, for {words.age(agent.since_ms, now_ms)}"
        )
        about, todo = f"agent {agent.name}", cure_of(agent)
        spec = state.fleet.agents.get(agent.name)
        if (trial := next_trial(agent, spec, now_ms, offset_minutes(now_ms))) is not None:
            todo = f"{todo}; {trial}"
        out = is_out_of_service(agent, now_ms) and agent.cordon is None
        yield fail(about, text, todo) if out or agent.failure else warn(about, text, todo)
    for release in limited_releases(known):
        text = "; ".join(limit.text for limit in release.limits)
        yield warn(f"release {release.named}", text, "a newer release does not have these limits")
    text = f"{well} of {words.plural(len(known), 'agent')} in service"
    if well or not known:
        yield ok("agents", text)
    else:
        yield fail("agents", text, "no work is accepted until one is")


async def ssh(loaded: Loaded, file: str) -> list[Finding]:
    """What is used from ssh_config, and whether host keys can be verified."""
    from fleet_tui.cli.ssh_problems import fleet_problems_of
    from fleet_tui.core.ssh.config import ConfigRefusal, Reader
    from fleet_tui.wire.ssh.failures import LocalSetupError
    from fleet_tui.wire.ssh.options import SshFiles
    from fleet_tui.wire.ssh.resolver import SshResolver
    from fleet_tui.wire.ssh.survey import survey

    if not loaded.spec.hosts:
        return []
    surveyed = await survey(loaded.spec.hosts.values(), SshResolver(canonicalize=False))
    found = [_of_ssh_config(each) for each in fleet_problems_of(loaded, file, surveyed)]
    if not has_home():
        text = "this user has no home directory: no ~/.ssh/config and no ~/.ssh/known_hosts"
        found.append(warn("ssh config", text, "set HOME"))
    readers = {answer.reader for answer in surveyed.answers.values()} - {Reader.NOBODY}
    found.extend(ok("ssh config", f"read by {reader}") for reader in sorted(readers))
    files = SshFiles()
    for name, host in loaded.spec.hosts.items():
        resolved = surveyed.answers[name]
        if isinstance(resolved, ConfigRefusal):
            text = f"ssh_config: {safe_line(str(resolved))}"
            found.append(fail(f"host {name}", text, "`fleet-tui check` shows where"))
            continue
        try:
            route = files.route(host, resolved)
        except LocalSetupError as error:
            text = safe_line(str(error))
            found.append(fail(f"host {name}", text, "`fleet-tui check` and `ssh -G` show more"))
            continue
        user = safe_line(route.options.username) or operator()
        where = safe_line(route.options.host)
        way = f"{user}@{where}:{route.port}{_through(host, bool(route.jump_chain))}"
        if route.known.keys or route.known.authorities:
            found.append(ok(f"host {name}", f"{way}, its key is known"))
        else:
            files_text = safe_line(" and ".join(str(path) for path in route.known_hosts_files[:2]))
            text = f"{way}, its key is in neither of {files_text}"
            todo = f"`fleet-tui trust {name}` shows it and adds it to known_hosts"
            found.append(fail(f"host {name}", text, todo))
    return found


def _of_ssh_config(problem: Problem) -> Finding:
    about = f"{problem.file}:{problem.line}" if problem.line else problem.file
    text = f"{about}: {problem.message}"
    match problem.severity:
        case ProblemSeverity.ERROR:
            return fail("ssh config", text, problem.hint or "`fleet-tui check` reports the same")
        case ProblemSeverity.WARNING:
            return warn("ssh config", text, problem.hint or "set it in the fleet file instead")
        case ProblemSeverity.NOTE:
            return ok("ssh config", text)
        case never:
            assert_never(never)


def _through(host: HostSpec, has_chain: bool) -> str:
    if host.jump is not None:
        return f" through {host.jump}"
    return " through what ssh_config says" if has_chain else ""


async def secrets(spec: FleetSpec) -> list[Finding]:
    """Whether tokens are available; never their values."""
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
            found.append(
                fail(about, safe_line(answer.detail), "the engine needs it on its own machine")
            )
        else:
            found.append(ok(about, "is available"))
    return found
