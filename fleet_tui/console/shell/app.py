"""The application: one feed, one pump, one registry of actions.

The pump waits for the feed and passes (previous, next) to the current screen, at most a few times a
second and at once after the operator's own command. Nothing here depends on the kind of feed.
"""

import asyncio
import inspect
import os
from collections.abc import Callable, Mapping, Sequence
from typing import ClassVar, cast

from rich.text import Text
from textual import events
from textual.app import App
from textual.screen import Screen

from fleet_tui.base import bundled, crash
from fleet_tui.base.errors import FleetError
from fleet_tui.console.actions.action import Action, ActionEffect
from fleet_tui.console.actions.selection import Context, Scope, Selection
from fleet_tui.console.shell import export, header, themes
from fleet_tui.console.shell.commandline import Commands, is_private
from fleet_tui.console.shell.history import History
from fleet_tui.console.shell.keymap import SHIPPED, Keymap
from fleet_tui.console.shell.memory import (
    WINDOWS_MS,
    LineRing,
    Notices,
    Numbers,
    Stack,
    Trail,
    is_root,
)
from fleet_tui.console.shell.messages import CommandProblem, Loudness, Notice
from fleet_tui.console.shell.places import OVERVIEW, TABS, TITLES, Place
from fleet_tui.console.shell.playback import Playback
from fleet_tui.console.shell.screen import FleetScreen
from fleet_tui.console.shell.screens import make_screen
from fleet_tui.console.shell.timeline import ReviewFeed, SessionSource
from fleet_tui.console.shell.toasts import NEXT_KEY, Storm, Toaster
from fleet_tui.console.terminal.attention import Attention, Calls
from fleet_tui.console.terminal.frame import FrameLimiter
from fleet_tui.console.terminal.garbage import LOOK_EVERY_S, Tidying
from fleet_tui.console.terminal.keystrokes import TOO_FAST, Pace, Turns, Typed
from fleet_tui.console.terminal.leaving import Exit, cause
from fleet_tui.console.terminal.seatbelt import BELL, SeatbeltDriver
from fleet_tui.console.text.glyphs import UNICODE, Glyphs
from fleet_tui.core.alerting.model import Alert, Severity
from fleet_tui.core.ledger.commands import Command
from fleet_tui.core.ledger.replies import Accepted, Refused, Reply
from fleet_tui.core.logs import LogQuery
from fleet_tui.core.plans import Impact
from fleet_tui.core.status import FleetStatus
from fleet_tui.core.text import words
from fleet_tui.core.text.firewall import safe_line
from fleet_tui.feed.feed import Feed, Mode, Timeline, View
from fleet_tui.verbs.table import VERB_OF

REFRESH_MS = 500
"""Updates are shown this often; twice a second is enough for reading."""

LOW_BANDWIDTH_REFRESH_MS = 5_000

LEAST_REFRESH_MS = 100
"""Ten frames a second: no ``:set refresh`` goes below."""

MAX_FIRST_LINES = 500
"""Stored lines shown when a recording is opened or time goes back."""


class FleetApp(App[int], inherit_bindings=False):
    """The console over a feed. ``timeline`` is the same feed if it can move through time."""

    CSS_PATH = "fleet.tcss"
    ENABLE_COMMAND_PALETTE = False
    undo: tuple[Command, ...] = ()
    SCREENS: ClassVar[dict[str, Callable[[], Screen[None]]]] = {
        tab.view: (lambda view=tab.view: make_screen(Place(view)))  # type: ignore[misc]  # a default binds the name early
        for tab in TABS
    }

    def __init__(
        self,
        feed: Feed,
        *,
        glyphs: Glyphs = UNICODE,
        theme: str = "auto",
        low_bandwidth: bool = False,
        banner: str | None = None,
        timeline: Timeline | None = None,
        sessions: SessionSource | None = None,
        utc_offset_minutes: int = 0,
        keys: Keymap = SHIPPED,
        env: Mapping[str, str] | None = None,
        calls: Calls = Calls.OFF,
        history: History | None = None,
    ) -> None:
        """``theme`` is a theme's name or ``auto``; ``env`` is what chooses where it is auto.
        ``calls`` says which new alerts ring the terminal."""
        env = os.environ if env is None else env
        loaded = themes.load(bundled.themes(), themes.own_themes(env))
        # Textual decides in its constructor how colours are filtered, so the choice comes first.
        choice = themes.choose(env, theme, known=loaded.themes)
        super().__init__(driver_class=SeatbeltDriver, ansi_color=choice.ansi_color)
        themes.install(self, loaded, choice.name)
        self.loaded_themes = loaded
        self.feed = feed
        self.timeline = timeline
        self.playback: Playback = Playback(self)
        self.sessions = sessions
        """The source of earlier sessions."""
        self._live: Feed | None = None
        """The live feed while a recording is on screen."""
        self.glyphs = glyphs
        self.keys = keys
        """The shipped keys, overridden by the operator's own."""
        self.set_keymap(keys.bindings())
        self.banner = banner or ""
        self.utc_offset_minutes = utc_offset_minutes
        """How far the clocks on screen are ahead of UTC."""
        self.view: View = feed.view()
        """The view on screen; older than the feed's while the display is paused."""
        self._numbers = Numbers()
        self.status: FleetStatus = self._numbers.of(self.view)
        """The numbers of that view."""
        self.window_ms = WINDOWS_MS[2]
        """The time window of charts."""
        self.is_paused = False
        self.lost_ms: int | None = header.NEVER_MET  # since when the engine is away
        self.problem = choice.problem
        """A problem of the console itself, for the band; safe text."""
        self.notices = Notices()
        self._toaster = Toaster(self)
        self._storm = Storm()
        self.attention = Attention(calls, self._to_terminal, self._name_window)
        self._has_osc = env.get("TERM") != "linux"
        """The Linux console takes OSC for its palette and prints the rest."""
        self.history = history or History()
        self.note_text = ""
        """The text given to ``:note``, for the note about to be added."""
        self.lines = LineRing()
        self._trail = Trail()
        self._limiter = FrameLimiter(
            self._deliver, LOW_BANDWIDTH_REFRESH_MS if low_bandwidth else REFRESH_MS
        )
        self._commands = Commands(self)
        self._pump_task: asyncio.Task[None] | None = None
        self._turns = Turns(self, self._take_key)
        self.exit_watch = Exit()
        self.pace: Pace | None = None
        """The rate of keystrokes; None without a terminal, where programs press them."""

    # --- keys ---

    async def on_event(self, event: events.Event) -> None:
        """Process keys one after the other, all other events as they arrive."""
        if isinstance(event, Typed) and not event.is_forwarded:
            await self._turns.take(event)
        else:
            await super().on_event(event)

    async def _take_key(self, event: Typed) -> None:
        if isinstance(event, events.Key) and self.pace is not None:
            self.pace.add(event.time)
        await super().on_event(event)

    # --- the pump ---

    async def on_mount(self) -> None:
        """The first screen paints its frames; the feed is opened after that."""
        self.exit_watch.begin(self.leave, self._driver)
        if not self.is_headless:
            self.pace = Pace()
        await self.push_screen(OVERVIEW.view)
        self._pump_task = asyncio.create_task(self._pump(), name="console pump")
        self._pump_task.add_done_callback(self._pump_ended)
        for problem in (*self.keys.problems, self.history.problem):
            if problem:
                self.tell(problem, Loudness.WARNING)

    async def _pump(self, *, is_open: bool = False) -> None:
        try:
            if not is_open:
                await self.feed.open()
                if self.pace is not None:
                    self._tidy_up(self.pace)
        except FleetError as error:
            self._tell_problem(error)
        self._limiter.now()
        while True:
            try:
                await self.feed.changed()
                self._limiter.request()
            except FleetError as error:  # the display stays as it is and no longer updates
                self._tell_problem(error)
                self.show_again()

    def _tell_problem(self, error: FleetError) -> None:
        self.problem = safe_line(" - ".join(filter(None, (error.message, error.hint))))

    def _tidy_up(self, pace: Pace) -> None:
        tidying = Tidying()
        tidying.begin()
        self.set_interval(LOOK_EVERY_S, lambda: tidying.look(pace.keys))

    def _pump_ended(self, task: asyncio.Task[None]) -> None:
        """A pump that fails must not leave a screen that looks current."""
        if not task.cancelled() and (error := task.exception()) is not None:
            self._handle_exception(cast(Exception, error))

    async def on_unmount(self) -> None:
        """Let go of the feed."""
        self._limiter.stop()
        self._turns.stop()
        if self._pump_task is not None:
            self._pump_task.cancel()
        await self.feed.close()
        if self._live is not None:
            await self._live.close()

    # --- another feed ---

    async def review(self, feed: ReviewFeed) -> None:
        """Show a recording; the live fleet is kept for the way back."""
        if self.timeline is None:
            self._live = self.feed
        else:
            await self.feed.close()
        self._turn_to(feed, feed)

    async def back_to_live(self) -> bool:
        """End the review; False where the console was opened on a recording, or shows none."""
        if self._live is None:
            return False
        await self.feed.close()
        live, self._live = self._live, None
        self._turn_to(live, None)
        self.go(OVERVIEW)
        self.tell("back to the live fleet")
        return True

    def _turn_to(self, feed: Feed, timeline: Timeline | None) -> None:
        if self._pump_task is not None:
            self._pump_task.cancel()
        self.feed, self.timeline = feed, timeline
        self.problem = ""
        self.is_paused = False
        self.view = feed.view()
        self.status = self._numbers.of(self.view)
        self._forget_lines()
        self._pump_task = asyncio.create_task(self._pump(is_open=True), name="console pump")
        self._pump_task.add_done_callback(self._pump_ended)

    def _forget_lines(self) -> None:
        """The lines shown are of another time: start with those of the store up to now."""
        self.lines = LineRing()
        for screen in {*self.screen_stack, *self._installed_screens.values()}:
            if isinstance(screen, FleetScreen):
                screen.forget_lines()
        self.run_worker(self._read_lines(), group="lines", exclusive=True)

    async def _read_lines(self) -> None:
        self.lines.add(await self.feed.logs(LogQuery(limit=MAX_FIRST_LINES)))
        self._limiter.now()

    def _deliver(self) -> None:
        """Show the newest view of the feed, unless the display is paused."""
        self.lines.add(self.feed.take_lines())
        if self.is_paused:
            return
        before, self.view = self.view, self.feed.view()
        self.lost_ms = header.lost_since(self.view, self.lost_ms)
        fresh: Sequence[Alert] = ()
        if before is not self.view:
            self.status = self._numbers.of(self.view)
            fresh = self._tell_new_alerts(before, self.view)
            if self.timeline is not None and self.view.now_ms < before.now_ms:
                self._forget_lines()
        self.attention.show(fresh, self.view, self.status, self.glyphs)
        screen = self.visible_screen
        if screen is not None:
            self._bring_up_to_date(screen)

    def _bring_up_to_date(self, screen: FleetScreen) -> None:
        if screen.shown is not self.view:
            screen.deliver(self.view)
        if screen.lines_seen < self.lines.total:
            fresh = self.lines.since(screen.lines_seen)
            screen.lines_seen = self.lines.total
            screen.show_lines(fresh)

    def arrived(self, screen: Screen[None]) -> None:
        """A screen became visible: show what it missed."""
        if isinstance(screen, FleetScreen) and screen.is_whole:
            self._bring_up_to_date(screen)
            screen.show_header()
            screen.show_tabs()
            screen.show_banner(self.banner)
            screen.refresh_keys()

    @property
    def visible_screen(self) -> FleetScreen | None:
        """The uppermost view of the fleet; dialogs above it do not hide it."""
        for screen in reversed(self.screen_stack):
            if isinstance(screen, FleetScreen):
                return screen if screen.is_whole else None
        return None

    def set_refresh(self, ms: int) -> None:
        """Set the refresh interval; at least LEAST_REFRESH_MS."""
        self._limiter.set_frame(max(LEAST_REFRESH_MS, ms))

    def _tell_new_alerts(self, before: View, now: View) -> Sequence[Alert]:
        """Keep each new critical alert in the messages; show them as folded toasts."""
        if before.state.seq == 0 or self.timeline is not None:
            return ()
        known, alerts = before.state.alerts, now.state.alerts
        fresh = [] if known is alerts else [alerts[a] for a in alerts if a not in known]
        for alert in fresh:
            if alert.severity is Severity.CRIT:
                self._keep(f"{alert.subject} {alert.text}", Loudness.ERROR, Place("alerts"))
        self._storm.add(fresh, now.now_ms)
        for key, text in self._storm.sentences(now.state, self.keyed(NEXT_KEY)):
            self._toaster.show(key, text, Loudness.ERROR)
        return fresh

    def _to_terminal(self, sequence: str) -> None:
        if isinstance(self._driver, SeatbeltDriver) and (self._has_osc or sequence == BELL):
            self._driver.write_own(sequence)

    def _name_window(self, title: str) -> None:
        if isinstance(self._driver, SeatbeltDriver) and self._has_osc:
            self._driver.name_window(title)

    # --- places ---

    def go(self, place: Place) -> None:
        """Open a place: a root replaces everything, anything else goes on top."""
        self._show_stack(self._trail.visit(place))

    def last(self) -> None:
        """To the stack of places before this one, and again back."""
        self._show_stack(self._trail.last())

    def up(self) -> bool:
        """Leave a drill-down; False at a root."""
        stack = self._trail.up()
        self._show_stack(stack)
        return stack is not None

    def travel(self, steps: int) -> None:
        """Back (-1) or forward (1) in the history of places."""
        self._show_stack(self._trail.travel(steps))

    def crumbs(self, screen: Screen[None]) -> list[str]:
        """The way from the root to a screen, in words."""
        found: list[str] = []
        for each in self.screen_stack:
            if isinstance(each, FleetScreen):
                root = is_root(each.place)
                found.append(TITLES[each.place.view] if root else each.crumb())
            if each is screen:
                break
        return found

    def _show_stack(self, stack: Stack | None) -> None:
        """Make the screens be those of a stack, keeping what is the same from the root up."""
        if stack is None:
            return
        shown = [screen for screen in self.screen_stack if isinstance(screen, FleetScreen)]
        same = 0
        for screen, place in zip(shown, stack, strict=False):
            if screen.place != place and not (is_root(place) and screen.place.view == place.view):
                break
            same += 1
        # A root is switched, never removed: its cursor and filter stay.
        while len(self.screen_stack) > max(same, 1) + 1:
            self.pop_screen()
        if same == 0:
            self.switch_screen(stack[0].view)
        root = self.screen_stack[-1] if len(stack) == 1 else None
        if isinstance(root, FleetScreen):
            root.receive(stack[0])
        for place in stack[max(same, 1) :]:
            self.push_screen(make_screen(place))

    # --- actions ---

    @property
    def can_act(self) -> bool:
        """Whether acting actions are offered."""
        return self.feed.can_act

    @property
    def scopes(self) -> frozenset[Scope]:
        """What can be done anywhere."""
        own = {Scope.ANYWHERE} | ({Scope.REVIEW} if self.timeline is not None else set())
        return frozenset(own)

    def keyed(self, text: str) -> str:
        """Our own words with the operator's keys: ``{submit} submits one``."""
        return self.keys.keyed(text)

    def perform(self, action: Action, chosen: Selection | None = None) -> None:
        """Perform an action on the selection, or on ``chosen``; shows the reason if it is
        unavailable."""
        screen = self.visible_screen
        if screen is None or action.run is None:
            return
        context = screen.context()
        if chosen is not None:
            context = Context(
                view=context.view,
                can_act=context.can_act,
                scopes=context.scopes | action.scopes,
                selection=chosen,
                can_undo=context.can_undo,
            )
        reason = action.disabled_reason(context)
        if action.effect is ActionEffect.ACTS and self.pace is not None and self.pace.is_burst:
            reason = TOO_FAST
        if reason is not None:
            self.tell(f"{action.title}: {reason}", Loudness.WARNING)
            return
        result = action.run(screen, context.selection)
        if inspect.isawaitable(result):
            self.run_worker(cast("Callable[[], None]", result), exclusive=False)

    async def send(self, command: Command, shown: Impact | None = None) -> Reply:
        """Send a command, tell what came of it, and show its result at once."""
        reply = await self.feed.send(command, shown)
        match reply:
            case Refused():
                hint = f" - {safe_line(reply.hint)}" if reply.hint else ""
                self.tell(f"refused: {safe_line(reply.text)}{hint}", Loudness.ERROR)
            case Accepted():
                verb = VERB_OF.get(type(command))
                if verb is None or not verb.is_harmless:
                    self.undo = reply.undo  # the last action, even if it cannot be undone
        self._limiter.now()
        return reply

    def tell(
        self,
        text: str,
        loudness: Loudness = Loudness.INFORMATION,
        *,
        opens: Place | None = None,
    ) -> None:
        """Show a toast (safe text, our words) and keep it for ``:messages``."""
        self._toaster.show(f"told {len(self.notices)} {text}", text, loudness)
        self._keep(text, loudness, opens)

    def _keep(self, text: str, loudness: Loudness, opens: Place | None) -> None:
        at_ms = self.feed.view().now_ms
        self.notices.add(Notice(at_ms=at_ms, text=safe_line(text), loudness=loudness, opens=opens))

    # --- the display ---

    def set_banner(self, text: str) -> None:
        """Set the line above the keys; empty removes it."""
        self.banner = text
        screen = self.visible_screen
        if screen is not None:
            screen.show_banner(text)

    def next_window(self) -> None:
        """The next time window; in a recording ask for a time to go to."""
        screen = self.visible_screen
        if self.timeline is not None and screen is not None:
            screen.open_command_line("goto ")
            return
        at = WINDOWS_MS.index(self.window_ms)
        self.window_ms = WINDOWS_MS[(at + 1) % len(WINDOWS_MS)]
        self.show_again()
        self.tell(f"charts show the last {words.about(self.window_ms)}")

    def show_now(self) -> None:
        """Show the newest view without waiting for the next refresh."""
        self._limiter.now()

    def show_again(self) -> None:
        """Show the current view again, such as after a change of display settings."""
        screen = self.visible_screen
        if screen is not None:
            screen.shown = None
            screen.deliver(self.view)

    def toggle_pause(self) -> None:
        """Pause or resume the display; in a recording pause or resume playing."""
        if self.timeline is not None:
            self.playback.toggle()
        else:
            self.is_paused = not self.is_paused
            if not self.is_paused:
                self.show_now()
        screen = self.visible_screen
        if screen is not None:
            screen.show_header()

    def redraw(self) -> None:
        """Paint everything anew."""
        self.screen.refresh(layout=True)

    def switch_theme(self, name: str) -> str:
        """Switch the theme; returns what is wrong with the name, empty if nothing."""
        full = name if name in self.loaded_themes.themes else f"fleet-{name}"
        if full not in self.loaded_themes.themes:
            known = ", ".join(sorted(self.loaded_themes.themes))
            return f"there is no theme {safe_line(name)}; there are {known}"
        themes.install(self, self.loaded_themes, full)
        return ""

    # --- dialogs and files: thin, the work is elsewhere ---

    def complete(self, text: str) -> str | None:
        """The most likely completion of the beginning of a command."""
        return self._commands.complete(text)

    def run_command(self, text: str) -> CommandProblem | None:
        """Run a ``:`` command; returns the problem if it was not understood."""
        problem = self._commands.run(text)
        self.history.add(":", text, private=problem is not None or is_private(text))
        return problem

    def open_palette(self) -> None:
        """Find anything by name."""
        from fleet_tui.console.shell.palette import (  # noqa: PLC0415 - first paint first
            Palette,
            entries,
        )

        screen = self.visible_screen
        if screen is not None:
            self.push_screen(Palette(list(entries(self, screen))))

    def copy_text(self, text: str) -> None:
        """Copy by every way there is."""
        self.tell(export.copy(self, text) if text else "nothing to copy here")

    def save_view(self) -> None:
        """Save the screen as text and SVG."""
        self.tell(export.save_view(self))

    def ask_to_leave(self) -> None:
        """Ask whether to quit: one line, default no."""
        from fleet_tui.console.widgets.dialogs import ConfirmBar  # noqa: PLC0415 - first paint first

        if self._live is not None:
            self.run_worker(self.back_to_live(), exclusive=False)
            return

        def answered(leave: bool | None) -> None:
            if leave:
                self.leave()

        goes_on = "" if self.view.mode is Mode.REVIEW else " The fleet keeps running."
        self.push_screen(ConfirmBar(f"Leave the console?{goes_on}"), answered)

    def leave(self, code: int = 0) -> None:
        """Quit; the terminal is restored."""
        self.exit(code, return_code=code)

    # --- the end ---

    def _fatal_error(self) -> None:
        """A bug: write the traceback to a file without local values, report it in one line."""
        self.bell()
        self._exit_renderables.append(Text(crash.report(cause(self._exception))))
        self._close_messages_no_wait()

    def panic(self, *renderables: object) -> None:
        """Textual's exit with the rendering of an error: ours is one line."""
        del renderables
        self._fatal_error()
