"""Keeps an engine reachable and reports the resources that it lacks: its own files, its disk, its
descriptors. Nothing here decides about work; findings become alerts, which clear by themselves."""

import asyncio
import logging
from collections.abc import Callable, Iterable, Mapping
from typing import Protocol

from fleet_tui.base.errors import FleetError
from fleet_tui.core.modes import TROUBLES, Trouble
from fleet_tui.core.text.words import duration
from fleet_tui.journal.errors import JournalUnavailable

log = logging.getLogger(__name__)

WATCH_EVERY_S = 2.0
REMADE_KEPT_S = 600.0
"""How long an alert about vanished files stays, because nobody watches all the time."""
SLOW_COMMIT_S = 0.5
"""A commit that takes longer (p99 of those of the last SLOW_WINDOW_S) makes every command wait."""
SLOW_WINDOW_S = 60.0
MIN_SLOW = 3
"""This many slow commits are not a hiccup."""
RETELL_AFTER_S = 60.0
"""The text of a lasting trouble is updated no more often than this."""


class Socket(Protocol):
    """The socket for consoles."""

    async def stay(self) -> bool:
        """Recreate it when it is missing or replaced; returns whether that was so."""
        ...


class WatchedLedger(Protocol):
    """The parts of the ledger's writer that are watched."""

    behind: JournalUnavailable | None

    def take_remade(self) -> list[str]:
        """Names of files that were recreated since the last call."""
        ...

    def commit_times(self) -> Iterable[tuple[float, float]]:
        """(when on the loop's clock, how many seconds) of the newest commits."""
        ...


class Watchman:
    """The resources that an engine lacks now, in words."""

    def __init__(
        self,
        ledger: WatchedLedger,
        socket: Socket,
        tell: Callable[[Mapping[Trouble, str]], None],
        short_of_descriptors: Callable[[], str],
    ) -> None:
        """``short_of_descriptors`` names the agents that are left out for lack of them; empty for
        none."""
        self._ledger = ledger
        self._socket = socket
        self._tell = tell
        self._short = short_of_descriptors
        self._remade: dict[str, float] = {}
        self._told: dict[Trouble, str] = {}
        self._told_at_s: dict[Trouble, float] = {}

    async def run(self) -> None:
        """Watch until cancelled."""
        while True:
            await self.look()
            await asyncio.sleep(WATCH_EVERY_S)

    async def look(self) -> None:
        """Fix what can be fixed and report what is wrong."""
        now_s = asyncio.get_running_loop().time()
        found: dict[Trouble, str] = {}
        try:
            if await self._socket.stay():
                self._remade["engine.sock"] = now_s
                log.warning("the socket was removed or replaced; it was recreated")
        except (OSError, FleetError) as error:
            found[Trouble.FILES_REPLACED] = (
                f"the socket was removed and cannot be recreated: {error}"
            )
        for name in self._ledger.take_remade():
            self._remade[name] = now_s
            log.warning("%s was removed or replaced; it was recreated", name)
        for name, at_s in list(self._remade.items()):
            if now_s - at_s > REMADE_KEPT_S:
                del self._remade[name]
        if self._remade:
            words = TROUBLES[Trouble.FILES_REPLACED].words
            found.setdefault(Trouble.FILES_REPLACED, f"{words}: {', '.join(sorted(self._remade))}")
        if self._ledger.behind is not None:
            behind = self._ledger.behind
            found[behind.trouble] = f"the head file is behind the ledger: {behind.message}"
        if slow := slow_disk(self._ledger.commit_times(), now_s):
            found[Trouble.SLOW_DISK] = slow
        if short := self._short():
            found[Trouble.AGENTS_NOT_PROBED] = short
        self._retell(found, now_s)

    def _retell(self, found: dict[Trouble, str], now_s: float) -> None:
        for trouble, words in found.items():
            told_at_s = self._told_at_s.get(trouble)
            if told_at_s is None or (
                words != self._told[trouble] and now_s - told_at_s >= RETELL_AFTER_S
            ):
                self._told[trouble], self._told_at_s[trouble] = words, now_s
        for trouble in self._told.keys() - found.keys():
            del self._told[trouble], self._told_at_s[trouble]
        self._tell(dict(self._told))


def slow_disk(times: Iterable[tuple[float, float]], now_s: float) -> str:
    """Whether commits are slow, in words; empty when they are not."""
    took = sorted(took_s for at_s, took_s in times if now_s - at_s <= SLOW_WINDOW_S)
    slow = sum(took_s >= SLOW_COMMIT_S for took_s in took)
    if slow < MIN_SLOW:
        return ""
    p99_s = took[min(len(took) - 1, len(took) * 99 // 100)]
    if p99_s < SLOW_COMMIT_S:
        return ""
    return (
        f"the disk is slow: commits take {duration(p99_s * 1_000) if p99_s >= 1 else _ms(p99_s)}"
        f" (p99 of the last minute, more than {_ms(SLOW_COMMIT_S)} is slow)"
    )


def _ms(seconds: float) -> str:
    return f"{seconds * 1_000:.0f} ms"
