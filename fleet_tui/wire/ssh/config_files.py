"""The files of the operator's ssh_config: their names, their lines, and copies for another home.

``ssh -G`` interprets the lines. They are read here to detect changed files, to name file and line
in messages, and to list aliases.
"""

import glob
import os
import pwd
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

from fleet_tui.base.files import read_regular
from fleet_tui.core.ssh.config import Complaint, ConfigLine, ConfigText, split_line, split_words

MAX_INCLUDE_DEPTH = 16
"""As OpenSSH's own limit."""
MAX_CONFIG_BYTES = 4_194_304
MAX_CONFIG_FILES = 256
SYSTEM_CONFIG = Path("/etc/ssh/ssh_config")

_HOME_WORDS = frozenset(
    {
        "certificatefile",
        "globalknownhostsfile",
        "identityagent",
        "identityfile",
        "revokedhostkeys",
        "userknownhostsfile",
    }
)
"""Keywords whose values ssh resolves in the home directory of the user's account."""

_LOCAL_NETWORK = re.compile(
    r'(?i)(?P<not>!?)\blocalnetwork(?:[ \t]*=[ \t]*|[ \t]+)(?P<networks>"[^"]*"|[^ \t\r"]+)'
)

Stamp = tuple[str, int, int, int]


@dataclass(frozen=True, slots=True)
class ConfigFiles:
    """Everything that was read, and the stamps that change when it is to be read again."""

    roots: tuple[str, ...]
    """The operator's file and the machine's, in the order they are read."""
    text: ConfigText
    contents: dict[str, bytes] = field(repr=False)
    """File name to bytes."""
    included: dict[tuple[str, int], tuple[str, ...]] = field(repr=False)
    """The files that each Include line includes, by file and line."""
    patterns: dict[str, tuple[str, ...]] = field(repr=False)
    """The matches of each pattern of an Include."""
    stamps: tuple[Stamp, ...] = field(repr=False)

    def is_current(self) -> bool:
        """Whether no file has changed, appeared or vanished since."""
        return all(stamp_of(each[0]) == each for each in self.stamps) and all(
            _glob(pattern) == found for pattern, found in self.patterns.items()
        )


def stamp_of(name: str) -> Stamp:
    """A stamp that changes when a file does, its permissions included, which ssh checks too."""
    try:
        found = os.stat(name)
    except (OSError, ValueError):
        return (name, 0, 0, 0)
    return (name, found.st_mtime_ns, found.st_ctime_ns, found.st_size)


def account_home() -> Path | None:
    """The home that ssh reads its files from: the account's, whatever ``HOME`` says."""
    try:
        return Path(pwd.getpwuid(os.getuid()).pw_dir)
    except KeyError:
        return None


def read_config_files(user: Path, home: Path, system: Path | None = SYSTEM_CONFIG) -> ConfigFiles:
    """Read a file, the machine's file and the files they include; a missing one is empty.

    Never raises for content or for unreadable files, which are in ``text.unread``.
    """
    reading = _Reading(home)
    reading.file(str(user), _Block((), False), 0, system=False)
    if system is not None:
        reading.file(str(system), _Block((), False), 0, system=True)
    return ConfigFiles(
        (str(user), str(system)) if system is not None else (str(user),),
        ConfigText(
            lines=tuple(reading.lines),
            files=tuple(reading.contents),
            has_own=str(user) in reading.contents,
            unread=tuple(reading.unread),
        ),
        reading.contents,
        reading.included,
        reading.patterns,
        tuple(map(stamp_of, reading.names)),
    )


@dataclass(frozen=True, slots=True)
class _Block:
    """The conditions of a line."""

    hosts: tuple[tuple[str, ...], ...]
    conditional: bool


class _Reading:
    def __init__(self, home: Path) -> None:
        self.home = home
        self.lines: list[ConfigLine] = []
        self.unread: list[Complaint] = []
        self.contents: dict[str, bytes] = {}
        self.included: dict[tuple[str, int], tuple[str, ...]] = {}
        self.patterns: dict[str, tuple[str, ...]] = {}
        self.names: dict[str, None] = {}
        self.files = 0

    def file(self, name: str, outer: _Block, depth: int, *, system: bool) -> None:
        self.files += 1
        self.names.setdefault(name)
        if depth > MAX_INCLUDE_DEPTH or self.files > MAX_CONFIG_FILES:
            self.unread.append(Complaint(f"{name}: too many files include each other"))
            return
        data = self._content(name)
        if data is None:
            return
        block = outer
        for number, line in enumerate(_text_lines(data), 1):
            said = split_line(line)
            if said is None:
                continue
            keyword, rest = said
            words = split_words(rest)
            if words is None:
                self.unread.append(Complaint("a quote is not closed", name, number))
                words = ()
            if keyword == "host":
                block = _Block((*outer.hosts, words), outer.conditional)
            elif keyword == "match":
                is_all = tuple(word.lower() for word in words) == ("all",)
                block = _Block(outer.hosts, outer.conditional or not is_all)
            self.lines.append(
                ConfigLine(
                    file=name,
                    line=number,
                    keyword=keyword,
                    words=words,
                    hosts=block.hosts,
                    conditional=block.conditional,
                    system=system,
                )
            )
            if keyword == "include":
                found = self._included(words, system=system)
                self.included[name, number] = found
                for each in found:
                    self.file(each, block, depth + 1, system=system)

    def _content(self, name: str) -> bytes | None:
        if name in self.contents:
            return self.contents[name]
        try:
            data = read_regular(name, MAX_CONFIG_BYTES + 1)
        except FileNotFoundError:
            return None
        except OSError as refused:
            self.unread.append(Complaint(f"{name}: {refused.strerror}"))
            return None
        if len(data) > MAX_CONFIG_BYTES:
            limit = MAX_CONFIG_BYTES // 1_048_576
            self.unread.append(Complaint(f"{name}: larger than {limit} MiB"))
            return None
        self.contents[name] = data
        return data

    def _included(self, words: tuple[str, ...], *, system: bool) -> tuple[str, ...]:
        found: list[str] = []
        for word in words:
            if word.startswith("~/"):
                pattern = str(self.home / word[2:])
            elif word.startswith("/"):
                pattern = word
            else:
                pattern = str((SYSTEM_CONFIG.parent if system else self.home / ".ssh") / word)
            self.patterns[pattern] = _glob(pattern)
            found.extend(self.patterns[pattern])
        return tuple(found)


def _glob(pattern: str) -> tuple[str, ...]:
    return () if "\0" in pattern else tuple(sorted(glob.glob(pattern)))


def _text_lines(data: bytes) -> list[str]:
    return data.decode("utf-8", "surrogateescape").split("\n")


def bad_permissions(files: ConfigFiles) -> str | None:
    """The operator's first file that another user owns or may write: ssh reads none of it then."""
    own = {line.file for line in files.text.lines if not line.system}
    for name in files.contents:
        if name not in own:
            continue
        found = os.stat(name)
        if found.st_uid not in (0, os.getuid()) or found.st_mode & 0o022:
            return name
    return None


def asks_for_networks(line: ConfigLine) -> bool:
    """Whether it is a Match with a localnetwork, which OpenSSH knows since 9.4."""
    return line.keyword == "match" and any(
        word.lower().lstrip("!").partition("=")[0] == "localnetwork" for word in line.words
    )


@contextmanager
def copied_for(
    files: ConfigFiles, home: Path, in_network: Callable[[str], bool] | None = None
) -> Iterator[tuple[Path, dict[str, str]]]:
    """Copies in which ``~`` is ``home``: the file for ``ssh -F``, and each copy's original name.

    ssh takes ``~`` for the account's home and ``-F`` for the only file, so where HOME names another
    home, it gets copies of that home's files and the machine's. With ``in_network`` every
    localnetwork is evaluated by it, for an ssh that does not know the keyword.
    """
    with TemporaryDirectory(prefix="fleet-tui-ssh-") as directory:
        places = {
            name: str(Path(directory, f"{number}.copy"))
            for number, name in enumerate(files.contents, 1)
        }
        for name, place in places.items():
            Path(place).write_bytes(_copy(files, name, places, home, in_network))
        first = [places[name] for name in files.roots if name in places]
        top = Path(directory, "config")
        top.write_text("".join(f"Include {place}\n" for place in first))
        yield top, {place: name for name, place in places.items()}


def _copy(
    files: ConfigFiles,
    name: str,
    places: dict[str, str],
    home: Path,
    in_network: Callable[[str], bool] | None,
) -> bytes:
    lines = _text_lines(files.contents[name])
    for at, line in enumerate(lines):
        said = split_line(line)
        if said is None or (words := split_words(said[1])) is None:
            continue
        if said[0] == "include":
            found = files.included.get((name, at + 1), ())
            here = [places[each] for each in found if each in places]
            # An empty Include is an error for ssh, one without matches is not.
            lines[at] = f"Include {' '.join(here) or places[name] + '.none'}"
        elif said[0] in _HOME_WORDS:
            moved = (_at_home(word, home) for word in words)
            lines[at] = f"{said[0]} {' '.join(map(_quoted, moved))}"
        elif said[0] == "match" and in_network is not None:
            lines[at] = _LOCAL_NETWORK.sub(partial(_decided, in_network), line)
    return "\n".join(lines).encode("utf-8", "surrogateescape")


def _decided(in_network: Callable[[str], bool], found: re.Match[str]) -> str:
    """A condition that always holds, or never does."""
    holds = in_network(found["networks"].strip('"'))
    return f"{'!' if holds == bool(found['not']) else ''}originalhost *"


def _at_home(word: str, home: Path) -> str:
    for begin in ("~/", "%d/"):
        if word.startswith(begin):
            return f"{home}/{word.removeprefix(begin)}"
    return word


def _quoted(word: str) -> str:
    escaped = word.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'
