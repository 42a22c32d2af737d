"""Verbs for a whole fleet."""

from collections.abc import Sequence

from fleet_tui.core.engine.commands import Freeze, Thaw
from fleet_tui.core.notes.commands import AddNote
from fleet_tui.core.tasks.model import TaskPhase
from fleet_tui.core.text import words
from fleet_tui.core.text.untrusted import Untrusted
from fleet_tui.verbs.chapters import Chapter
from fleet_tui.verbs.verb import Noun, Option, PlanFact, Planned, Verb, Words


def _waiting(planned: Planned) -> str:
    phases = [task.phase for task in planned.state.open_tasks.values()]
    return words.plural(phases.count(TaskPhase.WAITING), "task")


def _freeze_facts(planned: Planned) -> Sequence[PlanFact]:
    attempts = (task.open_attempt for task in planned.state.open_tasks.values())
    runs = words.plural(sum(attempt is not None for attempt in attempts), "task")
    return [
        PlanFact("No new work starts until a thaw, even after an engine restart."),
        PlanFact(f"{runs} on agents continue and are tracked; {_waiting(planned)} wait."),
        PlanFact("Submitted tasks are accepted and queued."),
    ]


def _thaw_facts(planned: Planned) -> Sequence[PlanFact]:
    return [PlanFact(f"Queued work starts again; {_waiting(planned)} wait.")]


FREEZE = Verb(
    name="freeze",
    key="Q",
    noun=Noun.FLEET,
    chapter=Chapter.ENGINE,
    title="freeze the fleet",
    summary="Stop starting new work until thawed; running work continues.",
    help="Starts no new work until a thaw, even after an engine restart. Running work continues "
    "and is tracked; submitted tasks are stored and queued.",
    done="frozen",
    command=lambda names, said: Freeze(reason=said.reason),
    options=(Option.REASON,),
    asks=lambda count: (Option.REASON,),
    facts=_freeze_facts,
)

THAW = Verb(
    name="thaw",
    key="J",
    noun=Noun.FLEET,
    chapter=Chapter.ENGINE,
    title="thaw the fleet",
    summary="Resume starting work after a freeze.",
    help="Ends a freeze set by an operator or by the engine.",
    done="thawed",
    label="thaw",
    footer=87,
    command=lambda names, said: Thaw(),
    facts=_thaw_facts,
)

NOTE = Verb(
    name="note",
    key="m",
    noun=Noun.FLEET,
    chapter=Chapter.FLEET,
    title="add a note",
    summary="Add a note to the ledger.",
    help="Adds a bookmark with your text to the ledger; changes nothing in the fleet.",
    done="noted",
    command=lambda names, said: AddNote(text=Untrusted(said.text)),
    options=(Option.TEXT,),
)

UNDO = Words(
    name="undo",
    key="Z",
    noun=Noun.FLEET,
    chapter=Chapter.FLEET,
    title="undo",
    summary="Undo your last action.",
    help="Reverses your last hold, release, priority change, cordon, uncordon, freeze or thaw. A "
    "second undo redoes it.",
)

FLEET_WORDS = (FREEZE, THAW, UNDO, NOTE)
