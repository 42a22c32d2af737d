"""The engine finds out which hosts ssh_config leads to one machine, and its ledger keeps it."""

import asyncio
import os
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager, closing, suppress
from pathlib import Path

import pytest
from msgspec.structs import replace

from fleet_tui.config.load import load_fleet
from fleet_tui.core.engine.events import FleetLoaded, MachinesFound
from fleet_tui.core.fleet import FleetSpec, HostSpec, OpenClawAgent
from fleet_tui.core.ids import NOWHERE, HostName
from fleet_tui.core.ledger.state import FleetState
from fleet_tui.core.routing.requirement import Roster
from fleet_tui.core.ssh.config import Complaint, ConfigRefusal, ConfigText, Resolved
from fleet_tui.core.ssh.machines import same_machines
from fleet_tui.core.step import MachinesSeen
from fleet_tui.engine import machines
from fleet_tui.engine.machines import MachineFinder
from fleet_tui.engine.run import RunningEngine
from fleet_tui.journal.ledger.reader import JournalReader
from fleet_tui.wire.ssh import resolver
from fleet_tui.wire.ssh.resolver import SshResolver
from tests.support.fleets import agent, fleet
from tests.support.ssh_home import SshHome

DEADLINE_S = 60.0
A, B = HostName("gate-a"), HostName("gate-b")
FILE = (
    "version: 1\nfleet: lab\ndefaults: {{port: 1, token: secret:env:T, slots: {slots}}}\n"
    "agents:\n  one: {{host: gate-a}}\n  two: {{host: gate-b, agent_id: other}}\n"
)
TOGETHER = "Host gate-*\n  HostName 127.0.0.1\n  Port 1\n  ConnectTimeout 1\n"
APART = "Host gate-b\n  HostName 127.0.0.2\n" + TOGETHER


@pytest.fixture(autouse=True)
def look_often(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(machines, "LOOK_EVERY_S", 0.02)
    monkeypatch.setattr(resolver, "LOOK_AGAIN_AFTER_S", 0.0)
    monkeypatch.setattr("fleet_tui.engine.reload.LOOK_EVERY_S", 0.02)
    monkeypatch.setattr("fleet_tui.engine.reload.STILL_S", 0.02)


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> SshHome:
    home = SshHome(tmp_path / "home", monkeypatch)
    home.config(TOGETHER)
    return home


class Watched:
    """An engine that works, and what it has told."""

    def __init__(self, base: Path, running: RunningEngine) -> None:
        self.file = base / "fleet.yaml"
        self._running = running

    @property
    def fleet(self) -> FleetSpec:
        return self._running.engine.state.fleet

    async def until(self, holds: Callable[[FleetState], bool]) -> None:
        async with asyncio.timeout(DEADLINE_S):
            while not holds(self._running.engine.state):
                await asyncio.sleep(0.01)

    async def until_same(self, same: dict[HostName, HostName]) -> None:
        await self.until(lambda state: state.fleet.same == same)


def write(base: Path, slots: int = 1) -> FleetSpec:
    new = base / "fleet.new"
    new.write_text(FILE.format(slots=slots))
    os.replace(new, base / "fleet.yaml")
    return load_fleet(base / "fleet.yaml", {}).spec


@asynccontextmanager
async def working(base: Path) -> AsyncIterator[Watched]:
    spec = write(base)
    async with RunningEngine(spec, base / "state", file=base / "fleet.yaml") as running:
        loop = asyncio.create_task(running.run())
        try:
            yield Watched(base, running)
        finally:
            running.stop("the test is over")
            await loop


def told(base: Path) -> list[FleetLoaded | MachinesFound]:
    """What the ledger says of the fleet, in order."""
    with closing(JournalReader(base / "state")) as reader:
        rows = reader.read(NOWHERE, 10_000)
    return [row.event for row in rows if isinstance(row.event, FleetLoaded | MachinesFound)]


@pytest.mark.sshd
@pytest.mark.usefixtures("home")
async def test_agents_of_one_gateway_under_two_aliases_share_its_lane(short_dir: Path) -> None:
    async with working(short_dir) as engine:
        await engine.until_same({B: A})
        assert set(Roster(engine.fleet).sharing.values()) == {("one", "two")}
    loaded, found = told(short_dir)
    file = load_fleet(short_dir / "fleet.yaml", {}).spec
    assert loaded == FleetLoaded(spec=file, by="fleet file")
    assert found == MachinesFound(same={B: A})
    with closing(JournalReader(short_dir / "state")) as reader:
        assert reader.load().fleet.same == {B: A}


@pytest.mark.sshd
async def test_the_next_engine_knows_it_and_records_only_what_is_new(
    short_dir: Path, home: SshHome
) -> None:
    async with working(short_dir) as engine:
        await engine.until_same({B: A})
    async with working(short_dir) as engine:
        assert engine.fleet.same == {B: A}
        # That they are found to be two proves that they were looked at until then.
        home.config(APART)
        await engine.until_same({})
    assert [type(event) for event in told(short_dir)] == [FleetLoaded, MachinesFound, MachinesFound]


@pytest.mark.sshd
@pytest.mark.usefixtures("home")
async def test_a_file_that_did_not_change_is_no_other_fleet_and_one_that_did_keeps_it(
    short_dir: Path,
) -> None:
    async with working(short_dir) as engine:
        await engine.until_same({B: A})
        write(short_dir)
        changed = write(short_dir, slots=2)
        await engine.until(lambda state: state.fleet.digest == changed.digest)
        assert engine.fleet == replace(changed, same={B: A})
    events = told(short_dir)
    assert [type(event) for event in events] == [FleetLoaded, MachinesFound, FleetLoaded]


@pytest.mark.sshd
async def test_a_config_that_ssh_refuses_for_a_moment_moves_nobody(
    short_dir: Path, home: SshHome, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[dict[HostName, Resolved | ConfigRefusal]] = []

    def noted(
        fleet: FleetSpec, answers: dict[HostName, Resolved | ConfigRefusal]
    ) -> dict[HostName, HostName]:
        asked.append(answers)
        return same_machines(fleet, answers)

    monkeypatch.setattr("fleet_tui.engine.machines.same_machines", noted)
    async with working(short_dir) as engine:
        await engine.until_same({B: A})
        home.config("Nonsense yes\n" + TOGETHER)
        await engine.until(lambda _: isinstance(asked[-1][B], ConfigRefusal))
        home.config(APART)
        await engine.until_same({})
    assert [type(event) for event in told(short_dir)] == [FleetLoaded, MachinesFound, MachinesFound]


# Without ssh


class Answers(SshResolver):
    """Says where hosts lead without asking ssh."""

    def __init__(self) -> None:
        super().__init__()
        self.said = ConfigText()
        self.asked: list[HostName] = []
        self.answer: Resolved | ConfigRefusal = Resolved(
            original="any", hostname="one.example", port=22, user=None
        )

    async def text(self) -> ConfigText:
        return self.said

    async def resolve(self, spec: HostSpec) -> Resolved | ConfigRefusal:
        self.asked.append(spec.name)
        return self.answer


class Looked:
    """A finder of machines whose words nobody takes in."""

    def __init__(self, spec: FleetSpec) -> None:
        self.ssh = Answers()
        self.spec = spec
        self.told: list[MachinesSeen] = []

    async def tell(self, seen: MachinesSeen) -> None:
        self.told.append(seen)

    async def until(self, holds: Callable[[], bool]) -> None:
        finder = MachineFinder(self.ssh, lambda: self.spec, self.tell)
        async with asyncio.timeout(DEADLINE_S):
            work = asyncio.create_task(finder.run())
            while not holds():
                await asyncio.sleep(0)
            work.cancel()
            with suppress(asyncio.CancelledError):
                await work


def gateways(*hosts: HostName, ports: Iterable[int] = ()) -> FleetSpec:
    ports = tuple(ports) or (1,) * len(hosts)
    agents = (
        replace(agent(f"on-{each}"), kind=OpenClawAgent(port=port, token="t"), host=each)
        for each, port in zip(hosts, ports, strict=True)
    )
    return replace(fleet(*agents), hosts={h: HostSpec(name=h, address=h) for h in hosts})


async def test_what_was_not_taken_in_is_told_again_and_not_asked_again() -> None:
    looked = Looked(gateways(A, B))
    await looked.until(lambda: len(looked.told) == 3)
    assert looked.told == [MachinesSeen(looked.spec.hosts, {B: A})] * 3
    assert looked.ssh.asked == [A, B]


async def test_ssh_is_asked_again_when_it_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(machines, "AGAIN_S", 0.0)
    looked = Looked(gateways(A, B))
    looked.ssh.answer = ConfigRefusal((Complaint("not now"),))
    await looked.until(lambda: len(looked.ssh.asked) >= 6)
    assert looked.told == []


async def test_nobody_is_asked_where_no_two_gateways_can_be_one() -> None:
    looked = Looked(replace(gateways(A, B, ports=(1, 2)), same={B: A}))
    await looked.until(lambda: len(looked.told) == 1)
    assert looked.told == [MachinesSeen(looked.spec.hosts, {})]
    assert looked.ssh.asked == []
