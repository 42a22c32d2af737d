"""The form for new work: its text, its requirements, and the equivalent command."""

import secrets
from collections.abc import Collection
from typing import ClassVar, NamedTuple
from weakref import WeakKeyDictionary

import msgspec
from textual import on
from textual.app import App, ComposeResult
from textual.containers import VerticalScroll
from textual.widgets import TextArea

from fleet_tui.console.actions.registry import BY_NAME
from fleet_tui.console.shell.messages import Loudness
from fleet_tui.console.shell.places import Place
from fleet_tui.console.shell.screen import FleetScreen
from fleet_tui.console.terminal.keystrokes import TOO_FAST, is_by_hand
from fleet_tui.console.text.cells import Cell, Line, Tone
from fleet_tui.console.text.fit import fit
from fleet_tui.console.views.submit.typed import (
    BadField,
    Typed,
    check,
    parse_words,
    payload_note,
    same_as,
)
from fleet_tui.console.widgets.form import (
    LABEL_WIDTH,
    Button,
    ChoiceLine,
    FieldChanged,
    FieldDone,
    FieldLine,
    PayloadArea,
    problem_cells,
)
from fleet_tui.console.widgets.lines import KeyHint, KeysLine, OneLine
from fleet_tui.core.fleet import FleetSpec, Priority
from fleet_tui.core.ids import TaskId
from fleet_tui.core.ledger.replies import Accepted
from fleet_tui.core.tasks.commands import Edit, Submit
from fleet_tui.core.tasks.model import Task, TaskSpec
from fleet_tui.core.text import words
from fleet_tui.core.text.firewall import safe_line
from fleet_tui.core.text.ulid import ENTROPY_BYTES
from fleet_tui.feed.feed import View
from fleet_tui.verbs.submitting import new_task

_PRIORITIES = tuple((priority.name, priority.word) for priority in Priority)

_CLASSES = (
    ("once", "never runs twice"),
    ("idempotent", "may run again"),
    ("resumable", "resumes from its checkpoint"),
)

_HINTS = (
    ("pane.next", "next field", 90),
    ("pane.previous", "previous field", 80),
    ("help", "help", 100),
    ("clear", "back, keeps the text", 95),
)
"""Action, label, priority at the foot."""

MAX_HINTED = 6
"""Names shown in an empty field."""

MAX_DRAFTS = 20


class FormDraft(NamedTuple):
    """Typed input that was not sent."""

    typed: Typed
    about: Task | None
    """The task being edited, as it was when the fields were filled from it."""


_drafts: WeakKeyDictionary[App[object], dict[str, FormDraft]] = WeakKeyDictionary()
"""So that leaving the form loses nothing: by the task being edited, empty for a new one."""


class SubmitScreen(FleetScreen):
    """``Place("submit")``; the query of the place is the text after ``:submit``."""

    about: Task | None = None
    """The task being edited, as it was when the fields were filled."""

    title_text: ClassVar[str] = " What should the agent do?"
    verb: ClassVar[str] = "Submit"

    help_text = (
        "{pane.next} and {pane.previous} go from field to field; "
        "enter makes a new line in the task and goes on\n"
        "everywhere else. Only [ Submit ] sends. {clear} leaves; what was typed is kept.\n"
        "The task's text goes to the agent exactly as it stands, beside the command, never in it."
    )

    DEFAULT_CSS = """
    SubmitScreen .form { height: 1fr; padding: 0; scrollbar-size-vertical: 1; }
    SubmitScreen .note { height: auto; min-height: 1; }
    """

    def crumb(self) -> str:
        """``submit a task``."""
        return "submit a task"

    @property
    def _draft(self) -> FormDraft | None:
        """Earlier input that was not sent; a command line starts over."""
        drafts = _drafts.get(self.app, {})
        return None if self.place.query else drafts.get(self.place.subject)

    def _forget_draft(self) -> None:
        _drafts.get(self.app, {}).pop(self.place.subject, None)

    def subject(self) -> Task | None:
        """The task being edited, as it is now; None for a new one."""
        return None

    def beginning(self) -> Typed:
        """The initial content of the fields."""
        asked = parse_words(self.place.query) if self.place.query else None
        return asked if isinstance(asked, Typed) else Typed()

    def compose_body(self) -> ComposeResult:
        """The fields in their order."""
        draft = self._draft or FormDraft(self.beginning(), self.subject())
        typed, self.about = draft
        fleet = self.console.view.state.fleet
        with VerticalScroll(classes="form", can_focus=False):
            yield OneLine((Cell(self.title_text, Tone.TITLE),), id="payload-title")
            yield PayloadArea(typed.payload)
            yield OneLine(classes="note", id="payload-note")
            yield FieldLine("needs", "needs", text=typed.needs, hint=_known_needs(fleet))
            yield FieldLine("pool", "pool", text=typed.pool, hint=_names("any of", fleet.pools))
            yield FieldLine("client", "client", text=typed.client, hint="whose work it is")
            yield FieldLine("regions", "regions", text=typed.regions, hint=_known_regions(fleet))
            yield FieldLine("agent", "agent", text=typed.agent, hint="pin it to one agent")
            yield FieldLine("labels", "labels", text=typed.labels, hint="team=ops ticket=42")
            yield ChoiceLine("priority", "priority", _PRIORITIES, typed.priority)
            yield ChoiceLine("task_class", "class", _CLASSES, typed.task_class)
            yield Button(self.verb, leave_key=self.console.keyed("{clear}"))
            yield OneLine(id="twin")

    def on_mount(self) -> None:
        """Focus the text first."""
        self._refresh_notes()
        self.query_one(PayloadArea).focus()

    def show(self, previous: View | None, view: View) -> None:
        """The form does not change by itself."""

    def step_focus(self, step: int) -> None:
        """From field to field."""
        if step > 0:
            self.focus_next()
        else:
            self.focus_previous()

    def refresh_keys(self) -> None:
        """Letters are typed into the fields here, so other keys are shown."""
        keys = self.console.keys
        hints = [
            KeyHint(keys.beside_typing(BY_NAME[name]), label, name, priority)
            for name, label, priority in _HINTS
        ]
        self.query_one(KeysLine).show_hints(hints)

    # --- typing ---

    @property
    def typed(self) -> Typed:
        """The current content of the fields."""
        fields = {line.field: line.text for line in self.query(FieldLine)}
        fields |= {line.field: line.text for line in self.query(ChoiceLine)}
        payload = self.query_one(PayloadArea).text
        return msgspec.convert({**fields, "payload": payload}, Typed)

    @on(TextArea.Changed)
    @on(FieldChanged)
    def _on_typed(self) -> None:
        drafts = _drafts.setdefault(self.app, {})
        drafts[self.place.subject] = FormDraft(self.typed, self.about)
        while len(drafts) > MAX_DRAFTS:
            del drafts[next(iter(drafts))]
        self._refresh_notes()

    @on(PayloadArea.TooLong)
    def _on_too_long(self, event: PayloadArea.TooLong) -> None:
        event.stop()
        self.console.tell(
            f"{words.grouped(event.chars)} characters are too many to paste here; nothing was"
            " taken. fleet-tui submit --file sends a file",
            Loudness.WARNING,
        )

    @on(FieldDone)
    def _on_done(self, event: FieldDone) -> None:
        event.stop()
        self.focus_next()

    def _refresh_notes(self) -> None:
        typed = self.typed
        note = payload_note(typed.payload, typed.labels)
        tone = Tone.WARN if note.warns else Tone.DIM
        self.query_one("#payload-note", OneLine).show((Cell(f" {note.text}", tone),))
        self.query_one("#twin", OneLine).show(self.foot(typed))

    def foot(self, typed: Typed) -> Line:
        """The text below the button."""
        return (Cell(fit(" same as", LABEL_WIDTH), Tone.DIM), Cell(same_as(typed)))

    # --- sending ---

    @on(Button.Pressed)
    async def _on_pressed(self, event: Button.Pressed) -> None:
        event.stop()
        if is_by_hand(self.app):
            await self.submit()
        else:
            self.console.tell(TOO_FAST, Loudness.WARNING)

    async def submit(self) -> None:
        """Send it if it is valid; else show the problems at the fields."""
        view = self.console.view
        found = check(self.typed, view.state.fleet)
        if isinstance(found, tuple):
            self._show_problems(found)
            return
        order = self.order(found)
        reply = await self.console.send(order)
        if isinstance(reply, Accepted):
            self._forget_draft()
            self.sent(reply, order.task)
        else:
            said = safe_line(f"{reply.text} {reply.hint}".strip())
            note = (Cell(" ", Tone.PLAIN), Cell(said, Tone.ERROR))
            self.query_one("#payload-note", OneLine).show(note)

    def order(self, spec: TaskSpec) -> Submit | Edit:
        """The command for the typed input."""
        return new_task(spec, self.console.view.now_ms, secrets.token_bytes(ENTROPY_BYTES))

    def sent(self, reply: Accepted, task: TaskId) -> None:
        """It was accepted: open its page."""
        self.console.go(Place("task", reply.task or task))

    def _show_problems(self, problems: tuple[BadField, ...]) -> None:
        """Show all at their fields and focus the first."""
        by_field = {problem.field: problem.text for problem in reversed(problems)}
        for line in self.query(FieldLine):
            line.show_problem(by_field.get(line.field, ""))
        if "payload" in by_field:
            note = self.query_one("#payload-note", OneLine)
            note.show((Cell(" "), *problem_cells(by_field["payload"])[1:]))
        first = problems[0].field
        if first == "payload":
            self.query_one(PayloadArea).focus()
        else:
            self.query_one(f"#field-{first}", FieldLine).focus_field()


def _names(before: str, names: Collection[str]) -> str:
    listed = ", ".join(safe_line(name, 24) for name in sorted(names)[:MAX_HINTED])
    return f"{before} {listed}" if listed else ""


def _known_needs(fleet: FleetSpec) -> str:
    return _names("all of", {c for a in fleet.agents.values() for c in a.capabilities})


def _known_regions(fleet: FleetSpec) -> str:
    return _names("one of", {a.region for a in fleet.agents.values() if a.region is not None})
