"""Why: one routing decision with the rules, the scores and what would help."""

from fleet_tui.console.actions.selection import Scope, Selection
from fleet_tui.console.shell.places import Place
from fleet_tui.console.text.document import Pen, Section, name
from fleet_tui.console.views.detail_pane import DetailScreen
from fleet_tui.console.views.routing.why import needs_line, record_sections
from fleet_tui.console.views.tasks.detail import head_line, why_of
from fleet_tui.console.views.tasks.recalled import RecalledTask
from fleet_tui.console.views.tasks.screen import missing
from fleet_tui.core.routing.record import DecisionRecord
from fleet_tui.core.tasks.model import Task
from fleet_tui.feed.feed import View


def split_subject(subject: str) -> tuple[str, int | None, int | None]:
    """(task, attempt, ledger position) of ``t-42``, ``t-42#2`` or ``t-42@8812``."""
    for mark in "#@":
        task, found, number = subject.partition(mark)
        if found and number.isdecimal() and len(number) < 16:
            return (task, int(number), None) if mark == "#" else (task, None, int(number))
    return subject, None, None


class WhyScreen(DetailScreen):
    """``Place("why", task)``, with ``#attempt`` or ``@position`` for an earlier decision."""

    subject_scopes = frozenset({Scope.TASKS, Scope.AGENTS})
    help_text = (
        "Every rule that removed candidates, in order, with how many it removed and left, and\n"
        "one example. Then the scores of the eligible candidates, term by term. All of it was\n"
        "recorded when the decision was made."
    )

    def __init__(self, place: Place) -> None:
        super().__init__(place)
        self._recalled = RecalledTask(self, split_subject(place.subject)[0])

    def crumb(self) -> str:
        """``why t-42``."""
        task, attempt, _ = split_subject(self.place.subject)
        found = self._recalled.task
        label = found.label if found is not None else name(task)
        return f"why {label}" + (f" attempt {attempt}" if attempt else "")

    def show(self, previous: View | None, view: View) -> None:
        """Show the decision; the newest one follows what happens to the task."""
        wanted, attempt, seq = split_subject(self.place.subject)
        pen = Pen(self.console.glyphs, self.console.utc_offset_minutes)
        state, now_ms = view.state, view.now_ms
        task = self._recalled.seen(view)
        record = self._recalled.decision(view, seq) if seq is not None else None
        if record is not None:
            sections = record_sections(record, task, state.fleet, pen, now_ms)
        elif task is not None:
            head = (head_line(task, state.fleet, pen, now_ms), needs_line(task.spec, state.fleet))
            why = why_of(task, attempt, state, pen, now_ms)
            sections = [Section("", head), *why]
        else:
            sections = missing(wanted, view, self.console.keyed, looking=self._recalled.is_looking)
        self.show_document(sections, _chosen(task, record))


def _chosen(task: Task | None, record: DecisionRecord | None) -> Selection:
    if record is not None:
        agents = (record.decision.chosen,) if record.decision.chosen is not None else ()
        return Selection(tasks=(record.task,), agents=agents)
    if task is None:
        return Selection()
    agents = (task.attempt.agent,) if task.attempt is not None else ()
    return Selection(tasks=(task.id,), agents=agents)
