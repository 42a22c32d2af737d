"""Makes the connection to each agent from its definition in the fleet file."""

import asyncio
import random
import time
import weakref
from collections.abc import Callable
from functools import partial
from typing import TypeVar, assert_never

import msgspec

from fleet_tui.core.agents.vitals import ProbeFailure
from fleet_tui.core.fleet import (
    AgentSpec,
    CommandAgent,
    FleetSpec,
    HostSpec,
    LocalAgent,
    OpenClawAgent,
)
from fleet_tui.core.ids import Epoch, HostName
from fleet_tui.engine.clock import Clock
from fleet_tui.wire.openclaw.dial import dial_over_ssh
from fleet_tui.wire.openclaw.port import OpenClawPort
from fleet_tui.wire.port import AgentPort
from fleet_tui.wire.programs.command import CommandPort
from fleet_tui.wire.programs.local import LocalPort, LocalShell, Room
from fleet_tui.wire.programs.wrapper import RunDirectory
from fleet_tui.wire.secrets import Secret, resolve_secret
from fleet_tui.wire.ssh.places import Places
from fleet_tui.wire.ssh.pool import SshFailure, SshPool
from fleet_tui.wire.ssh.resolver import SshResolver


class _Shared(msgspec.Struct, eq=False):
    """The connections to the hosts of a fleet file, and the agents that are reached over them."""

    fleet: FleetSpec
    pool: SshPool
    users: set[object] = msgspec.field(default_factory=set)
    programs: "_Programs" = msgspec.field(default_factory=dict)
    """The agents to notify when the connection to their host is lost."""


_Programs = dict[HostName, weakref.WeakSet[CommandPort]]


def _tell(programs: _Programs, host: HostName, failure: SshFailure) -> None:
    for port in tuple(programs.get(host, ())):
        port.host_lost(failure)


class Ports:
    """Agents' connections over one shared SSH connection per host."""

    def __init__(
        self,
        clock: Clock,
        rng: random.Random,
        epoch: Epoch,
        *,
        is_owner: Callable[[], bool],
        places: Places | None = None,
        processes: int | None = None,
        resolver: SshResolver | None = None,
    ) -> None:
        """``epoch`` is this engine's; ``is_owner`` tells whether no other has taken over since;
        ``places`` bounds the connections to hosts and ``processes`` the programs that run here,
        without bounds if None; ``resolver`` reads ssh_config, and may be shared."""
        self._places = places
        self._room = None if processes is None else Room(processes)
        self._clock = clock
        self._is_owner = is_owner
        self._rng = rng
        self._epoch = epoch
        self._resolver = resolver or SshResolver()
        self._shared: list[_Shared] = []
        """Connections for the fleet files that agents were made from, the newest last."""
        self._closing: set[asyncio.Task[None]] = set()
        self._directories: dict[tuple[HostSpec | None, str], RunDirectory] = {}
        """What this engine knows of each run directory, however often the fleet file changes."""

    def __call__(self, fleet: FleetSpec, agent: AgentSpec) -> AgentPort:
        """The connection to an agent; nothing is dialled before it is used."""
        match agent.kind:
            case OpenClawAgent(port=port):
                shared, host, left = self._reach(fleet, agent)
                pool = shared.pool
                return OpenClawPort(
                    agent,
                    dial=dial_over_ssh(pool, host, port),
                    token=lambda: self._token(pool, host, agent),
                    clock=self._clock.now_ms,
                    is_owner=self._is_owner,
                    why_no_host=lambda: pool.why_not(host),
                    left=left,
                )
            case CommandAgent():
                shared, host, left = self._reach(fleet, agent)
                pool = shared.pool
                command = _of_fleet(agent.kind, fleet)
                program = CommandPort(
                    agent.name,
                    command,
                    host,
                    pool,
                    directory=self._directory(fleet.hosts[host], command.run_dir),
                    probe_timeout_ms=agent.probe.timeout_ms,
                    now_ms=self._clock.now_ms,
                    left=left,
                    files=lambda: pool.connect(host),
                )
                shared.programs.setdefault(host, weakref.WeakSet()).add(program)
                return program
            case LocalAgent():
                local = _of_fleet(agent.kind, fleet)
                return LocalPort(
                    agent.name,
                    local,
                    directory=self._directory(None, local.run_dir),
                    probe_timeout_ms=agent.probe.timeout_ms,
                    now_ms=self._clock.now_ms,
                    shell=LocalShell(self._room),
                )
            case _:
                assert_never(agent.kind)

    async def close(self) -> None:
        """Close every connection."""
        for shared in self._shared:
            await shared.pool.close()
        self._shared.clear()
        await asyncio.gather(*self._closing)

    def _directory(self, host: HostSpec | None, run_dir: str) -> RunDirectory:
        known = self._directories.get((host, run_dir))
        if known is None:
            known = self._directories[host, run_dir] = RunDirectory(self._epoch)
        return known

    async def _token(self, pool: SshPool, host: HostName, agent: AgentSpec) -> str | ProbeFailure:
        """The agent's token, resolved again for every connection and kept nowhere else."""
        assert isinstance(agent.kind, OpenClawAgent)

        secret = await resolve_secret(agent.kind.token, connect=lambda: pool.connect(host))
        if isinstance(secret, Secret):
            return secret.reveal()
        return ProbeFailure(
            agent=agent.name,
            observed_at_ms=self._clock.now_ms(),
            kind=secret.kind,
            detail=secret.detail,
        )

    def _reach(
        self, fleet: FleetSpec, agent: AgentSpec
    ) -> tuple[_Shared, HostName, Callable[[], None]]:
        """The connections to an agent, its host, and what to call when it is released."""
        assert agent.host is not None, f"{agent.name} has no host"
        shared = next((s for s in self._shared if s.fleet.hosts == fleet.hosts), None)
        if shared is None:
            programs: _Programs = {}
            pool = SshPool(
                fleet.hosts,
                rng=self._rng,
                clock=time.monotonic,
                on_lost=partial(_tell, programs),
                resolver=self._resolver,
                places=self._places,
            )
            shared = _Shared(fleet, pool, programs=programs)
            self._shared.append(shared)
            self._close_unused()
        user = object()
        shared.users.add(user)
        return shared, agent.host, partial(self._left, shared, user)

    def _left(self, shared: _Shared, user: object) -> None:
        shared.users.discard(user)
        self._close_unused()

    def _close_unused(self) -> None:
        """Disconnect from hosts of older fleet files once no agent is reached over them."""
        for shared in self._shared[:-1]:
            if not shared.users:
                self._shared.remove(shared)
                closing = asyncio.create_task(shared.pool.close(), name="close old connections")
                self._closing.add(closing)
                closing.add_done_callback(self._closing.discard)


_Program = TypeVar("_Program", CommandAgent, LocalAgent)


def _of_fleet(kind: _Program, fleet: FleetSpec) -> _Program:
    """Runs are kept in a directory of their fleet: its epochs are counted there, and those of
    another fleet on the same account are meaningless."""
    return msgspec.structs.replace(kind, run_dir=f"{kind.run_dir}/{fleet.name}")
