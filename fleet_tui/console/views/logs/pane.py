"""Log lines of the fleet, in order of arrival."""

from collections import OrderedDict
from collections.abc import Sequence
from typing import ClassVar

from rich.cells import cell_len
from textual import on
from textual.app import ComposeResult

from fleet_tui.console.actions.selection import NOTHING, Scope, Selection
from fleet_tui.console.text.cells import Cell, Line, Tone, line_text
from fleet_tui.console.text.fit import fit
from fleet_tui.console.views.logs.histogram import LogHistogram, chart_width, count_lines
from fleet_tui.console.views.pane import Pane
from fleet_tui.console.widgets.log_view import LogView, log_cells
from fleet_tui.core.agents.canary import is_canary
from fleet_tui.core.ids import TaskId, task_label
from fleet_tui.core.logs import LogGap, LogLine
from fleet_tui.core.text import words
from fleet_tui.core.text.filters.filter import parse
from fleet_tui.core.text.filters.nodes import FilterProblem
from fleet_tui.core.text.firewall import safe_line
from fleet_tui.feed.feed import View

FILTER_KEYS = frozenset({"agent", "level", "task"})
PROBLEMS = "level>=warn"

LEAST_SOURCE_WIDTH, MAX_NARROW_SOURCE_WIDTH, MAX_SOURCE_WIDTH = 8, 14, 24
"""Cells for the source of a line; a longer name is cut with a sign."""


MAX_LABELS = 5_000
"""Tasks whose labels a pane keeps for its lines."""


class LogsPane(Pane):
    """The newest lines of all agents; the view follows until the operator scrolls back."""

    scopes: ClassVar[frozenset[Scope]] = frozenset(
        {Scope.LINES, Scope.FILTER, Scope.PROBLEMS, Scope.AGENTS, Scope.TASKS}
    )
    help_text = (
        "Lines in the order they reached us. Following stops when you scroll up; "
        "{follow} or {last.row} resumes.\n"
        "{error.next} and {error.previous} go to the next and previous error, {wide} wraps, "
        "{problems} shows warnings and worse.\n"
        "{histogram} counts the lines by time: each row is as high as its own largest column.\n"
        "Filter keys: agent level task, and words of the text."
    )
    about: ClassVar[str] = "all agents"

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self._view: View | None = None
        self._labels: OrderedDict[TaskId, str] = OrderedDict()
        """Labels of tasks, even when the state has forgotten them; the most recently used last."""
        self._longest = LEAST_SOURCE_WIDTH
        """Cells of the longest agent's name."""

    def compose_pane(self) -> ComposeResult:
        """The histogram, if enabled, above the log lines."""
        yield LogHistogram()
        yield LogView(
            describe=self._describe,
            empty="No log lines yet. :help logs explains where an agent's log comes from.",
        )

    @property
    def lines(self) -> LogView:
        """The view of log lines inside."""
        return self.query_one(LogView)

    def _describe(self, entry: LogLine | LogGap) -> Line:
        """A line for people: with the task's label instead of its id."""
        cells = log_cells(entry, self.console.utc_offset_minutes, self._source_width())
        if isinstance(entry, LogLine) and entry.task is not None:
            label = self._label(entry.task)
            source = entry.source or "fleet"
            said = cells[-1]
            if entry.source is None:  # our own lines begin with the text of the column
                said = said._replace(text=said.text.removeprefix(f"{label} "))
            cells = (
                *cells[:2],
                Cell(f"{fit(safe_line(source), self._source_width())} {label:<8} "),
                said,
            )
        return cells

    def _source_width(self) -> int:
        """As wide as the fleet's longest name, as far as the screen has space."""
        return min(self._longest, MAX_SOURCE_WIDTH if self.is_boxed else MAX_NARROW_SOURCE_WIDTH)

    def _label(self, task_id: TaskId) -> str:
        if is_canary(task_id):
            return "canary"
        task = self._view.state.task(task_id) if self._view is not None else None
        if task is not None:
            self._remember(task_id, task_label(task.number))
        return self._labels.get(task_id) or safe_line(task_id[-7:])

    def _remember(self, task_id: TaskId, label: str) -> None:
        self._labels[task_id] = label
        self._labels.move_to_end(task_id)
        if len(self._labels) > MAX_LABELS:
            self._labels.popitem(last=False)

    def show(self, previous: View | None, view: View) -> None:
        """Keep the view for labels; lines arrive separately."""
        if previous is None or previous.state.agents is not view.state.agents:
            self._longest = max((LEAST_SOURCE_WIDTH, *map(cell_len, view.state.agents)))
        self._view = view
        self._retitle()
        self._draw_histogram()

    def show_lines(self, lines: Sequence[LogLine | LogGap]) -> None:
        """Add lines at the end."""
        if lines:
            if self.lines.line_count + self.lines.hidden_count:
                self.lines.append(lines)
            else:
                self.lines.replace(lines)  # the first ones are painted at once
            self._retitle()
            self._draw_histogram()

    def forget_lines(self) -> None:
        """Start over."""
        self.lines.replace(())

    def _retitle(self) -> None:
        view = self.lines
        cells = [Cell("Logs", Tone.TITLE), Cell(f" - {self.about}")]
        if view.is_following:
            cells.append(Cell(", following"))
        elif view.unseen_count:
            cells.append(Cell(f", {words.grouped(view.unseen_count)} new", Tone.WARN))
        if self.problems_only:
            cells.append(Cell(" - warn and worse", Tone.ACCENT))
        if self.filter_text:
            off = "" if self.filter_is_on else " (off)"
            cells.append(Cell(f" - {self.filter_text}{off}", Tone.ACCENT))
        if self.is_searching:
            cells.append(Cell(" - searching", Tone.DIM))
        if view.hidden_count:
            cells.append(Cell(f" - {words.grouped(view.hidden_count)} hidden", Tone.WARN))
        self.set_title(*cells)

    @property
    def is_searching(self) -> bool:
        """Whether there are lines that the filter has not searched yet."""
        return self.lines.search.is_at_work

    @on(LogView.FollowChanged)
    @on(LogView.Searched)
    def _follow_changed(self, event: LogView.FollowChanged | LogView.Searched) -> None:
        event.stop()
        self._retitle()
        self._draw_histogram()

    @on(LogView.CursorMoved)
    def _cursor_moved(self, event: LogView.CursorMoved) -> None:
        event.stop()
        self._draw_histogram()
        self._refresh_frame()

    # --- the histogram ---

    @property
    def has_histogram(self) -> bool:
        """Whether it is shown."""
        return self.query_one(LogHistogram).display

    def toggle_histogram(self) -> None:
        """Show or hide the histogram."""
        chart = self.query_one(LogHistogram)
        chart.display = not chart.display
        self._draw_histogram()

    def on_resize(self) -> None:
        """Rebuild the histogram for the new size."""
        self.call_after_refresh(self._draw_histogram)

    def counted_until_ms(self) -> int:
        """Where the histogram ends at the earliest: now."""
        return self._view.now_ms if self._view is not None else 0

    def _draw_histogram(self) -> None:
        chart = self.query_one(LogHistogram)
        if not chart.display:
            return
        inside, current = self.query_one(".inside"), self.lines.current
        width = inside.content_size.width
        chart.show_counted(
            count_lines(self.lines.shown(), chart_width(width), self.counted_until_ms()),
            inside.content_size.height,
            self.console.glyphs,
            self.console.utc_offset_minutes,
            current.received_at_ms if current is not None else None,
        )

    @on(LogHistogram.Chosen)
    def _column_chosen(self, event: LogHistogram.Chosen) -> None:
        event.stop()
        for position, entry in enumerate(self.lines.shown()):
            if event.start_ms <= entry.received_at_ms < event.end_ms:
                self.lines.go_to(position)
                return

    def selection(self) -> Selection:
        """The line under the cursor: its agent and its task."""
        entry = self.lines.current
        if entry is None:
            return NOTHING
        task = entry.task if isinstance(entry, LogLine) else None
        if task is not None and is_canary(task):
            task = None
        return Selection(
            agents=(entry.source,) if entry.source is not None else (),
            tasks=(task,) if task is not None else (),
            text=line_text(self._describe(entry)),
        )

    # --- operations ---

    def set_filter(self, text: str) -> tuple[int, str, str] | None:
        """Filter; see :meth:`Pane.set_filter`."""
        text = text.strip()
        problem = self._apply(text)
        if problem is None:
            self.filter_text, self.filter_is_on = text, True
            self._retitle()
        return problem

    def _apply(self, text: str) -> tuple[int, str, str] | None:
        wanted = f"{PROBLEMS} ({text})" if text and self.problems_only else text
        if self.problems_only and not text:
            wanted = PROBLEMS
        now_ms = self._view.now_ms if self._view is not None else 0
        parsed = parse(
            wanted,
            now_ms=now_ms,
            keys=FILTER_KEYS,
            offset_minutes=self.console.utc_offset_minutes,
        )
        if isinstance(parsed, FilterProblem):
            shift = len(wanted) - len(text) - 1 if wanted != text else 0
            return (max(0, parsed.column - shift), parsed.message, parsed.hint)
        self.lines.set_filter(parsed if wanted else None)
        self._draw_histogram()
        return None

    def set_filter_on(self, on: bool) -> None:
        """Switch the filter off or on."""
        self.filter_is_on = on
        self._apply(self.filter_text if on else "")
        self._retitle()

    def set_problems_only(self, only: bool) -> None:
        """Only warnings and worse."""
        self.problems_only = only
        self._apply(self.filter_text if self.filter_is_on else "")
        self._retitle()

    def toggle_wide(self) -> None:
        """Wrap long lines."""
        self.lines.action_toggle_wrap()

    def toggle_follow(self) -> None:
        """Follow or stop."""
        self.lines.action_toggle_follow()

    def next_error(self, direction: int) -> None:
        """Go to an error."""
        self.lines.action_error(direction)
