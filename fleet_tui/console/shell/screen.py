"""The frame around every view: header, tabs, band, body, banner, command bar, keys.

Data is pushed to a screen (``show``, ``show_lines``); it never pulls. Keys arrive as the names of
actions, which call the methods here.
"""

import asyncio
from collections.abc import Sequence
from typing import ClassVar, cast

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.screen import Screen
from textual.widget import Widget

from fleet_tui.console.actions.action import Action
from fleet_tui.console.actions.registry import ACTIONS, BY_NAME
from fleet_tui.console.actions.selection import NOTHING, Context, Scope, Selection
from fleet_tui.console.shell import band, header
from fleet_tui.console.shell.footer import hints
from fleet_tui.console.shell.host import ConsoleShell
from fleet_tui.console.shell.messages import PaneFocused
from fleet_tui.console.shell.places import TABS, Place
from fleet_tui.console.shell.too_small import TooSmall
from fleet_tui.console.text.cells import Cell, Tone
from fleet_tui.console.views.pane import Pane
from fleet_tui.console.widgets.command_bar import CommandBar
from fleet_tui.console.widgets.lines import HeaderLine, KeysLine, OneLine
from fleet_tui.console.widgets.paint import ASCII_CLASS, REVIEW_CLASS, Painted
from fleet_tui.console.widgets.timeline_band import TimelineBand
from fleet_tui.core.logs import LogGap, LogLine
from fleet_tui.core.text.firewall import safe_line
from fleet_tui.feed.feed import View

TYPING_PAUSE_MS = 80
"""A filter is applied after this pause in typing."""

NARROW, WIDE = 100, 160
"""Below NARROW, panes are stacked without boxes; from WIDE on there is a side pane."""

LEAST_WIDTH, LEAST_HEIGHT = 60, 16
"""Below, only the counts are shown."""


class FleetScreen(Screen[None], inherit_bindings=False):
    """One view of the fleet. Subclasses define the body and how a view is shown in it."""

    HORIZONTAL_BREAKPOINTS = [  # noqa: RUF012 - Textual types it as an instance variable
        (0, "-tiny"),
        (LEAST_WIDTH, "-narrow"),
        (NARROW, "-normal"),
        (WIDE, "-wide"),
    ]
    VERTICAL_BREAKPOINTS = [  # noqa: RUF012 - as above
        (0, "-flat"),
        (LEAST_HEIGHT, "-short"),
        (30, "-tall"),
    ]
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding(
            ",".join(action.keys), f"perform('{action.name}')", action.title, False, id=action.name
        )
        for action in ACTIONS
        if action.run is not None
    ]
    AUTO_FOCUS = ""

    scopes: ClassVar[frozenset[Scope]] = frozenset()
    """Scopes of this screen whichever pane has the focus."""
    help_text: ClassVar[str] = ""
    """What the screen shows and how to read it."""

    def __init__(self, place: Place) -> None:
        super().__init__()
        self.place = place
        self.shown: View | None = None
        """The view on screen; None before the first."""
        self.lines_seen = 0
        """How many log lines of the console's ring this screen has received."""
        self._is_narrowed = False
        """The filter of the place was applied to the first view."""
        self._filtered: Pane | None = None
        """The pane whose filter is being typed."""
        self._typing: asyncio.TimerHandle | None = None
        self._focus_before: Widget | None = None

    @property
    def console(self) -> ConsoleShell:
        """The application, with its own type."""
        return cast(ConsoleShell, self.app)

    # --- what subclasses fill in ---

    def compose_body(self) -> ComposeResult:
        """The widgets between the tabs and the keys."""
        yield from ()

    def show(self, previous: View | None, view: View) -> None:
        """Show a view. ``previous`` is what was shown before; None at first and after a resume."""
        for pane in self.panes():
            pane.show(previous, view)

    def show_lines(self, lines: Sequence[LogLine | LogGap]) -> None:
        """Log lines received since the last call, oldest first."""
        for pane in self.panes():
            pane.show_lines(lines)

    def crumb(self) -> str:
        """The screen's part of the breadcrumb, safe text; empty for the roots."""
        return safe_line(self.place.subject or self.place.view)

    def selection(self) -> Selection:
        """The subjects of actions: by default the selection of the pane in focus."""
        pane = self.pane_in_focus()
        return pane.selection() if pane is not None else NOTHING

    def receive(self, place: Place) -> None:
        """The screen was opened again with another filter."""
        self.place = place
        if self.shown is not None:
            self._narrow()

    def _narrow(self) -> None:
        """Apply the filter of the place; panes need a view for that."""
        pane = self.pane_in_focus()
        if pane is not None and self.place.query:
            pane.set_filter(self.place.query)

    # --- the frame ---

    def _take_size(self) -> None:
        """Set the classes for the terminal's size early, so that the first frame has the right
        layout and no style is computed twice."""
        width, height = self.app.size
        for size, steps, below in (
            (width, self.HORIZONTAL_BREAKPOINTS, LEAST_WIDTH),
            (height, self.VERTICAL_BREAKPOINTS, LEAST_HEIGHT),
        ):
            if size >= below:  # a too small size is reported later
                name = next(name for least, name in reversed(steps) if size >= least)
                self.add_class(name, update=False)

    def compose(self) -> ComposeResult:
        """Header, tabs, band, body, banner, command bar, keys."""
        self._take_size()
        yield HeaderLine(separator=self.console.glyphs.separator, id="header")
        yield OneLine(id="tabs")
        yield band.Band(id="band")
        yield TimelineBand(
            glyphs=self.console.glyphs, offset_minutes=self.console.utc_offset_minutes, id="time"
        )
        with Vertical(id="body"):
            yield from self.compose_body()
        yield TooSmall(id="too-small")
        yield OneLine(id="banner")
        yield CommandBar(complete=self._complete, recall=self.console.history.of, id="bar")
        yield KeysLine(id="keys")

    def on_mount(self) -> None:
        """Header and frames first; the console sends the view next."""
        # On the application: cards and menus are screens of their own.
        self.app.set_class(self.console.glyphs.is_ascii, ASCII_CLASS)
        self.show_tabs()
        self.show_banner(self.console.banner)
        self.focus_pane(0)
        self.call_after_refresh(self.console.arrived, self)

    def on_screen_resume(self) -> None:
        """Show at once what happened while the screen was covered."""
        if self.is_mounted:
            self.console.arrived(self)

    @property
    def is_whole(self) -> bool:
        """Whether all of its parts exist: not before they are created, nor while they are removed,
        during which the feed may still deliver data."""
        ends = len(self.query("#header")) + len(self.query("#keys"))
        return self.is_attached and self.is_mounted and ends > 1

    def deliver(self, view: View) -> None:
        """Show a view everywhere on the screen."""
        previous, self.shown = self.shown, view
        self.show_header()
        said = band.lines(
            view,
            self.console.problem,
            self.console.utc_offset_minutes,
            self.console.keyed("{thaw}"),
        )
        self.query_one(band.Band).show(tuple(said))
        self._show_time(view)
        self.query_one(TooSmall).show(self.console.status, self.console.glyphs)
        self.show(previous, view)
        self._show_stale()
        if not self._is_narrowed:
            self._is_narrowed = True
            self._narrow()
        self.refresh_keys()

    def show_header(self) -> None:
        """The header, as after a pause or a change of mode."""
        console, view = self.console, self.shown or self.console.view
        timeline = console.timeline
        right = (
            header.alerts_cell(console.status),
            *header.mode_cells(
                view,
                paused=console.is_paused,
                can_act=console.can_act,
                speed=timeline.speed if timeline is not None else None,
                playing=timeline.playing if timeline is not None else False,
                offset=console.utc_offset_minutes,
                width=self.size.width,
                lost_ms=console.lost_ms,
            ),
        )
        left = header.parts(view, console.status, console.glyphs, self.size.width)
        self.query_one("#header", HeaderLine).show_parts(left, right)

    def show_tabs(self) -> None:
        """The tabs, or the breadcrumb in a drill-down."""
        crumbs = self.console.crumbs(self)
        cells: list[Cell] = [Cell(" ")]
        if len(crumbs) > 1:
            for index, crumb in enumerate(crumbs):
                here = index == len(crumbs) - 1
                cells.append(Cell(crumb, Tone.TITLE if here else Tone.DIM))
                if not here:
                    cells.append(Cell(" > ", Tone.DIM))
        else:
            for tab in TABS:
                own = tab.view == self.place.view
                cells.append(Cell(self.console.keys.shown(BY_NAME[tab.view]), Tone.KEY))
                cells.append(Cell(f" {tab.title}  ", Tone.TITLE if own else Tone.DIM))
        self.set_class(len(crumbs) > 1, "-deep")
        self.query_one("#tabs", OneLine).show(tuple(cells))

    def _show_stale(self) -> None:
        """Dim the body while the engine does not answer."""
        stale = self.console.lost_ms not in (None, header.NEVER_MET)
        for widget in self.query("#body Painted").results(Painted):
            widget.set_stale(stale)

    def _show_time(self, view: View) -> None:
        """The recording's timeline band; hidden while the fleet is live."""
        band, timeline = self.query_one(TimelineBand), self.console.timeline
        self.set_class(timeline is not None, REVIEW_CLASS)
        band.display = timeline is not None
        if timeline is not None:
            band.show_timeline(timeline, view.now_ms)

    @on(TimelineBand.Chosen)
    def _time_chosen(self, event: TimelineBand.Chosen) -> None:
        event.stop()
        self.run_worker(self.console.playback.seek(event.at_ms), exclusive=False)

    def forget_lines(self) -> None:
        """The log lines shown are of another time or another fleet."""
        self.lines_seen = 0
        for pane in self.panes():
            pane.forget_lines()

    def show_banner(self, text: str) -> None:
        """One line above the keys; empty hides it."""
        banner = self.query_one("#banner", OneLine)
        banner.display = bool(text)
        banner.show((Cell(f" {text}", Tone.ACCENT),))

    def refresh_keys(self) -> None:
        """Show the keys of available actions."""
        self.query_one(KeysLine).show_hints(hints(self.context(), self.console.keys))

    @on(PaneFocused)
    def _pane_focused(self) -> None:
        self.refresh_keys()

    def on_resize(self) -> None:
        """Refit the header."""
        if self.is_mounted:
            self.call_after_refresh(self.show_header)

    # --- keys ---

    def action_perform(self, name: str) -> None:
        """Perform an action of the registry."""
        self.console.perform(BY_NAME[name])

    @on(KeysLine.Chosen)
    def _key_clicked(self, event: KeysLine.Chosen) -> None:
        action = BY_NAME[event.hint.action]
        if action.run is not None:
            self.console.perform(action)
        elif self.focused is not None:
            self.app.simulate_key(self.console.keys.of(action)[0])

    # --- panes ---

    def panes(self) -> Sequence[Pane]:
        """The panes of the body, in the order of the focus."""
        return list(self.query(Pane).results(Pane))

    def pane_in_focus(self) -> Pane | None:
        """The pane that has the focus, else the first one."""
        focused = self.focused
        if focused is not None:
            for node in focused.ancestors_with_self:
                if isinstance(node, Pane):
                    return node
        panes = self.panes()
        return panes[0] if panes else None

    def focus_pane(self, index: int) -> None:
        """Focus a pane."""
        targets = self._focus_targets()
        if targets:
            self.set_focus(targets[index % len(targets)], scroll_visible=False)

    def _focus_targets(self) -> list[Widget]:
        panes = self.panes()
        if not panes:
            body = self.query_one("#body")
            return [w for w in body.query("*").results(Widget) if w.focusable]
        found = (pane.focus_target() for pane in panes if pane.display)
        return [widget for widget in found if widget is not None and widget.focusable]

    def context(self) -> Context:
        """Everything that decides which actions are available now."""
        pane = self.pane_in_focus()
        own = pane.scopes if pane is not None else frozenset[Scope]()
        return Context(
            view=self.shown or self.console.view,
            can_act=self.console.can_act,
            scopes=self.scopes | own | self.console.scopes,
            selection=self.selection(),
            place=self.place,
            can_undo=bool(self.console.undo),
        )

    # --- what actions call ---

    def drop(self) -> bool:
        """Close the zoom, filter, problems only or marks; returns whether there was any."""
        pane = self.pane_in_focus()
        if self.has_class("-zoomed"):
            self.toggle_zoom()
            return True
        if pane is None:
            return False
        if pane.filter_text:
            pane.set_filter("")
            return True
        if pane.problems_only:
            pane.set_problems_only(False)
            return True
        return pane.clear_marks()

    def back(self, *, may_leave: bool) -> None:
        """Close the zoom, filter or marks, else leave the drill-down; then the banner, then the
        console."""
        if self.drop() or self.console.up():
            return
        self.console.set_banner("")
        if may_leave:
            self.console.ask_to_leave()

    def step_focus(self, step: int) -> None:
        """Focus the next (1) or previous (-1) pane."""
        targets = self._focus_targets()
        focused = self.focused
        at = targets.index(focused) if focused in targets else -step
        self.focus_pane(at + step)

    def open_filter(self) -> None:
        """Type a filter for the pane in focus."""
        pane = self.pane_in_focus()
        if pane is not None and Scope.FILTER in pane.scopes:
            self._filtered = pane
            self._open_bar("/", pane.filter_text)

    def toggle_filter(self) -> None:
        """Switch the filter off, or on again."""
        pane = self.pane_in_focus()
        if pane is not None and pane.filter_text:
            pane.set_filter_on(not pane.filter_is_on)

    def toggle_problems(self) -> None:
        """Show only rows with problems, or everything."""
        pane = self.pane_in_focus()
        if pane is not None:
            pane.set_problems_only(not pane.problems_only)

    def choose_sort(self) -> None:
        """Choose a column to sort by."""
        pane = self.pane_in_focus()
        if pane is not None and pane.sort_choices():
            from fleet_tui.console.actions.menus import (  # noqa: PLC0415 - first paint first
                SortMenu,
            )

            def chosen(key: str | None) -> None:
                if key is not None:
                    pane.sort_by(key)

            self.app.push_screen(SortMenu(pane.sort_choices()), chosen)

    def toggle_zoom(self) -> None:
        """Show the pane in focus alone, or all panes."""
        pane = self.pane_in_focus()
        zoomed = not self.has_class("-zoomed")
        if zoomed and (pane is None or len(self.panes()) < 2):
            return
        self.set_class(zoomed, "-zoomed")
        kept = set(pane.ancestors_with_self) if pane is not None else set()
        for part in self.query("#body Pane, #body .part"):
            part.set_class(zoomed and part in kept, "-zoom")

    def toggle_wide(self) -> None:
        """More columns, or wrapped lines."""
        pane = self.pane_in_focus()
        if pane is not None:
            pane.toggle_wide()

    def toggle_follow(self) -> None:
        """Follow the newest lines, or stop."""
        pane = self.pane_in_focus()
        if pane is not None:
            pane.toggle_follow()

    def toggle_histogram(self) -> None:
        """Show or hide the histogram of log lines."""
        pane = self.pane_in_focus()
        if pane is not None:
            pane.toggle_histogram()

    def next_error(self, direction: int) -> None:
        """Go to the next (1) or previous (-1) error."""
        pane = self.pane_in_focus()
        if pane is not None:
            pane.next_error(direction)

    def copy(self, chosen: Selection) -> None:
        """Copy the selected row."""
        self.console.copy_text(chosen.text)

    def copy_marked(self) -> None:
        """Copy the text selected with the mouse, else show how to quit."""
        text = self.get_selected_text()
        if text:
            self.console.copy_text(text)
        else:
            self.console.tell(self.console.keyed("{quit} quits, {copy} copies the row"))

    def open_command_line(self, text: str = "") -> None:
        """Type a command."""
        self._filtered = None
        self._open_bar(":", text)

    def open_menu(self) -> None:
        """Lists all actions with their keys and why they are unavailable."""
        from fleet_tui.console.actions.actions_menu import (  # noqa: PLC0415 - first paint first
            ActionsMenu,
        )

        context = self.context()

        def chosen(action: Action | None) -> None:
            if action is not None:
                self.console.perform(action, context.selection)

        self.app.push_screen(ActionsMenu(context, self.console.keys), chosen)

    def open_help(self) -> None:
        """The keys and how to read the pane in focus."""
        pane = self.pane_in_focus()
        self.console.go(Place("help", pane.id if pane is not None and pane.id else "keys"))

    # --- the bar ---

    @property
    def bar(self) -> CommandBar:
        """The bar for commands and filters."""
        return self.query_one(CommandBar)

    def _open_bar(self, prompt: str, text: str) -> None:
        self._focus_before = self.focused
        self.bar.display = True
        self.bar.open(prompt, text)

    def close_bar(self) -> None:
        """Hide the bar and return the focus."""
        self._stop_typing()
        self._filtered = None
        self.bar.display = False
        before, self._focus_before = self._focus_before, None
        if before is not None and before.is_attached:
            self.set_focus(before, scroll_visible=False)
        self.refresh_keys()

    def _complete(self, text: str) -> str | None:
        return None if self._filtered is not None else self.console.complete(text)

    def _stop_typing(self) -> None:
        if self._typing is not None:
            self._typing.cancel()
            self._typing = None

    @on(CommandBar.Changed)
    def _typed(self, event: CommandBar.Changed) -> None:
        event.stop()
        if self._filtered is not None:
            self._stop_typing()
            loop = asyncio.get_running_loop()
            self._typing = loop.call_later(TYPING_PAUSE_MS / 1_000, self._apply_filter)

    def _apply_filter(self) -> bool:
        """Apply the typed filter; False when it is not understood."""
        self._stop_typing()
        if self._filtered is None:
            return True
        problem = self._filtered.set_filter(self.bar.text)
        if problem is None:
            self.bar.clear_problem()
            return True
        self.bar.show_problem(*problem)
        return False

    @on(CommandBar.Submitted)
    def _entered(self, event: CommandBar.Submitted) -> None:
        event.stop()
        if self._filtered is not None:
            if self._apply_filter():
                self.console.history.add("/", event.text)
                self.close_bar()
            return
        text = event.text.strip()
        problem = self.console.run_command(text) if text else None
        if problem is not None:
            self.bar.show_problem(problem.column, problem.message, problem.hint)
        else:
            self.close_bar()

    @on(CommandBar.Left)
    def _escaped(self, event: CommandBar.Left) -> None:
        event.stop()
        if self._filtered is not None:
            self._filtered.set_filter("")
        self.close_bar()

    @on(CommandBar.Toggled)
    def _toggled(self, event: CommandBar.Toggled) -> None:
        event.stop()
        if self._filtered is not None:
            self._apply_filter()
            self._filtered.toggle_highlight()

    def on_unmount(self) -> None:
        """Forget the timer of the filter."""
        self._stop_typing()
