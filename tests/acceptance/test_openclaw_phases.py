"""Real gateways while they start, drain, are frozen, and go on with what a crash cut off: what the
fleet says of them, where work goes meanwhile, and what the model's own books say of it."""

import asyncio
import json
import signal
from collections import Counter
from collections.abc import Iterator
from itertools import groupby
from pathlib import Path
from typing import Any

import pytest

from fleet_tui.core.agents.events import HealthChanged
from fleet_tui.core.agents.model import Health
from fleet_tui.core.agents.vitals import FailureKind
from fleet_tui.core.ids import RunId, TaskId
from fleet_tui.core.routing.decision import PendingCode
from fleet_tui.core.tasks.events import AttemptSeen
from fleet_tui.core.tasks.model import AttemptPhase, Task, TaskPhase
from fleet_tui.feed.attached import AttachedFeed
from tests.acceptance.gateways import SECOND, Books, fleet_of, second
from tests.acceptance.rig import MakeRig, Rig
from tests.support.console import console, text_of, until
from tests.support.openclaw_lab import Gateway, OpenClawLab

pytestmark = [
    pytest.mark.openclaw,
    pytest.mark.sshd,
    pytest.mark.slow,
    pytest.mark.timeout(900),
    pytest.mark.xdist_group("openclaw"),
]

EVERY = "200ms"
"""Between two looks: a draining gateway must be seen before its last run has ended."""

SOON_S = 180.0
BOOTED_S = 180.0
PINNED = "pinned"
FREE = "free"


async def is_(rig: Rig, gateway: Gateway, health: Health, within_s: float = SOON_S) -> None:
    """Wait until the engine calls a gateway so."""
    await rig.until(
        lambda: rig.agent(gateway.name).health is health, within_s, f"{gateway.name} is {health}"
    )


async def given(rig: Rig, text: str, *words: str) -> TaskId:
    """Submit a task with the real command."""
    await asyncio.to_thread(rig.submit, text, *words)
    return rig.tasks()[-1].id


def task(rig: Rig, task_id: TaskId) -> Task:
    found = rig.state().task(task_id)
    assert found is not None
    return found


def phase(rig: Rig, task_id: TaskId) -> TaskPhase:
    return task(rig, task_id).phase


def agents_of(rig: Rig, task_id: TaskId) -> list[str]:
    """Who got the task, attempt by attempt."""
    return [attempt.agent for attempt in task(rig, task_id).attempts]


async def succeeded(rig: Rig, *tasks: TaskId) -> None:
    await rig.until(
        lambda: all(phase(rig, one) is TaskPhase.SUCCEEDED for one in tasks), SOON_S, "tasks end"
    )


async def said(rig: Rig, *words: str) -> Any:
    """What a command of the program says for machines."""
    done = await asyncio.to_thread(rig.cli, *words, "-f", str(rig.file), "--json")
    return json.loads(done.stdout)


def healths_since(rig: Rig, gateway: Gateway, seq: int) -> list[Health]:
    """What a gateway was called, one after the other. On a busy machine one look may fail, or find
    it slow: that is left out."""
    called = [
        record.event.health
        for record in rig.events()
        if record.seq > seq
        and isinstance(record.event, HealthChanged)
        and record.event.agent == gateway.name
        and record.event.health not in {Health.SUSPECT, Health.DEGRADED}
    ]
    return [health for health, _ in groupby(called)]


async def check_words(rig: Rig, gateway: Gateway, health: Health) -> None:
    """Every way to look at the fleet says so, and nobody is alarmed."""
    [row] = [a for a in (await said(rig, "agents"))["agents"] if a["agent"]["name"] == gateway.name]
    assert row["agent"]["health"] == health.value
    assert row["agent"]["reason"] == health.value
    assert row["agent"].get("failure") is None
    status = await said(rig, "status")
    assert status["healthy"] is True, status
    assert status["status"]["by_health"] == {health.value: 1, Health.UP.value: 1}
    table = await asyncio.to_thread(rig.cli, "agents", "-f", str(rig.file))
    [line] = [x for x in table.stdout.decode().splitlines() if f" {gateway.name} " in x]
    assert line.split()[0] == line.split()[-1] == health.value

    app = console(AttachedFeed(rig.directory, by="tester", read_only=True))
    async with app.run_test(size=(120, 40)) as pilot:

        def shown() -> bool:
            lines = text_of(app).splitlines()
            return any(f" {gateway.name} " in x and f" {health.value} " in x for x in lines)

        await until(pilot, shown, f"{gateway.name} {health.value}")


async def work_passes_by(rig: Rig, away: Gateway, other: Gateway) -> TaskId:
    """Give the fleet work while one gateway takes none. Returns the task that only it may have,
    which waits."""
    only_there = await given(rig, f"{PINNED}: wait for it", "--agent", away.name)
    anywhere = [await given(rig, f"{FREE} number {n}") for n in range(3)]
    await succeeded(rig, *anywhere)
    assert {agent for one in anywhere for agent in agents_of(rig, one)} == {other.name}
    waiting = task(rig, only_there)
    assert waiting.phase is TaskPhase.WAITING
    assert waiting.attempts == ()
    assert waiting.pending is not None
    assert waiting.pending.code is PendingCode.STATE
    assert waiting.pending.detail == "every eligible agent is out of service"
    return only_there


async def test_a_gateway_that_starts_or_drains_says_so_and_gets_no_work_until_it_is_up(
    openclaw_lab: OpenClawLab, make_rig: MakeRig, short_dir: Path
) -> None:
    lab = openclaw_lab
    one, two = lab.gateways[:2]
    books = Books(lab.model)
    rig = fleet_of(make_rig, lab, [one, two], short_dir, every=EVERY)
    one.kill()
    rig.start()
    await is_(rig, two, Health.UP)
    await is_(rig, one, Health.DOWN)
    begin = rig.events()[-1].seq

    one.hold_start()
    one.start()
    await is_(rig, one, Health.STARTING, BOOTED_S)
    await check_words(rig, one, Health.STARTING)
    first = await work_passes_by(rig, one, two)
    assert rig.agent(one.name).health is Health.STARTING
    one.release_start()
    await is_(rig, one, Health.UP)
    await succeeded(rig, first)

    lab.model.gate.clear()
    slow = await given(rig, "[[gate]] the last run", "--agent", one.name)
    await rig.until(lambda: books.at_the_model(task(rig, slow)), SOON_S, "the run is at the model")
    one.terminate()
    await is_(rig, one, Health.DRAINING)
    await check_words(rig, one, Health.DRAINING)
    second = await work_passes_by(rig, one, two)
    assert rig.agent(one.name).health is Health.DRAINING
    assert phase(rig, slow) is TaskPhase.ACTIVE
    lab.model.gate.set()
    await succeeded(rig, slow)
    assert await asyncio.to_thread(one.wait_ended) == 0
    await is_(rig, one, Health.DOWN)
    one.start()
    await is_(rig, one, Health.UP, BOOTED_S)
    await succeeded(rig, second)

    called = healths_since(rig, one, begin)
    # Whether a start without a hold is seen as one is chance.
    assert called[:4] == [Health.STARTING, Health.UP, Health.DRAINING, Health.DOWN]
    assert called[4:] in ([Health.UP], [Health.STARTING, Health.UP])
    assert {a for which in (first, slow, second) for a in agents_of(rig, which)} == {one.name}
    every = Counter(which.id for which in rig.tasks())
    assert len(every) == 9
    assert books.begun() == books.answered() == every


@pytest.fixture
def one_at_once(openclaw_lab: OpenClawLab) -> Iterator[Gateway]:
    """A gateway that lets one run work, and every other wait for its turn."""
    gateway = openclaw_lab.gateways[0]
    for most in (1, None):
        gateway.stop()
        gateway.add_agent(SECOND)
        gateway.run_at_once(most)
        gateway.start()
        gateway.wait_booted()
        if most is not None:
            yield gateway


async def test_a_run_that_waits_for_its_turn_at_a_gateway_that_stops_runs_once(
    openclaw_lab: OpenClawLab, one_at_once: Gateway, make_rig: MakeRig, short_dir: Path
) -> None:
    """One that has come to its lane still gets its turn there; one that was only accepted is given
    back, and another gateway gets it. Which of them it is, is chance."""
    lab, one = openclaw_lab, one_at_once
    two = lab.gateways[1]
    books = Books(lab.model)
    rig = fleet_of(make_rig, lab, [one, two], short_dir, every=EVERY)
    rig.start()
    await is_(rig, one, Health.UP)
    await is_(rig, two, Health.UP)
    lab.model.gate.clear()
    works = await given(rig, "[[gate]] has its turn", "--agent", one.name)
    await rig.until(lambda: books.at_the_model(task(rig, works)), SOON_S, "it is at the model")
    await said(rig, "cordon", two.name)
    waits = await given(rig, "waits for its turn", "--class", "once")
    await rig.until(
        lambda: any(a.phase is AttemptPhase.RUNNING for a in task(rig, waits).attempts),
        SOON_S,
        "the gateway has both",
    )
    one.terminate()
    await is_(rig, one, Health.DRAINING)
    assert books.begun() == Counter({works: 1})
    await said(rig, "uncordon", two.name)
    lab.model.gate.set()
    await succeeded(rig, works, waits)
    assert await asyncio.to_thread(one.wait_ended) == 0
    first, *others = task(rig, waits).attempts
    if others:
        assert (first.phase, first.reason) == (AttemptPhase.NOT_STARTED, "gateway-draining")
    assert agents_of(rig, waits) in ([one.name], [one.name, two.name])
    one.start()
    await is_(rig, one, Health.UP, BOOTED_S)
    last = await given(rig, "what comes after it", "--agent", one.name)
    await succeeded(rig, last)
    assert books.begun() == books.answered() == Counter((works, waits, last))


async def test_two_agents_of_one_gateway_share_its_lane(
    openclaw_lab: OpenClawLab, one_at_once: Gateway, make_rig: MakeRig, short_dir: Path
) -> None:
    """Each has three slots by the fleet file; together they have the one that the gateway has."""
    lab, one = openclaw_lab, one_at_once
    books = Books(lab.model)
    rig = fleet_of(make_rig, lab, [one, one], short_dir, every=EVERY)
    rig.start()
    await rig.until(
        lambda: all(rig.agent(name).health is Health.UP for name in (one.name, second(one))),
        SOON_S,
        "both are up",
    )
    lab.model.gate.clear()
    works = await given(rig, "[[gate]] has the lane", "--agent", one.name)
    await rig.until(lambda: books.at_the_model(task(rig, works)), SOON_S, "it is at the model")
    waits = [
        await given(rig, "waits for the lane", "--agent", second(one)),
        await given(rig, "waits as well", "--agent", one.name),
    ]
    await rig.until(
        lambda: all(
            pending is not None and pending.code is PendingCode.CAPACITY
            for pending in (task(rig, each).pending for each in waits)
        ),
        SOON_S,
        "both wait for room",
    )
    assert all(task(rig, each).attempts == () for each in waits)
    assert books.begun() == Counter({works: 1})
    lab.model.gate.set()
    await succeeded(rig, works, *waits)
    assert books.begun() == books.answered() == Counter((works, *waits))


async def test_a_cancel_that_a_frozen_gateway_hears_too_late_says_so(
    openclaw_lab: OpenClawLab, make_rig: MakeRig, short_dir: Path
) -> None:
    lab = openclaw_lab
    one, two = lab.gateways[:2]
    books = Books(lab.model)
    rig = fleet_of(make_rig, lab, [one, two], short_dir, every=EVERY)
    rig.start()
    await is_(rig, one, Health.UP)
    lab.model.gate.clear()
    runs = await given(rig, "[[gate]] too late to cancel", "--agent", one.name)
    await rig.until(lambda: books.at_the_model(task(rig, runs)), SOON_S, "it is at the model")
    assert one.process is not None
    one.process.send_signal(signal.SIGSTOP)
    try:
        await rig.until(
            lambda: rig.agent(one.name).failure is FailureKind.GATEWAY_HUNG, SOON_S, "it is hung"
        )
        done = await asyncio.to_thread(
            rig.cli, "cancel", "-f", str(rig.file), task(rig, runs).label
        )
        assert done.stdout.startswith(b"being cancelled: ")
        lab.model.gate.set()  # the answer lies in the frozen gateway's socket before any abort
        await rig.until(lambda: books.answered()[runs] == 1, SOON_S, "the model has answered")
    finally:
        one.process.send_signal(signal.SIGCONT)
    await rig.until(lambda: phase(rig, runs).is_closed, SOON_S, "it ends")
    ended = task(rig, runs)
    # Which of them the gateway takes up first when it wakes is chance; neither is without words.
    if ended.phase is TaskPhase.SUCCEEDED:
        by = ended.cancel_requested_by
        assert ended.reason == f"the cancel by {by} arrived too late; it had finished"
    else:
        assert ended.phase is TaskPhase.CANCELLED
        assert ended.reason.startswith("cancelled by ")
    assert len(ended.attempts) == 1


async def test_a_turn_that_a_gateway_goes_on_with_by_itself_is_found_again_and_ends_once(
    openclaw_lab: OpenClawLab, make_rig: MakeRig, short_dir: Path
) -> None:
    lab = openclaw_lab
    gateway = lab.gateways[2]
    books = Books(lab.model)
    lab.model.gate.clear()
    rig = fleet_of(make_rig, lab, [gateway], short_dir, every=EVERY)
    rig.start()
    await is_(rig, gateway, Health.UP)
    once = await given(rig, "[[gate]] only once", "--class", "once")
    again = await given(rig, "[[gate]] as often as it takes", "--class", "idempotent")
    at_the_model = Counter({once: 1, again: 1})
    await rig.until(lambda: books.begun() == at_the_model, SOON_S, "both are at the model")
    await rig.until(
        lambda: all(
            run is not None and run.phase is AttemptPhase.RUNNING
            for run in (task(rig, which).open_attempt for which in (once, again))
        ),
        SOON_S,
        "both run",
    )
    gateway.kill()
    await rig.until(
        lambda: phase(rig, again) is TaskPhase.WAITING, SOON_S, "what may run again is taken back"
    )
    run = task(rig, once).open_attempt
    assert run is not None
    assert run.phase is AttemptPhase.UNKNOWN

    rig.kill()
    gateway.hold_start()
    gateway.start()
    rig.start()
    await is_(rig, gateway, Health.STARTING, BOOTED_S)
    gateway.release_start()
    await is_(rig, gateway, Health.UP)

    def resumed() -> set[RunId]:
        """Runs that the gateway went on with, as the ledger has it."""
        seen = [r.event for r in rig.events() if isinstance(r.event, AttemptSeen)]
        return {event.run for event in seen if event.resumed_by_agent}

    # The model answers only then: a turn that ends at once is only seen to have ended.
    await rig.until(lambda: resumed() == {run.run_id}, SOON_S, "the resumed turn is seen")
    lab.model.gate.set()
    await succeeded(rig, once, again)
    assert resumed() == {run.run_id}
    assert len(task(rig, once).attempts) == 1
    assert [a.phase for a in task(rig, again).attempts] == [
        AttemptPhase.GIVEN_UP,
        AttemptPhase.SUCCEEDED,
    ]
    # The gateway went on with one turn; the other was ruled out before it could.
    assert books.begun() == Counter({once: 2, again: 2})
    assert books.answered() == at_the_model
