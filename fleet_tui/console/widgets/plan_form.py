"""A plan that needs input before it is carried out: a reason, a rate.

The plan is on top and follows what is typed; the button at the end acts. Enter in a field goes on
to the next one, escape leaves everything as it is. Where the plan asks for a name to be typed, that
is one more field.
"""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from typing import ClassVar, NamedTuple

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.screen import ModalScreen

from fleet_tui.console.terminal.keystrokes import TOO_FAST, is_by_hand
from fleet_tui.console.text.cells import Cell, Tone
from fleet_tui.console.widgets.dialogs import READING_MS, CardPlan, PlanBox, PlanText, plan_title
from fleet_tui.console.widgets.form import Button, FieldChanged, FieldDone, FieldLine
from fleet_tui.console.widgets.lines import OneLine

Answers = Mapping[str, str]
"""Field's name -> its text, without surrounding spaces."""

_NAME = "fleet-name"

TOO_EARLY = "read the plan first"

_AROUND_TEXT = 8
"""Lines of the form that are neither the plan's nor a field: frame, title, button, a problem."""


def _anything(text: str) -> str:
    del text
    return ""


class Field(NamedTuple):
    """An input of the plan."""

    name: str
    label: str
    """At most nine characters."""
    text: str = ""
    """Its initial text."""
    hint: str = ""
    check: Callable[[str], str] = _anything
    """Returns the problem with a text; empty when there is none."""


class PlanForm(ModalScreen[Answers | None]):
    """Ends with the answers, or None."""

    DEFAULT_CSS = """
    PlanForm { align: center middle; }
    PlanForm > PlanBox {
        width: 90%; max-width: 100; min-width: 40; height: auto; max-height: 100%;
        border: solid $primary; padding: 0 1; background: $surface; color: $foreground;
    }
    PlanForm > PlanBox.-protected { border: solid $error; }
    PlanForm OneLine { height: 1; }
    PlanForm FieldLine { margin: 0; }
    """

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "cancel", "cancel", show=False, id="plan-form.cancel"),
        Binding("tab", "app.focus_next", "next", show=False, id="plan-form.next"),
        Binding("shift+tab", "app.focus_previous", "before", show=False, id="plan-form.before"),
        Binding("pagedown", "scroll(10)", "page down", show=False, id="plan-form.page-down"),
        Binding("pageup", "scroll(-10)", "page up", show=False, id="plan-form.page-up"),
    ]

    def __init__(
        self,
        plan: Callable[[Answers], CardPlan],
        fields: Sequence[Field],
        *,
        reading_ms: int = READING_MS,
    ) -> None:
        """``plan`` returns the plan for given answers."""
        super().__init__()
        self._plan_of = plan
        self._fields = tuple(fields)
        self._plan = plan({field.name: field.text for field in fields})
        if self._plan.typed is not None:
            hint = f"type {self._plan.typed} to continue"
            self._fields += (Field(_NAME, "fleet", hint=hint, check=self._name_problem),)
        self._reading_s = reading_ms / 1_000
        self._shown_at_s = 0.0

    def compose(self) -> ComposeResult:
        """From the plan to the button."""
        box = PlanBox()
        box.set_class(self._plan.protected, "-protected")
        with box:
            yield plan_title(self._plan)
            yield PlanText(self._plan.all_lines)
            for field in self._fields:
                yield FieldLine(field.name, field.label, text=field.text, hint=field.hint)
            yield OneLine(id="plan-form-note")
            yield Button(self._plan.verb)

    def on_mount(self) -> None:
        """Begin with the first field, all of the plan in view."""
        self._fit()
        self._shown_at_s = asyncio.get_running_loop().time()
        self.query(FieldLine).first().focus_field()

    def on_resize(self) -> None:
        """The button stays on screen whatever its size."""
        self._fit()

    def _fit(self) -> None:
        room = self.size.height - _AROUND_TEXT - len(self._fields)
        self.query_one(PlanText).fit_height(room)

    def _name_problem(self, text: str) -> str:
        return "" if text == self._plan.typed else f"type {self._plan.typed} to continue"

    @property
    def answers(self) -> Answers:
        """The current text of the fields."""
        return {line.field: line.text.strip() for line in self.query(FieldLine)}

    @on(FieldChanged)
    def _changed(self) -> None:
        self._plan = self._plan_of(self.answers)
        self.query_one(PlanText).show(self._plan.all_lines)
        self._fit()

    @on(FieldDone)
    def _done(self) -> None:
        self.focus_next()

    @on(Button.Pressed)
    def _pressed(self) -> None:
        """Act, if every answer is valid and was entered by a person."""
        answers, first = self.answers, None
        for line, field in zip(self.query(FieldLine), self._fields, strict=True):
            problem = field.check(answers[field.name])
            line.show_problem(problem)
            first = first or (line if problem else None)
        if first is not None:
            first.focus_field()
            return
        waited_s = asyncio.get_running_loop().time() - self._shown_at_s
        if waited_s < self._reading_s or not is_by_hand(self.app):
            said = TOO_EARLY if waited_s < self._reading_s else TOO_FAST
            note = self.query_one("#plan-form-note", OneLine)
            note.show((Cell(f" {said}", Tone.WARN),))
            self.app.bell()
            return
        self.dismiss({name: text for name, text in answers.items() if name != _NAME})

    def action_scroll(self, lines: int) -> None:
        """Scroll a long plan."""
        self.query_one(PlanText).scroll_lines(lines)

    def action_cancel(self) -> None:
        """End without acting."""
        self.dismiss(None)
