"""The options of ``ssh`` in an inventory, as far as a fleet file can express them.

Options as in ssh(1), ``-o`` values as in ssh_config(5). As for OpenSSH, the value that comes first
counts. Options that a fleet file cannot express are recorded with the reason.
"""

import re
import shlex
from collections.abc import Callable
from dataclasses import dataclass, field

from fleet_tui.config.importers.found import Hop, Missed
from fleet_tui.config.importers.places import place_of, told
from fleet_tui.config.problems import quoted
from fleet_tui.config.values import Unacceptable, address, text, user, whole
from fleet_tui.core.ssh.config import split_words
from fleet_tui.core.ssh.ways import MAX_JUMPS

MAX_NESTED = 4
"""A ProxyCommand within a ProxyCommand, and so on."""

_WITH_VALUE = frozenset("bceilmopBDEFIJLOPQRSwW")
_CHANGE_NOTHING = frozenset("1246aACfgkKMnNqtTvxXyYDELRSew")
"""Options that do not affect how a host is reached."""
_OPTIONS_CHANGE_NOTHING = frozenset(
    {
        "addkeystoagent",
        "addressfamily",
        "batchmode",
        "checkhostip",
        "clearallforwardings",
        "compression",
        "connectionattempts",
        "connecttimeout",
        "controlmaster",
        "controlpath",
        "controlpersist",
        "dynamicforward",
        "enablesshkeysign",
        "escapechar",
        "exitonforwardfailure",
        "forwardagent",
        "forwardx11",
        "forwardx11timeout",
        "forwardx11trusted",
        "gatewayports",
        "globalknownhostsfile",
        "gssapiauthentication",
        "gssapidelegatecredentials",
        "hashknownhosts",
        "hostbasedauthentication",
        "identitiesonly",
        "ipqos",
        "kbdinteractiveauthentication",
        "localforward",
        "loglevel",
        "nohostauthenticationforlocalhost",
        "numberofpasswordprompts",
        "obscurekeystroketiming",
        "passwordauthentication",
        "permitlocalcommand",
        "preferredauthentications",
        "pubkeyauthentication",
        "remoteforward",
        "requesttty",
        "sendenv",
        "serveralivecountmax",
        "serveraliveinterval",
        "setenv",
        "stricthostkeychecking",
        "tcpkeepalive",
        "updatehostkeys",
        "verifyhostkeydns",
        "visualhostkey",
    }
)
_OPTION = re.compile(r"\s*(?P<name>[A-Za-z0-9]+)(?:\s*=\s*|\s+)(?P<value>.*\S)\s*", re.DOTALL)
_FORWARDS = frozenset({"%h:%p", "[%h]:%p"})
_SHELL = frozenset(";|&<>$`(){}\n\\*?!")
"""What a shell would act on in a ProxyCommand."""

_NOT_KEPT = "a fleet file has no place for it; say it in ~/.ssh/config"


@dataclass(slots=True)
class SshWords:
    """What options say of the way to a host. None and () where they say nothing."""

    address: str | None = None
    user: str | None = None
    port: str | None = None
    identity: str | None = None
    known_hosts: str | None = None
    via: tuple[Hop, ...] | None = None
    """The hosts to go through, the first of them first; empty for a direct way."""
    missed: list[Missed] = field(default_factory=list)
    changes_nothing: set[str] = field(default_factory=set)
    """Options that do not affect how a host is reached."""

    def read(self, variable: str, text: str) -> None:
        """Add the options of one variable."""
        try:
            words = shlex.split(text)
        except ValueError:
            self.missed.append(Missed(variable, "a quote in it is not closed"))
            return
        reading = _Reading(self, variable, 0)
        for word in reading.options(words):
            reading.miss(f"{told(word)} in it is not an option of ssh")

    def add_key(self, variable: str, file: str) -> None:
        """A private key file that a variable names by itself."""
        reading = _Reading(self, variable, 0)
        try:
            reading.identity(text(as_ssh_reads(file)))
        except Unacceptable as reason:
            reading.miss(reason.message)


def as_ssh_reads(value: str) -> str:
    """A value that is handed to ssh in quotes: ``CORP\\\\ann`` is ``CORP\\ann`` there."""
    words = split_words(f'"{value}"')
    return words[0] if words is not None and len(words) == 1 else value


class _Reading:
    """Reads the words of one variable, or of one ProxyCommand in it, into what they say."""

    def __init__(self, into: SshWords, variable: str, depth: int) -> None:
        self.into = into
        self.variable = variable
        self.depth = depth
        self.forwards: str | None = None

    def miss(self, why: str) -> None:
        self.into.missed.append(Missed(self.variable, why))

    def options(self, words: list[str]) -> list[str]:
        """Read the options; what is none of them comes back."""
        others: list[str] = []
        at = 0
        while at < len(words):
            word = words[at]
            at += 1
            if word == "--":
                return others + words[at:]
            if len(word) < 2 or word[0] != "-":
                others.append(word)
                continue
            for place in range(1, len(word)):
                letter = word[place]
                if letter not in _WITH_VALUE:
                    self._flag(letter)
                    continue
                value = word[place + 1 :]
                if not value and at < len(words):
                    value = words[at]
                    at += 1
                self._valued(letter, value)
                break
        return others

    def _flag(self, letter: str) -> None:
        if letter in _CHANGE_NOTHING:
            self.into.changes_nothing.add(f"-{letter}")
        else:
            self.miss(f"ssh's -{quoted(letter)}: {_NOT_KEPT}")

    def _valued(self, letter: str, value: str) -> None:
        match letter:
            case "l":
                self._user(value)
            case "p":
                self._port(value)
            case "i":
                self.identity(value)
            case "J":
                self._jumps(value)
            case "o":
                self._option(value)
            case "W" if self.depth:
                self.forwards = value
            case _:  # every other letter that takes a value is one of ssh, and not kept
                self._flag(letter)

    def _option(self, text: str) -> None:
        found = _OPTION.fullmatch(text)
        if found is None:
            self.miss(f"ssh's option {quoted(text)} has no value")
            return
        name, value = found["name"].lower(), found["value"]
        if len(value) > 1 and value[0] == value[-1] == '"':
            value = value[1:-1]
        match name:
            case "user":
                self._user(as_ssh_reads(value))
            case "port":
                self._port(value)
            case "identityfile":
                self.identity(value)
            case "hostname":
                self._kept("address", value, address)
            case "userknownhostsfile":
                self._known_hosts(found["name"], value)
            case "proxyjump":
                self._jumps(value)
            case "proxycommand":
                self._proxy_command(value)
            case "proxyusefdpass" if value.lower() == "no":
                pass
            case _ if name in _OPTIONS_CHANGE_NOTHING:
                self.into.changes_nothing.add(found["name"])
            case _:  # ssh has many options; what is not kept is said
                self.miss(f"ssh's {quoted(found['name'])}: {_NOT_KEPT}")

    def _user(self, value: str) -> None:
        self._kept("user", value, user)

    def _port(self, value: str) -> None:
        self._kept("port", value, lambda said: str(whole(said, least=1, most=65_535)))

    def _kept(self, name: str, value: str, judge: Callable[[str], str]) -> None:
        if getattr(self.into, name) is not None:
            return
        try:
            setattr(self.into, name, judge(value))
        except Unacceptable as reason:
            self.miss(reason.message)

    def identity(self, value: str) -> None:
        """A private key file; one that is none, or cannot be said, is named."""
        if value.lower() == "none":
            return
        if "%" in value or "${" in value:
            self.miss(f"key file {quoted(value)}: ssh's % and $ signs are not filled in here")
        elif self.into.identity is None:
            self.into.identity = value
        elif self.into.identity != value:
            self.miss(f"key file {quoted(value)}: a host has one in a fleet file")

    def _known_hosts(self, option: str, value: str) -> None:
        if value.lower() in ("none", "/dev/null"):  # host keys are always checked
            self.into.changes_nothing.add(option)
        elif "%" in value or "${" in value:
            self.miss(f"{option} {quoted(value)}: ssh's % and $ signs are not filled in here")
        elif len(value.split()) > 1:
            self.miss(f"{option} {quoted(value)}: a host has one file in a fleet file")
        elif self.into.known_hosts is None:
            self.into.known_hosts = value

    def _jumps(self, value: str) -> None:
        if self.into.via is not None:
            return
        if value.lower() == "none":
            self.into.via = ()
            return
        try:
            hops = tuple(_hop(each.strip()) for each in value.split(","))
        except Unacceptable as reason:
            self.miss(f"ProxyJump: {reason.message}")
            return
        if len(hops) > MAX_JUMPS:
            self.miss(f"ProxyJump goes through {len(hops)} hosts; at most {MAX_JUMPS} can be said")
        else:
            self.into.via = hops

    def _proxy_command(self, value: str) -> None:
        if self.into.via is not None:
            return
        if value.lower() == "none":
            self.into.via = ()
            return
        via = _as_jumps(value, self.depth)
        if via is None:
            self.miss(
                "ProxyCommand is a program to run on this machine, which no fleet file can name; "
                "say it in ~/.ssh/config"
            )
        else:
            self.into.via = via


def _as_jumps(command: str, depth: int) -> tuple[Hop, ...] | None:
    """The jump hosts that ``ssh -W %h:%p HOST`` stands for; None for any other command."""
    if depth >= MAX_NESTED or set(command) & _SHELL:
        return None
    try:
        words = shlex.split(command)
    except ValueError:
        return None
    if words[:1] == ["exec"]:
        words = words[1:]
    if not words or words[0] not in ("ssh", "/usr/bin/ssh"):
        return None
    said = SshWords()
    reading = _Reading(said, "ProxyCommand", depth + 1)
    others = reading.options(words[1:])
    if reading.forwards not in _FORWARDS or len(others) != 1 or said.missed or said.address:
        return None
    try:
        named = _hop(others[0])
    except Unacceptable:
        return None
    if named.port and not others[0].startswith("ssh://"):
        return None
    last = Hop(
        address=named.address,
        user=said.user or named.user,
        port=said.port or named.port,
        identity=said.identity,
        known_hosts=said.known_hosts,
    )
    via = (*(said.via or ()), last)
    return via if len(via) <= MAX_JUMPS else None


def _hop(text: str) -> Hop:
    """Raises Unacceptable."""
    place = place_of(text)
    return Hop(address=place.address, user=place.user, port=place.port)
