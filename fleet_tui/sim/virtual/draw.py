"""Which world belongs to a seed: the first kinds of trouble, and those that came later on top.

Kinds that came later have dice of their own, so that the worlds without them stayed what they were.
"""

import random

from msgspec.structs import replace

from fleet_tui.core.fleet import OpenClawAgent, Priority, QueueLimits, RetryBudget, TaskClass
from fleet_tui.core.tasks.codes import FailedCode
from fleet_tui.core.text.untrusted import Untrusted
from fleet_tui.sim.gateway.releases import AUGUST, JULY, JUNE
from fleet_tui.sim.virtual.draw_hosts import with_odd_hosts
from fleet_tui.sim.virtual.scenario import (
    LONG_RUN_S,
    REFERENCE,
    USUAL_FLOOR,
    Fault,
    Job,
    LetterCare,
    Meddling,
    Scenario,
    troubled,
)

FIRST_PORT = 21_001
"""Of the first gateway; each has a port, and so a lane, to itself."""


def draw(seed: int) -> Scenario:
    """The world of a seed. The same seed is the same world, on every machine.

    Kinds of trouble that came later have dice of their own, so that the worlds without them stayed
    what they were.
    """
    world = troubled(seed)
    dice = random.Random(f"{seed}/gateways")  # noqa: S311  # a simulation, not a secret
    chance = dice.random()
    if chance < 0.25:
        world = _with_gateways(world, dice)
    elif chance < 0.3:
        world = _with_wiped_starts(world, dice)
    dice = random.Random(f"{seed}/late-looks")  # noqa: S311  # a simulation, not a secret
    if not world.gateways and dice.random() < 0.08:
        world = _with_late_looks(world, dice)
    dice = random.Random(f"{seed}/poison")  # noqa: S311  # a simulation, not a secret
    if world.gateways and dice.random() < 0.2:
        world = _with_poison(world, dice)
    dice = random.Random(f"{seed}/letters")  # noqa: S311  # a simulation, not a secret
    if dice.random() < 0.2:
        world = _with_letters(world, dice)
    dice = random.Random(f"{seed}/operators")  # noqa: S311  # a simulation, not a secret
    # What takes its time (a pool that vanishes, a long silence) is left to take it.
    if dice.random() < 0.6 and world.run_s < LONG_RUN_S:
        world = _with_operators(world, dice)
        if not world.gateways and dice.random() < 0.5:
            world = _with_gateways(world, dice, share=0.5, zombies=0.8)
            world = _with_slow_starts(world, dice)
    dice = random.Random(f"{seed}/stops")  # noqa: S311  # a simulation, not a secret
    if world.meddling is not None and dice.random() < 0.1:
        world = _with_stops(world)
    return with_odd_hosts(_with_canaries(_with_releases(world)))


def _with_gateways(
    world: Scenario, rng: random.Random, *, share: float | None = None, zombies: float = 0.25
) -> Scenario:
    """Some of the agents are gateways, and gateways crash and hang.

    A gateway knows no epochs. So in some of these worlds an engine is stopped and replaced just
    when it may be between a placement and its start, and goes on later.
    """
    fleet = world.fleet
    if share is None:
        share = rng.choice((0.5, 1.0))
    chosen = [name for name in fleet.agents if rng.random() < share]
    if not chosen:
        return world
    agents = {
        name: replace(spec, kind=OpenClawAgent(port=FIRST_PORT + place, token=REFERENCE))
        if name in chosen
        else spec
        for place, (name, spec) in enumerate(fleet.agents.items())
    }
    faults = list(world.faults)
    for _ in range(rng.choice((0, 1, 3, 6))):
        faults.append(
            Fault(
                at_s=rng.uniform(5.0, world.safety_s),
                kind=rng.choice(("kill-gateway", "kill-gateway", "pause-gateway")),
                agent=rng.choice(chosen),
                for_s=rng.choice((2.0, 10.0, 30.0, 60.0)),
            )
        )
    if rng.random() < zombies:
        faults += [
            Fault(
                at_s=job.at_s + rng.uniform(0.0, 0.6),
                kind="zombie-engine",
                for_s=rng.choice((2.0, 10.0, 30.0)),
            )
            for job in world.jobs[:4]
        ]
    return replace(
        world,
        fleet=replace(fleet, agents=agents),
        faults=tuple(sorted(faults, key=lambda fault: fault.at_s)),
        gateways=frozenset(chosen),
    )


def _with_releases(world: Scenario) -> Scenario:
    """Some gateways are of older releases, and in half of these worlds starts arrive late: where
    they cannot be fenced, that is what matters."""
    dice = random.Random(f"{world.seed}/releases")  # noqa: S311  # a simulation, not a secret
    if not world.gateways or dice.random() < 0.4:
        return world
    old = (AUGUST, JULY, JULY, JUNE)
    releases = {n: dice.choice(old) for n in sorted(world.gateways) if dice.random() < 0.7}
    if dice.random() < 0.5:
        return replace(world, releases=releases)
    jobs = [_tried_again(job, dice) for job in world.jobs]
    moments = sorted(dice.uniform(1.0, world.safety_s / 2) for _ in range(6))
    jobs += [_wanted_too(world, f"late-{n}", at_s, dice) for n, at_s in enumerate(moments)]
    return replace(
        world,
        fleet=replace(world.fleet, lost_after_ms=dice.choice((15_000, 30_000))),
        jobs=tuple(sorted(jobs, key=lambda job: job.at_s)),
        network=replace(world.network, late_start=dice.choice((0.4, 0.7))),
        releases=releases,
    )


def _with_canaries(world: Scenario) -> Scenario:
    """In half of the worlds with gateways, canary runs may try them."""
    dice = random.Random(f"{world.seed}/canaries")  # noqa: S311  # a simulation, not a secret
    if not world.gateways or dice.random() < 0.5:
        return world
    agents = {
        name: replace(spec, canary=name in world.gateways)
        for name, spec in world.fleet.agents.items()
    }
    return replace(world, fleet=replace(world.fleet, agents=agents))


def _with_poison(world: Scenario, rng: random.Random) -> Scenario:
    """One gateway answers every probe and refuses or fails all that it gets, and there is much."""
    chosen, at_s = rng.choice(sorted(world.gateways)), rng.uniform(0.0, world.safety_s / 3)
    poison = Fault(at_s=at_s, kind="poison-gateway", agent=chosen, for_s=rng.choice((40.0, 200.0)))
    faults = [poison, *(fault for fault in world.faults if fault.agent != chosen)]
    jobs = [*world.jobs, *(_wanted_too(world, f"poisoned-{n}", at_s + n, rng) for n in range(30))]
    return replace(
        world,
        faults=tuple(sorted(faults, key=lambda fault: fault.at_s)),
        jobs=tuple(sorted(jobs, key=lambda job: job.at_s)),
    )


def _wanted_too(world: Scenario, key: str, at_s: float, rng: random.Random) -> Job:
    spec = rng.choice(world.jobs).spec
    payload = Untrusted(f"job {key} {rng.getrandbits(48):x}")
    return Job(at_s=at_s, key=key, spec=replace(spec, payload=payload))


def _with_wiped_starts(world: Scenario, rng: random.Random) -> Scenario:
    """Answers to starts get lost, and run directories are deleted soon after."""
    hosts = list(world.fleet.hosts)
    wipes = tuple(
        Fault(
            at_s=job.at_s + rng.uniform(0.1, 1.0),
            kind="wipe-runs",
            host=rng.choice(hosts),
        )
        for job in world.jobs
        if rng.random() < 0.5
    )
    return replace(
        world,
        faults=tuple(sorted((*world.faults, *wipes), key=lambda fault: fault.at_s)),
        network=replace(world.network, drop_answer=0.3),
    )


def _with_late_looks(world: Scenario, rng: random.Random) -> Scenario:
    """Engines die soon after a start, and what they asked first comes late to a host that lost its
    runs."""
    jobs = [job for job in world.jobs if job.at_s < world.safety_s - 10.0]
    late = tuple(
        Fault(
            at_s=job.at_s + rng.uniform(0.3, 2.0),
            kind="late-look",
            host=rng.choice(list(world.fleet.hosts)),
            for_s=rng.uniform(1.0, 6.0),
        )
        for job in rng.sample(jobs, min(len(jobs), 4))
    )
    return replace(
        world, faults=tuple(sorted((*world.faults, *late), key=lambda fault: fault.at_s))
    )


def _with_letters(world: Scenario, rng: random.Random) -> Scenario:
    """Much fails, and operators go through the dead letters while engines are killed."""
    rounds = tuple(sorted(rng.uniform(10.0, world.safety_s) for _ in range(rng.choice((1, 2, 3)))))
    return replace(
        world,
        letters=LetterCare(
            rounds_s=rounds,
            per_minute=rng.choice((6, 20, 120)),
            edits=rng.choice((0.0, 0.3, 0.8)),
            drops=rng.choice((0.0, 0.2, 0.4)),
            kills=rng.choice((0.0, 0.2, 0.4)),
            failing=rng.choice((0.3, 0.6)),
        ),
    )


def _with_operators(world: Scenario, rng: random.Random) -> Scenario:
    """Operators act at the wrong moments, and the limits of the fleet are tight."""
    fleet = world.fleet
    deadlines = replace(
        fleet.deadlines,
        schedule_to_start_ms=rng.choice((None, 15_000, 30_000)),
        start_to_close_ms=rng.choice((None, 12_000, 40_000, 600_000)),
        heartbeat_ms=rng.choice((None, 9_000, 25_000)),
        total_ms=rng.choice((None, None, 60_000)),
    )
    policies = {
        task_class: replace(
            policy,
            max_attempts=rng.choice((2, 3, 4)),
            backoff_base_ms=rng.choice((500, 4_000)),
            backoff_cap_ms=rng.choice((1_000, 6_000, 30_000)),
            non_retryable=rng.choice(((), (), ("exit-3", FailedCode.MODEL_ERROR.value))),
        )
        for task_class, policy in fleet.retry.items()
    }
    limits = QueueLimits(
        open=rng.choice((QueueLimits().open, 4, 6)),
        lanes={Priority.P1: 2} if rng.random() < 0.3 else {},  # one bound is enough to be hit
        per_client=rng.choice((None, 1, 2)),
    )
    often = rng.choice((0.2, 0.4, 0.7))
    return replace(
        world,
        fleet=replace(
            fleet,
            deadlines=deadlines,
            retry=policies,
            lost_after_ms=rng.choice((15_000, 15_000, fleet.lost_after_ms)),
            limits=limits,
            retry_budget=RetryBudget(
                floor=rng.choice((2, USUAL_FLOOR)), percent=rng.choice((0, 20, 60))
            ),
        ),
        jobs=tuple(_tried_again(job, rng) for job in world.jobs),
        faults=tuple(sorted((*world.faults, *_silences(world, rng)), key=lambda f: f.at_s)),
        meddling=Meddling(
            placed=often,
            unknown=often,
            waiting=often / 2,
            ended=often,
            started=0.2,
            kills=rng.choice((0.0, 0.2, 0.4)),
            twice=rng.choice((0.0, 0.3)),
            most=rng.choice((6, 20, 40)),
        ),
        failing=rng.choice((0.0, 0.3, 0.6)),
        long=rng.choice((0.0, 0.0, 0.5)),
    )


def _with_stops(world: Scenario) -> Scenario:
    """Many runs are stopped for their deadline and tried again, while operators cancel them."""
    jobs = [
        replace(job, spec=replace(job.spec, task_class=TaskClass.IDEMPOTENT)) for job in world.jobs
    ]
    deadlines = replace(world.fleet.deadlines, start_to_close_ms=12_000, total_ms=None)
    fleet = replace(world.fleet, deadlines=deadlines)
    return replace(world, fleet=fleet, jobs=tuple(jobs), long=0.5)


def _with_slow_starts(world: Scenario, rng: random.Random) -> Scenario:
    """Starts arrive late, and engines are killed while they are on their way."""
    kills = tuple(
        Fault(at_s=job.at_s + rng.uniform(0.2, 3.0), kind="kill-engine")
        for job in world.jobs
        if rng.random() < 0.4
    )
    return replace(
        world,
        jobs=tuple(_resumable(job, rng) for job in world.jobs),
        faults=tuple(sorted((*world.faults, *kills), key=lambda fault: fault.at_s)),
        network=replace(world.network, late_start=rng.choice((0.2, 0.5))),
    )


def _silences(world: Scenario, rng: random.Random) -> tuple[Fault, ...]:
    """Hosts that are away for longer than any deadline, or start over."""
    hosts = list(world.fleet.hosts)
    return tuple(
        Fault(
            at_s=rng.uniform(5.0, 0.5 * world.safety_s),
            kind=rng.choice(("cut-host", "cut-host", "reboot-host")),
            host=rng.choice(hosts),
            for_s=rng.choice((30.0, 60.0)),
        )
        for _ in range(rng.choice((0, 1, 2, 3)))
    )


def _resumable(job: Job, rng: random.Random) -> Job:
    if rng.random() < 0.4:
        return job
    spec = replace(job.spec, task_class=TaskClass.RESUMABLE, pool=None, agent=None)
    return replace(job, spec=spec)


def _tried_again(job: Job, rng: random.Random) -> Job:
    """Some of the work may run again, so that there are further tries."""
    if rng.random() < 0.5:
        return job
    spec = replace(job.spec, task_class=rng.choice((TaskClass.IDEMPOTENT, TaskClass.RESUMABLE)))
    return replace(job, spec=spec)
