"""The operator's ssh_config for a host, as OpenSSH itself resolves it.

Pure: the text of ``ssh -G`` becomes a :class:`Resolved`, its complaints a :class:`ConfigRefusal`,
lines of a file :class:`ConfigLine`. Sources: ssh_config(5), ssh(1) -G, readconf.c
(dump_client_config, process_config_line_depth) and misc.c (argv_split, strdelim).
"""

import fnmatch
import hashlib
import re
from collections.abc import Mapping
from enum import StrEnum
from typing import Final, NamedTuple

import msgspec

MAX_WORDS_LINES = 20
"""Complaints of ssh that are kept; a file full of mistakes gives one per line."""

_NO_CONTENT = ("Pseudo-terminal will not be allocated",)
_LOCATED = re.compile(r"(?P<file>.+?):? line (?P<line>\d{1,9}): (?P<text>.*)")
_SUMMARY = re.compile(r".*: terminating, \d+ bad configuration options")
_TOKEN = re.compile(r"%(.?)", re.DOTALL)
_ENVIRONMENT = re.compile(r"\$\{([^}]*)\}")


class Reader(StrEnum):
    """The program that read the operator's files."""

    OPENSSH = "ssh"
    ASYNCSSH = "asyncssh"
    NOBODY = "nobody"
    """The fleet file says ``ssh_config: off``, or there is no file."""


class WithoutSsh(StrEnum):
    """Why OpenSSH does not resolve the operator's files."""

    NO_PROGRAM = "no-program"
    NO_ACCOUNT = "no-account"
    """For a uid without an entry in the password file ssh exits at once, whatever the request."""

    @property
    def text(self) -> str:
        """Why, as a sentence."""
        return _WITHOUT_SSH[self].text

    @property
    def cure(self) -> str:
        """What somebody can do about it."""
        return _WITHOUT_SSH[self].cure


class _WithoutSsh(NamedTuple):
    text: str
    cure: str


_WITHOUT_SSH: Final = {
    WithoutSsh.NO_PROGRAM: _WithoutSsh("there is no ssh program here", "install OpenSSH's client"),
    WithoutSsh.NO_ACCOUNT: _WithoutSsh(
        "ssh serves no user without an entry in the password file",
        "give this user an entry there",
    ),
}


class Resolved(msgspec.Struct, frozen=True, kw_only=True):
    """How one host is to be reached, before the fleet file's own keys and jumps apply."""

    original: str
    """The name that was asked for (%n)."""
    hostname: str
    port: int
    user: str | None
    """None: the user of this machine."""
    said: dict[str, tuple[str, ...]] = {}
    """What differs from OpenSSH's own defaults: keyword in lower case to the value of each line.
    File names keep bytes that are not UTF-8 as surrogates."""
    reader: Reader = Reader.OPENSSH

    def one(self, keyword: str) -> str | None:
        """The value of a keyword that occurs once; None if it is not set."""
        lines = self.said.get(keyword)
        return lines[0] if lines else None

    def all(self, keyword: str) -> tuple[str, ...]:
        """Every line of a keyword."""
        return self.said.get(keyword, ())

    def is_on(self, keyword: str) -> bool:
        """Whether a switch was turned on."""
        return self.one(keyword) in ("yes", "true")

    def names(self, keyword: str) -> tuple[str, ...] | None:
        """A comma-separated list, such as algorithms; None if it is not set."""
        value = self.one(keyword)
        return tuple(name for name in value.split(",") if name) if value is not None else None

    @property
    def key_alias(self) -> str:
        """The name that known_hosts is searched for (%k)."""
        return self.one("hostkeyalias") or self.hostname

    def machine(self) -> tuple[str, int, str | None]:
        """Equal for two names that lead to one machine: the same address behind another jump host
        or proxy is another machine."""
        way = self.one("proxycommand") or self.one("proxyjump")
        seen_from = {"h": self.hostname, "n": self.hostname, "p": str(self.port), "r": ""}
        if way:
            way = _TOKEN.sub(lambda found: seen_from.get(found[1], found[0]), way)
        return (self.hostname.lower(), self.port, way)


class Complaint(msgspec.Struct, frozen=True):
    """One thing that ssh does not accept, with its place if ssh gives it."""

    text: str
    file: str | None = None
    line: int | None = None

    def __str__(self) -> str:
        return f"{self.file} line {self.line}: {self.text}" if self.file else self.text


class ConfigRefusal(msgspec.Struct, frozen=True):
    """Why a host's configuration cannot be resolved, in ssh's own words (not safe to print)."""

    complaints: tuple[Complaint, ...]
    reader: Reader = Reader.OPENSSH
    is_passing: bool = False
    """It is not about the files: this machine could not ask ssh at that moment."""

    def __str__(self) -> str:
        return "; ".join(map(str, self.complaints))


class UnknownTokenError(ValueError):
    """A % token or an environment variable that OpenSSH would reject too."""


class ConfigLine(msgspec.Struct, frozen=True, kw_only=True):
    """One line of an ssh_config."""

    file: str
    line: int
    keyword: str
    """In lower case."""
    words: tuple[str, ...]
    """Its arguments, unquoted; empty where a quote is not closed."""
    hosts: tuple[tuple[str, ...], ...] = ()
    """The patterns of the enclosing Host lines, all of which have to match."""
    conditional: bool = False
    """Whether it is under a Match that only ssh can evaluate."""
    system: bool = False
    """Whether it is in the machine's file and not in the operator's."""

    @property
    def text(self) -> str:
        """Keyword and words, for messages."""
        return " ".join((self.keyword, *self.words))

    def may_be_about(self, address: str) -> bool:
        """Whether the Host lines above it match this name."""
        return all(matches(patterns, address) for patterns in self.hosts)


class ConfigText(msgspec.Struct, frozen=True, kw_only=True):
    """The lines of the operator's ssh_config with all it includes, and of the machine's."""

    lines: tuple[ConfigLine, ...] = ()
    files: tuple[str, ...] = ()
    """Every file that was read."""
    has_own: bool = False
    """Whether the operator's file is among them."""
    unread: tuple[Complaint, ...] = ()
    """Files that we could not read; ssh may be able to."""

    @property
    def aliases(self) -> tuple[ConfigLine, ...]:
        """The operator's Host lines."""
        return tuple(each for each in self.lines if each.keyword == "host" and not each.system)

    @property
    def tells_hosts_apart(self) -> bool:
        """Whether anything in it may apply to one host and not to another."""
        return bool(self.unread) or any(map(_is_special, self.lines))

    @property
    def changes_by_itself(self) -> bool:
        """Whether its result may change while no file does, because programs or networks are
        consulted."""
        return any(
            line.keyword == "canonicalizehostname"
            or (line.keyword == "match" and {"exec", "localnetwork"} & _conditions(line))
            for line in self.lines
        )


def _conditions(line: ConfigLine) -> set[str]:
    return {word.lower().removeprefix("!").partition("=")[0] for word in line.words}


def _is_special(line: ConfigLine) -> bool:
    match line.keyword:
        case "host":
            return line.words != ("*",)
        case "match":
            return tuple(word.lower() for word in line.words) != ("all",)
        case "proxyjump" | "canonicalizehostname":
            return True  # ssh compares the jump host with the host itself
        case _:  # any other keyword, which may hold a token of the host
            return not line.words or any("%" in word for word in line.words)


def parse_settings(output: bytes) -> dict[str, tuple[str, ...]]:
    """The text of ``ssh -G``: a keyword, a space, the value; a keyword may come again.

    Keywords are lower case in most versions; values are not quoted. Lines of any other shape are
    skipped, because versions print more or less.
    """
    found: dict[str, list[str]] = {}
    for line in output.decode(errors="surrogateescape").split("\n"):
        keyword, space, value = line.partition(" ")
        if space and keyword.isascii() and keyword.isalnum():
            found.setdefault(keyword.lower(), []).append(value)
    return {keyword: tuple(values) for keyword, values in found.items()}


def resolved_from(
    original: str,
    settings: Mapping[str, tuple[str, ...]],
    usual: Mapping[str, tuple[str, ...]],
) -> Resolved:
    """The output of ``ssh -G`` for a host, minus its output for any host without files (``usual``).

    Raises ValueError when it is not the text of ``ssh -G``.
    """
    try:
        hostname, port, user = (settings[each][0] for each in ("hostname", "port", "user"))
        number = int(port)
    except (KeyError, ValueError):
        raise ValueError("ssh -G does not say hostname, port and user") from None
    named = {"host", "hostname", "port", "user"}
    said = {
        keyword: values
        for keyword, values in settings.items()
        if keyword not in named and values != usual.get(keyword)
    }
    return Resolved(original=original, hostname=hostname, port=number, user=user, said=said)


def parse_refusal(words: bytes, names: Mapping[str, str] | None = None) -> ConfigRefusal:
    """Parse the error output of ssh. ``names`` maps copied files back to their original names."""
    complaints: list[Complaint] = []
    before: list[str] = []
    text = words.decode(errors="surrogateescape")
    for copy, own in (names or {}).items():
        text = text.replace(copy, own)
    for line in filter(None, map(str.strip, text.split("\n"))):
        if line.startswith(_NO_CONTENT) or _SUMMARY.fullmatch(line):
            continue
        if located := _LOCATED.fullmatch(line):
            said = ", ".join((*before, located["text"].removesuffix(".")))
            complaints.append(Complaint(said, located["file"], int(located["line"])))
            before.clear()
        else:
            before.append(line.removesuffix("."))
    complaints.extend(map(Complaint, before))
    kept = tuple(dict.fromkeys(complaints))[:MAX_WORDS_LINES]
    return ConfigRefusal(kept or (Complaint("ssh -G failed without a message"),))


def split_files(value: str) -> tuple[str, ...]:
    """File names on one line of ``ssh -G``, which does not quote those with spaces.

    Names are absolute or begin with ``~`` once ssh has replaced their tokens, so a word that does
    not begin so belongs to the one before it.
    """
    names: list[str] = []
    for word in value.split(" "):
        if not names or word.startswith(("/", "~")) or names[-1] == "none":
            names.append(word)
        else:
            names[-1] = f"{names[-1]} {word}"
    return tuple(name for name in names if name)


class Surroundings(msgspec.Struct, frozen=True, kw_only=True):
    """The values of tokens on this machine."""

    home: str
    user: str
    user_id: int
    hostname: str
    environment: Mapping[str, str]


def expand_file(text: str, host: Resolved, here: Surroundings) -> str:
    """A file name with ``~``, ``${NAME}`` and the tokens of ssh_config(5), TOKENS, replaced.

    Raises UnknownTokenError for what OpenSSH refuses too.
    """

    def variable(found: re.Match[str]) -> str:
        value = here.environment.get(found[1])
        if value is None:
            raise UnknownTokenError(f"the environment variable {found[1]} of {text} has no value")
        return value

    jump = host.one("proxyjump") or ""
    user = host.user or here.user
    hashed = f"{here.hostname}{host.hostname}{host.port}{user}{jump}"
    tokens = {
        "%": "%",
        "C": hashlib.sha1(hashed.encode(errors="surrogateescape")).hexdigest(),  # noqa: S324 - OpenSSH has it so
        "d": here.home,
        "h": host.hostname,
        "i": str(here.user_id),
        "j": jump,
        "k": host.key_alias,
        "L": here.hostname.partition(".")[0],
        "l": here.hostname,
        "n": host.original,
        "p": str(host.port),
        "r": user,
        "u": here.user,
    }
    if text == "~" or text.startswith("~/"):
        text = here.home + text[1:]
    # Both in one pass: a substituted value is not expanded again.
    parts = re.split(r"(\$\{[^}]*\}|%.?)", text)
    return "".join(
        _ENVIRONMENT.sub(variable, part)
        if part.startswith("${")
        else _replaced(part, tokens, text)
        if part.startswith("%")
        else part
        for part in parts
    )


def expand_way(text: str, host: Resolved) -> str:
    """A ProxyCommand or ProxyJump with its tokens replaced. Raises UnknownTokenError."""
    tokens = {
        "%": "%",
        "h": host.hostname,
        "k": host.key_alias,
        "n": host.original,
        "p": str(host.port),
    }
    if host.user is not None:
        tokens["r"] = host.user
    return _TOKEN.sub(lambda found: _replaced(found[0], tokens, text), text)


def _replaced(token: str, tokens: Mapping[str, str], text: str) -> str:
    try:
        return tokens[token[1:]]
    except KeyError:
        raise UnknownTokenError(f"unknown token {token} in {text}") from None


def split_words(text: str) -> tuple[str, ...] | None:
    """The arguments of a line as OpenSSH splits them (misc.c, argv_split), up to a comment; None
    where a quote is not closed."""
    words: list[str] = []
    at = 0
    while at < len(text):
        if text[at] in " \t":
            at += 1
            continue
        if text[at] == "#":
            break
        word, quote = "", ""
        while at < len(text):
            char = text[at]
            after = text[at + 1 : at + 2]
            if char == "\\" and (after in ("'", '"', "\\") or (after == " " and not quote)):
                at += 1
                word += after
            elif not quote and char in " \t":
                break
            elif not quote and char in "\"'":
                quote = char
            elif quote and char == quote:
                quote = ""
            else:
                word += char
            at += 1
        if quote:
            return None
        words.append(word)
    return tuple(words)


def split_line(line: str) -> tuple[str, str] | None:
    """A line's keyword in lower case and its arguments; None for comments and empty lines.

    Blanks, and one ``=``, may stand between them (misc.c, strdelim).
    """
    said = line.partition("\0")[0].strip(" \t\r\f")
    if not said or said.startswith("#"):
        return None
    if said.startswith('"'):
        keyword, _, rest = said[1:].partition('"')
    else:
        end = re.search(r'[ \t\r="]', said)
        keyword, rest = (said[: end.start()], said[end.start() :]) if end else (said, "")
    return keyword.lower(), rest.lstrip(" \t").removeprefix("=").lstrip(" \t")


def matches(patterns: tuple[str, ...], name: str) -> bool:
    """ssh_config(5), PATTERNS: one has to match, and no negated one."""
    hit = False
    for pattern in patterns:
        # fnmatch supports sets in brackets; OpenSSH does not.
        plain = pattern.removeprefix("!").replace("[", "[[]")
        if fnmatch.fnmatchcase(name, plain):
            if pattern.startswith("!"):
                return False
            hit = True
    return hit
