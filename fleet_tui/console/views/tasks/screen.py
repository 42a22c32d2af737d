"""One task: its state and the reason, its attempts, its answer, its whole story."""

from collections.abc import Callable, Sequence

from fleet_tui.console.actions.selection import Scope, Selection
from fleet_tui.console.shell.places import Place
from fleet_tui.console.text.cells import Tone
from fleet_tui.console.text.document import Pen, Section, name, paragraph
from fleet_tui.console.views.detail_pane import DetailScreen
from fleet_tui.console.views.tasks.detail import task_sections
from fleet_tui.console.views.tasks.recalled import RecalledTask
from fleet_tui.core.ledger.events import Recorded
from fleet_tui.core.tasks.model import Task
from fleet_tui.feed.feed import Mode, View


class TaskScreen(DetailScreen):
    """``Place("task", label or id)``."""

    subject_scopes = frozenset({Scope.TASKS, Scope.AGENTS})
    help_text = (
        "Where the task stands, why it waits or went where it went, every attempt with what is\n"
        "known about it, the answer as it came, and its events from the ledger.\n"
        "{open} opens the agent or the decision of the marked line."
    )

    def __init__(self, place: Place) -> None:
        super().__init__(place)
        self._recalled = RecalledTask(self, place.subject)
        self._known: Task | None = None
        """The task for which the story was read."""
        self._story: Sequence[Recorded] | None = None

    def crumb(self) -> str:
        """``t-42``."""
        return self._known.label if self._known is not None else name(self.place.subject)

    def show(self, previous: View | None, view: View) -> None:
        """Show the task as it is now; its story is read again whenever it changed."""
        task = self._recalled.seen(view)
        if task is None:
            looking = self._recalled.is_looking
            self.show_document(
                missing(self.place.subject, view, self.console.keyed, looking=looking), Selection()
            )
            return
        if task is not self._known:
            self._known = task
            self.run_worker(self._read(task), group="story", exclusive=True)
        pen = Pen(
            self.console.glyphs,
            self.console.utc_offset_minutes,
            can_act=view.mode is not Mode.REVIEW,
            keyed=self.console.keyed,
        )
        agents = (task.attempt.agent,) if task.attempt is not None else ()
        state = view.state.recalling(task)
        sections = task_sections(task, self._story, state, pen, view.now_ms)
        self.show_document(sections, Selection(tasks=(task.id,), agents=agents))

    async def _read(self, task: Task) -> None:
        self._story = await self.console.feed.task_events(task.id)
        if self.shown is not None:
            self.show(None, self.shown)


def missing(
    subject: str, view: View, keyed: Callable[[str], str], *, looking: bool
) -> list[Section]:
    """The text for a task that is not in the state, nor, unless a lookup is in progress
    (``looking``), in the ledger."""
    if looking:
        return [Section("", (paragraph(f"Looking for {name(subject)} in the ledger.", Tone.DIM),))]
    state = view.state
    known = f"{len(state.open_tasks)} open and {state.ended_count} recently ended tasks"
    return [
        Section(
            "",
            (
                paragraph(f"No task {name(subject)} among {known}.", Tone.WARN),
                paragraph(
                    keyed("{tasks} lists them, {filter} filters; {clear} goes back."), Tone.DIM
                ),
            ),
        )
    ]
