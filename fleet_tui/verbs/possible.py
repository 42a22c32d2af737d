"""Whether a verb is available now."""

from collections.abc import Iterable, Sequence

from fleet_tui.core.fleet import Priority
from fleet_tui.core.ledger.refusals import RefusalCode
from fleet_tui.core.ledger.replies import Refused
from fleet_tui.core.ledger.state import FleetState
from fleet_tui.core.plans import plan
from fleet_tui.core.text.firewall import safe_line
from fleet_tui.verbs.verb import Noun, Option, Said, Verb

MAX_LOOKED_AT = 100
"""Subjects that are checked. If the verb applies to none of them it may still apply to another:
then it is offered, and its plan shows the result."""

_ANY_REASON = "-"


def why_not(verb: Verb, state: FleetState, names: Sequence[str], now_ms: int) -> str | None:
    """Why a verb applies to none of the subjects, as a sentence; None when it applies."""
    if verb.noun is not Noun.FLEET and not names:
        return f"no {verb.noun} is selected"
    parts = [(name,) for name in names[:MAX_LOOKED_AT]] if names else [()]
    first = ""
    for part in parts:
        for said in _sayings(verb):
            found = plan(state, "", verb.command(part, said), now_ms)
            if not isinstance(found, Refused):
                return None
            first = first or found.text
            if found.code is not RefusalCode.SAME_PRIORITY:
                break
    # A recording may hold agents of any name.
    return safe_line(first) if len(names) <= MAX_LOOKED_AT else None


def _sayings(verb: Verb) -> Iterable[Said]:
    """The option values to try: a task can be given every priority but its own."""
    several = Option.PRIORITY in verb.options
    priorities = (Priority.P0, Priority.P1) if several else (Priority.P2,)
    return [Said(reason=_ANY_REASON, priority=each) for each in priorities]
