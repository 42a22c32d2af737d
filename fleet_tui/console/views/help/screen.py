"""Help: how to read the pane, and every key, from the registry."""

import textwrap
from collections.abc import Iterator, Sequence
from typing import ClassVar, NamedTuple

from textual import on
from textual.app import ComposeResult

from fleet_tui.console.actions.action import Action, Group
from fleet_tui.console.actions.registry import ACTIONS, BY_NAME
from fleet_tui.console.actions.selection import Scope
from fleet_tui.console.shell.commandline import COMMANDS
from fleet_tui.console.shell.keymap import Keymap
from fleet_tui.console.shell.screen import FleetScreen
from fleet_tui.console.text.cells import Cell, Line, Tone
from fleet_tui.console.views.block import Block
from fleet_tui.console.views.pane import Pane
from fleet_tui.console.views.table import TablePane
from fleet_tui.console.widgets.fleet_table import Column, FleetTable
from fleet_tui.core.text.filters.nodes import Value
from fleet_tui.feed.feed import View

FILTER_HELP = (
    "word  /regex/  key:value  key:a|b  key!=v  key>5s  key~re  -term  or  ( )",
    "since:10m  until:12:00  spaces mean and; * stands for anything",
)


MORE_LINES = 2
"""Lines for text that the columns cut."""


class HelpRow(NamedTuple):
    """A key, a command or a word of explanation."""

    id: str
    group: str
    keys: str
    title: str
    text: str
    action: Action | None = None


def _action_rows(keys: Keymap) -> Iterator[HelpRow]:
    for group in Group:
        for action in ACTIONS:
            if action.group is group:
                yield HelpRow(
                    f"key:{action.name}",
                    group.value,
                    keys.all_shown(action),
                    action.title,
                    action.help,
                    action,
                )


def _command_rows(keys: Keymap) -> Iterator[HelpRow]:
    key = keys.shown(BY_NAME["command"])
    for name, spec in sorted(COMMANDS.items()):
        title = f":{name} {spec.usage}".strip()
        yield HelpRow(f"command:{name}", "Commands", key, title, spec.help)


def help_rows(keys: Keymap) -> list[HelpRow]:
    """Every key, every command, the filter language."""
    rows = [*_action_rows(keys), *_command_rows(keys)]
    rows += [
        HelpRow(f"filter:{at}", "Filter", keys.shown(BY_NAME["filter"]), "", text)
        for at, text in enumerate(FILTER_HELP)
    ]
    return rows


class HelpPane(TablePane[HelpRow]):
    """Every key with its effect; the filter searches, enter performs the action."""

    scopes: ClassVar[frozenset[Scope]] = TablePane.scopes - {Scope.PROBLEMS}
    columns = (
        Column("keys", "KEYS", 9, priority=200),
        Column("title", "DOES", 30, priority=190),
        Column("text", "MORE", 30, flex=1, priority=100),
        Column("group", "", 12, priority=50),
    )
    filter_keys = frozenset({"group"})
    noun = ("line", "lines")

    DEFAULT_CSS = """
    HelpPane .more { height: 2; }
    .-wide HelpPane .more { display: none; }
    """

    def __init__(self, topic: str, keys: Keymap, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self._topic = topic
        self._keys = keys

    def compose_pane(self) -> ComposeResult:
        """The table, and below it the full text of the line under the cursor."""
        yield from super().compose_pane()
        yield Block(classes="more")

    @on(FleetTable.RowHighlighted)
    def _tell_all(self) -> None:
        more = self.query_one(".more", Block)
        found = next(iter(self.selected_records()), None)
        text = f"{found.title}: {found.text}" if found is not None and found.text else ""
        wrapped = textwrap.wrap(text, max(20, self.size.width - 4))
        more.show([(Cell(f" {line}"),) for line in wrapped[:MORE_LINES]])

    def records(self, view: View) -> Sequence[HelpRow]:
        """Independent of the fleet."""
        del view
        return self.all_records or help_rows(self._keys)

    def row_id(self, record: HelpRow) -> str:
        """The subject of the line."""
        return record.id

    def cells(self, record: HelpRow) -> dict[str, Cell]:
        """Key, words, chapter."""
        return {
            "keys": Cell(record.keys, Tone.KEY),
            "title": Cell(record.title),
            "text": Cell(record.text, Tone.DIM),
            "group": Cell(record.group, Tone.DIM),
        }

    def value(self, record: HelpRow, key: str) -> Value:
        """The columns."""
        return self.cells(record)[key].text if key in self.cells(record) else None

    def titles(self) -> Line:
        """``Help - health``."""
        does = self._keys.keyed("{open} does it, {filter} searches")
        return (Cell("Help", Tone.TITLE), Cell(f" - {self._topic} - {does}"))


class HelpScreen(FleetScreen):
    """The effects of keys. The place's subject is a topic, or the pane that was in focus."""

    def compose_body(self) -> ComposeResult:
        """How to read the pane that was in focus, above every key."""
        topic = self.place.subject or "keys"
        about = Block(classes="about")
        self._explain(about, self._about(topic), self.app.size.width)
        yield about
        yield HelpPane(topic, self.console.keys, id="help")

    @staticmethod
    def _explain(about: Block, lines: Sequence[str], width: int) -> None:
        """Whole words, on as many lines as they need at this width."""
        wrapped = [part for line in lines for part in textwrap.wrap(line, max(20, width - 2))]
        about.show([(Cell(f" {line}"),) for line in wrapped])
        about.styles.height = len(wrapped)

    def on_resize(self) -> None:
        """Rewrap for the new width."""
        super().on_resize()
        for about in self.query(".about").results(Block):
            self._explain(about, self._about(self.place.subject or "keys"), self.size.width)

    def _about(self, topic: str) -> Sequence[str]:
        """How to read the pane that was in focus, if the topic is one."""
        for screen in reversed(self.app.screen_stack):
            if isinstance(screen, FleetScreen) and screen is not self:
                for pane in screen.panes():
                    if pane.id == topic and pane.help_text:
                        return self.console.keyed(pane.help_text).splitlines()
                if screen.help_text:
                    return self.console.keyed(screen.help_text).splitlines()
        return ()

    def on_mount(self) -> None:
        """Search for a topic that is not a pane."""
        super().on_mount()
        pane = self.query_one(HelpPane)
        topic = self.place.subject
        if topic and topic != "keys" and not self._is_pane(topic):
            pane.show(None, self.console.view)
            pane.set_filter(topic if topic.isalnum() else "")

    def _is_pane(self, topic: str) -> bool:
        stack = [s for s in self.app.screen_stack if isinstance(s, FleetScreen)]
        return any(pane.id == topic for s in stack for pane in s.query(Pane).results(Pane))

    def crumb(self) -> str:
        """Always the same word."""
        return "Help"

    @on(FleetTable.RowOpened)
    def _opened(self, event: FleetTable.RowOpened) -> None:
        event.stop()
        kind, _, name = event.row_id.partition(":")
        console = self.console
        if kind == "key" and BY_NAME[name].run is not None and name != "help":
            console.up()
            self.app.call_later(console.perform, BY_NAME[name])
        elif kind == "command":
            self.open_command_line(f"{name} ")
