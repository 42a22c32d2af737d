"""The blows that the scenario planned, and the healing after them."""

import asyncio
import random

from msgspec.structs import replace

from fleet_tui.core.agents.commands import Cordon
from fleet_tui.core.engine.commands import Freeze, StopEngine, Thaw
from fleet_tui.core.fleet import FleetSpec
from fleet_tui.core.ids import AgentName, HostName
from fleet_tui.core.step import FleetChanged
from fleet_tui.sim.virtual.checks import Checks
from fleet_tui.sim.virtual.gateways import Poison, SimGateway
from fleet_tui.sim.virtual.host import FREE_KB, Lack, SimHost
from fleet_tui.sim.virtual.loop import Running
from fleet_tui.sim.virtual.people import People
from fleet_tui.sim.virtual.scenario import Fault
from fleet_tui.sim.virtual.world import World, dice

MAX_CLOCK_JUMP_MS = 600_000


class Plague:
    """Carries faults out, each in its own time."""

    def __init__(self, world: World, people: People, checks: Checks, rng: random.Random) -> None:
        self._world = world
        self._people = people
        self._checks = checks
        self._rng = rng
        self._wipes = dice(world.scenario.seed, "wipes")

    async def strike(self, fault: Fault) -> None:
        """Wait for the moment and do it."""
        world = self._world
        await asyncio.sleep(fault.at_s)
        if world.healed:
            return
        world.note(f"fault: {fault.kind} {fault.host or fault.agent or ''} for {fault.for_s:g} s")
        await getattr(self, "_" + fault.kind.replace("-", "_"))(fault)

    async def heal(self) -> None:
        """End all faults and restore the fleet."""
        world = self._world
        world.healed = True
        world.note("healed")
        world.net.heal()
        for host in world.hosts.values():
            host.free_kb = FREE_KB
            host.lack = None
            if not host.up:
                self._boot(host)
        world.store.full = False
        world.store.disk = replace(world.store.disk, slow=0.0, fails=0.0)
        for gateway in world.gateways.values():
            gateway.resume()
            gateway.poison = None
        for engine in world.engines:
            engine.process.go_on()
        await self._load(world.scenario.fleet)

    # The engine

    async def _kill_engine(self, fault: Fault) -> None:
        self._world.kill_engine()

    async def _stop_engine(self, fault: Fault) -> None:
        await self._people.ask("operator", StopEngine(reason="maintenance"))

    async def _pause_engine(self, fault: Fault) -> None:
        engine = self._world.newest
        if engine is not None:
            engine.process.stop()
            await asyncio.sleep(fault.for_s)
            self._world.disturbed_s.append(self._world.loop.time())
            engine.process.go_on()

    async def _zombie_engine(self, fault: Fault) -> None:
        """The engine is stopped and its lock file removed; another starts, then the first
        resumes."""
        world = self._world
        engine = world.newest
        if engine is None or engine.process.running is not Running.YES:
            return
        engine.process.stop()
        world.start_engine()
        await asyncio.sleep(fault.for_s)
        engine.process.go_on()

    async def _jump_clock(self, fault: Fault) -> None:
        self._world.clock_offset_ms += round(fault.amount * MAX_CLOCK_JUMP_MS)

    async def _fill_ledger(self, fault: Fault) -> None:
        self._world.store.full = True
        await asyncio.sleep(fault.for_s)
        self._world.store.full = False

    # The network

    async def _cut(self, host: HostName, for_s: float, *, requests: bool, answers: bool) -> None:
        net = self._world.net
        net.set_link(host, requests=requests, answers=answers)
        await asyncio.sleep(for_s)
        net.set_link(host, requests=True, answers=True)

    async def _cut_host(self, fault: Fault) -> None:
        assert fault.host is not None
        await self._cut(fault.host, fault.for_s, requests=False, answers=False)

    async def _cut_requests(self, fault: Fault) -> None:
        assert fault.host is not None
        await self._cut(fault.host, fault.for_s, requests=False, answers=True)

    async def _cut_answers(self, fault: Fault) -> None:
        assert fault.host is not None
        await self._cut(fault.host, fault.for_s, requests=True, answers=False)

    async def _cut_pool(self, fault: Fault) -> None:
        world = self._world
        agents = [a for a in world.scenario.fleet.agents.values() if a.pool == fault.pool]
        hosts = sorted({a.host for a in agents if a.host is not None})
        assert fault.pool is not None
        for_s = max(fault.for_s, 110.0)
        self._checks.mass_loss(fault.pool, for_s)
        for host in hosts:
            world.net.set_link(host, requests=False, answers=False)
        await asyncio.sleep(for_s)
        for host in hosts:
            world.net.set_link(host, requests=True, answers=True)

    async def _break_connections(self, fault: Fault) -> None:
        assert fault.host is not None
        self._world.net.break_connections(fault.host)

    # The hosts

    async def _reboot_host(self, fault: Fault) -> None:
        assert fault.host is not None
        host = self._world.hosts[fault.host]
        if not host.up:
            return
        host.go_down()
        for gateway in self._gateways_on(fault.host):
            gateway.go_down()
        self._world.net.break_connections(fault.host)
        await asyncio.sleep(fault.for_s)
        self._boot(host)

    def _boot(self, host: SimHost) -> None:
        host.come_up()
        for gateway in self._gateways_on(host.name):
            gateway.come_up()

    def _gateways_on(self, host: HostName) -> list[SimGateway]:
        return [gateway for gateway in self._world.gateways.values() if gateway.host == host]

    async def _kill_gateway(self, fault: Fault) -> None:
        assert fault.agent is not None
        self._world.net.unsettle(self._world.gateways[fault.agent].host)
        self._world.gateways[fault.agent].kill()

    async def _pause_gateway(self, fault: Fault) -> None:
        assert fault.agent is not None
        gateway = self._world.gateways[fault.agent]
        gateway.pause()
        await asyncio.sleep(fault.for_s)
        self._world.net.unsettle(gateway.host)
        gateway.resume()

    async def _poison_gateway(self, fault: Fault) -> None:
        """It answers every probe, and can do nothing."""
        assert fault.agent is not None
        gateway = self._world.gateways[fault.agent]
        gateway.poison = self._rng.choice(list(Poison))
        await asyncio.sleep(fault.for_s)
        gateway.poison = None

    async def _unfit_host(self, fault: Fault) -> None:
        """It answers, but cannot take runs until it is fixed."""
        assert fault.host is not None
        host = self._world.hosts[fault.host]
        host.lack = Lack.LINK if fault.amount < 0 else Lack.TOOL
        host.lacks_since_s = self._world.loop.time()
        await asyncio.sleep(fault.for_s)
        host.lack = None

    async def _name_host(self, fault: Fault) -> None:
        """From now on its name is known."""
        assert fault.host is not None
        self._world.net.nameless.discard(fault.host)

    async def _kill_runs(self, fault: Fault) -> None:
        assert fault.host is not None
        self._world.hosts[fault.host].kill_runs()

    async def _wipe_runs(self, fault: Fault) -> None:
        """With who waits for its programs, or while that looks on."""
        assert fault.host is not None
        self._world.hosts[fault.host].wipe(unwatched=self._wipes.random() < 0.5)

    async def _late_look(self, fault: Fault) -> None:
        """An engine's first look sat in a buffer. It arrives when the engine is dead, before
        anybody else asks, and makes the deleted directory anew."""
        world, host = self._world, fault.host
        assert host is not None
        world.net.set_link(host, requests=False, answers=False)
        world.net.break_connections(host)
        world.kill_engine()
        world.hosts[host].wipe(unwatched=True)
        _, look = world.net.first_looks.get(host, (0, b""))
        world.hosts[host].answer(look, lambda _: None)
        await asyncio.sleep(fault.for_s)
        world.net.set_link(host, requests=True, answers=True)

    async def _fill_disk(self, fault: Fault) -> None:
        """Almost full, or with not a byte left."""
        assert fault.host is not None
        host = self._world.hosts[fault.host]
        host.free_kb = 0 if fault.amount < 0 else 1_000
        await asyncio.sleep(fault.for_s)
        host.free_kb = FREE_KB

    # The operators

    async def _cordon(self, fault: Fault) -> None:
        agent = self._rng.choice(list(self._world.scenario.fleet.agents))
        await self._people.ask("operator", Cordon(agents=(agent,), reason="a look"))

    async def _freeze(self, fault: Fault) -> None:
        people = self._people
        await people.ask("operator", Freeze(reason="a look"))
        await asyncio.sleep(fault.for_s)
        await people.ask("operator", Thaw())

    async def _reload_fleet(self, fault: Fault) -> None:
        """An agent leaves the fleet file, or gets more or fewer slots, for a while."""
        fleet = self._world.scenario.fleet
        name = self._rng.choice(list(fleet.agents))
        changed = self._without(fleet, name) if fault.amount < 0 else self._slots(fleet, name)
        await self._load(changed)
        await asyncio.sleep(fault.for_s)
        await self._load(fleet)

    def _without(self, fleet: FleetSpec, name: AgentName) -> FleetSpec:
        agents = {n: spec for n, spec in fleet.agents.items() if n != name}
        pools = {
            p: spec for p, spec in fleet.pools.items() if p in {a.pool for a in agents.values()}
        }
        return replace(fleet, agents=agents, pools=pools, digest=f"{fleet.digest}-without-{name}")

    def _slots(self, fleet: FleetSpec, name: AgentName) -> FleetSpec:
        spec = fleet.agents[name]
        agents = {**fleet.agents, name: replace(spec, slots=3 - spec.slots)}
        return replace(fleet, agents=agents, digest=f"{fleet.digest}-slots-{name}")

    async def _load(self, fleet: FleetSpec) -> None:
        world = self._world
        world.fleet = fleet
        engine = world.newest
        if engine is not None and engine.listens and engine.engine is not None:
            await engine.engine.inbox.put(FleetChanged(fleet, "fleet file"))
