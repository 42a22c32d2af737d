import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from fleet_tui.core.agents.vitals import (
    FailureKind,
    FleetSample,
    ProbeFailure,
    ProbeResult,
    VitalsReading,
)
from fleet_tui.core.ids import AgentName
from fleet_tui.journal.directory import prepare
from fleet_tui.journal.ledger.segments import numbered_files
from fleet_tui.journal.telemetry import rolling
from fleet_tui.journal.telemetry.rolling import Bounds
from fleet_tui.journal.telemetry.samples import SampleReader, SampleWriter

A, B = AgentName("agent-01"), AgentName("agent-02")


def look(agent: AgentName, at_ms: int) -> ProbeResult:
    return VitalsReading(agent=agent, observed_at_ms=at_ms, latency_ms=at_ms / 2)


async def test_the_newest_look_at_each_agent_now_and_then(directory: Path) -> None:
    prepare(directory)
    writer = await SampleWriter.open(directory)
    failure = ProbeFailure(agent=B, observed_at_ms=30, kind=FailureKind.TIMEOUT)
    writer.add([look(A, 10), look(B, 10), look(A, 20), failure, FleetSample(at_ms=30, up=2)])
    await writer.close()
    assert writer.newest_id == 5
    with closing(SampleReader(directory)) as reader:
        assert reader.latest_probes() == {A: look(A, 20), B: failure}
        assert reader.latest_probes(until_ms=15) == {A: look(A, 10), B: look(B, 10)}
        assert reader.latest_probes(until_ms=5) == {}
        assert reader.agent_series(A) == [look(A, 10), look(A, 20)]
        assert reader.agent_series(A, 19) == [look(A, 10)]
        assert reader.agent_series(A, limit=1) == [look(A, 20)]
        assert reader.fleet_samples(0, 100, 10) == [FleetSample(at_ms=30, up=2)]
        assert reader.newest_id() == 5


async def test_old_files_go_and_row_ids_grow_for_ever(directory: Path) -> None:
    prepare(directory)
    bounds = Bounds(file_bytes=1, files=3, keep_ms=1_000_000)
    writer = await SampleWriter.open(directory, bounds)
    for at_ms in range(1, 11):
        writer.add([look(A, at_ms)])
        await writer.flush()
    await writer.close()
    assert len(numbered_files(directory, "samples")) == 3
    again = await SampleWriter.open(directory, bounds)
    again.add([look(B, 11)])
    await again.close()
    assert again.newest_id == 11
    assert again.dropped == 0
    with closing(SampleReader(directory)) as reader:
        assert reader.latest_probes() == {A: look(A, 10), B: look(B, 11)}
        assert reader.agent_series(A) == [look(A, 10)]


async def test_samples_expire_by_time(directory: Path) -> None:
    prepare(directory)
    writer = await SampleWriter.open(directory, Bounds(file_bytes=2**30, files=4, keep_ms=100))
    for at_ms in range(0, 1_000, 10):
        writer.add([look(A, at_ms)])
        await writer.flush()
    await writer.close()
    with closing(SampleReader(directory)) as reader:
        kept = reader.agent_series(A)
    assert kept[-1] == look(A, 990)
    assert min(one.observed_at_ms for one in kept) >= 850


async def test_a_file_that_is_no_database_is_thrown_away(directory: Path) -> None:
    prepare(directory)
    broken = directory / "samples-0000000000000001.db"
    broken.touch(mode=0o600)
    broken.write_bytes(b"not a database at all" * 100)
    writer = await SampleWriter.open(directory)
    writer.add([look(A, 1)])
    await writer.close()
    assert not broken.exists()
    with closing(SampleReader(directory)) as reader:
        assert reader.latest_probes() == {A: look(A, 1)}


async def one_look_stored(directory: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The file that holds it; from now on no lock is waited for."""
    prepare(directory)
    writer = await SampleWriter.open(directory)
    writer.add([look(A, 1)])
    await writer.close()
    ((_, path),) = numbered_files(directory, "samples")
    monkeypatch.setattr(rolling, "BUSY_TIMEOUT_S", 0.01)
    return path


async def test_a_foreign_lock_against_writers_costs_what_comes_meanwhile_and_no_more(
    directory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = await one_look_stored(directory, monkeypatch)
    with closing(sqlite3.connect(path, isolation_level=None)) as foreign:
        foreign.execute("BEGIN EXCLUSIVE")
        again = await SampleWriter.open(directory)
        again.add([look(A, 2)])
        await again.flush()
        assert (again.dropped, "locked" in again.failure) == (1, True)
        foreign.execute("ROLLBACK")
    again.add([look(B, 3)])
    await again.close()
    assert (again.newest_id, again.dropped, again.failure) == (2, 1, "")
    with closing(SampleReader(directory)) as reader:
        assert reader.latest_probes() == {A: look(A, 1), B: look(B, 3)}


async def test_beside_a_file_that_is_locked_against_everybody_the_next_is_begun(
    directory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = await one_look_stored(directory, monkeypatch)
    with closing(sqlite3.connect(path, isolation_level=None)) as foreign:
        foreign.execute("PRAGMA journal_mode = DELETE")
        foreign.execute("BEGIN EXCLUSIVE")
        again = await SampleWriter.open(directory)
        again.add([look(B, 2)])
        await again.close()
        assert (again.dropped, again.failure) == (0, "")
        foreign.execute("ROLLBACK")
    with closing(SampleReader(directory)) as reader:
        assert reader.latest_probes() == {A: look(A, 1), B: look(B, 2)}


async def test_a_file_that_vanishes_is_made_again_with_the_next_rows(directory: Path) -> None:
    prepare(directory)
    writer = await SampleWriter.open(directory)
    writer.add([look(A, 1)])
    await writer.flush()
    ((_, path),) = numbered_files(directory, "samples")
    for part in directory.glob(f"{path.name}*"):
        part.unlink()
    writer.add([look(A, 2)])  # goes where the first went
    await writer.flush()
    assert path.name in writer.failure
    writer.add([look(B, 3)])
    await writer.close()
    assert (writer.newest_id, writer.failure) == (3, "")
    with closing(SampleReader(directory)) as reader:
        assert reader.latest_probes() == {B: look(B, 3)}


def test_nothing_stored_is_nothing_found(directory: Path) -> None:
    prepare(directory)
    with closing(SampleReader(directory)) as reader:
        assert reader.latest_probes() == {}
        assert reader.newest_id() == 0
