"""The findings of ``check`` about the operator's ssh_config and known_hosts: settings that make
hosts unreachable, settings that fleet-tui does not apply, and names that lead to one machine.

The resolved hosts are given: OpenSSH itself was asked (``ssh -G``).
"""

import os
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from fleet_tui.config.problems import APART, Problem, ProblemSeverity, visible
from fleet_tui.core.fleet import FleetSpec, OpenClawAgent
from fleet_tui.core.ids import AgentName, HostName
from fleet_tui.core.ssh.config import (
    ConfigLine,
    ConfigRefusal,
    ConfigText,
    Reader,
    Resolved,
    WithoutSsh,
)
from fleet_tui.core.ssh.machines import machine_of
from fleet_tui.core.ssh.ways import MAX_JUMPS

MAX_SHOWN_HOSTS = 3

NOT_FOLLOWED = {
    "addkeystoagent": "keys are never added to the SSH agent",
    "bindinterface": "the system chooses the interface",
    "casignaturealgorithms": "the SSH library has its own list",
    "controlmaster": "connections are shared already",
    "controlpath": "connections are shared already",
    "controlpersist": "connections are shared already",
    "dynamicforward": "only the agents' own ports are forwarded",
    "forkafterauthentication": "fleet-tui runs its own commands",
    "forwardagent": "the SSH agent is never forwarded",
    "forwardx11": "X11 is never forwarded",
    "gssapiauthentication": "only keys and certificates log in",
    "hostbasedauthentication": "only keys and certificates log in",
    "knownhostscommand": "host keys come from known_hosts only",
    "localcommand": "nothing is run on this machine",
    "localforward": "only the agents' own ports are forwarded",
    "nohostauthenticationforlocalhost": "host keys are always checked strictly",
    "permitlocalcommand": "nothing is run on this machine",
    "pkcs11provider": "keys come from files and from an ssh-agent",
    "remotecommand": "fleet-tui runs its own commands",
    "remoteforward": "only the agents' own ports are forwarded",
    "requiredrsasize": "RSA keys of any length are taken",
    "requesttty": "commands run without a terminal",
    "securitykeyprovider": "keys come from files and from an ssh-agent",
    "stricthostkeychecking": "host keys are always checked strictly",
    "tunnel": "no tunnel devices are made",
    "updatehostkeys": "known_hosts is never changed by itself",
    "verifyhostkeydns": "host keys come from known_hosts only",
}
"""Options that change nothing here, in lower case, and why."""

_OFF = frozenset({"no", "false", "none", "internal"})
"""Values under which ignoring an option makes no difference, except for host keys."""
_STRICT = frozenset({"yes", "true"})
_NEVER_SYSTEM = frozenset({"gssapiauthentication", "hostbasedauthentication"})
"""Distributions turn these on for everyone; a warning is useful only where the operator set
them."""

_Hosts = Iterable[tuple[str, str, Resolved | ConfigRefusal]]
"""A host's name, the name ssh was asked about, and its answer."""


def ssh_config_problems(hosts: _Hosts, text: ConfigText) -> tuple[Problem, ...]:
    """One error for each thing that is refused, one warning for each line that ssh would follow
    and fleet-tui does not, and notes on what reading the file does."""
    refused: dict[tuple[Reader, str | None, int | None, str], list[str]] = {}
    ignored: dict[tuple[str | None, int | None, str, str], list[str]] = {}
    looked = list(hosts)
    for name, address, answer in looked:
        if isinstance(answer, ConfigRefusal):
            for each in answer.complaints:
                key = (answer.reader, each.file, each.line, each.text)
                refused.setdefault(key, []).append(name)
            continue
        for keyword, line in _not_followed(answer, address, text):
            said = line.text if line else f"{keyword} {answer.one(keyword)}"
            where = (line.file, line.line) if line else (None, None)
            ignored.setdefault((*where, said, keyword), []).append(name)
    return (
        *(_refused(*where, names) for where, names in refused.items()),
        *(_ignored(*where, names) for where, names in sorted(ignored.items(), key=_by_place)),
        *_notes(text, looked),
    )


def unusable_problems(
    unusable: Iterable[tuple[str, str, str, str]], text: ConfigText
) -> tuple[Problem, ...]:
    """Errors for what ssh can and fleet-tui cannot: the host's name, the name ssh was asked about,
    keyword and reason."""
    found: dict[tuple[str | None, int | None, str], list[str]] = {}
    for name, address, keyword, reason in unusable:
        line = _line_of(keyword, address, text, None)
        where = (line.file, line.line) if line else (None, None)
        found.setdefault((*where, f"{keyword}: {reason}"), []).append(name)
    return tuple(
        _problem(
            ProblemSeverity.ERROR,
            file,
            number,
            f"{visible(said)}, so {_shown(names)} cannot be connected to",
        )
        for (file, number, said), names in found.items()
    )


def doubtful_problems(
    doubtful: Iterable[tuple[str, str, str, Path | None, str]], text: ConfigText
) -> tuple[Problem, ...]:
    """Warnings for keys that may be missed: the host's name, the name ssh was asked about, keyword,
    key file and reason."""
    found: dict[tuple[str | None, int | None, str, str], list[str]] = {}
    for name, address, keyword, key, reason in doubtful:
        own = str(key) if key is not None else None
        line = _line_of(keyword, address, text, own)
        where = (line.file, line.line) if line else (own, None)
        found.setdefault((*where, keyword, reason), []).append(name)
    return tuple(
        _problem(
            ProblemSeverity.WARNING,
            file,
            number,
            f"{keyword} for {_shown(names)}: {visible(reason)}",
        )
        for (file, number, keyword, reason), names in found.items()
    )


def jump_loop_problems(
    hosts: Iterable[tuple[str, str, str | None]], text: ConfigText
) -> tuple[Problem, ...]:
    """Errors for hosts whose jump hosts lead back to themselves, or never end: what each is called,
    the name ssh was asked about, and the first jump host on its way, which follows its own
    configuration."""
    looked = list(hosts)
    way = {address: via for _, address, via in looked}
    caught: dict[tuple[str | None, int | None, str], list[str]] = {}
    for name, address, _ in looked:
        seen: list[str] = []
        step: str | None = address
        while step is not None and step not in seen and len(seen) <= MAX_JUMPS:
            seen.append(step)
            step = way.get(step)
        if step is not None:
            line = _line_of("proxyjump", address, text, None)
            where = (line.file, line.line) if line else (None, None)
            how = "back to itself" if step in seen else f"through more than {MAX_JUMPS} hosts"
            caught.setdefault((*where, how), []).append(name)
    return tuple(
        _problem(
            ProblemSeverity.ERROR,
            file,
            number,
            f"proxyjump leads {how}, so {_shown(names)} cannot be connected to",
            hint="give the jump host a Host block of its own with ProxyJump none",
        )
        for (file, number, how), names in caught.items()
    )


def known_hosts_problem(
    file: str, line: int | None, why: str, hosts: Iterable[str], *, closes: bool
) -> Problem:
    """An invalid line of a known_hosts; ``closes``: no host with this file is accepted."""
    if closes:
        then = f"so {_shown(list(hosts))} cannot be connected to"
        return _problem(ProblemSeverity.ERROR, file, line, f"{visible(why)}, {then}")
    return _problem(
        ProblemSeverity.WARNING,
        file,
        line,
        f"{visible(why)}: the line is passed over, as ssh does, and vouches for no host",
        hint="remove or correct the line",
    )


def decided_problems(lines: Iterable[ConfigLine]) -> tuple[Problem, ...]:
    """Warnings for lines that the ssh here is too old for."""
    return tuple(
        _problem(
            ProblemSeverity.WARNING,
            line.file,
            line.line,
            f"{visible(line.text)}: the ssh here is older than OpenSSH 9.4 and refuses the file "
            "for this line, so fleet-tui compares the networks itself",
        )
        for line in lines
    )


def without_ssh_problem(why: WithoutSsh) -> Problem:
    """Which program reads the file where ``ssh`` cannot."""
    return _problem(
        ProblemSeverity.WARNING,
        None,
        None,
        f"{why.text}, so {Reader.ASYNCSSH} reads ssh_config: it understands less of it than "
        "OpenSSH",
        hint=f"{why.cure}, or say in the fleet file what matters",
    )


def same_agent_problems(
    spec: FleetSpec,
    answers: Mapping[HostName, Resolved | ConfigRefusal],
    lines: Mapping[str, int],
    file: str,
) -> tuple[Problem, ...]:
    """Errors for agents whose hosts have two names and are one machine. ``lines``: where agents
    stand in the fleet file."""
    return tuple(
        _problem(
            ProblemSeverity.ERROR,
            file,
            lines.get(name),
            f"is the same agent as {first}: {spec.agents[first].host} and {spec.agents[name].host} "
            f"are both {visible(answer.hostname)}, port {port} and agent_id {agent_id} are equal",
            path=f"agents.{name}",
            hint=f"keep one of the two, or {APART}",
        )
        for name, first, answer, port, agent_id in same_agents(spec, answers)
    )


def same_agents(
    spec: FleetSpec, answers: Mapping[HostName, Resolved | ConfigRefusal]
) -> Iterator[tuple[AgentName, AgentName, Resolved, int, str]]:
    """Agents that are one with an agent before them: both names, where their host is, and the port
    and the agent_id of the gateway."""
    first_of: dict[tuple[object, ...], AgentName] = {}
    for name, agent in spec.agents.items():
        if not isinstance(agent.kind, OpenClawAgent) or agent.host is None:
            continue
        answer = answers.get(agent.host)
        if not isinstance(answer, Resolved):
            continue
        machine = machine_of(spec, agent.host, answers)
        port, agent_id = agent.kind.port, agent.kind.agent_id
        first = first_of.setdefault((machine, port, agent_id), name)
        if first != name:
            yield name, first, answer, port, agent_id


def _not_followed(
    host: Resolved, address: str, text: ConfigText
) -> Iterable[tuple[str, ConfigLine | None]]:
    for keyword in NOT_FOLLOWED:
        for value in host.all(keyword):
            same = _STRICT if keyword == "stricthostkeychecking" else _OFF
            if value.lower() in same:
                continue
            line = _line_of(keyword, address, text, value)
            if keyword in _NEVER_SYSTEM and (line is None or line.system):
                continue
            yield keyword, line


def _line_of(keyword: str, address: str, text: ConfigText, value: str | None) -> ConfigLine | None:
    """The line that most likely said so: of the Host blocks about this name, the first with this
    value, or else the first; then the same of the Match blocks."""

    def likeliness(line: ConfigLine) -> tuple[bool, bool]:
        agrees = value is None or _plain(" ".join(line.words)) == _plain(value)
        return (not agrees, line.conditional)

    about = [line for line in text.lines if line.keyword == keyword and line.may_be_about(address)]
    return min(about, key=likeliness) if about else None


def _plain(value: str) -> str:
    """A value as it compares: ``ssh -G`` says true where the file says yes, ``[a]:80`` for
    ``a:80``; what is in the home directory may be named in three ways."""
    begin, slash, rest = value.partition("/")
    home = os.path.expanduser("~" if begin == "%d" else begin)
    said = f"{home}{slash}{rest}".lower().replace("[", "").replace("]", "")
    return {"yes": "true", "no": "false", "off": "false"}.get(said, said)


def _notes(text: ConfigText, hosts: _Hosts) -> Iterable[Problem]:
    asked = any(
        not isinstance(answer, Resolved) or answer.reader is not Reader.NOBODY
        for _, _, answer in hosts
    )
    if not asked:
        return
    for line in text.lines:
        if line.keyword == "match" and any("exec" in word.lower() for word in line.words):
            said = "ssh runs this command whenever the file is read, so fleet-tui does too"
            yield _problem(ProblemSeverity.NOTE, line.file, line.line, said)
        elif line.keyword == "canonicalizehostname" and line.words[:1] not in (("no",), ()):
            said = "names are looked up in DNS when the engine connects, and not by this command"
            yield _problem(ProblemSeverity.NOTE, line.file, line.line, said)
    for each in text.unread:
        if each.line is None:  # ssh reports the rest itself
            yield _problem(
                ProblemSeverity.NOTE, None, None, f"partly not read: {visible(str(each))}"
            )


def _refused(
    reader: Reader, file: str | None, line: int | None, said: str, hosts: list[str]
) -> Problem:
    same = "`ssh -G NAME` says the same; " if reader is Reader.OPENSSH else ""
    return _problem(
        ProblemSeverity.ERROR,
        file,
        line,
        f"{reader} refuses this: {visible(said)}, so {_shown(hosts)} cannot be connected to",
        hint=f"{same}`ssh_config: off` in the fleet file does without",
    )


def _ignored(
    file: str | None, line: int | None, said: str, keyword: str, hosts: list[str]
) -> Problem:
    message = f"{visible(said)} is not followed for {_shown(hosts)}: {NOT_FOLLOWED[keyword]}"
    return _problem(ProblemSeverity.WARNING, file, line, message)


def _by_place(
    item: tuple[tuple[str | None, int | None, str, str], list[str]],
) -> tuple[str, int, str, str]:
    file, line, said, keyword = item[0]
    return (file or "", line or 0, said, keyword)


def _shown(hosts: list[str]) -> str:
    unique = list(dict.fromkeys(map(visible, hosts)))
    more = len(unique) - MAX_SHOWN_HOSTS
    return ", ".join(unique[:MAX_SHOWN_HOSTS]) + (f" and {more} more" if more > 0 else "")


def _problem(
    severity: ProblemSeverity,
    file: str | None,
    line: int | None,
    message: str,
    *,
    path: str = "",
    hint: str = "",
) -> Problem:
    return Problem(
        severity=severity,
        file=visible(file) if file is not None else str(Path("~/.ssh/config")),
        line=line,
        col=1 if line is not None else None,
        width=1,
        path=path,
        message=message,
        hint=hint,
        excerpt=(),
    )
