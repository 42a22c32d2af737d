"""What a seed decides before anything happens: the fleet, the work, and how unkind the world is.

Swarm testing: each world has most kinds of trouble switched off and a few turned up, so that rare
combinations come about which a world with a little of everything would never see.
"""

import random

import msgspec
from msgspec.structs import replace

from fleet_tui.core.fleet import (
    AgentSpec,
    CommandAgent,
    Deadlines,
    FleetSpec,
    HostSpec,
    PoolSpec,
    Prices,
    Priority,
    ProbeSpec,
    ResidencyRule,
    RetryBudget,
    RetryPolicy,
    Strategy,
    TaskClass,
)
from fleet_tui.core.ids import (
    AgentName,
    Capability,
    ClientName,
    HostName,
    PoolName,
    Region,
)
from fleet_tui.core.tasks.model import TaskSpec
from fleet_tui.core.text.untrusted import Untrusted
from fleet_tui.sim.gateway.releases import Release

START_MS = 1_767_225_600_000
"""When every world begins: 2026-01-01 00:00 UTC."""

REFERENCE = "secret:env:GATEWAY"

LONG_RUN_S = 60.0
"""Worlds whose programs typically run as long are about something that takes long."""

USUAL_FLOOR = RetryBudget().floor

INPUT_MICROUSD, OUTPUT_MICROUSD = 3, 15
"""What a token costs with every agent; the simulated gateways' model asks the same."""

ACME, GLOBEX = ClientName("acme"), ClientName("globex")
PRICES = Prices(
    input_microusd_per_mtok=INPUT_MICROUSD * 1_000_000,
    output_microusd_per_mtok=OUTPUT_MICROUSD * 1_000_000,
)
EU, US = Region("eu"), Region("us")
GPU = Capability("gpu")


class Network(msgspec.Struct, frozen=True, kw_only=True):
    """What may become of one question, each a probability."""

    drop_request: float = 0.0
    drop_answer: float = 0.0
    late: float = 0.0
    """It arrives when nobody waits for it any more."""
    cut: float = 0.0
    """The connection is lost while the question is on its way; the host gets a part of it."""
    hang: float = 0.0
    late_start: float = 0.0
    """A gateway gets the start of a run late, and nothing else."""


class Disk(msgspec.Struct, frozen=True, kw_only=True):
    """How the ledger's disk behaves. Seconds and probabilities."""

    commit_s: float = 0.002
    slow: float = 0.0
    slow_s: float = 3.0
    fails: float = 0.0
    written_at_kill: float = 0.5
    """A transaction in flight when the engine is killed is on the disk all the same."""


class Fault(msgspec.Struct, frozen=True, kw_only=True):
    """One blow, when it comes and how long it lasts."""

    at_s: float
    kind: str
    host: HostName | None = None
    pool: PoolName | None = None
    agent: AgentName | None = None
    for_s: float = 0.0
    amount: float = 0.0


class Job(msgspec.Struct, frozen=True, kw_only=True):
    """A task that a client wants done."""

    at_s: float
    key: str
    spec: TaskSpec
    cancel_after_s: float | None = None


class LetterCare(msgspec.Struct, frozen=True, kw_only=True):
    """How operators look after dead letters. Probabilities are per letter and round."""

    rounds_s: tuple[float, ...]
    """When they go round while the trouble lasts; they do once more in peace."""
    per_minute: int
    edits: float
    drops: float
    kills: float
    """How often an engine is killed while it is asked."""
    failing: float
    """How many runs fail that would not have: without failures there is nothing to look after."""


class Meddling(msgspec.Struct, frozen=True, kw_only=True):
    """How operators act at the wrong moment. Probabilities are per moment of that kind."""

    placed: float
    """A run was placed, and may not have started."""
    unknown: float
    waiting: float
    """A task came in, or goes back to the queue."""
    ended: float
    started: float
    """An engine has begun."""
    kills: float
    """How often an engine is killed just before or after it hears of it."""
    twice: float
    most: int
    """In one world, so that its work is done one day."""


class Scenario(msgspec.Struct, frozen=True, kw_only=True):
    """A whole world before it begins."""

    seed: int
    safety_s: float
    tick_ms: int
    fair: bool
    fleet: FleetSpec
    jobs: tuple[Job, ...]
    faults: tuple[Fault, ...]
    network: Network
    disk: Disk
    run_s: float
    """How long a program typically runs."""
    verdicts: bool
    """Whether operators judge while the trouble lasts."""
    gateways: frozenset[AgentName] = frozenset()
    """Agents that are OpenClaw gateways; the others are programs."""
    releases: dict[AgentName, Release] = {}
    """Of gateways that are not of the newest release."""
    nameless: frozenset[HostName] = frozenset()
    """Hosts whose names nobody knows when the world begins."""
    letters: LetterCare | None = None
    """None: nobody looks after dead letters."""
    meddling: Meddling | None = None
    """None: operators leave work alone, but for the planned faults."""
    failing: float = 0.0
    """How many runs fail that would not have, beside those of the dead letters."""
    long: float = 0.0
    """How many runs take longer than any trouble, beside those that do anyway."""


def troubled(seed: int) -> Scenario:
    """A world with some kinds of trouble, as they were from the first."""
    rng = random.Random(f"{seed}/scenario")  # noqa: S311  # a simulation, not a secret
    dice = rng.random()
    if dice < 0.06:
        return _mass_loss(_swarm(seed, rng))
    if dice < 0.12:
        return _long_silence(_swarm(seed, rng))
    return _swarm(seed, rng)


def _mass_loss(world: Scenario) -> Scenario:
    """A whole pool vanishes while it works, for longer than anybody's patience."""
    fleet = world.fleet
    (pool,) = list(fleet.pools)[:1]
    agents = {
        AgentName(f"a{n}"): replace(
            spec, name=AgentName(f"a{n}"), kind=program(f"a{n}"), pool=pool, clients=()
        )
        for n, spec in enumerate([*fleet.agents.values()] * 2, start=1)
        if n <= 4
    }
    blow = Fault(at_s=25.0, kind="cut-pool", pool=pool, for_s=130.0)
    pools = {pool: fleet.pools[pool]}
    return replace(
        world,
        safety_s=120.0,
        fleet=replace(fleet, agents=agents, pools=pools, residency=(), lost_after_ms=60_000),
        jobs=tuple(_anywhere(job, 3.0 + n) for n, job in enumerate(world.jobs)),
        faults=(blow,),
        network=Network(),
        run_s=60.0,
        verdicts=False,
    )


def _long_silence(world: Scenario) -> Scenario:
    """A host is cut off for longer than the fleet waits, and its programs work on."""
    hosts = list(world.fleet.hosts)
    blow = Fault(at_s=20.0, kind="cut-host", host=hosts[0], for_s=90.0)
    deadlines = Deadlines(start_to_close_ms=None, heartbeat_ms=25_000)
    return replace(
        world,
        safety_s=120.0,
        fleet=replace(world.fleet, lost_after_ms=45_000, deadlines=deadlines),
        jobs=tuple(
            replace(job, at_s=3.0 + n, cancel_after_s=None) for n, job in enumerate(world.jobs)
        ),
        faults=(*(f for f in world.faults if f.kind == "kill-engine"), blow),
        network=Network(),
        run_s=100.0,
    )


def _anywhere(job: Job, at_s: float) -> Job:
    spec = replace(job.spec, needs=frozenset(), pool=None, agent=None, client=None, regions=())
    return replace(job, at_s=at_s, spec=spec, cancel_after_s=None)


def _swarm(seed: int, rng: random.Random) -> Scenario:
    """Some kinds of trouble, at random moments."""
    fleet = _fleet(rng)
    safety_s = rng.choice((60.0, 90.0, 120.0))
    return Scenario(
        seed=seed,
        safety_s=safety_s,
        tick_ms=rng.choice((500, 1_000, 1_000)),
        fair=rng.random() < 0.25,
        fleet=fleet,
        jobs=_jobs(rng, fleet, safety_s),
        faults=_faults(rng, fleet, safety_s),
        network=_network(rng),
        disk=_disk(rng),
        run_s=rng.choice((3.0, 10.0, 25.0)),
        verdicts=rng.random() < 0.5,
    )


def _sometimes(rng: random.Random, chance: float, *values: float) -> float:
    return rng.choice(values) if rng.random() < chance else 0.0


def _network(rng: random.Random) -> Network:
    if rng.random() < 0.25:
        return Network()
    return Network(
        drop_request=_sometimes(rng, 0.4, 0.02, 0.1),
        drop_answer=_sometimes(rng, 0.5, 0.02, 0.15),
        late=_sometimes(rng, 0.5, 0.03, 0.15),
        cut=_sometimes(rng, 0.4, 0.03, 0.1),
        hang=_sometimes(rng, 0.2, 0.05),
    )


def _disk(rng: random.Random) -> Disk:
    return Disk(
        commit_s=rng.choice((0.0005, 0.002, 0.05)),
        slow=_sometimes(rng, 0.3, 0.05, 0.2),
        slow_s=rng.choice((0.5, 3.0)),
        fails=_sometimes(rng, 0.1, 0.01),
        written_at_kill=rng.choice((0.0, 0.5, 1.0)),
    )


def _fleet(rng: random.Random) -> FleetSpec:
    hosts = [HostName(f"h{n}") for n in range(1, rng.choice((1, 2, 2, 3, 3)) + 1)]
    pools = [PoolName(name) for name in rng.choice((("main",), ("main",), ("main", "spare")))]
    probe = ProbeSpec(every_ms=rng.choice((4_000, 6_000, 8_000)), timeout_ms=3_000)
    agents: dict[AgentName, AgentSpec] = {}
    for number in range(1, rng.randint(2, 5) + 1):
        name = AgentName(f"a{number}")
        agents[name] = AgentSpec(
            name=name,
            pool=rng.choice(pools) if number > 1 else pools[0],
            kind=program(name),
            host=rng.choice(hosts),
            region=rng.choice((EU, US)),
            capabilities=frozenset({GPU}) if rng.random() < 0.3 else frozenset(),
            clients=(ACME,) if number > 1 and rng.random() < 0.2 else (),
            slots=rng.choice((1, 1, 2)),
            prices=PRICES,
            probe=probe,
        )
    used = {agent.pool for agent in agents.values()}
    return FleetSpec(
        name="sim",
        hosts={h: HostSpec(name=h, address=h, use_ssh_config=False) for h in hosts},
        pools={
            p: PoolSpec(name=p, strategy=rng.choice(list(Strategy)), overflow=rng.random() < 0.5)
            for p in pools
            if p in used
        },
        agents=agents,
        residency=(
            (ResidencyRule(client=GLOBEX, regions=(agents[AgentName("a1")].region or EU,)),)
            if rng.random() < 0.4
            else ()
        ),
        clients=frozenset({ACME, GLOBEX}),
        retry=dict.fromkeys(
            TaskClass,
            RetryPolicy(
                max_attempts=rng.choice((2, 3)),
                backoff_base_ms=500,
                backoff_cap_ms=rng.choice((2_000, 10_000)),
            ),
        ),
        deadlines=Deadlines(
            start_to_close_ms=rng.choice((None, 40_000, 90_000, 600_000)),
            schedule_to_start_ms=rng.choice((None, None, 60_000)),
            total_ms=rng.choice((None, None, None, 150_000)),
            heartbeat_ms=rng.choice((None, None, 25_000)),
        ),
        retry_budget=RetryBudget(floor=rng.choice((4, USUAL_FLOOR, USUAL_FLOOR))),
        lost_after_ms=rng.choice((45_000, 60_000, 90_000)),
        digest=f"{rng.getrandbits(64):016x}",
    )


def program(name: str) -> CommandAgent:
    """What an agent that is a program runs."""
    return CommandAgent(command=(f"work-{name}",), run_dir="~/runs")


def _jobs(rng: random.Random, fleet: FleetSpec, safety_s: float) -> tuple[Job, ...]:
    burst = rng.random() < 0.3
    jobs = []
    for number in range(1, rng.randint(3, 10) + 1):
        fits = fleet.agents[rng.choice(list(fleet.agents))]
        key = f"k{number}"
        text = f"job {key} {rng.getrandbits(48):x}\n" + rng.choice(_TEXTS)
        jobs.append(
            Job(
                at_s=3.0 if burst else rng.uniform(0.5, 0.9 * safety_s),
                key=key,
                spec=TaskSpec(
                    payload=Untrusted(text),
                    needs=fits.capabilities if rng.random() < 0.3 else frozenset(),
                    pool=fits.pool if rng.random() < 0.2 else None,
                    agent=fits.name if rng.random() < 0.1 else None,
                    client=_client(rng, fits, fleet),
                    regions=(fits.region,) if fits.region and rng.random() < 0.2 else (),
                    priority=rng.choice(list(Priority)),
                    task_class=rng.choice(
                        (TaskClass.ONCE, TaskClass.ONCE, TaskClass.IDEMPOTENT, TaskClass.RESUMABLE)
                    ),
                ),
                cancel_after_s=rng.uniform(0.5, 40.0) if rng.random() < 0.15 else None,
            )
        )
    return tuple(jobs)


_TEXTS = (
    "plain words",
    "'; rm -rf / #$(id)`id`\n\n\\ %s\t\r\n",
    "naïve 🦞 \u202e text\n#end\n",
    "x" * 3_000 + "\nlast line",
)


def _client(rng: random.Random, fits: AgentSpec, fleet: FleetSpec) -> ClientName | None:
    """A client whose work the agent may do, so that no task waits for ever."""
    if fits.clients:
        return fits.clients[0]
    allowed = {region for rule in fleet.residency for region in rule.regions}
    if rng.random() < 0.3 and (not allowed or fits.region in allowed):
        return GLOBEX
    return None


def _faults(rng: random.Random, fleet: FleetSpec, safety_s: float) -> tuple[Fault, ...]:
    kinds = [kind for kind in _KINDS if rng.random() < 0.3]
    if not kinds:
        return ()
    faults = []
    for _ in range(rng.randint(1, 10)):
        kind = rng.choice(kinds)
        agent = fleet.agents[rng.choice(list(fleet.agents))]
        faults.append(
            Fault(
                at_s=rng.uniform(1.0, safety_s),
                kind=kind,
                host=agent.host,
                pool=agent.pool,
                for_s=rng.choice((2.0, 10.0, 30.0, 60.0)),
                amount=rng.uniform(-1.0, 1.0),
            )
        )
    return tuple(sorted(faults, key=lambda fault: fault.at_s))


_KINDS = (
    "kill-engine",
    "kill-engine",
    "stop-engine",
    "pause-engine",
    "zombie-engine",
    "cut-host",
    "cut-requests",
    "cut-answers",
    "cut-pool",
    "break-connections",
    "reboot-host",
    "kill-runs",
    "wipe-runs",
    "fill-disk",
    "fill-ledger",
    "jump-clock",
    "cordon",
    "freeze",
    "reload-fleet",
)
"""What can happen; each world has a few of these."""
