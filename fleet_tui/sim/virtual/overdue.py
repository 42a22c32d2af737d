"""What is due and does not happen: deadlines, lost runs, and work that could be had.

That nothing comes too early is checked event by event in :mod:`fleet_tui.sim.virtual.rules`. Here
it is noticed when nothing comes: a little later than it is due, on an engine that was neither
stopped nor kept from storing for as long.
"""

from collections.abc import Callable, Iterator

from fleet_tui.core.fleet import AgentSpec, OpenClawAgent
from fleet_tui.core.ids import PoolName
from fleet_tui.core.modes import EngineMode
from fleet_tui.sim.virtual.books import TAKES_WORK, Book, Try, Work
from fleet_tui.sim.virtual.turns import boundary

LATE_MS = 10_000
"""Between the moment in which something is due and its commit: a tick, and two slow commits."""
AVOIDS_MS = 30_000
"""For so long a task may wait for another agent than those that failed it."""
LISTENS_MS = 60_000
"""An engine that was just started gives nothing up before it has listened for so long."""

Broken = Callable[[str, str], None]
Due = tuple[str, str, int]
"""What is due: the promise, the words, and when it was due, in the ledger's time."""


class Overdue:
    """Looks at what stands in the book after each commit."""

    def __init__(self, book: Book, broken: Broken, calm_ms: Callable[[], float]) -> None:
        """``calm_ms`` tells for how long the engine has been at work without a disturbance."""
        self._book = book
        self._broken = broken
        self._calm_ms = calm_ms
        self._since_ms: dict[str, int] = {}
        """By its words: since when something can become due, in the ledger's time."""
        self._told: set[str] = set()

    def look(self) -> None:
        """Something was committed just now, by an engine whose clock is the ledger's."""
        calm_ms = min(self._calm_ms(), self._book.at_ms - self._book.engine_ms)
        since_ms: dict[str, int] = {}
        for promise, text, due_ms in self._all_due(calm_ms):
            since_ms[text] = self._since_ms.get(text, self._book.at_ms)
            late_ms = self._book.at_ms - max(due_ms, since_ms[text])
            if min(late_ms, calm_ms) > LATE_MS and text not in self._told:
                self._told.add(text)
                self._broken(promise, f"{text} for {late_ms} ms and nothing follows")
        self._since_ms = since_ms

    def _all_due(self, calm_ms: float) -> Iterator[Due]:
        works = [work for work in self._book.works.values() if work.is_open]
        free = self._free() if any(work.waits for work in works) else []
        for work in works:
            if work.waits:
                yield from self._waits(work)
                tried = {one.agent for one in work.tries}
                others = [spec for spec in free if spec.name not in tried]
                text = f"{work.id} waits beside free agents"
                if others and self._could_be_had(work, others):
                    yield "wanted-is-placed", text, 0
                elif free and self._could_be_had(work, free):
                    yield "wanted-is-placed", text, work.not_before_ms + AVOIDS_MS
            elif work.tries and work.tries[-1].is_open:
                yield from self._runs(work, work.tries[-1], calm_ms)

    def _waits(self, work: Work) -> Iterator[Due]:
        limits = work.spec.deadlines or self._book.fleet.deadlines
        if limits.total_ms is not None:
            yield "deadlines", f"{work.id} is past its end", work.asked_ms + limits.total_ms
        if limits.schedule_to_start_ms is not None and not work.began:
            due_ms = work.asked_ms + limits.schedule_to_start_ms
            yield "deadlines", f"{work.id} is past its start", due_ms

    def _runs(self, work: Work, one: Try, calm_ms: float) -> Iterator[Due]:
        limits = work.spec.deadlines or self._book.fleet.deadlines
        if one.is_lost:
            yield from self._lost(one, calm_ms)
        elif one.cause is not None:
            return  # it is being stopped
        elif one.started_ms is None:
            if limits.schedule_to_start_ms is not None and not work.began:
                due_ms = work.asked_ms + limits.schedule_to_start_ms
                yield "deadlines", f"{one.id} is past its start", due_ms
        else:
            if limits.total_ms is not None:
                due_ms = max(work.asked_ms + limits.total_ms, one.started_ms)
                yield "deadlines", f"{one.id} is past its end", due_ms
            if limits.start_to_close_ms is not None:
                due_ms = one.started_ms + limits.start_to_close_ms
                yield "deadlines", f"{one.id} is past its close", due_ms

    def _lost(self, one: Try, calm_ms: float) -> Iterator[Due]:
        book, patience = self._book, self._book.fleet.lost_after_ms
        spec = book.fleet.agents.get(one.agent)
        braked = bool(book.braked) if spec is None else spec.pool in book.braked
        if patience is None or braked or one.lost_ms is None:
            return
        listens_ms = book.at_ms - (calm_ms - min(patience, LISTENS_MS))
        thawed_ms = max(book.thawed_ms.values(), default=0)
        due_ms = max(one.lost_ms + patience, int(listens_ms), thawed_ms)
        yield "lost-is-given-up", f"{one.id} is lost", due_ms

    def _free(self) -> list[AgentSpec]:
        """Agents that take work and have a slot for it; none while the engine starts nothing."""
        book = self._book
        if book.mode is not EngineMode.NORMAL:
            return []
        return [
            spec
            for name, spec in book.fleet.agents.items()
            if (agent := book.agents[name]).health in TAKES_WORK
            and not agent.cordoned
            and agent.trial_ms is None
            and book.busy(name) < spec.slots
        ]

    def _could_be_had(self, work: Work, free: list[AgentSpec]) -> bool:
        """Whether an agent that may do it is free, and a retry of it may be had."""
        book = self._book
        if work.held:
            return False
        if work.is_retry and book.retries_left(book.at_ms) <= 0:
            return False
        if work.not_before_ms > book.at_ms:
            return False
        fleet = book.fleet
        fitting = [
            spec
            for spec in fleet.agents.values()
            if not boundary(fleet, spec, work.spec)
            and not (work.may_go_on and isinstance(spec.kind, OpenClawAgent))
        ]
        spare: dict[PoolName, int] = {}
        for spec in fitting:
            extra = len(spec.capabilities - work.spec.needs)
            spare[spec.pool] = min(extra, spare.get(spec.pool, extra))
        home = min(spare, key=spare.__getitem__, default=None)
        return any(
            spec in free and (spec.pool == home or fleet.pools[spec.pool].overflow)
            for spec in fitting
        )
