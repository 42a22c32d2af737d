"""What changed between two moments: agents, alerts, the fleet file, the engine, work."""

from fleet_tui.console.actions.selection import Selection
from fleet_tui.console.shell.places import Place
from fleet_tui.console.text.cells import Tone
from fleet_tui.console.text.document import Pen, Section, paragraph
from fleet_tui.console.views.detail_pane import DetailScreen
from fleet_tui.console.views.diff.rows import diff_sections
from fleet_tui.console.views.diff.span import Span
from fleet_tui.core.diff import Moments
from fleet_tui.core.text import words
from fleet_tui.feed.feed import View


class DiffScreen(DetailScreen):
    """``Place("diff", span)``: the span's two ends, compared."""

    help_text = (
        "Two moments, field by field, the worst first; what was reversed in between is "
        "not\nshown. On an alert {diff} compares the 15 minutes before it, elsewhere the window "
        "of the\ncharts ({window}). :diff 11:50 12:00 compares any two moments, :diff 2h the "
        "last two\nhours."
    )

    def __init__(self, place: Place) -> None:
        super().__init__(place)
        self._span = Span.of(place.subject)
        self._asked: Span | None = None
        self._moments: Moments | None = None

    def crumb(self) -> str:
        """``diff 11:50:00 to 12:00:00``."""
        if self._span is None:
            return "diff"
        offset = self.console.utc_offset_minutes
        before, after = (words.clock(at_ms, offset) for at_ms in self._span)
        return f"diff {before} to {after}"

    def show(self, previous: View | None, view: View) -> None:
        """Compare once; in a recording again when the cursor leaves or enters the span."""
        span = self._span.until(view.now_ms) if self._span is not None else None
        if span is not None and span != self._asked:
            self._asked = span
            self.run_worker(self._compare(span), group="diff", exclusive=True)
        self._show()

    async def _compare(self, span: Span) -> None:
        self._moments = await self.console.feed.moments(*span)
        self._show()

    def _show(self) -> None:
        if self._span is None:
            sections = [
                Section(
                    "", (paragraph("Expected two moments, such as :diff 11:50 12:00", Tone.WARN),)
                )
            ]
        elif self._moments is None:
            sections = [Section("", (paragraph("Reading the ledger ...", Tone.DIM),))]
        else:
            pen = Pen(self.console.glyphs, self.console.utc_offset_minutes)
            sections = diff_sections(self._moments, pen)
        self.show_document(sections, Selection())
