"""An operator's verdict on a task whose outcome cannot be determined otherwise.

The card shows the evidence first. No verdict is preselected, and it needs a reason: both are
recorded in the ledger with the operator's name.
"""

from typing import ClassVar, NamedTuple

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.geometry import Size
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
from fleet_tui.console.widgets.lines import OneLine, Wrapped
from fleet_tui.console.widgets.paint import Painted
from fleet_tui.core.ledger.replies import Accepted
from fleet_tui.core.tasks.commands import Verdict
from fleet_tui.core.tasks.model import Task
from fleet_tui.core.tasks.verdicts import verdict_on
from fleet_tui.core.text.firewall import safe_text

MAX_EVIDENCE_LINES = 12
MIN_EVIDENCE_LINES = 3
"""One line of the evidence, and two of an answer: its first, and the number of others."""

_OTHER_LINES = 7
"""Lines of the card that are neither evidence nor verdicts: frame, question, a blank one, reason, a
problem, the keys."""


class Judgement(NamedTuple):
    """The operator's verdict."""

    verdict: Verdict
    reason: str


OPTIONS = tuple(Verdict)

_WORDS_WIDTH = max(len(verdict.text) for verdict in OPTIONS)


def option_lines(verdict: Verdict, sign: str, tone: Tone, width: int) -> list[Line]:
    """A verdict: a box with a sign, the text, the consequence."""
    cells = (Cell(f" ({sign}) "), Cell(verdict.text, tone),
             Cell(" " * (_WORDS_WIDTH - len(verdict.text)) + f"  {verdict.follows}"))  # fmt: skip
    return wrap(cells, width, 7 + _WORDS_WIDTH)


def evidence_lines(
    task: Task, pen: Pen, now_ms: int, width: int, room: int = MAX_EVIDENCE_LINES
) -> list[Line]:
    """The evidence, wrapped, and the beginning of an answer if there is one; at most ``room``
    lines."""
    answer: list[Line] = []
    attempt = answered(task)
    if attempt is not None and attempt.answer.text:
        shown = safe_text(attempt.answer.text, max(2, room // 3))
        answer = [(Cell(" answer  ", Tone.DIM), Cell(text)) for text in shown]
    lines: list[Line] = []
    for row in evidence(task, pen, now_ms):
        lines.extend(wrap(row.cells, width, row.indent))
    room -= len(answer)
    if len(lines) > room:
        more = f" … {len(lines) - room + 1} more lines on the task's page"
        lines = [*lines[: room - 1], (Cell(more, Tone.DIM),)]
    return [*lines, *answer]


class VerdictOptions(Wrapped, can_focus=True):
    """The three verdicts; none is chosen at first."""

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
        self.chosen = OPTIONS[self.at]
        self.refresh()
        self.post_message(self.Chosen())

    def broken(self, width: int) -> list[Line]:
        """The verdicts with their boxes, the cursor on one."""
        lines: list[Line] = []
        for at, option in enumerate(OPTIONS):
            sign = "x" if option is self.chosen else " "
            tone = Tone.CURSOR if at == self.at and self.has_focus else Tone.TITLE
            lines += option_lines(option, sign, tone, width)
        return lines


class Evidence(Painted):
    """The evidence about the task, in as many lines as the rest of the card leaves."""

    DEFAULT_CSS = """
    Evidence { height: auto; }
    """

    def __init__(self, task: Task, pen: Pen, now_ms: int) -> None:
        super().__init__()
        self._task_shown = task
        self._pen = pen
        self._now_ms = now_ms

    def _lines(self, width: int, room: int) -> list[Line]:
        return evidence_lines(self._task_shown, self._pen, self._now_ms, width, room)

    def get_content_height(self, container: Size, viewport: Size, width: int) -> int:
        """The verdicts and the reason stay on screen whatever its size."""
        del container
        verdicts = sum(len(option_lines(each, " ", Tone.TITLE, width)) for each in OPTIONS)
        room = min(MAX_EVIDENCE_LINES, viewport.height - _OTHER_LINES - verdicts)
        return len(self._lines(width, max(MIN_EVIDENCE_LINES, room)))

    def render_line(self, y: int) -> Strip:
        """One line."""
        width, height = self.size
        lines = self._lines(width, height)
        return self.paint(lines[y] if y < len(lines) else (), width)


class VerdictCard(ModalScreen[Judgement | None]):
    """Evidence, three verdicts, a reason."""

    DEFAULT_CSS = """
    VerdictCard { align: center middle; }
    VerdictCard > Vertical {
        width: 90%; max-width: 100; height: auto; max-height: 100%;
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
        """Evidence, verdicts, reason."""
        with Vertical():
            title = f" Did {self._about.label} run?"
            yield OneLine((Cell(title, Tone.TITLE), Cell("  only you can tell", Tone.DIM)))
            yield self._evidence
            yield OneLine()
            yield VerdictOptions()
            yield FieldLine("reason", "reason", hint="the reason; recorded with your name")
            yield Wrapped((Cell(" space chooses, enter records it, esc leaves", Tone.DIM),))

    def on_mount(self) -> None:
        """Focus the verdicts first."""
        self.query_one(VerdictOptions).focus()

    @on(VerdictOptions.Chosen)
    def _chosen(self) -> None:
        self.query_one(FieldLine).focus_field()

    @on(FieldDone)
    def _done(self) -> None:
        """Record it, if both parts are given."""
        options, field = self.query_one(VerdictOptions), self.query_one(FieldLine)
        reason = field.text.strip()
        if options.chosen is None:
            field.show_problem("choose a verdict first")
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
    """Ask the operator for a verdict and send it to the engine."""
    console = screen.console
    pen = Pen(console.glyphs, console.utc_offset_minutes)
    said = await console.push_screen_wait(VerdictCard(task, pen, console.view.now_ms))
    if said is None:
        return
    order = verdict_on(task, said.verdict, said.reason)
    if isinstance(await console.send(order), Accepted):
        console.tell(f"{task.label}: {said.verdict.text}, recorded", opens=Place("task", task.id))
