"""Logs: the lines of all agents merged, or those of one agent or task, as far back as the store
goes."""

import asyncio
from collections.abc import Sequence
from itertools import islice

import msgspec
from textual import on
from textual.app import ComposeResult

from fleet_tui.console.shell.screen import FleetScreen
from fleet_tui.console.text.document import name
from fleet_tui.console.views.logs.lines import log_matches
from fleet_tui.console.views.logs.pane import FILTER_KEYS, LogsPane
from fleet_tui.console.views.logs.sieve import sieved
from fleet_tui.console.widgets.log_view import LogView
from fleet_tui.core.agents.canary import is_canary
from fleet_tui.core.ids import AgentName, TaskId
from fleet_tui.core.logs import LogGap, LogLine, LogQuery
from fleet_tui.core.text import words
from fleet_tui.core.text.filters.filter import Filter, parse
from fleet_tui.feed.feed import View

FIRST_PAGE = 2_000
"""Stored lines read when the view opens."""

OLDER_PAGE = 1_000
"""Stored lines read each time the top is reached."""

SEARCHED_AT_ONCE = 20_000
"""Stored lines that one query of a filter scans, taking some ten milliseconds, so that other
queries to the store can run in between."""

MAX_EARLY = 5_000
"""Lines kept that arrive while the store is read; the store has them anyway."""


MAX_RECALLED = 100
"""Tasks that are looked up in the ledger for one page of lines, at about 4 ms each."""


class StoredLogsPane(LogsPane):
    """Live lines, continued from the store when scrolled back."""

    help_text = (
        LogsPane.help_text + "\n"
        "Scrolling above the first line reads older ones from the store, and {filter} searches "
        "everything stored.\n"
        "tab in the filter shows all lines and marks what matches. since:10m and until:12:00 work."
    )

    def __init__(self, subject: str) -> None:
        """``subject`` is an agent, a task's label or id, or empty for all."""
        super().__init__()
        self._subject = subject
        self._query: LogQuery | None = None
        self._is_forgotten = False
        """The subject may be a task that the state has forgotten; the ledger is asked first."""
        self._early: list[LogLine | LogGap] | None = []
        """Lines that arrived before the store was read; None afterwards."""
        self._newest = 0
        self._oldest: int | None = None
        self._is_whole = False
        """The store has no older lines, or none that the filter finds."""
        self._held_from: int | None = None
        """The line from which on all are held; before it only those found by a search of the store.
        None where there was no search."""
        self._is_going_back = False
        self._window_ms: int | None = None
        self._highlights = False

    # --- scope ---

    def show(self, previous: View | None, view: View) -> None:
        """The first view identifies the subject; then the store is read."""
        window_ms = self.console.window_ms
        if self._query is None:
            self._query = self._scope(view)
            self._window_ms = window_ms
            self._reload()
        elif window_ms != self._window_ms:
            self._window_ms = window_ms
            since_ms = view.now_ms - window_ms
            task, source = self._query.task, self._query.source
            self._query = LogQuery(task=task, source=source, since_ms=since_ms)
            self.about = f"{self._who()}, last {words.about(window_ms)}"  # type: ignore[misc]  # it is this pane's alone
            self._reload()
        super().show(previous, view)

    def _scope(self, view: View) -> LogQuery:
        """The query for the store."""
        self.about = self._who()  # type: ignore[misc]  # it is this pane's alone
        if not self._subject:
            return LogQuery()
        if self._subject in view.state.agents:
            return LogQuery(source=AgentName(self._subject))
        task = view.state.find_task(self._subject)
        if task is not None:
            self._subject = task.label
            self.about = self._who()  # type: ignore[misc]  # it is this pane's alone
        elif view.state.may_have_had(self._subject):
            self._is_forgotten = True
        return LogQuery(task=task.id if task is not None else TaskId(self._subject))

    async def _recall(self) -> None:
        """Find the id of a task that the state has forgotten."""
        told = await self.console.feed.retell(self._subject)
        if told is not None and told.task is not None and self._query is not None:
            self._subject = told.task.label
            self.about = self._who()  # type: ignore[misc]  # it is this pane's alone
            self._query = msgspec.structs.replace(self._query, task=told.task.id)
            self._remember(told.task.id, told.task.label)

    async def _recall_labels(self, lines: Sequence[LogLine]) -> None:
        """Look up the labels of these lines' tasks that the state has forgotten."""
        state = self.console.view.state
        ids = dict.fromkeys(
            line.task for line in lines if line.task is not None and not is_canary(line.task)
        )
        unknown = (each for each in ids if state.task(each) is None and each not in self._labels)
        for task_id in islice(unknown, MAX_RECALLED):
            told = await self.console.feed.retell(task_id)
            if told is not None and told.task is not None:
                self._remember(task_id, told.task.label)

    def _who(self) -> str:
        return name(self._subject) if self._subject else "all agents"

    def _is_mine(self, line: LogLine | LogGap) -> bool:
        query = self._query
        if query is None:
            return False
        if query.source is not None:
            return line.source == query.source
        return query.task is None or (isinstance(line, LogLine) and line.task == query.task)

    # --- lines ---

    def show_lines(self, lines: Sequence[LogLine | LogGap]) -> None:
        """Add new lines of the subject, each once."""
        mine = [line for line in lines if self._is_mine(line) or self._query is None]
        if self._early is not None:
            self._early = [*self._early, *mine][-MAX_EARLY:]
            return
        fresh = [line for line in mine if _id(line) == 0 or _id(line) > self._newest]
        self._newest = max((_id(line) for line in fresh), default=self._newest)
        super().show_lines(fresh)

    def _reload(self) -> None:
        self._early = self._early or []
        self._is_whole, self._held_from = False, None
        self.run_worker(self._read_first(), group="store", exclusive=True)

    async def _read_first(self) -> None:
        if self._is_forgotten:
            self._is_forgotten = False
            await self._recall()
        assert self._query is not None
        query = LogQuery(
            source=self._query.source,
            task=self._query.task,
            since_ms=self._query.since_ms,
            limit=FIRST_PAGE,
        )
        lines = await self.console.feed.logs(query)
        await self._recall_labels(lines)
        self._newest = max((line.line_id for line in lines), default=0)
        self._oldest = _first_id(lines)
        self._is_whole = len(lines) < FIRST_PAGE
        self.lines.replace(lines)
        early, self._early = self._early or [], None
        self.show_lines(early)
        self._retitle()
        self._draw_histogram()
        if self.has_histogram:
            await self._read_window()

    @on(LogView.TopReached)
    def _read_on(self, event: LogView.TopReached) -> None:
        event.stop()
        self._go_back()

    @on(LogView.Searched)
    def _fill(self, event: LogView.Searched) -> None:
        """The held lines are searched: where the matches do not fill the window, the store is
        searched further."""
        del event
        if self.lines.hiding is not None and self.lines.line_count < self.lines.size.height:
            self._go_back()

    def _go_back(self) -> None:
        is_open = self._early is None and not self._is_whole and self._oldest is not None
        if is_open and not self._is_going_back:
            self._is_going_back = True
            self._retitle()
            self.run_worker(self._read_older(), group="older", exclusive=False)

    async def _read_older(self) -> None:
        """Older lines until there are some to show; :meth:`_fill` asks for more."""
        query = self._query
        try:
            while query is not None and not self._is_whole and query is self._query:
                if await self._read_page(query):
                    break
        finally:
            self._is_going_back = False
        self._retitle()
        self._draw_histogram()

    @property
    def is_searching(self) -> bool:
        """Here or in the store."""
        in_store = self._is_going_back and self.lines.hiding is not None
        return in_store or super().is_searching

    async def _read_page(self, query: LogQuery) -> int:
        """Read older lines: the next page, or as many as the filter finds in the next range.
        Returns how many, or 0 if they were read by another call meanwhile."""
        before, wanted = self._oldest, self.lines.hiding
        assert before is not None, "what was read first told where it begins"
        older = LogQuery(source=query.source, task=query.task, before_line=before, limit=OLDER_PAGE)
        if wanted is None:
            page = await self.console.feed.logs(older)
            reached = _first_id(page) or before
            is_end = len(page) < OLDER_PAGE
        else:
            after = max(0, before - 1 - SEARCHED_AT_ONCE)
            narrow = sieved(older, wanted, self.console.view.state.agents)
            page = await self.console.feed.logs(msgspec.structs.replace(narrow, after_line=after))
            is_cut = len(page) == OLDER_PAGE
            reached = (is_cut and _first_id(page)) or after + 1
            is_end = reached == 1
            page = await asyncio.to_thread(_passing, wanted, page)
        await self._recall_labels(page)
        if before != self._oldest or query is not self._query or wanted is not self.lines.hiding:
            return 0
        if wanted is not None and self._held_from is None:
            self._held_from = before
        taken = self.lines.prepend(page)
        self._oldest = reached
        self._is_whole = is_end or taken < len(page)  # or there is no space for more
        return taken

    def _forget_found(self) -> None:
        """Drop the lines found for a filter: there are others between them."""
        if self._held_from is not None:
            self.lines.drop_before(self._held_from)
            self._oldest, self._held_from = self._held_from, None
            self._is_whole = False

    # --- the histogram ---

    def toggle_histogram(self) -> None:
        """As in every pane, but over the whole time window as far as its lines fit."""
        super().toggle_histogram()
        if self.has_histogram and self._early is None:
            self.run_worker(self._read_window(), group="window", exclusive=True)

    async def _read_window(self) -> None:
        """Read pages of older lines until the window is covered, the store ends or the view is
        full."""
        query = self._query
        if query is None or self._view is None:
            return
        since_ms = self._view.now_ms - self.console.window_ms
        while not self._is_whole and self._oldest is not None:
            oldest, before = self.lines.oldest, self._oldest
            if oldest is None or oldest.received_at_ms < since_ms:
                break
            await self._read_page(query)
            if before == self._oldest or query is not self._query:
                break
            self._retitle()
            self._draw_histogram()

    def counted_until_ms(self) -> int:
        """A task's lines end with the task; for an agent the silence up to now should show."""
        if self._query is not None and self._query.task is not None:
            return 0
        return super().counted_until_ms()

    def forget_lines(self) -> None:
        """Another time or another fleet: ask the store again."""
        super().forget_lines()
        if self._query is not None:
            self._early = []
            self._reload()

    # --- the filter ---

    def toggle_highlight(self) -> None:
        """Hide what does not match, or show everything and mark what does."""
        self._highlights = not self._highlights
        self.set_filter_on(self.filter_is_on)

    def _apply(self, text: str) -> tuple[int, str, str] | None:
        self._forget_found()
        problem = super()._apply(text)
        if problem is None and self._highlights and text and self._view is not None:
            now_ms, offset = self._view.now_ms, self.console.utc_offset_minutes
            marked = parse(text, now_ms=now_ms, keys=FILTER_KEYS, offset_minutes=offset)
            if isinstance(marked, Filter):
                self.lines.set_filter(marked, hide=False)
        return problem


def _passing(wanted: Filter, lines: Sequence[LogLine]) -> list[LogLine]:
    return [line for line in lines if log_matches(wanted, line)]


def _id(line: LogLine | LogGap) -> int:
    return line.line_id if isinstance(line, LogLine) else 0


def _first_id(lines: Sequence[LogLine]) -> int | None:
    return next((line.line_id for line in lines if line.line_id), None)


class LogsScreen(FleetScreen):
    """The view of key 4; ``Place("logs", agent or task)`` narrows it down."""

    help_text = StoredLogsPane.help_text

    def crumb(self) -> str:
        """``logs agent-14``."""
        return f"logs {name(self.place.subject)}" if self.place.subject else ""

    def compose_body(self) -> ComposeResult:
        """One window."""
        yield StoredLogsPane(self.place.subject)
