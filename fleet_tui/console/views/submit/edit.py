"""Edits a dead letter in the form for new work; requeue it afterwards."""

from typing import ClassVar

import msgspec

from fleet_tui.console.shell.places import Place
from fleet_tui.console.text.cells import Cell, Line, Tone
from fleet_tui.console.text.document import name
from fleet_tui.console.views.submit.screen import SubmitScreen
from fleet_tui.console.views.submit.typed import Typed, typed_of
from fleet_tui.core.ids import TaskId
from fleet_tui.core.ledger.replies import Accepted
from fleet_tui.core.tasks.commands import Edit
from fleet_tui.core.tasks.dead_letters import edit_of
from fleet_tui.core.tasks.model import Task, TaskSpec

_NEXT = " nothing is started by saving; {requeue} on its page requeues it"


class EditScreen(SubmitScreen):
    """``Place("edit", task's id)``."""

    title_text: ClassVar[str] = " What should the agent do instead?"
    verb: ClassVar[str] = "Save"
    help_text = (
        "Only a task that failed or expired can be edited. [ Save ] changes the task and starts\n"
        "nothing: {requeue} on its page requeues it. Its key still refers to the original.\n"
        "{clear} leaves and keeps the text."
    )

    def crumb(self) -> str:
        """``edit t-42``."""
        task = self.subject()
        return f"edit {task.label if task is not None else name(self.place.subject)}"

    def subject(self) -> Task | None:
        """The dead letter."""
        return self.console.view.state.find_task(self.place.subject)

    def beginning(self) -> Typed:
        """Its current specification."""
        task = self.subject()
        return Typed() if task is None else typed_of(task.spec)

    @property
    def typed(self) -> Typed:
        """The content of the fields; values without a field are unchanged."""
        task = self.about
        project = task.spec.project if task is not None else None
        return msgspec.structs.replace(super().typed, project=project or "")

    def foot(self, typed: Typed) -> Line:
        """The hint about the next step after saving."""
        del typed
        return (Cell(self.console.keyed(_NEXT), Tone.DIM),)

    def order(self, spec: TaskSpec) -> Edit:
        """Its deadlines have no field and are unchanged."""
        task = self.about
        if task is None:
            return Edit(task=TaskId(self.place.subject), spec=spec)
        before = task.spec
        kept = msgspec.structs.replace(
            spec, deadlines=before.deadlines, written_deadlines=before.written_deadlines
        )
        return edit_of(task, kept)

    def sent(self, reply: Accepted, task: TaskId) -> None:
        """Return to the previous place, with a hint about the next step."""
        del reply
        there = self.subject()
        label = there.label if there is not None else name(self.place.subject)
        self.console.up()
        self.console.tell(
            f"{label} was edited. {self.console.keyed('{requeue} requeues it')}",
            opens=Place("task", task),
        )
