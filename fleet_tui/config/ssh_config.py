"""A small reader of ``~/.ssh/config``: which aliases there are, and which options will not hold.

It never decides how a connection is made (the SSH library reads the file itself); it serves
``fleet-tui import ssh-config`` and the warnings of ``fleet-tui check``. Grammar: ssh_config(5).
"""

import fnmatch
import glob
import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from fleet_tui.config.files import read_regular

MAX_INCLUDE_DEPTH = 16
"""As OpenSSH's own limit."""
MAX_CONFIG_BYTES = 1_048_576
MAX_CONFIG_FILES = 256

IGNORED_OPTIONS = {
    "stricthostkeychecking": "host keys are always checked strictly",
    "controlmaster": "connections are shared already",
    "controlpath": "connections are shared already",
    "controlpersist": "connections are shared already",
    "localforward": "only the agents' own ports are forwarded",
    "remoteforward": "only the agents' own ports are forwarded",
    "dynamicforward": "only the agents' own ports are forwarded",
    "forwardagent": "the SSH agent is never forwarded",
    "forwardx11": "X11 is never forwarded",
    "addkeystoagent": "keys are never added to the SSH agent",
    "verifyhostkeydns": "host keys come from known_hosts only",
    "updatehostkeys": "known_hosts is never changed by itself",
    "remotecommand": "fleet-tui runs its own commands",
    "permitlocalcommand": "nothing is run on this machine",
    "localcommand": "nothing is run on this machine",
}
"""Options that change nothing here, in lower case, and why."""

_SAME_AS_IGNORED = {
    "stricthostkeychecking": frozenset({"yes"}),
    "forwardagent": frozenset({"no"}),
    "forwardx11": frozenset({"no"}),
    "controlmaster": frozenset({"no"}),
    "addkeystoagent": frozenset({"no"}),
    "verifyhostkeydns": frozenset({"no"}),
    "permitlocalcommand": frozenset({"no"}),
    "updatehostkeys": frozenset({"no"}),
}
"""Values under which ignoring the option makes no difference."""

_NAME = re.compile(r"[\s=]")
"""What ends a keyword."""


@dataclass(frozen=True, slots=True)
class Option:
    """One line of an ssh_config."""

    file: Path
    line: int
    name: str
    """In lower case."""
    value: str
    patterns: tuple[str, ...]
    """Of the Host block it stands in; ``*`` before the first. Empty within a Match block, of which
    nothing is known without connecting."""


@dataclass(frozen=True, slots=True)
class SshConfig:
    """What was read, in order, and what could not be read."""

    options: tuple[Option, ...]
    aliases: tuple[str, ...]
    """Host patterns without wildcards or negation, each once, in the file's order."""
    unread: tuple[str, ...]
    """Why a file or a line was left out, safe to print after ``visible``."""

    def ignored_for(self, address: str) -> tuple[Option, ...]:
        """The options OpenSSH would use for an address and fleet-tui does not; first one wins."""
        found: dict[str, Option] = {}
        for option in self.options:
            if option.name in IGNORED_OPTIONS and _matches(option.patterns, address):
                found.setdefault(option.name, option)
        return tuple(
            option
            for option in found.values()
            if option.value.lower() not in _SAME_AS_IGNORED.get(option.name, frozenset())
        )


def read_ssh_config(path: Path, home: Path) -> SshConfig:
    """Read a file and what it includes; a missing one is empty. Never raises for content."""
    reading = _Reading(home)
    reading.file(path, ("*",), 0)
    return SshConfig(tuple(reading.options), tuple(reading.aliases), tuple(reading.unread))


class _Reading:
    def __init__(self, home: Path) -> None:
        self.home = home
        self.options: list[Option] = []
        self.aliases: dict[str, None] = {}
        self.unread: list[str] = []
        self.files = 0

    def file(self, path: Path, patterns: tuple[str, ...], depth: int) -> None:
        self.files += 1
        if depth > MAX_INCLUDE_DEPTH or self.files > MAX_CONFIG_FILES:
            self.unread.append(f"{path}: too many files include each other")
            return
        for number, name, value in self._lines(path):
            match name:
                case "host":
                    patterns = tuple(value.split())
                    for alias in patterns:
                        if not set(alias) & set("*?!"):
                            self.aliases.setdefault(alias)
                case "match":
                    patterns = ("*",) if value.strip().lower() == "all" else ()
                case "include":
                    for included in self._included(value):
                        self.file(included, patterns, depth + 1)
                case _:
                    self.options.append(Option(path, number, name, value, patterns))

    def _lines(self, path: Path) -> Iterator[tuple[int, str, str]]:
        try:
            data = read_regular(path, MAX_CONFIG_BYTES + 1)
        except FileNotFoundError:
            return
        except OSError as refused:
            self.unread.append(f"{path}: {refused.strerror}")
            return
        if len(data) > MAX_CONFIG_BYTES:
            self.unread.append(f"{path}: larger than {MAX_CONFIG_BYTES // 1024} KiB")
            return
        for number, line in enumerate(data.decode("utf-8", "replace").split("\n"), 1):
            said = line.strip()
            if not said or said.startswith("#"):
                continue
            name, value = _keyword(said)
            try:
                words = shlex.split(value, comments=True)
            except ValueError:
                self.unread.append(f"{path}:{number}: a quote is not closed")
                continue
            yield number, name.lower(), " ".join(words)

    def _included(self, value: str) -> list[Path]:
        found: list[Path] = []
        for pattern in value.split():
            if pattern.startswith("~/"):
                where = str(self.home / pattern[2:])
            elif pattern.startswith("/"):
                where = pattern
            else:
                where = str(self.home / ".ssh" / pattern)
            if "\0" not in where:  # which no file name can hold, and glob raises for
                found += [Path(name) for name in sorted(glob.glob(where))]
        return found


def _keyword(line: str) -> tuple[str, str]:
    """The first word of a line and the rest; space, tabs and one ``=`` may stand between them."""
    name = _NAME.split(line, maxsplit=1)[0]
    return name, line[len(name) :].lstrip().removeprefix("=").lstrip()


def _matches(patterns: tuple[str, ...], address: str) -> bool:
    """ssh_config(5), PATTERNS: one has to match, and no negated one."""
    hit = False
    for pattern in patterns:
        if fnmatch.fnmatchcase(address, pattern.removeprefix("!")):
            if pattern.startswith("!"):
                return False
            hit = True
    return hit
