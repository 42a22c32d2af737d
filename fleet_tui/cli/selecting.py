"""The tasks of a command: named one by one, by a filter, by a fingerprint, or all."""

import time
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple, assert_never

import click

from fleet_tui.base.errors import FleetError, UsageError
from fleet_tui.cli.common import TASKS_HINT, offset_minutes, refusal
from fleet_tui.core.ledger.state import FleetState
from fleet_tui.core.tasks.dead_letters import DeadLetters, letters_called
from fleet_tui.core.tasks.filter import TASK_KEYS, TASK_WORDS, task_text, task_value
from fleet_tui.core.tasks.model import Task
from fleet_tui.core.tasks.named import ended_long_ago
from fleet_tui.core.text.filters.filter import parse
from fleet_tui.core.text.filters.nodes import (
    AllOf,
    AnyOf,
    Compare,
    Equals,
    FilterProblem,
    Like,
    Node,
    Not,
    Pattern,
    Since,
    Until,
    Word,
)
from fleet_tui.core.text.near import nearest
from fleet_tui.verbs.verb import TaskVerb

if TYPE_CHECKING:
    from fleet_tui.journal.ledger.reader import JournalReader

DEAD_HINT = "`fleet-tui dead` lists them"
EVERYTHING = frozenset({"", "*"})
"""Selectors of every task, accepted only with ``--all``."""


class Selector(NamedTuple):
    """The operator's selection."""

    names: tuple[str, ...]
    filter_text: str | None
    everything: bool
    fingerprint: str | None = None

    @property
    def names_each(self) -> bool:
        """Whether every task was named, so that they need not be listed."""
        return bool(self.names)


def select_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """``[TASKS]... --filter --all --yes --confirm --dry-run``."""
    for option in reversed(
        (
            click.argument("names", metavar="[TASKS]...", nargs=-1),
            click.option(
                "--filter", "filter_text", metavar="EXPR", help="Tasks that match this filter."
            ),
            click.option(
                "--all", "everything", is_flag=True, help="Every task that the command applies to."
            ),
            click.option(
                "--confirm",
                type=int,
                metavar="COUNT",
                help=("With --all: the number of tasks, in place of the prompt."),
            ),
            consent_options,
        )
    ):
        command = option(command)
    return command


def consent_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """``--yes --dry-run``."""
    yes = click.option("--yes", is_flag=True, help="Skip the confirmation prompt.")
    dry_run = click.option("--dry-run", is_flag=True, help="Show the plan without carrying it out.")
    return yes(dry_run(command))


def fingerprint_option(command: Callable[..., Any]) -> Callable[..., Any]:
    """``--fingerprint``."""
    return click.option(
        "--fingerprint",
        metavar="F",
        help=("Dead letters with this failure fingerprint (see fleet-tui dead)."),
    )(command)


def check_selector(selector: Selector) -> None:
    """Raises UsageError for an empty selection, or one of everything without ``--all``."""
    given = (selector.names, selector.filter_text is not None, selector.fingerprint is not None)
    ways = sum(map(bool, given))
    if selector.everything and ways:
        raise UsageError("--all selects every task and takes no other selection")
    said = (*selector.names, selector.filter_text, selector.fingerprint)
    if any(text is not None and text.strip() in EVERYTHING for text in said):
        raise UsageError(
            "this selects every task; nothing was done",
            hint=("--all selects every task and asks for their number"),
        )
    if not ways and not selector.everything:
        raise UsageError("no task was named", hint="name some, or use --filter or --all")
    if selector.names and ways > 1:
        raise UsageError("give tasks or a filter, not both")


def select(ledger: "JournalReader", state: FleetState, selector: Selector) -> list[Task]:
    """The selected tasks, in the order they were named or submitted; a named one may be of any age.
    Raises UsageError for unknown ones and for an invalid filter, FleetError when nothing
    matches."""
    check_selector(selector)
    if selector.names:
        return _named(ledger, state, selector.names)
    tasks: Sequence[Task] = sorted(state.tasks(), key=lambda t: t.number)
    if selector.fingerprint is not None:
        letters = dead_letters_named(state, selector.fingerprint)
        tasks = [state.dead_letters[task] for task in letters.tasks]
    if selector.filter_text is not None:
        tasks = passing(tasks, selector.filter_text, time.time_ns() // 1_000_000)
    if not tasks:
        raise nothing_matched()
    return list(tasks)


def need_open_to(verb: TaskVerb, state: FleetState, task: Task) -> None:
    """Raises CommandRefused where it cannot be done to a task, whatever is said with it."""
    known = state.task(task.id) is not None
    why = verb.not_for(state, task) if known else ended_long_ago(task)
    if why is not None:
        raise refusal(why)


def nothing_matched() -> FleetError:
    """The error for an empty result, which is never a success."""
    return FleetError("nothing matched; nothing was done", hint="`fleet-tui tasks` lists them")


def _named(ledger: "JournalReader", state: FleetState, names: Sequence[str]) -> list[Task]:
    by_name: dict[str, Task] = {}
    for task in state.tasks():
        by_name[task.id] = by_name[task.label] = by_name[str(task.number)] = task
    for name in names:
        if name not in by_name and (old := ledger.find_task(name, until=state.seq)) is not None:
            by_name[name] = old
    unknown = [name for name in names if name not in by_name]
    if unknown:
        shown = ", ".join(unknown[:8]) + (" …" if len(unknown) > 8 else "")
        raise UsageError(f"no task {shown} is known; nothing was done", hint=TASKS_HINT)
    return list({by_name[name].id: by_name[name] for name in names}.values())


def dead_letters_named(state: FleetState, fingerprint: str) -> DeadLetters:
    """Those that a fingerprint names. Raises FleetError where it names none."""
    found = letters_called(state, fingerprint)
    if found is None:
        raise FleetError(f"nothing matched: no dead letters {fingerprint!r}", hint=DEAD_HINT)
    return found


def check_values(node: Node) -> None:
    """Raises UsageError for a value that no task can have, which would never match."""
    match node:
        case Equals(key, values):
            known = TASK_WORDS.get(key, ())
            lowered = {word.lower() for word in known}
            for value in values if known else ():
                if "*" not in value and value.lower() not in lowered:
                    near = nearest(value, known)
                    hint = f"did you mean {key}:{near[0]}?" if near else f"one of {' '.join(known)}"
                    raise UsageError(f"--filter: no {key} is called {value}", hint=hint)
        case Not(term):
            check_values(term)
        case AllOf(terms) | AnyOf(terms):
            for term in terms:
                check_values(term)
        case Word() | Pattern() | Compare() | Like() | Since() | Until():
            pass
        case _:
            assert_never(node)


def passing(tasks: Sequence[Task], text: str, now_ms: int) -> list[Task]:
    """Those that pass a filter. Raises UsageError for an invalid filter."""
    found = parse(text, now_ms=now_ms, keys=TASK_KEYS, offset_minutes=offset_minutes(now_ms))
    if isinstance(found, FilterProblem):
        raise UsageError(f"--filter, column {found.column + 1}: {found.message}", hint=found.hint)
    check_values(found.node)

    def passes(task: Task) -> bool:
        return found.matches(lambda key: task_value(task, key, now_ms), task_text(task))

    return [task for task in tasks if passes(task)]
