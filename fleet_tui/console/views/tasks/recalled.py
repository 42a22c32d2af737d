"""The task of a screen: from the state, else from the ledger.

The state remembers the newest tasks that ended. Older ones are looked up in the background, once,
and again only where a review moves to another moment.
"""

from fleet_tui.console.host import Stage
from fleet_tui.core.routing.record import DecisionRecord
from fleet_tui.core.tasks.model import Task
from fleet_tui.core.tasks.retell import Retelling
from fleet_tui.feed.feed import Mode, View


class RecalledTask:
    """One screen's task."""

    def __init__(self, screen: Stage, subject: str) -> None:
        """``subject`` is a label, a number or an id."""
        self.task: Task | None = None
        """The task as last seen."""
        self.is_looking = False
        """Whether the ledger is being read."""
        self._screen = screen
        self._subject = subject
        self._told: Retelling | None = None
        self._seen_at = -1
        """The position at which it was last looked up."""

    def seen(self, view: View) -> Task | None:
        """The current task. If only the ledger has it, None until it is read."""
        state = view.state
        found = state.find_task(self._subject)
        if found is not None:
            self.task, self._seen_at = found, state.seq
            return found
        moved = state.seq != self._seen_at and view.mode is Mode.REVIEW
        went_back = moved and state.seq < self._seen_at
        if self._seen_at < 0 or went_back or (moved and self.task is None):
            self._seen_at = state.seq
            if state.may_have_had(self._subject):
                self._look()
            elif went_back:
                self.task = None
        return self.task

    def decision(self, view: View, seq: int) -> DecisionRecord | None:
        """The decision about it at a position of the ledger, however old."""
        known = next((r for r in reversed(view.state.decisions) if r.seq == seq), None)
        if known is not None:
            return known
        if self._told is None and not self.is_looking and self.task is not None:
            self._look()
        decisions = self._told.decisions if self._told is not None else ()
        return next((r for r in decisions if r.seq == seq), None)

    def _look(self) -> None:
        self.is_looking = True
        self._screen.run_worker(self._ask(), group="recall", exclusive=True)

    async def _ask(self) -> None:
        told = await self._screen.console.feed.retell(self._subject)
        self._told, self.is_looking = told, False
        self.task = told.task if told is not None else None
        if self._screen.shown is not None:
            self._screen.show(None, self._screen.shown)
