"""The line to type in: commands, filters and searches, with a history, ghost text and a caret.

Pasted text is made safe and never submits. The bar knows nothing about commands: its owner supplies
completions, history and problems.
"""

from collections.abc import Callable, Sequence
from typing import ClassVar

from textual import events
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.message import Message
from textual.suggester import Suggester
from textual.widget import Widget
from textual.widgets import Input

from fleet_tui.console.text.cells import Cell, Tone
from fleet_tui.console.widgets.lines import OneLine
from fleet_tui.core.text.firewall import safe_line

MAX_TYPED_CHARS = 1_000

Recall = Callable[[str], Sequence[str]]
"""Earlier input after a prompt, oldest first."""

Complete = Callable[[str], str | None]
"""The most likely completion of a prefix, as the whole text; None without a match."""


class _Ghost(Suggester):
    """Asks the bar's owner for the rest of what is being typed."""

    def __init__(self, complete: Complete) -> None:
        super().__init__(use_cache=False, case_sensitive=True)
        self._complete = complete

    async def get_suggestion(self, value: str) -> str | None:
        """The whole text for a prefix."""
        return self._complete(value)


class SafeInput(Input):
    """An input into which nothing invisible can be typed or pasted."""

    def insert_text_at_cursor(self, text: str) -> None:
        """Insert typed text, made visible."""
        super().insert_text_at_cursor(safe_line(text, MAX_TYPED_CHARS))

    def _on_paste(self, event: events.Paste) -> None:
        """Insert the first line of pasted text, made visible and cut to fit."""
        event.stop()
        event.prevent_default()
        first = next(iter(event.text.splitlines()), "")
        room = MAX_TYPED_CHARS - len(self.value)
        super().insert_text_at_cursor(safe_line(first, MAX_TYPED_CHARS)[:room])


class CommandBar(Widget):
    """A prompt, an input and, if there is a problem, a line with it."""

    DEFAULT_CSS = """
    CommandBar { height: auto; layout: grid; grid-size: 2; grid-columns: auto 1fr; grid-rows: 1; }
    CommandBar > .prompt { width: auto; min-width: 1; }
    CommandBar > SafeInput {
        border: none; height: 1; padding: 0; background: $surface; color: $foreground;
        &:focus { border: none; }
    }
    CommandBar > .problem { column-span: 2; display: none; }
    CommandBar.-problem > .problem { display: block; }
    """

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "leave", "close", show=False, id="bar.close"),
        Binding("up", "history(-1)", "earlier", show=False, id="bar.earlier"),
        Binding("down", "history(1)", "later", show=False, id="bar.later"),
        Binding("tab", "tab", "complete or switch", show=False, id="bar.tab"),
    ]

    class Said(Message):
        """Something with the bar's text. Siblings, not children: handlers get children too."""

        def __init__(self, bar: "CommandBar", text: str) -> None:
            super().__init__()
            self.bar = bar
            self.text = text

        @property
        def control(self) -> "CommandBar":
            """The bar, for ``@on`` selectors."""
            return self.bar

    class Submitted(Said):
        """Enter was pressed."""

    class Changed(Said):
        """The text changed."""

    class Gone(Message):
        """A key that ends or changes what the bar does."""

        def __init__(self, bar: "CommandBar") -> None:
            super().__init__()
            self.bar = bar

        @property
        def control(self) -> "CommandBar":
            """The bar, for ``@on`` selectors."""
            return self.bar

    class Left(Gone):
        """Escape was pressed."""

    class Toggled(Gone):
        """Tab was pressed and there was nothing to complete."""

    def __init__(
        self,
        prompt: str = ":",
        *,
        complete: Complete | None = None,
        recall: Recall = lambda prompt: (),
        id: str | None = None,
        classes: str | None = None,
    ) -> None:
        super().__init__(id=id, classes=classes)
        self._prompt = prompt
        self._complete = complete
        self._recall = recall
        self._history: Sequence[str] = ()
        self._recalled: int | None = None
        """Place in the history that is shown."""
        self._beginning = ""
        """The text typed before browsing the history; only entries with this prefix are shown."""

    def compose(self) -> ComposeResult:
        """Prompt, input, problem."""
        yield OneLine((Cell(self._prompt, Tone.KEY),), classes="prompt")
        ghost = None if self._complete is None else _Ghost(self._complete)
        yield SafeInput(suggester=ghost, max_length=MAX_TYPED_CHARS, select_on_focus=False)
        yield OneLine(classes="problem")

    # --- what callers use ---

    @property
    def text(self) -> str:
        """The text in the bar."""
        return self._input.value

    def open(self, prompt: str, text: str = "") -> None:
        """Show the bar with a text in it and take the focus."""
        self._prompt = prompt
        self.query_one(".prompt", OneLine).show((Cell(prompt, Tone.KEY),))
        self.refresh(layout=True)
        self.clear_problem()
        self._history, self._recalled = self._recall(prompt), None
        with self.prevent(Input.Changed):
            self._input.value = safe_line(text, MAX_TYPED_CHARS)
        self._input.cursor_position = len(self._input.value)
        # At once, not with the next message: keys typed ahead belong in the bar.
        self.screen.set_focus(self._input, scroll_visible=False)

    def show_problem(self, column: int, message: str, hint: str = "") -> None:
        """Show a problem below the input; the caret points at ``column`` (from 0)."""
        caret = " " * (len(self._prompt) + column) + "^ "
        cells = [Cell(caret, Tone.ERROR), Cell(safe_line(message), Tone.ERROR)]
        if hint:
            cells.append(Cell(f" - {safe_line(hint)}", Tone.DIM))
        if len(caret) > self.size.width // 2:
            cells[0] = Cell(f"column {column + 1}: ", Tone.ERROR)
        self.query_one(".problem", OneLine).show(tuple(cells))
        self.add_class("-problem")

    def clear_problem(self) -> None:
        """Remove the problem."""
        self.remove_class("-problem")

    # --- keys ---

    @property
    def _input(self) -> SafeInput:
        return self.query_one(SafeInput)

    def on_input_changed(self, event: Input.Changed) -> None:
        """Typing clears the problem and is reported to the owner."""
        event.stop()
        self.clear_problem()
        if self._recalled is None or event.value != self._history[self._recalled]:
            self._recalled = None
        self.post_message(self.Changed(self, event.value))

    def on_input_submitted(self, event: Input.Submitted) -> None:
        """Enter: notify the owner."""
        event.stop()
        self._recalled = None
        self.post_message(self.Submitted(self, event.value))

    def action_leave(self) -> None:
        """Escape."""
        self.post_message(self.Left(self))

    def action_tab(self) -> None:
        """Complete, or notify the owner that tab was pressed."""
        whole = self._complete(self.text) if self._complete is not None and self.text else None
        if whole is not None and whole != self.text:
            self._put(whole)
        else:
            self.post_message(self.Toggled(self))

    def action_history(self, step: int) -> None:
        """An earlier (-1) or later (1) text that begins like what was typed."""
        if self._recalled is None:
            if step > 0:
                return
            self._beginning = self.text
        start = len(self._history) if self._recalled is None else self._recalled
        places = range(start + step, len(self._history) if step > 0 else -1, step)
        for place in places:
            if self._history[place].startswith(self._beginning):
                self._recalled = place
                self._put(self._history[place])
                return
        if step > 0:
            self._recalled = None
            self._put(self._beginning)

    def _put(self, text: str) -> None:
        self._input.value = text
        self._input.cursor_position = len(text)
