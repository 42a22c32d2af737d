"""The aliases of an ssh_config. Only the alias is kept, so ssh_config still applies to it."""

import fnmatch
from collections.abc import Mapping

from fleet_tui.config.importers.found import DEFAULT_POOL, Findings, FoundHost
from fleet_tui.config.problems import quoted
from fleet_tui.config.values import Unacceptable, address
from fleet_tui.core.ssh.config import ConfigRefusal, ConfigText, Resolved

MAX_UNREAD_SHOWN = 20


def aliases(text: ConfigText, *, match: str = "*") -> tuple[str, ...]:
    """The concrete names of Host lines that a glob matches, each once and in the file's order;
    wildcards and negations are none."""
    names = (word for line in text.aliases for word in line.words if not set(word) & set("*?!"))
    return tuple(dict.fromkeys(name for name in names if fnmatch.fnmatchcase(name, match)))


def found_aliases(
    names: Mapping[str, Resolved | ConfigRefusal], text: ConfigText, *, pool: str = DEFAULT_POOL
) -> Findings:
    """One host for each machine that the aliases lead to, under the first of its names that a
    fleet file can hold."""
    findings = Findings()
    first_of: dict[object, str] = {}
    together = _short_names(text)
    for alias in sorted(names, key=_cannot_be_written):
        answer = names[alias]
        if isinstance(answer, ConfigRefusal):
            # It is kept: entries that ssh refuses can be fixed, and `check` reports them.
            machine: object = alias
        else:
            machine = answer.machine()
        first = first_of.setdefault(machine, alias)
        if first == alias and (long := together.get(alias)) in first_of.values():
            first = str(long)
        if first != alias:
            findings.ignored.append(f"{alias}: another name of {first}")
            continue
        findings.hosts.append(FoundHost(alias=alias, pool=pool))
    refused = (
        f"{answer.reader} refuses {each if each.file else f'{quoted(alias)}: {each}'}"
        for alias, answer in names.items()
        if isinstance(answer, ConfigRefusal)
        for each in answer.complaints
    )
    # Until these are fixed the hosts are unreachable, or some of them were not seen.
    findings.missed.extend(dict.fromkeys(refused))
    findings.missed.extend(str(each) for each in text.unread[:MAX_UNREAD_SHOWN])
    return findings


def _cannot_be_written(alias: str) -> bool:
    try:
        address(alias)
    except Unacceptable:
        return True
    return False


def _short_names(text: ConfigText) -> dict[str, str]:
    """Names that stand on one Host line with a name they begin or that begins them, as ``crow``
    and ``crow.example.net``: the later to the first."""
    found: dict[str, str] = {}
    for line in text.aliases:
        for at, later in enumerate(line.words):
            for earlier in line.words[:at]:
                if later.startswith(f"{earlier}.") or earlier.startswith(f"{later}."):
                    found.setdefault(later, earlier)
    return found
