"""An agent's definition in the fleet file, with defaults applied."""

from fleet_tui.console.actions.selection import Scope, Selection
from fleet_tui.console.text.cells import Tone
from fleet_tui.console.text.document import Section, line, name, paragraph
from fleet_tui.console.views.agents.detail import definition_lines
from fleet_tui.console.views.detail_pane import DetailScreen
from fleet_tui.core.ids import AgentName
from fleet_tui.feed.feed import View


class DefinitionScreen(DetailScreen):
    """``Place("definition", agent)``."""

    subject_scopes = frozenset({Scope.AGENTS})
    help_text = "The agent as declared. Values of environment variables are not shown."

    def crumb(self) -> str:
        """``agent-14 definition``."""
        return f"{name(self.place.subject)} definition"

    def show(self, previous: View | None, view: View) -> None:
        """Show the definition in force; it changes only with the fleet file."""
        fleet = view.state.fleet
        spec = fleet.agents.get(AgentName(self.place.subject))
        if spec is None:
            gone = f"{name(self.place.subject)} is not in the fleet file."
            self.show_document([Section("", (paragraph(gone, Tone.WARN),))], Selection())
            return
        lines = tuple(line(text, indent=6) for text in definition_lines(spec, fleet))
        self.show_document([Section("", lines)], Selection(agents=(spec.name,)))
