"""Telling a cancellation of ours from one that only came by."""

import asyncio


def was_cancelled() -> bool:
    """Whether somebody cancelled this very task.

    A CancelledError may also come out of something that was awaited: a future inside a library that
    was cancelled there. Taking that for our own end would end a worker without a word.
    """
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0
