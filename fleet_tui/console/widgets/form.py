"""Parts of a form: labelled one-line fields, choices, a text area that is safe to paste into.

A problem is shown directly below its field. Enter never sends anything from a field: it moves to
the next one. Only the button at the end acts.
"""

from collections.abc import Sequence
from typing import ClassVar

from rich.segment import Segment
from textual import events
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.message import Message
from textual.strip import Strip
from textual.widget import Widget
from textual.widgets import Input, TextArea

from fleet_tui.console.text.cells import Cell, Tone
from fleet_tui.console.text.fit import fit
from fleet_tui.console.widgets.command_bar import SafeInput
from fleet_tui.console.widgets.lines import OneLine
from fleet_tui.console.widgets.paint import Painted
from fleet_tui.core.text.firewall import safe_line

LABEL_WIDTH = 11


class FieldChanged(Message):
    """The text of a field changed."""


class FieldDone(Message):
    """Enter in a one-line field: on to the next."""


class FieldLine(Widget):
    """``pool  gpu______`` and, if there is a problem, a line with it."""

    DEFAULT_CSS = """
    FieldLine { height: auto; layout: grid; grid-size: 2; grid-columns: 11 1fr; grid-rows: 1; }
    FieldLine > SafeInput {
        border: none; height: 1; padding: 0; background: $surface; color: $foreground;
        &:focus { border: none; background: $panel; }
    }
    FieldLine > .problem { column-span: 2; display: none; }
    FieldLine.-problem > .problem { display: block; }
    """

    def __init__(self, field: str, label: str, *, text: str = "", hint: str = "") -> None:
        """``hint`` is shown in the field while it is empty; it must be safe text."""
        super().__init__(id=f"field-{field}")
        self.field = field
        self._label = label
        self._text = text
        self._hint = hint

    def compose(self) -> ComposeResult:
        """Label, input, problem."""
        yield OneLine((Cell(f" {self._label}", Tone.DIM),))
        yield SafeInput(self._text, placeholder=self._hint, select_on_focus=False)
        yield OneLine(classes="problem")

    @property
    def text(self) -> str:
        """The text in the field."""
        return self.query_one(SafeInput).value

    def focus_field(self) -> None:
        """Go to the field."""
        self.query_one(SafeInput).focus()

    def show_problem(self, text: str) -> None:
        """Show a problem below the field; an empty text removes it."""
        self.set_class(bool(text), "-problem")
        self.query_one(".problem", OneLine).show(problem_cells(text))

    def on_input_changed(self, event: Input.Changed) -> None:
        """Typing removes the problem."""
        event.stop()
        self.show_problem("")
        self.post_message(FieldChanged())

    def on_input_submitted(self, event: Input.Submitted) -> None:
        """Enter goes on."""
        event.stop()
        self.post_message(FieldDone())


def problem_cells(text: str) -> tuple[Cell, ...]:
    """A problem, under the field and not under the label."""
    return (Cell(" " * LABEL_WIDTH), Cell(text, Tone.ERROR)) if text else ()


class ChoiceLine(Painted, can_focus=True):
    """``priority  P0 P1 [P2] P3``: left and right choose, so does the first letter or digit."""

    DEFAULT_CSS = """
    ChoiceLine { height: 1; }
    """

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("right,space", "choose(1)", "next choice", show=False, id="form.next-choice"),
        Binding("left", "choose(-1)", "previous choice", show=False, id="form.previous-choice"),
        Binding("enter,down", "done", "next field", show=False, id="form.next-field"),
        Binding(
            "up", "screen.focus_previous", "previous field", show=False, id="form.field-before"
        ),
    ]

    def __init__(self, field: str, label: str, choices: Sequence[tuple[str, str]], at: str) -> None:
        """``choices`` are (value, what it means); ``at`` is the one chosen first."""
        super().__init__(id=f"field-{field}")
        self.field = field
        self._label = label
        self._choices = tuple(choices)
        values = [value for value, _ in self._choices]
        self._at = values.index(at) if at in values else 0

    @property
    def text(self) -> str:
        """The value chosen."""
        return self._choices[self._at][0]

    def action_choose(self, step: int) -> None:
        """The next or previous choice, around the end."""
        self._at = (self._at + step) % len(self._choices)
        self.refresh()
        self.post_message(FieldChanged())

    def action_done(self) -> None:
        """On to the next field."""
        self.post_message(FieldDone())

    def render_line(self, y: int) -> Strip:
        """Label, choices, and what the present one means."""
        del y
        cells = [Cell(fit(f" {self._label}", LABEL_WIDTH), Tone.DIM)]
        for at, (value, _) in enumerate(self._choices):
            if at == self._at:
                tone = Tone.CURSOR if self.has_focus else Tone.TITLE
                cells.append(Cell(f"[{value}]", tone))
            else:
                cells.append(Cell(f" {value} ", Tone.DIM))
        cells.append(Cell(f"  {self._choices[self._at][1]}", Tone.DIM))
        return self.paint(cells, self.size.width)


class Button(Painted, can_focus=True):
    """``[ Submit ]``: the one thing in the form that acts."""

    DEFAULT_CSS = """
    Button { height: 1; }
    """

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter,space", "press", "press", show=False, id="form.press"),
    ]

    class Pressed(Message):
        """Enter, space or a click."""

    def __init__(self, label: str, *, leave_key: str = "esc") -> None:
        """``leave_key`` is what leaves the form."""
        super().__init__()
        self._label = label
        self._leave_key = leave_key

    def action_press(self) -> None:
        """As by a click."""
        self.post_message(self.Pressed())

    def on_click(self, event: events.Click) -> None:
        """A click on the words presses."""
        offset = event.get_content_offset(self)
        if offset is not None and LABEL_WIDTH <= offset.x < LABEL_WIDTH + len(self._label) + 4:
            self.action_press()

    def render_line(self, y: int) -> Strip:
        """The words in brackets."""
        del y
        tone = Tone.CURSOR if self.has_focus else Tone.KEY
        hint = f"  enter sends it, {self._leave_key} leaves" if self.has_focus else ""
        label = Cell(f"[ {self._label} ]", tone)
        cells = (Cell(" " * LABEL_WIDTH), label, Cell(hint, Tone.DIM))
        return self.paint(cells, self.size.width)


MAX_TYPED_CHARS = 131_072
"""Of a text in the form. Longer ones are sent from a file: the cost of each key grows with the
text."""


class PayloadArea(TextArea):
    """A multi-line text. Pasted text is kept exactly or rejected; it can never act or send."""

    class TooLong(Message):
        """A paste that would have made the text longer than MAX_TYPED_CHARS was rejected."""

        def __init__(self, chars: int) -> None:
            super().__init__()
            self.chars = chars
            """How long the paste was."""

    DEFAULT_CSS = """
    PayloadArea {
        border: none; padding: 0 1; height: 1fr; min-height: 3; max-height: 24;
        background: $surface; color: $foreground;
        &:focus { border: none; background: $panel; }
    }
    """

    def __init__(self, text: str) -> None:
        super().__init__(text, soft_wrap=True, tab_behavior="focus", show_line_numbers=False,
                         id="field-payload")  # fmt: skip
        self.cursor_blink = False

    async def _on_paste(self, event: events.Paste) -> None:
        """Insert it completely, or report that it is too long."""
        if len(self.text) + len(event.text) > MAX_TYPED_CHARS:
            event.stop()
            event.prevent_default()
            self.post_message(self.TooLong(len(event.text)))

    def render_line(self, y: int) -> Strip:
        """A line with control and invisible characters made visible; the text itself is
        unchanged."""
        strip = super().render_line(y)
        if all(safe_line(segment.text) == segment.text for segment in strip):
            return strip
        shown = [Segment(safe_line(text), style) for text, style, _ in strip]
        return Strip(shown).adjust_cell_length(self.size.width)
