"""Signs of life of runs, above all of those that have a heartbeat deadline.

A sign of life is not written to the ledger, because it changes nothing. The engine remembers the
last one of each run, and counts from the instant it resumes after a restart or a pause.
"""

from collections.abc import Mapping

import msgspec

from fleet_tui.core.ids import RunId
from fleet_tui.core.tasks.evidence import Running
from fleet_tui.core.tasks.model import Attempt
from fleet_tui.core.text.words import elapsed_ms

MIN_ASK_MS = 1_000
"""No run is queried more often than this, however short its heartbeat."""


class Beat(msgspec.Struct, frozen=True, kw_only=True):
    """The last sign of life of a run."""

    at_ms: int
    output_bytes: int | None = None
    checkpoint: str | None = None
    """SHA-256 of the checkpoint seen then."""


Beats = Mapping[RunId, Beat]


def ask_every_ms(heartbeat_ms: int) -> int:
    """How often a run is queried, so that one lost query does not look like silence."""
    return max(heartbeat_ms // 3, MIN_ASK_MS)


def sign_of_life(before: Beat | None, report: Running, now_ms: int) -> Beat:
    """The last sign of life after a report that the run runs. Where output is counted, a report
    without new output and without a new checkpoint is no sign of life."""
    mark = report.checkpoint.sha256 if report.checkpoint is not None else None
    new = Beat(at_ms=now_ms, output_bytes=report.output_bytes, checkpoint=mark)
    if before is None or report.output_bytes is None:
        return new
    moved = (before.output_bytes, before.checkpoint) != (new.output_bytes, new.checkpoint)
    return new if moved else before


class Ear(msgspec.Struct, frozen=True, kw_only=True):
    """The signs of life that the engine received, and since when it listens: a pause of the engine
    never counts as silence of a run."""

    since_ms: int = 0
    """When it last resumed after a pause; its start counts as one."""
    beats: Beats = {}


def silence_ms(attempt: Attempt, ear: Ear, now_ms: int) -> int:
    """How long a run has been silent, as far as this engine can tell."""
    since_ms = max(attempt.started_at_ms or attempt.planned_at_ms, ear.since_ms)
    beat = ear.beats.get(attempt.run_id)
    if beat is not None:
        since_ms = max(since_ms, beat.at_ms)
    return elapsed_ms(since_ms, now_ms)
