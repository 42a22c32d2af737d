"""What is known about a task's open run beside its phase, in words: the same in every place."""

from fleet_tui.core import model_trouble, silence
from fleet_tui.core.state import FleetState, Task


def notes(state: FleetState, task: Task, now_ms: int, offset_minutes: int = 0) -> list[str]:
    """``nothing heard for 40s; moved at 12:04:31`` or ``model fails: rate limit, try 4 of 10``;
    empty while it just runs. The clock leads UTC by so many minutes. Of our own words alone."""
    quiet = silence.silence_of(state, task)
    if quiet is not None:  # what its model did when something was heard last says nothing now
        return [silence.in_words(quiet, now_ms, offset_minutes)]
    trouble = model_trouble.trouble_of(task.open_attempt)
    return [model_trouble.in_words(trouble)] if trouble is not None else []
