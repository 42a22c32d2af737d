"""New work as people enter it, in the console's form, on its ``:`` line, in the shell and in files:
the options, their values, and warnings about a text before it is sent."""

from typing import NamedTuple

from fleet_tui.core.fleet import Priority, TaskClass
from fleet_tui.core.ids import TaskId
from fleet_tui.core.tasks.commands import Submit
from fleet_tui.core.tasks.model import TaskSpec
from fleet_tui.core.text.firewall import invisible_count, safe_line
from fleet_tui.core.text.redaction import holds_secret, without_patterns
from fleet_tui.core.text.ulid import new_ulid
from fleet_tui.core.text.words import plural

MAX_LABELS = 32
MAX_WORD_CHARS = 40
"""Of a word that is quoted."""


class TaskOption(NamedTuple):
    """One option of a task."""

    option: str
    """Its name in the shell."""
    field: str
    """Its name in forms, files of tasks and :class:`TaskSpec`."""
    help: str
    metavar: str | None = None
    repeats: bool = False
    choices: tuple[str, ...] = ()
    in_form: bool = True
    """Whether the console's form has a field for it."""


TASK_OPTIONS = (
    TaskOption(
        "--need",
        "needs",
        "Capability that the agent must have; repeatable.",
        "CAPABILITY",
        repeats=True,
    ),
    TaskOption("--pool", "pool", "Run only on agents of this pool."),
    TaskOption("--agent", "agent", "Run only on this agent."),
    TaskOption("--client", "client", "Client that the task belongs to."),
    TaskOption("--project", "project", "Project that the task belongs to.", in_form=False),
    TaskOption("--region", "regions", "Region that the task may run in; repeatable.", repeats=True),
    TaskOption(
        "--priority",
        "priority",
        "P0 is the most urgent; the default is P2.",
        choices=tuple(priority.name for priority in Priority),
    ),
    TaskOption(
        "--class",
        "task_class",
        "Whether the task may run again if its agent dies; the default is once.",
        choices=tuple(each.value for each in TaskClass),
    ),
    TaskOption(
        "--schedule-to-start",
        "schedule_to_start",
        "Maximum wait for an agent: 10m, 2h, or none for no limit.",
        "TIME",
        in_form=False,
    ),
    TaskOption(
        "--start-to-close", "start_to_close", "Maximum duration of a run.", "TIME", in_form=False
    ),
    TaskOption(
        "--heartbeat",
        "heartbeat",
        "Maximum time without a sign of life from a run.",
        "TIME",
        in_form=False,
    ),
    TaskOption("--total", "total", "Maximum total time, retries included.", "TIME", in_form=False),
    TaskOption("--label", "labels", "Repeatable.", "KEY=VALUE", repeats=True),
)


def parse_priority(text: str) -> Priority | None:
    """``P1``, ``p1`` or ``1``; the default P2 for empty text."""
    word = text.strip().upper().removeprefix("P")
    if not word:
        return Priority.P2
    return Priority(int(word)) if word in ("0", "1", "2", "3") else None


def parse_class(text: str) -> TaskClass | None:
    """A class by its name; the default ``once`` for empty text."""
    word = text.strip().lower()
    if not word:
        return TaskClass.ONCE
    return TaskClass(word) if word in {c.value for c in TaskClass} else None


def new_task(spec: TaskSpec, now_ms: int, entropy: bytes, key: str | None = None) -> Submit:
    """The command that submits it. Without another key its id is its key: sending the command twice
    submits one task."""
    task = TaskId(new_ulid(now_ms, entropy))
    return Submit(task=task, key=key or task, spec=spec)


class Noticed(NamedTuple):
    """Findings in a task that its author may not be aware of."""

    invisible: int
    """The number of invisible characters."""
    slash: str
    """The word that an agent may take as a command to itself; empty if there is none."""
    secrets: tuple[str, ...]
    """Parts that seem to contain a secret: the text, and labels by name."""

    @property
    def warnings(self) -> list[str]:
        """In words."""
        found = []
        if self.invisible:
            found.append(f"{plural(self.invisible, 'invisible or control character')} in the text")
        if self.slash:
            found.append(f"an agent may interpret {self.slash} as a command")
        return [*found, *(f"the {what} appears to contain a secret" for what in self.secrets)]


def notice(text: str, labels: dict[str, str], *, looked_at: int | None = None) -> Noticed:
    """Inspect a text; only its first ``looked_at`` characters are searched for secrets, if
    given."""
    slash = safe_line(text.split(maxsplit=1)[0], MAX_WORD_CHARS) if text.startswith("/") else ""
    found = ["text"] if without_patterns(text[:looked_at])[1] else []
    found += [f"label {name}" for name, value in labels.items() if holds_secret(name, value)]
    return Noticed(invisible_count(text), slash, tuple(found))
