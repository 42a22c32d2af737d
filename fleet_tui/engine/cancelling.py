"""Distinguishes a cancellation of our own task from one inside something awaited."""

import asyncio


def was_cancelled() -> bool:
    """Whether this very task was cancelled.

    A CancelledError may also come out of something that was awaited: a future inside a library that
    was cancelled there. Treating that as our own end would end a worker silently.
    """
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0
