"""The ledger, samples and logs of one state directory, read together."""

from collections.abc import Sequence
from pathlib import Path

from msgspec.structs import replace

from fleet_tui.core.diff import Moments
from fleet_tui.core.ids import Seq, TaskId
from fleet_tui.core.ledger.events import Recorded
from fleet_tui.core.logs import LogLine, LogQuery
from fleet_tui.feed.feed import MAX_LINES_PER_PAGE
from fleet_tui.journal.ledger.reader import JournalReader
from fleet_tui.journal.telemetry.logs import LogReader
from fleet_tui.journal.telemetry.samples import SampleReader


class Stores:
    """Three readers that are opened and closed together."""

    def __init__(self, directory: Path, *, until: Seq | None = None) -> None:
        """``until`` is the last event that can be trusted. Raises JournalMissing and
        UnsafeDirectory."""
        self.directory = directory
        self.ledger = JournalReader(directory, until=until)
        self.samples = SampleReader(directory)
        self.lines = LogReader(directory)

    def close(self) -> None:
        """Close the files."""
        self.ledger.close()
        self.samples.close()
        self.lines.close()

    def find_lines(self, query: LogQuery, until_ms: int | None) -> Sequence[LogLine]:
        """Lines that match the query, never later than ``until_ms``."""
        limits = [at for at in (query.until_ms, until_ms) if at is not None]
        limit = min(query.limit, MAX_LINES_PER_PAGE)
        return self.lines.query(replace(query, until_ms=min(limits, default=None), limit=limit))

    def task_story(self, task: TaskId, until_ms: int | None) -> Sequence[Recorded]:
        """A task's events, never later than ``until_ms``."""
        story = self.ledger.task_events(task)
        return story if until_ms is None else [r for r in story if r.at_ms <= until_ms]

    def moments(
        self, before_ms: int, after_ms: int, *, first_ms: int = 0, last_ms: int | None = None
    ) -> Moments:
        """The fleet at two instants, the earlier one first, each clamped to the ledger and to
        ``first_ms`` … ``last_ms``."""
        first_ms = max(first_ms, self.ledger.span()[0])
        before_ms, after_ms = sorted(
            max(first_ms, at_ms if last_ms is None else min(at_ms, last_ms))
            for at_ms in (before_ms, after_ms)
        )
        return Moments(
            before=self.ledger.load(until_ms=before_ms),
            after=self.ledger.load(until_ms=after_ms),
            before_ms=before_ms,
            after_ms=after_ms,
        )
