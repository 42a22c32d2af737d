"""The ssh_config of a whole fleet, without contacting any host: for ``check`` and ``doctor``.

No name is resolved by DNS. ``Match exec`` commands run, as whenever ssh reads the file.
"""

import asyncio
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

import msgspec

from fleet_tui.core.fleet import HostSpec
from fleet_tui.core.ids import HostName
from fleet_tui.core.ssh.config import ConfigLine, ConfigRefusal, ConfigText, Resolved, WithoutSsh
from fleet_tui.core.ssh.ways import MAX_JUMPS, Hop, judge_login, jump_chain, proxy_command
from fleet_tui.wire.ssh.algorithms import missing
from fleet_tui.wire.ssh.config_files import asks_for_networks
from fleet_tui.wire.ssh.key_judge import Doubt, KeyJudge
from fleet_tui.wire.ssh.known_hosts import (
    OddLine,
    known_hosts_files,
    read_known_hosts,
    read_revoked,
)
from fleet_tui.wire.ssh.resolver import SshResolver
from fleet_tui.wire.ssh.surroundings import named_files

MAX_HOPS = 1_000
"""Jump hosts of ssh_config that are followed."""


class Asked(msgspec.Struct, frozen=True, kw_only=True):
    """One host of the fleet, or a jump host that only ssh_config names."""

    label: str
    spec: HostSpec
    answer: Resolved | ConfigRefusal
    unusable: tuple[tuple[str, str], ...] = ()
    """Settings that ssh supports and fleet-tui does not: the keyword and the reason."""
    doubtful: tuple[Doubt, ...] = ()
    """Keys that may be needed and are not usable."""
    via: str | None = None
    """The first jump host on its path, as named by ssh_config."""


class Survey(msgspec.Struct, frozen=True, kw_only=True):
    """Every host and how it is reached."""

    asked: tuple[Asked, ...]
    text: ConfigText
    without_ssh: WithoutSsh | None
    """Why ssh does not read the operator's file, if there is one."""
    odd_lines: tuple[tuple[OddLine, tuple[str, ...]], ...] = ()
    """Invalid lines in files of known hosts, and the hosts for which the file is read."""
    decided_here: tuple[ConfigLine, ...] = ()
    """Lines that this ssh is too old for and that fleet-tui evaluates itself."""

    @property
    def answers(self) -> dict[HostName, Resolved | ConfigRefusal]:
        """By host of the fleet file."""
        return {each.spec.name: each.answer for each in self.asked}


async def survey(hosts: Iterable[HostSpec], resolver: SshResolver) -> Survey:
    """Resolve hosts, then the jump hosts in their answers, and so on."""
    asked: dict[str, Asked] = {}
    waiting = [(str(spec.name), spec) for spec in hosts]
    judge = KeyJudge()
    seen_hops: set[tuple[str, str | None, int | None]] = set()
    for _ in range(MAX_JUMPS + 1):  # hosts behind several of them are listed by the first of those
        answers = await resolver.resolve_all(spec for _, spec in waiting)
        following: list[tuple[str, HostSpec]] = []
        for (label, spec), answer in zip(waiting, answers, strict=True):
            found, chain = await asyncio.to_thread(_judged, label, spec, answer, judge)
            asked[label] = found
            for hop in chain:
                key = (hop.address, hop.user, hop.port)
                if key in seen_hops or len(seen_hops) >= MAX_HOPS:
                    continue
                seen_hops.add(key)
                name = HostName(f"the jump host {hop.text}")
                jump = HostSpec(name=name, address=hop.address, user=hop.user, port=hop.port)
                following.append((name, jump))
        waiting = following
    text = await resolver.text()
    decided = filter(asks_for_networks, text.lines) if resolver.decides_networks else ()
    return Survey(
        asked=tuple(asked.values()),
        odd_lines=await asyncio.to_thread(_odd_lines, tuple(asked.values())),
        text=text,
        without_ssh=resolver.without_ssh if text.has_own else None,
        decided_here=tuple(decided),
    )


def _revocations(answer: Resolved) -> Iterable[tuple[str, str]]:
    """Why files of revoked keys cannot be read."""
    with suppress(ValueError):  # for its tokens, which were checked already
        for path in named_files(answer, "revokedhostkeys"):
            _, odd = read_revoked(path)
            if odd is not None:
                # Long words are cut at their end: the reason comes first.
                yield "revokedhostkeys", f"{odd.why}, in {odd.place}"


def _odd_lines(asked: tuple[Asked, ...]) -> tuple[tuple[OddLine, tuple[str, ...]], ...]:
    """Every file is read once, however many hosts it vouches for."""
    readers: dict[Path, list[str]] = {}
    for each in asked:
        if isinstance(each.answer, Resolved):
            for path in dict.fromkeys(known_hosts_files(each.spec, None, each.answer)):
                readers.setdefault(path, []).append(each.label)
    return tuple(
        (line, tuple(labels))
        for path, labels in readers.items()
        for line in read_known_hosts(path)
        if isinstance(line, OddLine)
    )


def _judged(
    label: str, spec: HostSpec, answer: Resolved | ConfigRefusal, judge: KeyJudge
) -> tuple[Asked, tuple[Hop, ...]]:
    if isinstance(answer, ConfigRefusal):
        return Asked(label=label, spec=spec, answer=answer), ()
    unusable = [
        (keyword, f"fleet-tui has none of {', '.join(names)}")
        for keyword, names in missing(answer).items()
    ]
    chain: tuple[Hop, ...] = ()
    try:
        chain = jump_chain(answer) if spec.jump is None else ()
    except ValueError as error:
        unusable.append(("proxyjump", str(error)))
    try:
        proxy_command(answer)
    except ValueError as error:
        unusable.append(("proxycommand", str(error)))
    unusable.extend(judge_login(answer))
    for keyword in ("identityfile", "certificatefile", "revokedhostkeys"):
        try:
            named_files(answer, keyword)
        except ValueError as error:
            unusable.append((keyword, str(error)))
    unusable.extend(_revocations(answer))
    keys_unusable, doubtful = judge.judge(spec, answer)
    unusable.extend(keys_unusable)
    found = Asked(
        label=label,
        spec=spec,
        answer=answer,
        unusable=tuple(unusable),
        doubtful=doubtful,
        via=chain[0].address if chain else None,
    )
    return found, chain
