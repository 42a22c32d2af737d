"""The pane of a drill-down: a document of sections whose lines can be opened."""

from typing import ClassVar

from textual import on
from textual.app import ComposeResult
from textual.widget import Widget

from fleet_tui.console.actions.selection import Scope, Selection
from fleet_tui.console.shell.places import Place
from fleet_tui.console.shell.screen import FleetScreen
from fleet_tui.console.text.cells import Cell, Tone
from fleet_tui.console.text.document import Section
from fleet_tui.console.views.pane import Pane
from fleet_tui.console.widgets.section_view import SectionView


class DetailPane(Pane):
    """Shows the sections that its screen builds; its selection is set by the screen."""

    DEFAULT_CSS = """
    DetailPane { height: 1fr; }
    """

    def __init__(self, scopes: frozenset[Scope], *, rule: str, help_text: str) -> None:
        """``scopes`` are those of the document's subject."""
        super().__init__()
        self.scopes = scopes  # type: ignore[misc]  # each drill-down has its own
        self.help_text = help_text  # type: ignore[misc]  # the same
        self.chosen = Selection()
        self._rule = rule

    def compose_pane(self) -> ComposeResult:
        """The document alone."""
        yield SectionView(rule=self._rule)

    @property
    def document(self) -> SectionView:
        """The document's widget."""
        return self.query_one(SectionView)

    def focus_target(self) -> Widget | None:
        """The document."""
        return self.document

    def selection(self) -> Selection:
        """The document's subject; the marked line as text."""
        line = self.document.marked_text
        return Selection(agents=self.chosen.agents, tasks=self.chosen.tasks, text=line)


class DetailScreen(FleetScreen):
    """A screen that is one document; subclasses build its sections."""

    DEFAULT_CSS = """
    DetailScreen.-narrow DetailPane > .upper { display: none; }
    """

    subject_scopes: ClassVar[frozenset[Scope]] = frozenset()

    def compose_body(self) -> ComposeResult:
        """One document."""
        rule = self.console.glyphs.rule
        yield DetailPane(self.subject_scopes, rule=rule, help_text=self.help_text)

    @property
    def pane(self) -> DetailPane:
        """The only pane."""
        return self.query_one(DetailPane)

    def show_document(self, sections: list[Section], chosen: Selection) -> None:
        """Show the sections; actions apply to ``chosen``."""
        self.pane.chosen = chosen
        self.pane.set_title(Cell(self.crumb(), Tone.TITLE))
        self.pane.document.show(sections)

    @on(SectionView.Opened)
    def _open(self, event: SectionView.Opened) -> None:
        event.stop()
        target = event.target
        if target.task is not None and target.attempt:
            self.console.go(Place("why", f"{target.task}#{target.attempt}"))
        elif target.task is not None:
            self.console.go(Place("task", target.task))
        elif target.agent is not None:
            self.console.go(Place("agent", target.agent))
