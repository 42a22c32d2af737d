"""Following a real engine with a real program: what comes, what a kill changes, what a console may
not do."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import NoReturn

import pytest

from fleet_tui.base.errors import FleetError, Unreachable
from fleet_tui.config.load import load_fleet
from fleet_tui.core.agents.commands import Cordon
from fleet_tui.core.backoff import Backoff
from fleet_tui.core.engine.commands import StopEngine
from fleet_tui.core.engine.protocol import Doorbell
from fleet_tui.core.ids import AgentName, Seq, TaskId
from fleet_tui.core.ledger.replies import Accepted, Refused
from fleet_tui.core.logs import LogGap, LogLine, LogQuery
from fleet_tui.core.modes import EngineMode, ModeNow
from fleet_tui.core.notes.commands import AddNote
from fleet_tui.core.notes.events import NoteAdded
from fleet_tui.core.tasks.commands import Submit
from fleet_tui.core.tasks.model import TaskPhase, TaskSpec
from fleet_tui.core.tasks.submission import MAX_PAYLOAD_BYTES
from fleet_tui.core.text.untrusted import Untrusted
from fleet_tui.engine.run import RunningEngine
from fleet_tui.feed import attached
from fleet_tui.feed.attached import AttachedFeed
from fleet_tui.feed.feed import Link, Mode, View
from fleet_tui.journal.errors import JournalError
from fleet_tui.journal.ledger import segments
from fleet_tui.journal.ledger.writer import JournalWriter
from tests.acceptance.rig import Rig
from tests.engine.doors import House

DEADLINE_S = 60.0
FLEET = """
defaults: {probe: {every: 200ms, timeout: 2s, down_after: 3, up_after: 1}}
agents:
  echo: {kind: local, command: [cat], run_dir: %s}
"""
ECHO = AgentName("echo")
TASK = TaskId("01J9Z3V8QK5T4R2W1X0Y9A8B7C")


@asynccontextmanager
async def engine(base: Path) -> AsyncIterator[RunningEngine]:
    """An engine in this process, with one agent on this machine."""
    file = base / "fleet.yaml"
    file.write_text(f"version: 1\nfleet: lab\n{FLEET % (base / 'runs')}")
    async with RunningEngine(load_fleet(file, {}).spec, base / "state") as running:
        loop = asyncio.create_task(running.run())
        try:
            yield running
        finally:
            running.stop("the test is over")
            await loop


@asynccontextmanager
async def opened(feed: AttachedFeed) -> AsyncIterator[AttachedFeed]:
    await feed.open()
    try:
        yield feed
    finally:
        await feed.close()


async def until(feed: AttachedFeed, holds: Callable[[View], bool]) -> View:
    async with asyncio.timeout(DEADLINE_S):
        while not holds(feed.view()):
            await feed.changed()
    return feed.view()


async def lines_until(feed: AttachedFeed, words: str) -> list[str]:
    said: list[str] = []
    async with asyncio.timeout(DEADLINE_S):
        while not any(words in line for line in said):
            await feed.changed()
            said += [i.text.raw for i in feed.take_lines() if isinstance(i, LogLine)]
    return said


def submit(text: str = "hello there", key: str = "k") -> Submit:
    return Submit(task=TASK, key=key, spec=TaskSpec(payload=Untrusted(text)))


async def test_a_task_is_seen_from_its_submission_to_its_answer(short_dir: Path) -> None:
    async with (
        engine(short_dir) as running,
        opened(AttachedFeed(short_dir / "state", by="me")) as feed,
    ):
        assert (feed.view().mode, feed.view().link) == (Mode.LIVE, Link.ATTACHED)
        await until(feed, lambda view: view.state.agents[ECHO].health.takes_work)
        reply = await feed.send(submit())
        assert isinstance(reply, Accepted)
        view = await until(feed, lambda view: TASK in view.state.closed_tasks)
        task = view.state.closed_tasks[TASK]
        assert task.phase is TaskPhase.SUCCEEDED
        assert task.by == "me"
        assert task.attempts[0].answer.text.raw == "hello there"
        # The console reads the ledger, and may see a commit before the engine goes on from it.
        await until(feed, lambda view: view.state == running.engine.state)
        await lines_until(feed, f"{task.label} succeeded")
        await until(feed, lambda view: ECHO in view.probes and len(view.samples) > 0)
        probes = await feed.series(ECHO, 100)
        assert {probe.agent for probe in probes} == {ECHO}
        assert probes == sorted(probes, key=lambda probe: probe.observed_at_ms)
        told = await feed.retell(task.label)
        assert told is not None
        assert told.task == task
        story = await feed.task_events(TASK)
        assert story == [r for r in await feed.history(10_000) if r in story]
        found = await feed.logs(LogQuery(task=TASK))
        assert any("submitted by me" in line.text.raw for line in found)


async def test_two_moments_of_a_living_fleet(short_dir: Path) -> None:
    async with engine(short_dir), opened(AttachedFeed(short_dir / "state", by="ops")) as feed:
        view = await until(feed, lambda view: view.state.agents[ECHO].health.takes_work)
        assert isinstance(await feed.send(Cordon(agents=(ECHO,), reason="x")), Accepted)
        now = await until(feed, lambda view: view.state.agents[ECHO].cordon is not None)
        moments = await feed.moments(0, now.state.at_ms)
        assert moments.before.agents.keys() <= {ECHO}
        assert moments.after.agents[ECHO].cordon is not None
        before = await feed.moments(view.state.at_ms, now.state.at_ms)
        assert before.before.agents[ECHO].cordon is None


async def test_the_view_is_the_same_until_something_changed(short_dir: Path) -> None:
    async with engine(short_dir), opened(AttachedFeed(short_dir / "state", by="me")) as feed:
        before = feed.view()
        assert feed.view() is before
        await feed.send(AddNote(text=Untrusted("mark")))
        after = await until(feed, lambda view: len(view.state.notes) == 1)
        assert after is not before


async def test_a_read_only_console_is_refused_here_and_by_the_engine(short_dir: Path) -> None:
    async with (
        engine(short_dir) as running,
        opened(AttachedFeed(short_dir / "state", by="me", read_only=True)) as feed,
    ):
        assert feed.view().mode is Mode.READ_ONLY
        assert not feed.can_act
        reply = await feed.send(Cordon(agents=(ECHO,)))
        assert isinstance(reply, Refused)
        assert reply.code == "read-only"
        assert running.engine.state.agents[ECHO].cordon is None


async def test_without_an_engine_it_does_not_open(short_dir: Path) -> None:
    async with engine(short_dir):
        pass
    feed = AttachedFeed(short_dir / "state", by="me")
    with pytest.raises(Unreachable):
        await feed.open()
    # The console stays and shows why, so it asks on: nothing will come, and that is no bug.
    with pytest.raises(asyncio.CancelledError):
        await feed.changed()


async def test_a_starting_engine_is_shown_by_its_ledger_and_then_attached(short_dir: Path) -> None:
    async with engine(short_dir) as running:
        await running.engine.ask("me", AddNote(text=Untrusted("from before")))
    feed = AttachedFeed(short_dir / "state", by="me", mode=Mode.DEMO, starting=True)
    assert feed.view().state.seq == 0
    async with opened(feed):
        view = feed.view()
        assert (view.mode, view.link, view.link_detail) == (
            Mode.DEMO,
            Link.RECONNECTING,
            "the engine is starting",
        )
        assert [note.text.raw for note in view.state.notes] == ["from before"]
        reply = await feed.send(AddNote(text=Untrusted("too early")))
        assert isinstance(reply, Refused)
        assert reply.code == "no-engine"
        async with engine(short_dir):
            await until(feed, lambda view: view.link is Link.ATTACHED)
            assert isinstance(await feed.send(AddNote(text=Untrusted("now"))), Accepted)


async def test_a_killed_engine_is_said_to_be_gone_and_the_next_one_found(short_dir: Path) -> None:
    rig = Rig(short_dir, FLEET % (short_dir / "runs"))
    try:
        await asyncio.to_thread(rig.start)
        async with opened(AttachedFeed(rig.directory, by="me")) as feed:
            await until(feed, lambda view: view.state.agents[ECHO].health.takes_work)
            await feed.send(submit())
            view = await until(feed, lambda view: TASK in view.state.closed_tasks)
            await asyncio.to_thread(rig.kill)
            gone = await until(feed, lambda view: view.link is Link.RECONNECTING)
            assert gone.link_detail
            assert gone.state.closed_tasks == view.state.closed_tasks
            reply = await feed.send(StopEngine())
            assert isinstance(reply, Refused)
            assert reply.code == "no-engine"

            await asyncio.to_thread(rig.start)
            again = await until(feed, lambda view: view.link is Link.ATTACHED)
            assert again.state.closed_tasks == view.state.closed_tasks
            await until(feed, lambda view: view.state.engine.epoch > gone.state.engine.epoch)
            reply = await feed.send(submit())
            assert isinstance(reply, Accepted)
            assert reply.duplicate
    finally:
        rig.close()


async def test_lines_that_nobody_takes_are_dropped_and_counted(
    short_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("fleet_tui.feed.attached.MAX_UNTAKEN_LINES", 20)
    async with engine(short_dir), opened(AttachedFeed(short_dir / "state", by="me")) as feed:
        feed.take_lines()
        for number in range(100):
            await feed.send(AddNote(text=Untrusted(f"note {number}")))
        await until(feed, lambda view: len(view.state.notes) > 0)
        async with asyncio.timeout(DEADLINE_S):
            while not await feed.logs(LogQuery(words="99")):
                await feed.changed()
        await feed.changed()
        gap, *lines = feed.take_lines()
        assert isinstance(gap, LogGap)
        assert gap.lines is not None
        assert gap.lines >= 80
        assert len(lines) == 20
        assert isinstance(lines[-1], LogLine)


def refuse(*_: object, until: Seq | None = None) -> NoReturn:
    raise JournalError("too many open files")


READING = ("fleet_tui.feed.attached.Stores", "fleet_tui.feed.stores.JournalReader.load")
"""What reads the ledger, first and then."""


@pytest.mark.parametrize("reads", READING)
async def test_a_ledger_that_cannot_be_read_leaves_no_connection(
    short_dir: Path, monkeypatch: pytest.MonkeyPatch, reads: str
) -> None:
    async with engine(short_dir) as running:
        feed = AttachedFeed(short_dir / "state", by="me")
        with monkeypatch.context() as broken:
            broken.setattr(reads, refuse)
            with pytest.raises(FleetError, match="too many open files"):
                await feed.open()
        assert feed._client is not None
        assert not feed._client.connected
        assert running.engine.stop_reason is None


class Distrusting(House):
    """The next engine: it found the ledger damaged after its first event."""

    def doorbell(self) -> Doorbell:
        mode = ModeNow(mode=EngineMode.RECOVERY, trusted_seq=Seq(1))
        return Doorbell(seq=Seq(1), sample=0, line=0, now_ms=0, mode=mode)


@pytest.mark.parametrize("reads", READING)
async def test_a_next_engine_whose_ledger_cannot_be_read_at_once_is_tried_again(
    short_dir: Path, monkeypatch: pytest.MonkeyPatch, reads: str
) -> None:
    monkeypatch.setattr("fleet_tui.feed.attached.RECONNECT", Backoff(10, 10))
    async with engine(short_dir):
        pass
    path = short_dir / "state" / "engine.sock"
    before, after = House(path), Distrusting(path)
    await before.server.listen(path)
    try:
        async with opened(AttachedFeed(short_dir / "state", by="me")) as feed:
            with monkeypatch.context() as broken:
                broken.setattr(reads, refuse)
                await before.server.close()
                await after.server.listen(path)
                gone = await until(feed, lambda view: "open files" in view.link_detail)
                assert gone.link is Link.RECONNECTING
                assert gone.engine.mode is not EngineMode.RECOVERY
            view = await until(feed, lambda view: view.link is Link.ATTACHED)
            assert (view.engine.mode, view.state.seq) == (EngineMode.RECOVERY, 1)
    finally:
        await before.server.close()
        await after.server.close()


async def test_a_bug_in_the_way_back_leaves_nothing_open(
    short_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with engine(short_dir):
        feed = AttachedFeed(short_dir / "state", by="me")
        await feed.open()
        assert feed._client is not None
        monkeypatch.setattr(feed._client, "lost", lambda: 1 / 0)
        again = asyncio.create_task(feed._keep())
        await asyncio.wait({again})
        assert feed._keeper is not None
        feed._keeper.cancel()
        feed._keeper = again
        with pytest.raises(ZeroDivisionError):
            await feed.close()
        assert not feed._client.connected
        assert feed._stores is not None
        assert not feed._stores.ledger._open


async def test_a_directory_too_deep_for_a_socket_has_its_door_elsewhere(
    short_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    runtime = short_dir / "run"
    runtime.mkdir(mode=0o700)
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(runtime))
    deep = short_dir / ("d" * 120)
    deep.mkdir(mode=0o700)
    async with engine(deep), opened(AttachedFeed(deep / "state", by="me")) as feed:
        assert feed.view().link is Link.ATTACHED
        (door,) = (runtime / "fleet-tui").iterdir()
        assert door.is_socket()
        assert (runtime / "fleet-tui").stat().st_mode & 0o077 == 0
        assert not (deep / "state" / "engine.sock").exists()


async def test_more_lines_than_a_page_all_arrive(
    short_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("fleet_tui.feed.attached.PAGE_LINES", 7)
    async with engine(short_dir) as running:
        async with opened(AttachedFeed(short_dir / "state", by="me")) as feed:
            feed.take_lines()
            await asyncio.gather(
                *(running.engine.ask("me", AddNote(text=Untrusted(f"n{n}"))) for n in range(50))
            )
            said = await lines_until(feed, ": n49")
        assert [line for line in said if "note by" in line] == [
            f"note by me: n{n}" for n in range(50)
        ]


async def test_a_text_that_fits_no_frame_is_refused_and_the_conversation_goes_on(
    short_dir: Path,
) -> None:
    async with engine(short_dir), opened(AttachedFeed(short_dir / "state", by="test")) as feed:
        reply = await feed.send(submit("\x01" * (MAX_PAYLOAD_BYTES // 2)))
        assert isinstance(reply, Refused)
        assert (reply.code, "nothing was sent" in reply.text) == ("too-large", True)
        assert isinstance(await feed.send(submit()), Accepted)


async def test_what_is_left_of_large_events_is_read_at_once(
    short_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A page of large events ends early: it must not wait for the next pulse each time."""
    directory = short_dir / "state"
    writer = await JournalWriter.open(directory, lambda: 1_790_000_000_000, "0.1.0", 4711)
    monkeypatch.setattr(attached, "PULSE_S", 3_600.0)
    async with opened(AttachedFeed(directory, by="me", starting=True)) as feed:
        await writer.append([NoteAdded(text=Untrusted("x"), by="me")] * 3, 1)
        monkeypatch.setattr(segments, "PAGE_BYTES", 1)
        feed._rung.set()
        async with asyncio.timeout(DEADLINE_S):
            while feed.view().state.seq < writer.last_seq:
                await feed.changed()
    await writer.close("the test is over")
