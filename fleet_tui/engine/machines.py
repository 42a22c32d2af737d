"""Asks ssh_config in the background which hosts of the fleet are one machine.

Nothing waits for the answers: a thousand aliases take ``ssh`` many seconds of CPU time. The
findings are in the ledger, so that the next engine begins with them. Connections use the same
resolver, so no host is resolved twice.
"""

import asyncio
from collections.abc import Awaitable, Callable

from fleet_tui.core.fleet import FleetSpec, HostSpec
from fleet_tui.core.ids import HostName
from fleet_tui.core.ssh.config import ConfigRefusal, ConfigText, Resolved
from fleet_tui.core.ssh.machines import hosts_to_ask, same_machines
from fleet_tui.core.step import MachinesSeen
from fleet_tui.wire.ssh.resolver import SshResolver

LOOK_EVERY_S = 1.0
"""How often to check whether the fleet or a file of ssh_config has changed."""
AT_ONCE = 2
"""Fewer than the resolver's limit: connections need it too."""
AGAIN_S = 60.0
"""Retry interval after ssh refused to resolve a host."""


class MachineFinder:
    """Reports to the loop whenever the hosts that are one machine differ from those in the
    ledger."""

    def __init__(
        self,
        resolver: SshResolver,
        fleet: Callable[[], FleetSpec],
        tell: Callable[[MachinesSeen], Awaitable[None]],
    ) -> None:
        self._resolver = resolver
        self._fleet = fleet
        self._tell = tell
        self._seen: FleetSpec | None = None
        self._hosts: tuple[HostSpec, ...] = ()
        """The hosts of the latest fleet for which it matters."""
        self._text: ConfigText | None = None
        """The ssh_config at the last query; None to ask again."""
        self._same: dict[HostName, HostName] = {}
        self._again_at_s = float("inf")

    async def run(self) -> None:
        """Watch until cancelled."""
        while True:
            await self._look()
            await asyncio.sleep(LOOK_EVERY_S)

    async def _look(self) -> None:
        fleet = self._fleet()
        if fleet is not self._seen:
            self._seen, self._hosts, self._text = fleet, hosts_to_ask(fleet), None
        if self._hosts:
            text = await self._resolver.text()
            if text is not self._text or asyncio.get_running_loop().time() >= self._again_at_s:
                await self._ask(fleet)
                self._text = text
        else:
            self._same = {}
        if self._same != fleet.same:
            await self._tell(MachinesSeen(fleet.hosts, self._same))

    async def _ask(self, fleet: FleetSpec) -> None:
        answers: dict[HostName, Resolved | ConfigRefusal] = {}
        for at in range(0, len(self._hosts), AT_ONCE):
            some = self._hosts[at : at + AT_ONCE]
            told = await self._resolver.resolve_all(some)
            answers.update(zip((spec.name for spec in some), told, strict=True))
        self._same = same_machines(fleet, answers)
        refused = any(isinstance(answer, ConfigRefusal) for answer in answers.values())
        self._again_at_s = asyncio.get_running_loop().time() + AGAIN_S if refused else float("inf")
