"""The two places in which the contract of a gateway's port is tested: the simulator's short way in
virtual time, and the whole wire (HTTP, WebSocket, TCP) to the demo's gateway in real time."""

import asyncio
import random
from abc import ABC, abstractmethod
from collections.abc import Callable

from msgspec.structs import replace

from fleet_tui.core.agents.vitals import ProbeFailure
from fleet_tui.core.fleet import OpenClawAgent
from fleet_tui.sim.demo.behaviour import SONNET, RunPlan, Tokens
from fleet_tui.sim.demo.world import Host, Pace
from fleet_tui.sim.gateway.gateway import Gateway
from fleet_tui.sim.gateway.process import GatewaySpec
from fleet_tui.sim.gateway.releases import NEWEST, Release
from fleet_tui.sim.virtual.gateways import SimGateway, SimGatewayPort
from fleet_tui.sim.virtual.host import Habit, SimHost
from fleet_tui.sim.virtual.loop import VirtualLoop
from fleet_tui.sim.virtual.network import Internet, SimPool
from fleet_tui.sim.virtual.scenario import START_MS, Network
from fleet_tui.sim.virtual.truth import Truth
from fleet_tui.wire.openclaw.connection import Connection
from fleet_tui.wire.openclaw.port import OpenClawPort
from tests.simulation.places import BOX, WORKER, Test, digest
from tests.support.fake_gateway import TcpDial
from tests.support.fleets import agent
from tests.support.programs import wall_ms

SPEC = replace(agent(WORKER), kind=OpenClawAgent(port=1, token="secret:env:T"), host=BOX)
WORD = "only-for-this-test"
SPEED = 50.0
SECONDS = {"finish": 1.0, "fail": 1.0, "wait": 40.0}
"""How long a turn takes, in the gateway's seconds, by what it does."""

Port = SimGatewayPort | OpenClawPort


async def line_of(port: Port) -> Connection:
    """The port's own connection, for what a port would never send."""
    connection = await port._line.connection()
    assert isinstance(connection, Connection), connection
    return connection


class GatewayPlace(ABC):
    """One gateway. Every turn it gives itself or is asked for is written down."""

    how = "finish"
    """What a turn does from now on: ``finish``, ``fail`` or ``wait``."""
    speed = 1.0
    """Seconds of the gateway in one of the event loop."""

    @abstractmethod
    def run(self, test: Test) -> None:
        """Run a test's coroutine on this place's kind of event loop."""

    @abstractmethod
    def port(self) -> Port:
        """A way to the gateway, of an engine of its own."""

    async def pause(self, seconds: float) -> None:
        """Wait until so many of the gateway's seconds have gone by."""
        now_s = asyncio.get_running_loop().time
        until_s = now_s() + seconds / self.speed
        while now_s() < until_s:
            await asyncio.sleep(0.01)

    @abstractmethod
    def given(self) -> list[str]:
        """The SHA-256 of what each turn is about, in order."""

    @abstractmethod
    def kill(self) -> None:
        """End its process."""

    @abstractmethod
    def start(self) -> None:
        """Start another."""


class VirtualGatewayPlace(GatewayPlace):
    """A :class:`SimGateway`."""

    def __init__(self, release: Release = NEWEST) -> None:
        self._loop = VirtualLoop(random.Random(1))
        self._truth = Truth()
        host = SimHost(BOX, self._loop, random.Random(2), self._truth, self._habit)
        self._net = Internet(self._loop, random.Random(3), {BOX: host}, Network(), lambda *_: None)
        self._gateway = SimGateway(
            WORKER,
            BOX,
            self._loop,
            random.Random(4),
            self._truth,
            self._habit,
            lambda: START_MS + round(self._loop.time() * 1_000),
            release,
        )

    def run(self, test: Test) -> None:
        async def whole() -> None:
            self._gateway.start(0)
            await test()

        self._loop.run_to_end(whole())

    def port(self) -> SimGatewayPort:
        pool = SimPool(self._net, 1)
        return SimGatewayPort(
            SPEC,
            self._gateway,
            pool,
            epoch=1,
            is_owner=lambda: True,
            effect=lambda *_: None,
            now_ms=wall_ms,
        )

    def given(self) -> list[str]:
        return [e.payload_sha256 for e in self._truth.executions]

    def kill(self) -> None:
        self._gateway.go_down()

    def start(self) -> None:
        self._gateway.come_up()

    def _habit(self, run: str) -> Habit:
        habit = Habit(random.Random(run), 1.0)
        habit.seconds = SECONDS[self.how]
        habit.status = 3 if self.how == "fail" else 0
        habit.output = "out\n"
        habit.used = (0, 0)
        return habit


class WiredGatewayPlace(GatewayPlace):
    """The same gateway on a TCP port. Time goes by faster for it than outside."""

    speed = SPEED

    def __init__(self, release: Release = NEWEST) -> None:
        self._release = release
        self._given: list[str] = []
        self._ports: list[OpenClawPort] = []

    def run(self, test: Test) -> None:
        async def whole() -> None:
            self._gateway = Gateway(
                GatewaySpec(name=WORKER, port=1, token=WORD, model=SONNET, release=self._release),
                host=Host(BOX, 1),
                pace=Pace(_quick_clock(), SPEED),
                rng=random.Random(4),
                plan=self._plan,
            )
            self._gateway.start(boot_s=0)
            server = await asyncio.start_server(self._gateway.serve, "127.0.0.1", 0)
            self._dial = TcpDial(server.sockets[0].getsockname()[1])
            try:
                await test()
            finally:
                for port in self._ports:
                    await port.close()
                await self._gateway.close()
                server.close()
                await server.wait_closed()

        asyncio.run(whole())

    def port(self) -> OpenClawPort:
        port = OpenClawPort(
            SPEC, dial=self._dial, token=_token, clock=wall_ms, is_owner=lambda: True
        )
        self._ports.append(port)
        return port

    def given(self) -> list[str]:
        return self._given

    def kill(self) -> None:
        self._gateway.kill()

    def start(self) -> None:
        self._gateway.start()

    def _plan(self, run: str, message: str) -> RunPlan:
        self._given.append(digest(message))
        failed = self.how == "fail"
        return RunPlan(
            steps=(),
            tail_s=SECONDS[self.how],
            model=SONNET,
            tokens=Tokens(input=1, output=1),
            answer="" if failed else "out\n",
            error="the model failed" if failed else None,
        )


def _quick_clock() -> Callable[[], int]:
    """The wall's time for a gateway whose seconds are short."""
    began_ms = wall_ms()
    return lambda: began_ms + round((wall_ms() - began_ms) * SPEED)


async def _token() -> str | ProbeFailure:
    return WORD
