"""Whether a verb can be done now, and to which."""

from collections.abc import Iterable, Sequence

from fleet_tui.core.fleet import Priority
from fleet_tui.core.ids import TaskId
from fleet_tui.core.ledger.refusals import RefusalCode
from fleet_tui.core.ledger.replies import Refused
from fleet_tui.core.ledger.state import FleetState
from fleet_tui.core.plans import Plan, plan, subjects
from fleet_tui.core.tasks.named import unknown_task
from fleet_tui.core.text.firewall import safe_line
from fleet_tui.verbs.verb import Noun, Option, Said, TaskVerb, Verb

MAX_LOOKED_AT = 100
"""Subjects that are checked. If the verb applies to none of them it may still apply to another:
then it is offered, and its plan shows the result."""

_ANY = "-"
"""For a reason, and for words of the operator's own."""


def why_not(
    verb: Verb | TaskVerb, state: FleetState, names: Sequence[str], now_ms: int
) -> str | None:
    """Why a verb applies to none of the subjects, as a sentence; None when it applies."""
    if verb.noun is not Noun.FLEET and not names:
        return f"no {verb.noun} is selected"
    first = ""
    for part in ([name] for name in names[:MAX_LOOKED_AT]) if names else [()]:
        found = _refusal(verb, state, part, now_ms)
        if found is None:
            several = isinstance(verb, TaskVerb) and verb.takes_one and len(names) > 1
            return f"one {verb.noun} at a time" if several else None
        first = first or found.text
    # A recording may hold agents of any name.
    return safe_line(first) if len(names) <= MAX_LOOKED_AT else None


def able(
    verb: Verb | TaskVerb, state: FleetState, names: Sequence[str], now_ms: int
) -> Sequence[str]:
    """Those of what is named that it can be done to, in their order."""
    if isinstance(verb, TaskVerb):
        return [name for name in names if _refusal(verb, state, (name,), now_ms) is None]
    can: set[str] = set()
    for said in _sayings(verb):
        found = plan(state, "", verb.command(names, said), now_ms)
        can.update(subjects(found.command) if isinstance(found, Plan) else ())
    return [name for name in names if name in can]


def _refusal(
    verb: Verb | TaskVerb, state: FleetState, names: Sequence[str], now_ms: int
) -> Refused | None:
    """Why it can be done to none of them: the first that is said."""
    if isinstance(verb, TaskVerb):
        task = state.task(TaskId(names[0]))
        return unknown_task(TaskId(names[0])) if task is None else verb.not_for(state, task)
    first: Refused | None = None
    for said in _sayings(verb):
        found = plan(state, "", verb.command(names, said), now_ms)
        if not isinstance(found, Refused):
            return None
        first = first or found
        if found.code is not RefusalCode.SAME_PRIORITY:
            break
    return first


def _sayings(verb: Verb) -> Iterable[Said]:
    """The option values to try: a task can be given every priority but its own."""
    several = Option.PRIORITY in verb.options
    priorities = (Priority.P0, Priority.P1) if several else (Priority.P2,)
    return [Said(reason=_ANY, priority=each, text=_ANY) for each in priorities]
