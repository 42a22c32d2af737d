"""Problems of a fleet file with ssh_config: for ``check`` and ``doctor``."""

from collections.abc import Collection
from typing import TYPE_CHECKING

from fleet_tui.config.load import Loaded
from fleet_tui.config.problems import Problem
from fleet_tui.config.ssh_warnings import (
    decided_problems,
    doubtful_problems,
    jump_loop_problems,
    known_hosts_problem,
    same_agent_problems,
    ssh_config_problems,
    unusable_problems,
    without_ssh_problem,
)
from fleet_tui.core.fleet import HostSpec

if TYPE_CHECKING:
    from fleet_tui.wire.ssh.survey import Survey


async def ssh_problems(hosts: Collection[HostSpec]) -> tuple[Problem, ...]:
    """All problems found by ``ssh -G``, for hosts without a fleet. Contacts no host."""
    return problems_of(await _survey(hosts)) if hosts else ()


async def fleet_problems(loaded: Loaded, file: str) -> tuple[Problem, ...]:
    """The same for a fleet, and problems of several names for one machine."""
    hosts = loaded.spec.hosts.values()
    return fleet_problems_of(loaded, file, await _survey(hosts)) if hosts else ()


async def _survey(hosts: Collection[HostSpec]) -> "Survey":
    from fleet_tui.wire.ssh.resolver import SshResolver
    from fleet_tui.wire.ssh.survey import survey

    return await survey(hosts, SshResolver(canonicalize=False))


def fleet_problems_of(loaded: Loaded, file: str, found: "Survey") -> tuple[Problem, ...]:
    """The problems of an existing survey of a fleet."""
    return (
        *problems_of(found),
        *same_agent_problems(loaded.spec, found.answers, loaded.agent_lines, file),
    )


def problems_of(found: "Survey") -> tuple[Problem, ...]:
    """The problems of an existing survey."""
    asked = [(each.label, each.spec.address, each.answer) for each in found.asked]
    reads_file = any(each.spec.use_ssh_config for each in found.asked)
    why = found.without_ssh if reads_file else None
    return (
        *((without_ssh_problem(why),) if why is not None else ()),
        *decided_problems(found.decided_here),
        *ssh_config_problems(asked, found.text),
        *unusable_problems(
            (
                (each.label, each.spec.address, keyword, reason)
                for each in found.asked
                for keyword, reason in each.unusable
            ),
            found.text,
        ),
        *doubtful_problems(
            (
                (each.label, each.spec.address, *doubt)
                for each in found.asked
                for doubt in each.doubtful
            ),
            found.text,
        ),
        *(
            known_hosts_problem(str(odd.file), odd.line, odd.why, hosts, closes=odd.closes)
            for odd, hosts in found.odd_lines
        ),
        *jump_loop_problems(
            [(each.label, each.spec.address, each.via) for each in found.asked], found.text
        ),
    )
