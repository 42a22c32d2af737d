"""Frames: however fast data arrives, a pane repaints at most ten times a second.

A request after a quiet spell paints at once, so an operator's own key never waits.
"""

import asyncio
from collections.abc import Callable

FRAME_MS = 100
"""Ten frames a second are enough for reading."""


class FrameLimiter:
    """Coalesces requests to paint and runs ``paint`` at most once per frame.

    Bound to the running event loop. Call ``stop`` when the owner is removed.
    """

    def __init__(self, paint: Callable[[], None], frame_ms: int = FRAME_MS) -> None:
        self._paint = paint
        self._frame_s = frame_ms / 1_000
        self._painted_at_s: float | None = None
        self._timer: asyncio.TimerHandle | None = None

    @property
    def is_waiting(self) -> bool:
        """Whether something was requested that is not painted yet."""
        return self._timer is not None

    def set_frame(self, frame_ms: int) -> None:
        """Set the frame interval; a pending request is painted with the next frame."""
        self._frame_s = frame_ms / 1_000
        if self.is_waiting:
            self.stop()
            self.request()

    def request(self) -> None:
        """Paint with the next frame; many requests cause one paint."""
        if self._timer is not None:
            return
        loop = asyncio.get_running_loop()
        due_s = 0.0 if self._painted_at_s is None else self._painted_at_s + self._frame_s
        if due_s <= loop.time():
            self.now()
        else:
            self._timer = loop.call_at(due_s, self.now)

    def now(self) -> None:
        """Paint at once: the effect of the operator's own key must show without delay."""
        self.stop()
        self._painted_at_s = asyncio.get_running_loop().time()
        self._paint()

    def stop(self) -> None:
        """Drop a pending request."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
