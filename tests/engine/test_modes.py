"""What an engine does when it can do less: on hold, on a full disk, with a bug in a part of it."""

import asyncio
from collections.abc import Sequence
from functools import partial

import pytest

from fleet_tui.core import step as steps
from fleet_tui.core.agents.vitals import ProbeFailure
from fleet_tui.core.alerting.model import Severity
from fleet_tui.core.engine.commands import Freeze, StopEngine, Thaw
from fleet_tui.core.engine.events import EngineModeChanged, EngineUnitFailed
from fleet_tui.core.ids import AgentName, TaskId
from fleet_tui.core.ledger.commands import Command
from fleet_tui.core.ledger.decide import decide
from fleet_tui.core.ledger.events import Event, Recorded
from fleet_tui.core.ledger.replies import Accepted, Refused
from fleet_tui.core.ledger.state import EMPTY_STATE, FleetState
from fleet_tui.core.modes import TROUBLES, EngineMode, Healing, Trouble
from fleet_tui.core.notes.commands import AddNote
from fleet_tui.core.step import FleetFileSeen, RunReported
from fleet_tui.core.tasks.commands import Cancel, Submit
from fleet_tui.core.tasks.evidence import (
    Checkpoint,
    Definite,
    LostReason,
    Running,
    Started,
    Unknown,
)
from fleet_tui.core.tasks.model import AttemptPhase, TaskPhase
from fleet_tui.core.text.untrusted import Untrusted
from fleet_tui.engine.engine import Engine
from fleet_tui.engine.faults import MAX_FAULTS, WINDOW_MS, Faults
from fleet_tui.engine.pacing import Pacing
from fleet_tui.journal.errors import JournalFailed, JournalFull, JournalUnavailable
from tests.engine.rig import DEADLINE_S, Rig, all_up, only_task
from tests.engine.rig import running as usually_running
from tests.support.fleets import agent, fleet, work
from tests.support.memory import FakeHost

A1 = AgentName("a1")
running = partial(usually_running, pacing=Pacing(tick_ms=10, store_again_ms=20))


def modes(rig: Rig) -> list[EngineMode]:
    """The modes in the ledger, in order."""
    return [r.event.mode for r in rig.ledger.rows if isinstance(r.event, EngineModeChanged)]


class FullDisk:
    """Puts itself before a ledger; while it is full only what the engine says of itself fits.
    While it has another trouble nothing is stored."""

    def __init__(self, rig: Rig, trouble: Trouble = Trouble.DISK_FULL) -> None:
        self.full = False
        self.trouble = trouble
        self.refused = 0
        self._append = rig.ledger.append
        rig.ledger.append = self.append  # type: ignore[method-assign]  # the disk is in between

    async def append(self, events: Sequence[Event], at_ms: int) -> tuple[Recorded, ...]:
        told = [e.mode for e in events if isinstance(e, EngineModeChanged)]
        if not self.full:
            return await self._append(events, at_ms)
        if not TROUBLES[self.trouble].lacks_room:
            self.refused += 1
            raise JournalUnavailable(self.trouble)
        if told != [EngineMode.READ_ONLY]:
            self.refused += 1
            raise JournalFull(trouble=self.trouble)
        return await self._append(events, at_ms)


async def until(holds) -> None:  # type: ignore[no-untyped-def]  # a condition
    async with asyncio.timeout(DEADLINE_S):
        while not holds():
            await asyncio.sleep(0.005)


async def test_a_frozen_engine_takes_work_and_starts_it_after_the_thaw() -> None:
    async with running(fleet(agent("a1"))) as rig:
        await all_up(rig)
        assert isinstance(await rig.engine.ask("ana", Freeze(reason="migration")), Accepted)
        assert isinstance(await rig.submit(1, work()), Accepted)
        await rig.until(lambda s: any(a.subject == "engine" for a in s.alerts.values()))
        alert = next(a for a in rig.engine.state.alerts.values() if a.subject == "engine")
        assert alert.severity is Severity.CRIT
        assert alert.detail.raw == "migration"
        assert rig.engine.mode.mode is EngineMode.FROZEN
        assert rig.engine.mode.by == "ana"
        assert only_task(rig.engine.state).phase is TaskPhase.WAITING
        assert not rig.hosts[A1].started
        again = await rig.engine.ask("ana", Freeze())
        assert isinstance(again, Accepted)
        assert isinstance(await rig.engine.ask("bo", Thaw()), Accepted)
        await rig.until(lambda s: rig.hosts[A1].started != [])
        assert modes(rig) == [EngineMode.FROZEN, EngineMode.NORMAL]
        refused = await rig.engine.ask("bo", Thaw())
        assert isinstance(refused, Refused)
        assert refused.code == "not-frozen"


async def test_a_frozen_engine_follows_what_runs() -> None:
    async with running(fleet(agent("a1"))) as rig:
        await all_up(rig)
        await rig.submit(1, work())
        await rig.until(lambda s: bool(rig.hosts[A1].started))
        await rig.engine.ask("ana", Freeze())
        await rig.hosts[A1].finish(rig.hosts[A1].started[0])
        state = await rig.until(lambda s: bool(s.closed_tasks))
        assert only_task(state).phase is TaskPhase.SUCCEEDED


async def test_a_hold_for_faults_on_a_full_disk_stays_when_there_is_room() -> None:
    async with running(fleet(agent("a1"))) as rig:
        await all_up(rig)
        disk = FullDisk(rig)
        disk.full = True
        assert isinstance(await rig.submit(2, work()), Refused)
        for _ in range(MAX_FAULTS):
            rig.engine.unit_failed("telemetry", ValueError("x"))
        disk.full = False
        await rig.until(lambda s: s.engine.mode.mode is EngineMode.FROZEN)
        await rig.submit(3, work())
        assert modes(rig) == [EngineMode.READ_ONLY, EngineMode.FROZEN]
        assert rig.engine.mode.mode is EngineMode.FROZEN
        assert "telemetry failed" in rig.engine.mode.reason


@pytest.mark.parametrize(
    "trouble",
    [
        trouble
        for trouble, row in TROUBLES.items()
        if row.healing is Healing.TRY_AGAIN and row.mode is EngineMode.READ_ONLY
    ],
)
async def test_while_nothing_can_be_stored_nothing_is_taken_and_nothing_is_forgotten(
    trouble: Trouble,
) -> None:
    row = TROUBLES[trouble]
    async with running(fleet(agent("a1", slots=2))) as rig:
        await all_up(rig)
        await rig.submit(1, work())
        host = rig.hosts[A1]
        await rig.until(lambda s: only_task(s).attempts[0].phase is AttemptPhase.RUNNING)
        disk = FullDisk(rig, trouble)
        disk.full = True
        refused = await rig.submit(2, work())
        assert isinstance(refused, Refused)
        assert refused.code == "read-only-mode"
        assert row.words in refused.text
        assert row.way_out[1:] in refused.hint
        assert (rig.engine.mode.mode, rig.engine.mode.trouble) == (EngineMode.READ_ONLY, trouble)
        at_once = await rig.engine.ask("ana", Cancel(tasks=(TaskId("TASK" + "0" * 21 + "1"),)))
        assert isinstance(at_once, Refused)
        assert at_once.code == "read-only-mode"
        await host.finish(host.started[0])
        tries = disk.refused
        await until(lambda: disk.refused > tries)
        assert only_task(rig.engine.state).phase is TaskPhase.ACTIVE
        disk.full = False
        state = await rig.until(lambda s: bool(s.closed_tasks))
        assert only_task(state).phase is TaskPhase.SUCCEEDED
        assert rig.engine.mode.mode is EngineMode.NORMAL
        room_kept = [EngineMode.READ_ONLY] if TROUBLES[trouble].lacks_room else []
        assert modes(rig) == [*room_kept, EngineMode.NORMAL]
        assert len(host.started) == 1, "nothing was started again"
        assert isinstance(await rig.submit(2, work()), Accepted)
        await rig.until(lambda s: len(host.started) == 2)


async def test_no_refusal_rests_on_what_was_not_stored() -> None:
    async with running(fleet(agent("a1"))) as rig:
        await all_up(rig)
        disk = FullDisk(rig)
        disk.full = True
        asks = [
            rig.engine.ask("ana", Submit(task=TaskId(f"TASK{n:022d}"), key="same", spec=work(text)))
            for n, text in enumerate(("one", "two"))
        ]
        for reply in await asyncio.gather(*asks):
            assert isinstance(reply, Refused)
            assert reply.code == "read-only-mode"
        disk.full = False
        await until(lambda: rig.engine.mode.mode is EngineMode.NORMAL)
        assert isinstance(await rig.engine.ask("ana", Freeze()), Accepted)
        disk.full = True
        for reply in await asyncio.gather(*(rig.engine.ask(by, Thaw()) for by in ("ana", "bo"))):
            assert isinstance(reply, Refused)
            assert reply.code == "read-only-mode"
        disk.full = False


async def test_what_is_decided_beside_a_commit_in_doubt_is_in_doubt_itself() -> None:
    rig = Rig(fleet(agent("a1")), EMPTY_STATE, {A1: FakeHost()})

    async def fails(events: Sequence[Event], at_ms: int) -> tuple[Recorded, ...]:
        raise JournalFailed("the disk reports errors")

    rig.ledger.append = fails  # type: ignore[method-assign]  # the disk is in between
    asks = [
        asyncio.create_task(rig.engine.ask("ana", order)) for order in (Freeze(), Thaw(), Thaw())
    ]
    await asyncio.sleep(0)
    with pytest.raises(JournalFailed):
        await rig.engine.run()
    codes = [reply.code for reply in await asyncio.gather(*asks) if isinstance(reply, Refused)]
    assert codes == ["in-doubt"] * 3
    await rig.effects.close()


async def test_a_frozen_engine_with_a_full_disk_is_still_frozen_afterwards() -> None:
    async with running(fleet(agent("a1"))) as rig:
        await all_up(rig)
        await rig.engine.ask("ana", Freeze())
        await rig.until(lambda s: any(a.subject == "engine" for a in s.alerts.values()))
        frozen = rig.engine.mode  # and nothing is left to be stored
        disk = FullDisk(rig)
        disk.full = True
        refused = await rig.submit(1, work())
        assert isinstance(refused, Refused)
        tries = disk.refused + 2
        await until(lambda: disk.refused > tries or rig.engine.mode == frozen)
        assert rig.engine.mode.mode is EngineMode.READ_ONLY
        disk.full = False
        await until(lambda: rig.engine.mode.mode is EngineMode.FROZEN)
        assert rig.engine.mode == frozen
        assert isinstance(await rig.submit(1, work()), Accepted)
        assert modes(rig) == [EngineMode.FROZEN]
        await rig.engine.ask("ana", Thaw())
        await rig.until(lambda s: rig.hosts[A1].started != [])


async def test_an_engine_with_a_full_disk_can_be_stopped() -> None:
    async with running(fleet(agent("a1"))) as rig:
        await all_up(rig)
        FullDisk(rig).full = True
        assert isinstance(await rig.submit(1, work()), Refused)
        assert isinstance(await rig.engine.ask("ana", StopEngine()), Accepted)


async def test_a_bug_that_one_input_meets_costs_that_input_alone(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async with running(fleet(agent("a1"))) as rig:
        await all_up(rig)

        def poisoned(state: FleetState, by: str, command: Command, now_ms: int):  # type: ignore[no-untyped-def]  # as decide
            if isinstance(command, AddNote):
                raise ZeroDivisionError
            return decide(state, by, command, now_ms)

        monkeypatch.setattr(steps, "decide", poisoned)
        note = rig.engine.ask("ana", AddNote(text=work().payload))
        bad, good = await asyncio.gather(note, rig.submit(1, work()))
        assert isinstance(bad, Refused)
        assert bad.code == "bug"
        assert isinstance(good, Accepted)
        await rig.until(lambda s: rig.hosts[A1].started != [])
        await until(lambda: any(isinstance(r.event, EngineUnitFailed) for r in rig.ledger.rows))
        assert rig.engine.mode.mode is EngineMode.NORMAL


async def test_a_part_that_fails_three_times_in_a_minute_puts_the_engine_on_hold(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async with running(fleet(agent("a1"))) as rig:
        await all_up(rig)
        await rig.submit(1, work())
        await rig.until(lambda s: bool(rig.hosts[A1].started))

        def broken(*_: object) -> None:
            raise ZeroDivisionError

        monkeypatch.setattr("fleet_tui.core.routing.schedule.Router.schedule", broken)
        await until(lambda: rig.engine.mode.mode is EngineMode.FROZEN)
        failed = [r.event for r in rig.ledger.rows if isinstance(r.event, EngineUnitFailed)]
        assert [(f.unit, f.error) for f in failed] == [("the loop", "ZeroDivisionError")] * 3
        assert "the loop failed 3 times" in rig.engine.mode.reason
        await rig.hosts[A1].finish(rig.hosts[A1].started[0])
        state = await rig.until(lambda s: bool(s.closed_tasks))
        assert only_task(state).phase is TaskPhase.SUCCEEDED


async def test_a_clock_or_an_effect_that_fails_is_started_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("fleet_tui.engine.supervisor.RESTART_S", 0.0)
    real, failures = Engine._tick, [True]

    async def tick(self: Engine) -> None:
        if failures:
            failures.pop()
            raise ZeroDivisionError
        await real(self)

    monkeypatch.setattr(Engine, "_tick", tick)
    async with running(fleet(agent("a1"))) as rig:
        await all_up(rig)
        follow, broken = rig.effects.follow, [True]

        def once_broken(state: FleetState, recorded: Sequence[Recorded]) -> None:
            follow(state, recorded)
            if broken:
                broken.pop()
                raise ZeroDivisionError

        rig.effects.follow = once_broken  # type: ignore[method-assign]  # breaks once
        assert isinstance(await rig.submit(1, work()), Accepted)
        await rig.until(lambda s: rig.hosts[A1].started != [])

        def units() -> list[str]:
            rows = rig.ledger.rows
            return sorted(r.event.unit for r in rows if isinstance(r.event, EngineUnitFailed))

        await until(lambda: units() == ["dispatch", "the clock"])


async def test_a_fleet_file_that_cannot_be_taken_is_told_until_it_can() -> None:
    async with running(fleet(agent("a1"))) as rig:
        await all_up(rig)
        await rig.engine.inbox.put(FleetFileSeen("1 problem, the first at fleet.yaml:3:1: no"))
        state = await rig.until(lambda s: any(a.subject == "fleet file" for a in s.alerts.values()))
        assert "fleet.yaml:3:1" in state.engine.file_problem
        await rig.engine.inbox.put(FleetFileSeen(""))
        await rig.until(lambda s: not s.engine.file_problem)
        await rig.until(lambda s: all(a.subject != "fleet file" for a in s.alerts.values()))


def test_a_broken_part_does_not_flood_the_ledger() -> None:
    faults = Faults()
    counts = [faults.met("x", now_ms) for now_ms in range(0, WINDOW_MS, 1_000)]
    assert [n for n in counts if n <= MAX_FAULTS] == [1, 2, 3]
    assert faults.met("y", 0) == 1
    assert faults.met("x", 2 * WINDOW_MS) == 1


async def test_that_a_run_began_is_not_forgotten_on_a_full_disk_when_it_is_lost_again() -> None:
    """Else its host, deleted meanwhile, would pass for one that never started it."""
    host = FakeHost()
    async with running(fleet(agent("a1")), hosts={A1: host}) as rig:
        await all_up(rig)
        host.reachable = False
        await rig.submit(1, work())
        state = await rig.until(
            lambda s: any(a.phase is AttemptPhase.UNKNOWN for t in s.tasks() for a in t.attempts)
        )
        (attempt,) = only_task(state).attempts
        disk = FullDisk(rig)
        disk.full = True
        lost = Unknown(LostReason.CONNECTION_LOST)
        left = Checkpoint(text=Untrusted("page 1"), sha256="1")
        for word in (Definite(Running(checkpoint=left)), lost, Definite(Started()), lost):
            await rig.engine.inbox.put(RunReported(attempt.run_id, word))
        await until(lambda: disk.refused > 1)
        disk.full = False
        host.reachable = True
        state = await rig.until(lambda s: only_task(s).phase is TaskPhase.NEEDS_OPERATOR)
        assert "is no longer known to its host" in only_task(state).reason
        assert only_task(state).checkpoint == left
        assert not host.started


async def test_looks_that_were_not_stored_are_judged_anew() -> None:
    """An agent that becomes unreachable while the disk is full is seen to be so afterwards."""
    async with running(fleet(agent("a1"))) as rig:
        await all_up(rig)
        disk = FullDisk(rig)
        disk.full = True
        assert isinstance(await rig.submit(1, work()), Refused)
        await rig.hosts[A1].cut()
        await until(lambda: isinstance(rig.engine.memory.probes[A1], ProbeFailure))
        disk.full = False
        await rig.until(lambda s: s.agents[A1].health.is_lost)
