"""What can be reviewed: the ledger's own sessions, and recording files."""

import asyncio
from collections.abc import Sequence
from pathlib import Path

from fleet_tui.feed.feed import Session
from fleet_tui.feed.recorded import RecordedFeed
from fleet_tui.journal.ledger.reader import JournalReader
from fleet_tui.journal.recordings.importing import import_recording, read_manifest
from fleet_tui.journal.recordings.recording import SUFFIX

MAX_FILES = 500


class Sessions:
    """The sessions of one state directory and the recordings of one folder."""

    def __init__(self, directory: Path, recordings: Path, cache: Path) -> None:
        """``cache`` is a private directory for imported recordings."""
        self._directory = directory
        self._recordings = recordings
        self._cache = cache

    async def sessions(self) -> Sequence[Session]:
        """All of them, newest first. Raises FleetError when the ledger cannot be read."""
        return await asyncio.to_thread(self._find)

    async def open(self, session: Session) -> RecordedFeed:
        """The session, paused at its end. Raises FleetError for a file that is not a recording."""
        if session.path.endswith(SUFFIX):
            imported = await asyncio.to_thread(import_recording, Path(session.path), self._cache)
            feed = RecordedFeed(Path(imported.directory))
        else:
            feed = RecordedFeed(
                Path(session.path), since_ms=session.started_at_ms, until_ms=session.ended_at_ms
            )
        await feed.open()
        return feed

    def _find(self) -> list[Session]:
        reader = JournalReader(self._directory)
        try:
            found = [
                Session(
                    name=f"engine {span.epoch}",
                    path=str(self._directory),
                    started_at_ms=span.started_at_ms,
                    ended_at_ms=span.ended_at_ms,
                    events=span.events,
                    tasks=span.tasks,
                )
                for span in reader.sessions()
            ]
        finally:
            reader.close()
        if self._recordings.is_dir():
            files = sorted(self._recordings.glob(f"*{SUFFIX}"))[-MAX_FILES:]
            found.extend(s for file in files if (s := _of_file(file)) is not None)
        return sorted(found, key=_started, reverse=True)


def _of_file(path: Path) -> Session | None:
    manifest = read_manifest(path)
    if manifest is None:
        return None
    return Session(
        name=path.name,
        path=str(path),
        started_at_ms=manifest.since_ms,
        ended_at_ms=manifest.until_ms,
        events=manifest.events,
        tasks=0,
    )


def _started(session: Session) -> int:
    return session.started_at_ms
