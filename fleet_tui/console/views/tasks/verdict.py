"""A person's verdict on a task that nobody else can judge.

The card shows the evidence first. Nothing is chosen beforehand, and a verdict needs a reason: both
go into the ledger with the operator's name.
"""

from typing import ClassVar, NamedTuple

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.message import Message
from textual.screen import ModalScreen
from textual.strip import Strip

from fleet_tui.console.host import Stage
from fleet_tui.console.shell.places import Place
from fleet_tui.console.terminal.keystrokes import TOO_FAST, is_by_hand
from fleet_tui.console.text.cells import Cell, Line, Tone
from fleet_tui.console.text.document import Pen, wrap
from fleet_tui.console.views.tasks.detail import answered
from fleet_tui.console.views.tasks.evidence import evidence
from fleet_tui.console.widgets.form import FieldDone, FieldLine
from fleet_tui.console.widgets.lines import OneLine
from fleet_tui.console.widgets.paint import Painted
from fleet_tui.core.ledger.replies import Accepted
from fleet_tui.core.tasks.commands import Resolve, Verdict
from fleet_tui.core.tasks.model import Task
from fleet_tui.core.text.firewall import safe_text

MAX_EVIDENCE_LINES = 12
MAX_ANSWER_SHOWN = 4
"""Lines of a late answer that are shown as evidence."""


class Judgement(NamedTuple):
    """What the operator said."""

    verdict: Verdict
    reason: str


class Option(NamedTuple):
    """A verdict, in words, and what follows from it."""

    verdict: Verdict
    words: str
    follows: str


OPTIONS = (
    Option(Verdict.RAN, "it ran", "the task succeeded; nothing runs again"),
    Option(Verdict.DID_NOT_RUN, "it did not run", "back to the queue"),
    Option(Verdict.RUN_AGAIN, "run it again", "back to the queue, even if the work is done twice"),
)


def evidence_lines(task: Task, pen: Pen, now_ms: int, width: int) -> list[Line]:
    """What is known, wrapped, and the beginning of an answer that came; at most
    MAX_EVIDENCE_LINES."""
    answer: list[Line] = []
    attempt = answered(task)
    if attempt is not None and attempt.answer.text:
        shown = safe_text(attempt.answer.text, MAX_ANSWER_SHOWN)
        answer = [(Cell(" answer  ", Tone.DIM), Cell(text)) for text in shown]
    lines: list[Line] = []
    for row in evidence(task, pen, now_ms):
        lines.extend(wrap(row.cells, width, row.indent))
    room = MAX_EVIDENCE_LINES - len(answer)
    if len(lines) > room:
        more = f" … {len(lines) - room + 1} more lines on the task's page"
        lines = [*lines[: room - 1], (Cell(more, Tone.DIM),)]
    return [*lines, *answer]


class Options(Painted, can_focus=True):
    """The three verdicts; none is chosen at first."""

    DEFAULT_CSS = """
    Options { height: 3; }
    """

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("down,j", "move(1)", "down", show=False, id="verdict.down"),
        Binding("up,k", "move(-1)", "up", show=False, id="verdict.up"),
        Binding("enter,space", "choose", "choose", show=False, id="verdict.choose"),
    ]

    class Chosen(Message):
        """A verdict was chosen."""

    def __init__(self) -> None:
        super().__init__()
        self.at = 0
        self.chosen: Verdict | None = None

    def action_move(self, step: int) -> None:
        """To another verdict."""
        self.at = (self.at + step) % len(OPTIONS)
        self.refresh()

    def action_choose(self) -> None:
        """Choose the one under the cursor."""
        self.chosen = OPTIONS[self.at].verdict
        self.refresh()
        self.post_message(self.Chosen())

    def render_line(self, y: int) -> Strip:
        """One verdict: a box, the words, what follows."""
        option = OPTIONS[y]
        box = "(x)" if option.verdict is self.chosen else "( )"
        tone = Tone.CURSOR if y == self.at and self.has_focus else Tone.TITLE
        cells = (Cell(f" {box} "), Cell(f"{option.words:<14}", tone), Cell(f"  {option.follows}"))
        return self.paint(cells, self.size.width)

    def on_focus(self) -> None:
        """The cursor looks different with the focus."""
        self.refresh()

    def on_blur(self) -> None:
        """The cursor looks different without the focus."""
        self.refresh()


class Evidence(Painted):
    """What is known about the task."""

    DEFAULT_CSS = """
    Evidence { height: 4; }
    """

    def __init__(self, task: Task, pen: Pen, now_ms: int) -> None:
        super().__init__()
        self._task_shown = task
        self._pen = pen
        self._now_ms = now_ms
        self._lines: list[Line] = []

    def on_resize(self) -> None:
        """As many lines as the evidence has at this width."""
        width = max(1, self.size.width)
        self._lines = evidence_lines(self._task_shown, self._pen, self._now_ms, width)
        self.styles.height = len(self._lines)
        self.refresh()

    def render_line(self, y: int) -> Strip:
        """One line."""
        return self.paint(self._lines[y] if y < len(self._lines) else (), self.size.width)


class VerdictCard(ModalScreen[Judgement | None]):
    """Evidence, three verdicts, a reason."""

    DEFAULT_CSS = """
    VerdictCard { align: center middle; }
    VerdictCard > Vertical {
        width: 90%; max-width: 100; min-width: 50; height: auto; max-height: 100%;
        border: solid $warning; padding: 0 1; background: $surface; color: $foreground;
    }
    VerdictCard OneLine { height: 1; }
    """

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "cancel", "cancel", show=False, id="verdict.cancel"),
        Binding("tab", "app.focus_next", "next", show=False, id="verdict.next"),
        Binding("shift+tab", "app.focus_previous", "previous", show=False, id="verdict.previous"),
    ]

    def __init__(self, task: Task, pen: Pen, now_ms: int) -> None:
        super().__init__()
        self._about = task
        self._evidence = Evidence(task, pen, now_ms)

    def compose(self) -> ComposeResult:
        """From what is known to what to do."""
        with Vertical():
            title = f" Did {self._about.label} run?"
            yield OneLine((Cell(title, Tone.TITLE), Cell("  only you can tell", Tone.DIM)))
            yield self._evidence
            yield OneLine()
            yield Options()
            yield FieldLine("reason", "reason", hint="how you know; it is recorded with your name")
            yield OneLine((Cell(" space chooses, enter in the reason records it, esc leaves "
                                "everything as it is", Tone.DIM),))  # fmt: skip

    def on_mount(self) -> None:
        """Begin with the verdicts."""
        self.query_one(Options).focus()

    @on(Options.Chosen)
    def _chosen(self) -> None:
        self.query_one(FieldLine).focus_field()

    @on(FieldDone)
    def _done(self) -> None:
        """Record it, if both parts are there."""
        options, field = self.query_one(Options), self.query_one(FieldLine)
        reason = field.text.strip()
        if options.chosen is None:
            field.show_problem("choose one of the three verdicts first")
            options.focus()
        elif not reason:
            field.show_problem("a verdict needs a reason")
        elif not is_by_hand(self.app):
            field.show_problem(TOO_FAST)
        else:
            self.dismiss(Judgement(options.chosen, reason))

    def action_cancel(self) -> None:
        """Leave without a verdict."""
        self.dismiss(None)


async def judge(screen: Stage, task: Task) -> None:
    """Ask a person what happened to a task and tell the engine."""
    console = screen.console
    pen = Pen(console.glyphs, console.utc_offset_minutes)
    said = await console.push_screen_wait(VerdictCard(task, pen, console.view.now_ms))
    if said is None:
        return
    seen = task.attempt.run_id if task.attempt is not None else None
    order = Resolve(task=task.id, run=seen, verdict=said.verdict, reason=said.reason)
    if isinstance(await console.send(order), Accepted):
        words = next(o.words for o in OPTIONS if o.verdict is said.verdict)
        console.tell(f"{task.label}: {words}, recorded", opens=Place("task", task.id))
