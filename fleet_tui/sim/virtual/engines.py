"""Engine processes: started, stopped, killed, and restarted by a supervisor."""

import asyncio
import random
from collections.abc import Sequence
from typing import Protocol

from fleet_tui.core.agents.vitals import ProbeResult
from fleet_tui.core.engine.events import FleetLoaded
from fleet_tui.core.fleet import AgentSpec, CommandAgent, FleetSpec
from fleet_tui.core.ids import AgentName, HostName, RunId
from fleet_tui.core.ledger.commands import Command
from fleet_tui.core.ledger.events import Recorded
from fleet_tui.core.ledger.fold import fold
from fleet_tui.core.ledger.replies import Reply
from fleet_tui.core.ledger.state import FleetState
from fleet_tui.core.step import AgentProbed, RunReported
from fleet_tui.core.tasks.attempts import RunReport
from fleet_tui.engine.clock import Clock, SteadyClock
from fleet_tui.engine.effects import FleetEffects
from fleet_tui.engine.engine import Engine
from fleet_tui.engine.pacing import Pacing
from fleet_tui.sim.virtual.gateways import SimGateway, SimGatewayPort
from fleet_tui.sim.virtual.host import SimHost
from fleet_tui.sim.virtual.loop import Process, Running, VirtualLoop
from fleet_tui.sim.virtual.network import Internet, SimPool
from fleet_tui.sim.virtual.scenario import Scenario
from fleet_tui.sim.virtual.store import SimLedger, Store
from fleet_tui.wire.port import AgentPort
from fleet_tui.wire.programs.command import CommandPort
from fleet_tui.wire.programs.wrapper import RunDirectory

FIRST_PID = 100


class Ground(Protocol):
    """The environment of an engine: its machine, its disk and the network to its hosts."""

    loop: VirtualLoop
    scenario: Scenario
    fleet: FleetSpec
    store: Store
    net: Internet
    hosts: dict[HostName, SimHost]
    gateways: dict[AgentName, SimGateway]

    def now_ms(self) -> int:
        """What the engine's machine shows as the time; it may jump."""
        ...

    def asked(self, epoch: int, verb: str, run_id: str) -> None:
        """A question about a run leaves for a gateway."""

    def engine_ended(self, engine: "EngineProcess") -> None:
        """It was killed, stopped or failed."""


class EngineProcess:
    """One engine from its start to its end: the real loop, effects and ports of it."""

    def __init__(self, world: Ground, number: int) -> None:
        self.number = number
        self.process = Process(world.loop, f"engine {number}")
        self.engine: Engine | None = None
        """None until it listens."""
        self._world = world
        self._rng = random.Random(f"{world.scenario.seed}/engine/{number}")  # noqa: S311  # a simulation
        self._calls: dict[asyncio.Future[Reply | None], None] = {}
        self.task = self.process.spawn(self._main(), f"engine {number}")
        self.task.add_done_callback(
            lambda _: world.engine_ended(self), context=world.loop.outside.copy()
        )

    @property
    def listens(self) -> bool:
        """Whether a client can connect now."""
        alive = self.process.running is not Running.DEAD and not self.task.done()
        return alive and self.engine is not None

    @property
    def state(self) -> FleetState | None:
        """What its consoles show."""
        return self.engine.state if self.engine is not None else None

    def kill(self) -> None:
        """SIGKILL: not one more step, and every client notices."""
        self.process.kill()
        self._hang_up()

    async def ask(self, by: str, command: Command) -> Reply | None:
        """A client's command. None: the connection was lost, and the outcome is unknown."""
        assert self.engine is not None
        loop = self._world.loop
        answer: asyncio.Future[Reply | None] = loop.create_future()
        self._calls[answer] = None
        asked = self.process.spawn(self.engine.ask(by, command), "client")

        def replied(task: "asyncio.Task[Reply]") -> None:
            reply = None if task.cancelled() or task.exception() else task.result()
            loop.later(0.001, _settle, answer, reply)

        asked.add_done_callback(replied, context=self.process.context.copy())
        try:
            async with asyncio.timeout(15):
                return await answer
        except TimeoutError:
            return None
        finally:
            self._calls.pop(answer, None)

    async def _main(self) -> None:
        world = self._world
        ledger = await world.store.open(self.process, FIRST_PID + self.number)
        state = ledger.state
        if state.fleet != world.fleet:
            loaded = FleetLoaded(spec=world.fleet, by="fleet file")
            state = fold(state, await ledger.append([loaded], world.now_ms()))
        clock = SteadyClock(world, world.loop.time, not_before_ms=state.at_ms)
        pool = SimPool(world.net, ledger.epoch)

        elapsed_s = world.loop.time
        directories = {host: RunDirectory(ledger.epoch, elapsed_s) for host in world.hosts}

        def port_of(fleet: FleetSpec, agent: AgentSpec) -> AgentPort:
            assert agent.host is not None
            gateway = world.gateways.get(agent.name)
            if gateway is not None:
                return self._gateway_port(agent, gateway, pool, ledger, clock)
            return self._port(agent, agent.host, pool, directories[agent.host], clock)

        async def on_probe(result: ProbeResult) -> None:
            await engine.inbox.put(AgentProbed(result))

        async def on_run_report(run: RunId, report: RunReport) -> None:
            await engine.inbox.put(RunReported(run, report))

        effects = FleetEffects(
            port_of,
            clock=clock,
            rng=self._rng,
            on_probe=on_probe,
            on_log_lines=lambda lines: None,
            on_run_report=on_run_report,
            past_tasks=world.store.past_tasks,
        )
        engine = self.engine = Engine(
            ledger,
            state,
            effects,
            clock,
            _publish,
            pacing=Pacing(tick_ms=world.scenario.tick_ms),
        )
        try:
            await engine.run()
        finally:
            await effects.close()
            self._hang_up()

    def _port(
        self,
        agent: AgentSpec,
        host: HostName,
        pool: SimPool,
        directory: RunDirectory,
        clock: Clock,
    ) -> AgentPort:
        assert isinstance(agent.kind, CommandAgent)
        return CommandPort(
            agent.name,
            agent.kind,
            host,
            pool,
            directory=directory,
            probe_timeout_ms=agent.probe.timeout_ms,
            now_ms=clock.now_ms,
        )

    def _gateway_port(
        self,
        agent: AgentSpec,
        gateway: SimGateway,
        pool: SimPool,
        ledger: SimLedger,
        clock: Clock,
    ) -> AgentPort:
        world = self._world
        return SimGatewayPort(
            agent,
            gateway,
            pool,
            epoch=ledger.epoch,
            is_owner=ledger.is_owner,
            effect=world.asked,
            now_ms=clock.now_ms,
        )

    def _hang_up(self) -> None:
        for answer in self._calls:
            self._world.loop.later(0.01, _settle, answer, None)


def _publish(state: FleetState, rows: Sequence[Recorded]) -> None:
    """Nobody looks."""


def _settle(future: "asyncio.Future[Reply | None]", reply: Reply | None) -> None:
    if not future.done():
        future.set_result(reply)
