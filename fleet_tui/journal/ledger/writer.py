"""The ledger's one writer.

``append`` returns when its events are on the disk. Requests that wait together share one
transaction, so that many callers share one fsync; a cancelled caller does not affect the others,
and its events are stored anyway.

A full disk is not a failure: SQLite has then rolled back the whole transaction, so callers learn
that nothing was stored, the ballast frees space for the engine's own events, and writing resumes
once the ballast can be recreated. Neither is any other error before a commit is in progress: a
foreign lock, no memory, no descriptors, a read-only file system. The next call simply tries again.
Only after an error that leaves it uncertain how much of a commit is on the disk nothing is trusted:
the writer has failed, reports this to every caller, and a new one must verify.
:data:`fleet_tui.core.modes.TROUBLES` has the meaning of each error.
"""

import asyncio
import contextlib
import errno
import sqlite3
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

import aiosqlite

from fleet_tui.core.engine.events import EngineModeChanged, EngineStarted, EngineStopped
from fleet_tui.core.ids import Epoch, Seq
from fleet_tui.core.ledger.events import Event, Recorded
from fleet_tui.core.ledger.fold import fold
from fleet_tui.core.ledger.state import FleetState
from fleet_tui.core.modes import TROUBLES, EngineMode, Healing, Trouble, trouble_of_errno
from fleet_tui.journal.directory import LOCK_NAME, EngineLock, Home, holder_now
from fleet_tui.journal.errors import (
    EpochLost,
    JournalError,
    JournalFailed,
    JournalFull,
    JournalInUse,
    JournalUnavailable,
    StateGone,
)
from fleet_tui.journal.ledger.chain import HEAD_NAME, Head, link, write_head
from fleet_tui.journal.ledger.codec import Encoded, encode
from fleet_tui.journal.ledger.opening import Taken, open_segment, take
from fleet_tui.journal.ledger.segments import LOCK_WAIT_S, EventRow, newest_epoch
from fleet_tui.journal.ledger.snapshots import SNAPSHOT_EVERY, write_snapshot
from fleet_tui.journal.ledger.statements import query
from fleet_tui.journal.ledger.transaction import CommitInDoubt, FilesGone, Transaction
from fleet_tui.journal.ledger.troubles import StorageError, failure, in_words, trouble_of
from fleet_tui.journal.upkeep import ballast

MAX_BATCH_REQUESTS = 64
"""Requests that share a transaction."""

MAX_WAITING_REQUESTS = 4_096
"""Callers beyond this wait until they can be queued."""

MAX_SEGMENT_ROWS = 200_000
MAX_SEGMENT_BYTES = 64 * 1024 * 1024
"""Bodies of one segment, without its opening state."""

MAX_REMADE = 16
MAX_TIMES = 4_096

KEEP_EVERY_S = 1.0
"""Minimum interval for writing the head, checkpointing the WAL and taking a snapshot."""

WAL_PAGES = 8_192
"""A WAL of 32 MiB is checkpointed by the write itself; normally the keeper comes first."""


class _Request(NamedTuple):
    events: Sequence[Event]
    encoded: Sequence[Encoded]
    at_ms: int
    done: "asyncio.Future[tuple[Recorded, ...]]"


class JournalWriter:
    """The owner of a ledger. Created by :meth:`open`; must be closed."""

    def __init__(
        self,
        home: Home,
        now_ms: Callable[[], int],
        taken: Taken,
        connection: aiosqlite.Connection,
        batch_requests: int,
        pid: int,
    ) -> None:
        self.directory = home.directory
        self.epoch: Epoch = taken.epoch
        self.failure: JournalFailed | None = None
        """Why the writer has failed; None while it works."""
        self._now_ms = now_ms
        self._pid = pid
        self._lock = taken.lock
        self._path = taken.path
        self._head = taken.head
        self._state = taken.state
        self._rows = taken.rows
        self._bytes = taken.bytes
        self._snapshot_seq = int(taken.head.seq)
        self._connection = connection
        self._batch_requests = batch_requests
        self._abandoned: asyncio.Future[None] | None = None
        """Set when the connection was stopped instead of closed: the end of its thread."""
        self._waiting: deque[_Request] = deque()
        self._room = asyncio.Semaphore(MAX_WAITING_REQUESTS)
        self._wake = asyncio.Event()
        self._dirty = asyncio.Event()
        self._full = taken.full
        """The disk was full and the ballast could not be recreated since."""
        self._home = home
        self._head_mark = _mark(self.directory / HEAD_NAME)
        """The head file that was written last, at first by :func:`take`."""
        self._remade: deque[str] = deque(maxlen=MAX_REMADE)
        """Names of files that vanished and were recreated, the newest last."""
        self._times: deque[tuple[float, float]] = deque(maxlen=MAX_TIMES)
        """(when, how long) of the newest commits, in seconds."""
        self._unavailable: JournalUnavailable | None = None
        """Why the latest try stored nothing."""
        self.behind: JournalUnavailable | None = None
        """Why the head cannot be kept up to date although the ledger can be written; None when it
        is."""
        self._between = False
        """The segment is sealed and the next one could not be created yet."""
        self._failed = asyncio.Event()
        self._closing = False
        self._stopping = asyncio.Event()
        self._task = asyncio.create_task(self._run(), name="journal writer")
        self._keeper = asyncio.create_task(self._keep(), name="journal keeper")

    @classmethod
    async def open(
        cls,
        directory: Path,
        now_ms: Callable[[], int],
        version: str,
        pid: int,
        *,
        batch_requests: int = MAX_BATCH_REQUESTS,
        home: Home | None = None,
    ) -> "JournalWriter":
        """Lock the ledger in ``directory`` and record that an engine started.

        Makes the directory and the ledger when there are none. ``batch_requests`` share a
        transaction at most; larger values suit bulk writing, where no caller waits for its own
        event. ``home`` is that directory as a restarted engine had it. Raises UnsafeDirectory,
        JournalInUse (naming the holder), JournalDamaged, RestoreUnfinished, JournalTooNew,
        JournalUnavailable, JournalFailed.
        """
        home = home or Home(directory)
        opening = asyncio.create_task(asyncio.to_thread(take, home, now_ms, pid))
        try:
            taken = await asyncio.shield(opening)
        except asyncio.CancelledError:
            with contextlib.suppress(Exception):  # whatever it was, no caller waits for it
                (await opening).lock.release()
            raise
        except (sqlite3.Error, OSError, MemoryError) as error:
            raise await _cannot_open(directory, error) from error
        try:
            connection = await _connect(taken.path)
        except (sqlite3.Error, OSError, MemoryError) as error:
            taken.lock.release()
            raise await _cannot_open(directory, error) from error
        except BaseException:  # release the lock
            taken.lock.release()
            raise
        writer = cls(home, now_ms, taken, connection, batch_requests, pid)
        try:
            started = EngineStarted(epoch=writer.epoch, version=version, pid=pid)
            await writer.append([started], now_ms())
        except BaseException:  # close the writer and release its lock
            await writer.close("")
            raise
        return writer

    @property
    def state(self) -> FleetState:
        """The state after every committed event so far; no caller needs to fold again."""
        return self._state

    @property
    def last_seq(self) -> Seq:
        """The newest committed position."""
        return self._head.seq

    def take_remade(self) -> list[str]:
        """Names of files of the ledger that vanished and were recreated since the last call."""
        names = list(self._remade)
        self._remade.clear()
        return names

    def commit_times(self) -> list[tuple[float, float]]:
        """(when on the loop's clock, how many seconds) of the newest commits."""
        return list(self._times)

    async def failed(self) -> None:
        """Wait until the writer fails, and raise the reason."""
        await self._failed.wait()
        assert self.failure is not None
        raise self.failure

    async def append(self, events: Sequence[Event], at_ms: int) -> tuple[Recorded, ...]:
        """Store events, all or none, and return them with their positions once they are on the
        disk.

        ``at_ms`` is raised to the newest instant of the ledger if it is earlier. A caller that is
        cancelled while it waits does not know; its events may be stored. Raises JournalUnavailable
        when the system refuses (nothing is stored, and a later try may succeed), JournalFailed when
        the writer has failed or is closed, codec.Unstorable for an event that could not be read
        back, and anything that :func:`fold` raises for an invalid one (nothing is stored then).
        """
        if not events:
            return ()
        encoded = [encode(event) for event in events]
        async with self._room:
            if self.failure is not None:
                raise self.failure
            if self._closing:
                raise JournalFailed("the journal is closed")
            done: asyncio.Future[tuple[Recorded, ...]] = asyncio.get_running_loop().create_future()
            self._waiting.append(_Request(events, encoded, at_ms, done))
            self._wake.set()
            return await done

    async def close(self, reason: str) -> None:
        """Record that the engine stopped, write the head and release everything. Safe to call
        twice."""
        if self._closing:
            return
        if self.failure is None and reason:
            with contextlib.suppress(JournalFailed, JournalUnavailable):
                await self.append([EngineStopped(reason=reason)], self._now_ms())
        self._closing = True
        self._stopping.set()
        self._wake.set()
        self._dirty.set()
        try:
            await asyncio.gather(self._task, self._keeper, return_exceptions=True)
            if self._abandoned is not None:
                await self._abandoned
            else:
                await self._connection.close()
            if self.failure is None:
                await asyncio.to_thread(write_head, self.directory, self._head)
        except (sqlite3.Error, OSError) as error:  # every event is stored; the head is behind
            await self._fail_with(error)
        finally:
            self._lock.release()

    # The writer's own task: the only one that touches the connection.

    async def _run(self) -> None:
        try:
            while not (self._closing and not self._waiting):
                await self._wake.wait()
                self._wake.clear()
                while self._waiting:
                    await self._commit(self._next_batch())
        except BaseException as error:  # end its thread, and fail its callers
            self._abandoned = self._connection.stop()  # its thread would keep the process alive
            self._fail(JournalFailed(f"the journal's writer stopped: {error!r}"))
            raise

    def _next_batch(self) -> list[_Request]:
        size = min(len(self._waiting), self._batch_requests)
        return [self._waiting.popleft() for _ in range(size)]

    async def _commit(self, batch: list[_Request]) -> None:
        if not await self._ready_for(batch):
            _refuse(batch, self.failure or self._unavailable or JournalFull())
            return
        try:
            rows, placed, head = self._place(batch)
            state = fold(self._state, [recorded for events in placed for recorded in events])
        except Exception as error:  # a bug in an event or in fold: its callers get it, as it is
            _refuse(batch, error)
            return
        began_s = asyncio.get_running_loop().time()
        try:
            await self._connection.executemany(query("event_insert"), rows)
        except sqlite3.Error as error:
            await self._refused(error)
            _refuse(batch, self.failure or self._unavailable)
            return
        except BaseException:  # its callers get the error
            _refuse(batch, JournalFailed("the journal's writer was stopped; it may be stored"))
            raise
        ended_s = asyncio.get_running_loop().time()
        self._times.append((ended_s, ended_s - began_s))
        self._head, self._state = head, state
        self._rows += len(rows)
        self._bytes += sum(len(row[5]) for row in rows)
        for request, events in zip(batch, placed, strict=True):
            if not request.done.done():
                request.done.set_result(events)
        self._dirty.set()
        if self._rows >= MAX_SEGMENT_ROWS or self._bytes >= MAX_SEGMENT_BYTES:
            await self._rotate()

    def _place(
        self, batch: list[_Request]
    ) -> tuple[list[EventRow], list[tuple[Recorded, ...]], Head]:
        """Assign every event its position, its instant, which never runs backwards, and its
        hash."""
        seq, digest = self._head
        at_ms = self._state.at_ms
        rows: list[EventRow] = []
        placed = []
        for request in batch:
            at_ms = max(at_ms, request.at_ms)
            events = []
            for event, (kind, v, body, task) in zip(request.events, request.encoded, strict=True):
                seq = Seq(seq + 1)
                digest = link(digest, seq, at_ms, self.epoch, kind, v, body)
                rows.append((seq, at_ms, self.epoch, kind, v, body, digest, task))
                events.append(Recorded(seq, at_ms, self.epoch, event))
            placed.append(tuple(events))
        return rows, placed, Head(seq, digest)

    async def _rotate(self) -> None:
        """Seal the segment and open the next one with the current state."""
        try:
            async with self._connection.execute(
                query("segment_seal"), {"epoch": self.epoch}
            ) as cursor:
                if cursor.rowcount != 1:
                    raise EpochLost("another engine took over this ledger")
            self._between = True
            await self._connection.close()
        except sqlite3.Error as error:
            # A segment may grow a little longer; a later commit tries again.
            await self._refused(error)
        except JournalFailed as error:
            await self._fail_with(error)
        else:
            await self._begin_segment()

    async def _begin_segment(self) -> None:
        head, state = self._head, self._state
        try:
            self._path, self._head, opened = await asyncio.to_thread(
                open_segment, self.directory, head, state, state.at_ms, self.epoch
            )
            self._connection = await _connect(self._path)
        except FileExistsError:
            await self._fail_with(EpochLost("another engine took over this ledger"))
        except (sqlite3.Error, OSError, MemoryError) as error:
            if self._head == head:
                await self._refused(error)
            else:
                await self._fail_with(error)
        else:
            self._between = False
            self._state = fold(state, [opened])
            self._rows, self._bytes = 1, 0

    async def _refused(self, error: StorageError) -> None:
        """Handle an error: one that may pass is reported and retried; otherwise the writer has
        failed."""
        if ballast.is_full(error):
            self._unavailable = _full(error)
            await self._give_up_ballast()
            return
        if isinstance(error, CommitInDoubt | FilesGone) or _is_fenced(error):
            await self._fail_with(error)
            return
        unavailable = await asyncio.to_thread(_unavailable, error, self.directory)
        if unavailable is None:
            await self._fail_with(error)
        self._unavailable = unavailable
        if unavailable is not None and TROUBLES[unavailable.trouble].lacks_room:
            await self._give_up_ballast()

    async def _give_up_ballast(self) -> None:
        """Free space for the events that record a full disk."""
        self._full = True
        try:
            await asyncio.to_thread(ballast.release, self.directory)
        except OSError as error:
            await self._refused(error)

    async def _ready_for(self, batch: Iterable[_Request]) -> bool:
        """Whether a batch can be tried: not after a failure, and after a full disk only once there
        is space again, or when the batch is what the ballast is for."""
        if self.failure is None and self._between:
            await self._begin_segment()
        if self.failure is None and self._full and not all(map(_has_room_kept, batch)):
            try:
                self._full = not await asyncio.to_thread(ballast.make, self.directory)
            except OSError as error:
                await self._refused(error)
            else:
                self._unavailable = JournalFull()
            if self._full:
                return False
        return self.failure is None and not self._between

    async def _fail_with(self, error: StorageError | JournalFailed) -> None:
        """Nothing is written after this; a missing directory takes precedence as the reason."""
        try:
            await asyncio.to_thread(self._home.stay)
        except StateGone as gone:
            self._fail(gone)
            return
        except OSError:
            pass  # the error at hand is told
        if not isinstance(error, JournalFailed):
            error = await asyncio.to_thread(_failure, error, self.directory)
        self._fail(error)

    def _fail(self, failure: JournalFailed) -> None:
        if self.failure is None:
            self.failure = failure
            self._failed.set()
        _refuse(self._waiting, self.failure)
        self._waiting.clear()

    # The keeper's work, which follows the ledger in the background.

    async def _keep(self) -> None:
        while self.failure is None and not self._stopping.is_set():
            behind = self._dirty.is_set()
            self._dirty.clear()
            try:
                await asyncio.to_thread(self._home.stay)
                await asyncio.to_thread(self._stay_owner)
                if not self._between:  # calls on a closed connection never return
                    await self._connection.executemany(query("event_insert"), [])
                head_gone = await asyncio.to_thread(self._is_head_gone)
                if behind or head_gone:
                    await asyncio.to_thread(self._keep_up, self._path, self._head, self._state)
                    self.behind = None
            except FilesGone as error:
                await self._fail_with(error)
            except (sqlite3.Error, OSError, MemoryError) as error:
                self._dirty.set()  # the head is behind; the ledger itself is not
                self.behind = await asyncio.to_thread(_unavailable, error, self.directory)
                if self.behind is None:
                    await self._fail_with(error)
            except JournalFailed as error:
                await self._fail_with(error)
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._stopping.wait(), KEEP_EVERY_S)

    def is_owner(self) -> bool:
        """Whether no other engine has taken this ledger over, according to its files at this
        moment.

        For actions outside the ledger: a commit checks this by itself. Never raises.
        """
        if self._lock.is_ours:
            return True
        try:
            return newest_epoch(self.directory) == self.epoch
        except (JournalError, sqlite3.Error, OSError):
            return False

    def _is_head_gone(self) -> bool:
        """Whether the head file is not the one that was written last; it is then rewritten."""
        gone = _mark(self.directory / HEAD_NAME) != self._head_mark
        if gone:
            self._remade.append(HEAD_NAME)
        return gone

    def _stay_owner(self) -> None:
        """Notice, within KEEP_EVERY_S and without a write, that the lock file is gone or another
        engine took over. Raises EpochLost."""
        if self._lock.is_ours:
            return
        try:
            lock = EngineLock(self.directory, holder_now(self._pid, self._now_ms))
        except JournalInUse as error:
            raise EpochLost(f"another engine took over this ledger: {error.message}") from error
        try:
            if newest_epoch(self.directory) != self.epoch:
                raise EpochLost("another engine took over this ledger")
        except BaseException:  # release the new lock
            lock.release()
            raise
        self._lock.release()
        self._lock = lock
        self._remade.append(LOCK_NAME)

    def _keep_up(self, path: Path, head: Head, state: FleetState) -> None:
        write_head(self.directory, head)
        self._head_mark = _mark(self.directory / HEAD_NAME)
        with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as connection:
            connection.execute("PRAGMA wal_checkpoint(PASSIVE)")
        if head.seq - self._snapshot_seq >= SNAPSHOT_EVERY:
            self._snapshot_seq = head.seq
            write_snapshot(self.directory, state, head.hash)


async def _connect(path: Path) -> aiosqlite.Connection:
    connection = await aiosqlite.connect(
        path, isolation_level=None, factory=Transaction, timeout=LOCK_WAIT_S
    )
    try:
        await connection.execute("PRAGMA journal_mode = WAL")
        await connection.execute("PRAGMA synchronous = FULL")
        await connection.execute(f"PRAGMA wal_autocheckpoint = {WAL_PAGES}")
    except BaseException:  # end its thread
        connection.stop()
        raise
    return connection


def _has_room_kept(request: _Request) -> bool:
    """Whether a request is what the ballast is for: an engine that starts, ends or runs full."""
    return all(
        isinstance(event, EngineStarted | EngineStopped)
        or (isinstance(event, EngineModeChanged) and event.mode is EngineMode.READ_ONLY)
        for event in request.events
    )


def _mark(path: Path) -> tuple[int, int, int] | None:
    """The identity of a file and its content; None for none. Raises OSError."""
    try:
        found = path.lstat()
    except FileNotFoundError:
        return None
    return found.st_ino, found.st_mtime_ns, found.st_size


def _is_fenced(error: StorageError) -> bool:
    """The fence of the schema is its one trigger."""
    return (
        isinstance(error, sqlite3.IntegrityError)
        and error.sqlite_errorcode == sqlite3.SQLITE_CONSTRAINT_TRIGGER
    )


def _full(error: StorageError) -> JournalFull:
    """SQLite reports a quota as a disk error, so only the system's own error identifies it."""
    number = error.errno if isinstance(error, OSError) else errno.ENOSPC
    return JournalFull(trouble=trouble_of_errno(number))


def _unavailable(error: StorageError, directory: Path) -> JournalUnavailable | None:
    """An error that may be retried; None for one after which the ledger must be read again.
    Blocks."""
    trouble = trouble_of(error, directory)
    if TROUBLES[trouble].healing is not Healing.TRY_AGAIN:
        return None
    return JournalUnavailable(trouble, in_words(trouble, error, directory))


def _failure(error: StorageError, directory: Path) -> JournalFailed:
    """Why the writer has failed. Blocks."""
    if _is_fenced(error):
        return EpochLost("another engine took over this ledger")
    if isinstance(error, FilesGone):
        return JournalFailed(
            f"files of the ledger in {directory} went away while they were written to: {error}",
            trouble=Trouble.DIRECTORY_GONE,
        )
    cause = error.cause if isinstance(error, CommitInDoubt) else error
    return failure(cause, directory, "the journal cannot be written")


async def _cannot_open(directory: Path, error: StorageError) -> JournalError:
    if ballast.is_full(error):
        return _full(error)
    return await asyncio.to_thread(
        failure, error, directory, f"cannot open the journal in {directory}"
    )


def _refuse(requests: Iterable[_Request], error: Exception | None) -> None:
    assert error is not None
    for request in requests:
        if not request.done.done():
            request.done.set_exception(error)
