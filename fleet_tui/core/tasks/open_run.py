"""Notes about a task's open run in addition to its phase, the same everywhere."""

from fleet_tui.core.agents import model_trouble
from fleet_tui.core.ledger.state import FleetState
from fleet_tui.core.tasks import silence
from fleet_tui.core.tasks.evidence import LostReason
from fleet_tui.core.tasks.model import Task
from fleet_tui.core.text import words


def notes(state: FleetState, task: Task, now_ms: int, offset_minutes: int = 0) -> list[str]:
    """The text after the phase: ``no sign of life for 40s; moved at 12:04:31``, ``model: rate
    limit, try 4 of 10`` or ``but stopped on its host``; empty while it just runs. Times are that
    many minutes ahead of UTC. Contains only our own text."""
    quiet = silence.silence_of(state, task)
    if quiet is not None:  # what was heard last of its model or program says nothing now
        return [silence.in_words(quiet, now_ms, offset_minutes)]
    attempt = task.open_attempt
    if attempt is None or not attempt.phase.is_at_work:
        return []
    found: list[str] = []
    if attempt.cancel_refused is not None:
        found.append(f"{LostReason.CANNOT_CANCEL.text}; it is asked again")
    trouble = model_trouble.trouble_of(attempt)
    if trouble is not None:
        found.append(model_trouble.in_words(trouble))
    if attempt.suspended_at_ms is not None:
        span = words.age(attempt.suspended_at_ms, now_ms)
        found.append(f"but suspended on its host for {span} or longer; SIGCONT resumes it")
    return found
