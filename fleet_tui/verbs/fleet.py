"""What is done to a whole fleet."""

from collections.abc import Sequence

from fleet_tui.core.engine.commands import Freeze, Thaw
from fleet_tui.core.notes.commands import AddNote
from fleet_tui.core.tasks.model import TaskPhase
from fleet_tui.core.text import words
from fleet_tui.core.text.untrusted import Untrusted
from fleet_tui.verbs.verb import Noun, Option, PlanFact, Planned, Verb, Words


def _waiting(planned: Planned) -> str:
    phases = [task.phase for task in planned.state.open_tasks.values()]
    return words.plural(phases.count(TaskPhase.WAITING), "task")


def _freeze_facts(planned: Planned) -> Sequence[PlanFact]:
    attempts = (task.open_attempt for task in planned.state.open_tasks.values())
    runs = words.plural(sum(attempt is not None for attempt in attempts), "task")
    return [
        PlanFact("Nothing is started until a thaw, also after a restart of the engine."),
        PlanFact(f"{runs} on agents go on and are followed; {_waiting(planned)} wait."),
        PlanFact("What is submitted is taken and waits."),
    ]


def _thaw_facts(planned: Planned) -> Sequence[PlanFact]:
    return [PlanFact(f"Work is started again; {_waiting(planned)} wait.")]


FREEZE = Verb(
    name="freeze",
    key="Q",
    noun=Noun.FLEET,
    title="freeze the fleet",
    summary="Stop starting new work until thawed; running work continues.",
    help="Starts nothing until a thaw, also after a restart of the engine. Running work goes on and"
    " is followed; what is submitted is stored and waits.",
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
    title="thaw the fleet",
    summary="Let a frozen fleet start work again.",
    help="Ends an operator's freeze or the engine's own.",
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
    title="note this moment",
    summary="Note this moment in the ledger.",
    help="A bookmark with your words in the ledger; changes nothing in the fleet.",
    done="noted",
    command=lambda names, said: AddNote(text=Untrusted(said.text)),
    options=(Option.TEXT,),
)

UNDO = Words(
    name="undo",
    key="Z",
    noun=Noun.FLEET,
    title="undo",
    summary="Take back what you did last.",
    help="Takes back what was done last: a hold, a priority, a cordon, a freeze or their"
    " opposites. Again, it is done again.",
)

FLEET_VERBS = (FREEZE, THAW, NOTE)
