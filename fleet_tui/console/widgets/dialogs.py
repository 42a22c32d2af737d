"""Confirmation before acting, in three tiers.

Tier 1 is a question at the foot, default No. Tier 2 is a card with the plan: the focus is on *Back*
and ``y`` starts. Tier 3 asks for a name to be typed as well. A key that was held down or typed
ahead cannot confirm: a card acts only after it was on screen for a moment or was scrolled to its
end.

Each is a modal screen that ends with True (do it) or False.
"""

import asyncio
from dataclasses import dataclass
from typing import ClassVar

from rich.cells import cell_len
from textual import events
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.message import Message
from textual.screen import ModalScreen
from textual.strip import Strip

from fleet_tui.console.terminal.keystrokes import is_by_hand
from fleet_tui.console.text.cells import Cell, Line, Tone
from fleet_tui.console.text.document import wrap
from fleet_tui.console.widgets.lines import OneLine, Wrapped
from fleet_tui.console.widgets.paint import Painted

READING_MS = 1_000
"""How long a plan is on screen before a key can start it, unless it was scrolled to its end."""

MAX_QUESTION_LINES = 4

_BACK = "[ Back ]"

_AROUND_TEXT = 6
"""Lines of a card other than the plan: frame, title, choices, and one spare on each side."""

_PROMPT_LINES = 3
"""The text to type, which may wrap, and the typed text."""

_TYPED_SHOWN = 30
"""Characters of the end of the typed text that are shown."""


@dataclass(frozen=True)
class CardPlan:
    """What a card shows. All text is safe."""

    title: str
    lines: tuple[Line, ...]
    same_as: str = ""
    """The equivalent command."""
    verb: str = "Start"
    """The label of the button that acts."""
    typed: str | None = None
    """Tier 3: what must be typed exactly. None is tier 2."""
    fleet: str = ""
    protected: bool = False
    refusal: str = ""
    """Why it cannot be done; the card is then read-only."""

    @property
    def all_lines(self) -> tuple[Line, ...]:
        """The text: the plan, why it cannot be done, the equivalent command."""
        lines = list(self.lines)
        if self.refusal:
            lines += [(), (Cell(self.refusal, Tone.ERROR),)]
        if self.same_as:
            lines += [(), (Cell("Same as: ", Tone.DIM), Cell(self.same_as))]
        return tuple(lines)


def plan_title(plan: CardPlan) -> OneLine:
    """``Plan: cancel t-42   prod !``."""
    badge = f" {plan.fleet}{' !' if plan.protected else ''} "
    mark = (Cell(badge, Tone.DANGER if plan.protected else Tone.BADGE),) if plan.fleet else ()
    return OneLine((Cell(f"Plan: {plan.title}  ", Tone.TITLE), *mark))


def question_lines(question: str, width: int) -> list[Line]:
    """The question and its answers, in at most MAX_QUESTION_LINES lines of ``width`` cells.

    A longer one is shortened in the middle: the question is at its beginning, the consequence at
    its end.
    """
    kept = min(len(question), MAX_QUESTION_LINES * width)
    text = question
    while True:
        if kept < len(question):
            text = f"{question[: kept - kept // 2]}…{question[len(question) - kept // 2 :]}"
        lines = wrap((Cell(f" {text} ", Tone.TITLE), Cell("y/N", Tone.KEY)), width, 1)
        if len(lines) <= MAX_QUESTION_LINES or kept == 0:
            return lines
        kept -= 1


class Question(Wrapped):
    """The question, at the foot of the screen."""

    DEFAULT_CSS = """
    Question { dock: bottom; background: $panel; color: $foreground; }
    """

    def __init__(self, question: str) -> None:
        super().__init__()
        self._question = question

    def broken(self, width: int) -> list[Line]:
        """The question and its answers."""
        return question_lines(self._question, width)


class ConfirmBar(ModalScreen[bool]):
    """Tier 1: ``Cordon agent-06? y/N`` at the foot of the screen."""

    DEFAULT_CSS = """
    ConfirmBar { background: transparent; }
    """

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("y,Y", "answer(True)", "yes", show=False, id="confirm.yes"),
        Binding("n,N,escape,q,enter", "answer(False)", "no", show=False, id="confirm.no"),
    ]

    def __init__(self, question: str) -> None:
        """``question`` is safe text such as ``Cordon agent-06?``."""
        super().__init__()
        self._question = question

    def compose(self) -> ComposeResult:
        """Over the keys of the screen below."""
        yield Question(self._question)

    def action_answer(self, answer: bool) -> None:
        """End with the answer; a yes must be typed by a person."""
        if answer and not is_by_hand(self.app):
            self.app.bell()
        else:
            self.dismiss(answer)


class PlanText(Painted, can_focus=False):
    """The lines of a plan, scrolled by the card."""

    DEFAULT_CSS = """
    PlanText { height: 1; }
    """

    def __init__(self, lines: tuple[Line, ...]) -> None:
        super().__init__()
        self._said = lines
        self._lines = lines
        """The same, wrapped where they are wider than the card."""
        self._room = 1
        self._top = 0

    @property
    def is_at_end(self) -> bool:
        """Whether the last line is, or has been, on screen."""
        return self._top + self.size.height >= len(self._lines)

    def show(self, lines: tuple[Line, ...]) -> None:
        """Show other lines, keeping the scroll position."""
        self._said = lines
        self._break()
        self.scroll_lines(0)

    def fit_height(self, room: int) -> None:
        """Take as many lines as the plan has, but no more than fit."""
        self._room = room
        self._break()

    def on_resize(self) -> None:
        """Break the lines anew."""
        self._break()

    def _break(self) -> None:
        width = self.size.width
        broken = [
            part for line in self._said for part in (wrap(line, width, 2) if width else [line])
        ]
        self._lines = tuple(broken)
        self.styles.height = max(1, min(len(broken), self._room))

    def scroll_lines(self, lines: int) -> None:
        """Scroll by some lines."""
        last_top = max(0, len(self._lines) - self.size.height)
        self._top = max(0, min(self._top + lines, last_top))
        self.refresh()

    def render_line(self, y: int) -> Strip:
        """A line of the plan; the last one on screen shows when there are more."""
        width, at = self.size.width, self._top + y
        more = len(self._lines) - at - 1
        if y == self.size.height - 1 and more > 0:
            return self.paint((Cell(f"… {more + 1} more lines, scroll down", Tone.DIM),), width)
        return self.paint(self._lines[at] if at < len(self._lines) else (), width)


class PlanFoot(OneLine):
    """The two choices."""

    class Pressed(Message):
        """A piece of the line was clicked."""

        def __init__(self, text: str) -> None:
            super().__init__()
            self.text = text

    def on_click(self, event: events.Click) -> None:
        """Report which piece is under the mouse."""
        offset = event.get_content_offset(self)
        x = 0
        for cell in self.line(self.size.width):
            x += cell_len(cell.text)
            if offset is not None and offset.x < x:
                self.post_message(self.Pressed(cell.text))
                return


class PlanBox(Vertical):
    """The frame of a card."""


class PlanCard(ModalScreen[bool]):
    """Tiers 2 and 3: the plan, its losses, and the equivalent command."""

    DEFAULT_CSS = """
    PlanCard { align: center middle; }
    PlanCard > PlanBox {
        width: 80%; max-width: 100; min-width: 40; height: auto;
        border: solid $primary; border-title-align: left; border-title-color: $foreground;
        padding: 0 1; background: $surface; color: $foreground;
    }
    PlanCard > PlanBox.-protected { border: solid $error; }
    """

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "cancel", "cancel", show=False, id="plan.cancel"),
        Binding("tab,shift+tab,left,right", "switch", "switch", show=False, id="plan.switch"),
        Binding("down", "scroll(1)", "down", show=False, id="plan.down"),
        Binding("up", "scroll(-1)", "up", show=False, id="plan.up"),
        Binding("pagedown,end", "scroll(20)", "page down", show=False, id="plan.page-down"),
        Binding("pageup,home", "scroll(-20)", "page up", show=False, id="plan.page-up"),
    ]

    def __init__(self, plan: CardPlan, *, reading_ms: int = READING_MS) -> None:
        super().__init__()
        self._plan = plan
        self._reading_s = reading_ms / 1_000
        self._shown_at_s = 0.0
        self._typed = ""
        self._on_cancel = True
        self._read_to_end = False

    def compose(self) -> ComposeResult:
        """The box; everything in it is painted, nothing is parsed."""
        box = PlanBox()
        box.set_class(self._plan.protected, "-protected")
        yield box

    def on_mount(self) -> None:
        """Fill the box and start the reading timer."""
        box = self.query_one(PlanBox)
        box.mount(plan_title(self._plan), PlanText(self._plan.all_lines))
        if self._asks_for_name:  # on lines of its own: a name may be as wide as the card
            asked = (Cell("To continue, type "), Cell(self._plan.typed or "", Tone.ACCENT))
            box.mount(Wrapped(asked), OneLine(classes="typed"))
        box.mount(PlanFoot())
        self._fit()
        self._shown_at_s = asyncio.get_running_loop().time()
        self._refresh_foot()

    def on_resize(self) -> None:
        """The choices stay on screen whatever its size."""
        self._fit()

    def _fit(self) -> None:
        for text in self.query(PlanText):
            prompt = _PROMPT_LINES if self._asks_for_name else 0
            text.fit_height(self.size.height - _AROUND_TEXT - prompt)

    @property
    def is_ready(self) -> bool:
        """Whether a key may start the plan: it was shown long enough or read to its end."""
        waited_s = asyncio.get_running_loop().time() - self._shown_at_s
        return self._read_to_end or waited_s >= self._reading_s

    @property
    def is_confirmed(self) -> bool:
        """Whether all required input was given."""
        plan = self._plan
        return not plan.refusal and (plan.typed is None or self._typed == plan.typed)

    @property
    def _asks_for_name(self) -> bool:
        return self._plan.typed is not None and not self._plan.refusal

    def _typed_line(self) -> Line:
        """The typed text, or its end."""
        shown = (
            self._typed if len(self._typed) <= _TYPED_SHOWN else f"…{self._typed[-_TYPED_SHOWN:]}"
        )
        return (Cell("> ", Tone.DIM), Cell(shown, Tone.TITLE), Cell("_"))

    def foot(self) -> Line:
        """The two choices, the current one in brackets."""
        plan = self._plan
        cells: list[Cell] = []
        start = f"[ {plan.verb} ]"
        cells.append(Cell(_BACK, Tone.CURSOR if self._on_cancel else Tone.PLAIN))
        if not plan.refusal:
            usable = Tone.DANGER if plan.typed is not None else Tone.KEY
            ready = usable if self.is_confirmed else Tone.DIM
            cells += [Cell("  "), Cell(start, ready if self._on_cancel else Tone.CURSOR)]
            if plan.typed is None:
                cells.append(Cell("  y starts, esc goes back", Tone.DIM))
        return tuple(cells)

    def _refresh_foot(self) -> None:
        for line in self.query(".typed").results(OneLine):
            line.show(self._typed_line())
        for foot in self.query(PlanFoot):
            foot.show(self.foot())

    def action_cancel(self) -> None:
        """End without acting."""
        self.dismiss(False)

    def action_switch(self) -> None:
        """Go to the other choice."""
        self._on_cancel = bool(self._plan.refusal) or not self._on_cancel
        self._refresh_foot()

    def action_scroll(self, lines: int) -> None:
        """Scroll; reaching the end counts as having read."""
        text = self.query_one(PlanText)
        text.scroll_lines(lines)
        self._read_to_end = self._read_to_end or (lines > 0 and text.is_at_end)

    def _start(self) -> None:
        if self.is_confirmed and self.is_ready and is_by_hand(self.app):
            self.dismiss(True)
        else:
            self.app.bell()

    def on_key(self, event: events.Key) -> None:
        """``y`` starts tier 2; tier 3 takes every printable key as typing."""
        plan = self._plan
        if event.key == "enter":
            event.stop()
            if self._on_cancel and not (plan.typed is not None and self._typed):
                self.dismiss(False)
            else:
                self._start()
            return
        if plan.typed is not None and not plan.refusal:
            self._type(event)
        elif event.key in ("y", "Y"):
            event.stop()
            self._start()
        elif event.key in ("n", "N", "q"):
            event.stop()
            self.dismiss(False)

    def _type(self, event: events.Key) -> None:
        assert self._plan.typed is not None
        if event.key == "backspace":
            self._typed = self._typed[:-1]
        elif event.is_printable and event.character is not None:
            if len(self._typed) < len(self._plan.typed):
                self._typed += event.character
        else:
            return
        event.stop()
        self._refresh_foot()

    def on_plan_foot_pressed(self, message: PlanFoot.Pressed) -> None:
        """A click on a choice takes it."""
        if message.text == _BACK:
            self.dismiss(False)
        elif message.text == f"[ {self._plan.verb} ]":
            self._start()
