"""Keys one after the other, and detection of input too fast for a person.

A key is processed when the previous one has had all its effects: keys typed ahead after ``:`` go
into the bar, not to the table that had the focus when they arrived. Input faster than a person
types is a paste, a replay or a terminal's reply; it can neither start nor confirm an action.
"""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable
from typing import Final, Protocol, runtime_checkable

from textual import events
from textual.app import App
from textual.message_pump import MessagePump

MAX_WAITING = 4_096
"""Keys typed ahead that are kept; later ones are dropped."""

LOOK_S = 0.5
"""How often to check that the widget that has the key still exists."""

MAX_LOOKS = 20
"""A busy widget delays the next key for this many checks at most: keys that end the program must
get through eventually."""

ROUNDS = 3
"""A key, the widget's messages to its owner, the owner's messages to the screen."""

BURST_KEYS = 8
BURST_S = 0.05
"""More keys than this within this time were not typed by a person."""

TOO_FAST: Final = "keys arrived faster than a person types: nothing was done"


class Pace:
    """The rate of keys, by the time they were read from the terminal."""

    def __init__(self) -> None:
        self._times_s: deque[float] = deque(maxlen=BURST_KEYS + 1)
        self.keys = 0
        """The number of keys so far."""

    def add(self, read_s: float) -> None:
        """Add a key that was read at this time, in seconds of any monotonic clock."""
        self._times_s.append(read_s)
        self.keys += 1

    @property
    def is_burst(self) -> bool:
        """Whether the newest key ends a burst of more than BURST_KEYS."""
        times = self._times_s
        return len(times) > BURST_KEYS and times[-1] - times[0] < BURST_S

    @property
    def is_hurried(self) -> bool:
        """Whether the newest key followed the one before at once."""
        times = self._times_s
        return len(times) > 1 and times[-1] - times[-2] < BURST_S


@runtime_checkable
class Paced(Protocol):
    """An application that tracks the rate of keys."""

    pace: Pace | None


def is_by_hand(app: App[int]) -> bool:
    """Whether a person may have pressed the newest key, having seen what it confirms."""
    return not (isinstance(app, Paced) and app.pace is not None and app.pace.is_hurried)


Typed = events.Key | events.Paste


class Turns:
    """Passes keys and pastes to ``dispatch`` one at a time, in order of arrival."""

    def __init__(self, app: App[int], dispatch: Callable[[Typed], Awaitable[None]]) -> None:
        self._app = app
        self._dispatch = dispatch
        self._waiting: deque[Typed] = deque()
        self._turn = 0
        self._holder: MessagePump = app
        """The widget in whose queue the current key is."""
        self._next_look: asyncio.TimerHandle | None = None
        """Set while a key is being processed."""

    async def take(self, typed: Typed) -> None:
        """Process a key that was just read, now or after those before it."""
        if self._next_look is None:
            await self._give(typed)
        elif len(self._waiting) < MAX_WAITING:
            self._waiting.append(typed)

    def stop(self) -> None:
        """Drop waiting keys."""
        self._waiting.clear()
        if self._next_look is not None:
            self._next_look.cancel()

    async def _give(self, typed: Typed) -> None:
        self._turn += 1
        self._look_later(self._turn, MAX_LOOKS)
        node: MessagePump = self._app.focused or self._app.screen
        await self._dispatch(typed)
        self._climb(node, node, self._turn, ROUNDS)

    def _look_later(self, turn: int, looks: int) -> None:
        self._next_look = asyncio.get_running_loop().call_later(
            LOOK_S, self._app.call_later, self._look, turn, looks
        )

    async def _look(self, turn: int, looks: int) -> None:
        """Callbacks in the queue of a removed widget never run. A widget that is merely slow, such
        as a page that is being built, still has the key."""
        if turn != self._turn or self._next_look is None:
            return
        if looks > 1 and self._holder.is_running:
            self._look_later(turn, looks - 1)
        else:
            await self._over(turn)

    def _climb(self, first: MessagePump, node: MessagePump, turn: int, rounds: int) -> None:
        """A key goes from widget to parent through their queues, followed by the resulting
        messages; this follows them on the same path."""
        while node is not self._app:
            parent = node._parent or self._app  # Textual's public name stops at screens
            self._holder = node
            if node.call_later(self._climb, first, parent, turn, rounds):
                return
            node = parent
        self._holder = self._app
        if rounds > 1:
            self._app.call_later(self._climb, first, first, turn, rounds - 1)
        else:
            self._app.call_later(self._over, turn)

    async def _over(self, turn: int) -> None:
        if turn != self._turn or self._next_look is None:
            return
        self._next_look.cancel()
        self._next_look = None
        if self._waiting:
            await self._give(self._waiting.popleft())
