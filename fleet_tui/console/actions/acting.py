"""Actions that change something in the fleet, and those that only need its engine.

They are the verbs (:mod:`fleet_tui.verbs`), about the marked rows, else the one under the cursor.
Every plan is shown before anything is sent (:mod:`fleet_tui.console.actions.doing`).
"""

from collections.abc import Callable

from fleet_tui.console.actions import reasons
from fleet_tui.console.actions.action import Action, ActionEffect, ActionRun, Group
from fleet_tui.console.actions.selection import Context, Scope, Selection
from fleet_tui.console.host import Stage
from fleet_tui.console.shell.places import Place
from fleet_tui.verbs.agents import CORDON, PROBE, UNCORDON
from fleet_tui.verbs.alerts import ACK
from fleet_tui.verbs.dead_letters import DROP, EDIT, REQUEUE
from fleet_tui.verbs.fleet import FREEZE, NOTE, THAW, UNDO
from fleet_tui.verbs.possible import why_not
from fleet_tui.verbs.tasks import (
    CANCEL,
    EXPEDITE,
    HOLD,
    PRIORITY,
    RELEASE,
    RESOLVE,
    SUBMIT,
)
from fleet_tui.verbs.verb import Noun, TaskVerb, Verb, Words

_SCOPES = {
    Noun.TASK: Scope.TASKS,
    Noun.AGENT: Scope.AGENTS,
    Noun.ALERT: Scope.ALERTS,
    Noun.FLEET: Scope.ANYWHERE,
}
"""Where something can be done to it."""


def _acts(words: Words) -> ActionRun:
    async def act(screen: Stage, chosen: Selection) -> None:
        # Plans and their cards are needed only once somebody acts.
        from fleet_tui.console.actions import doing  # noqa: PLC0415 - keeps the first paint early

        other = doing.OTHERS.get(words.name)
        if other is not None:
            await other(screen, chosen)
        elif isinstance(words, Verb):
            await doing.do(screen, chosen, words)

    return act


def _action(
    words: Words,
    run: ActionRun | None = None,
    unavailable: Callable[[Context], str | None] | None = None,
) -> Action:
    """What a verb is on the console."""
    scopes = {_SCOPES[words.noun]} | ({Scope.DEAD} if words.of_dead_letters else set())
    harmless = isinstance(words, Verb) and words.is_harmless
    return Action(
        name=words.name,
        title=words.title,
        keys=(words.key,),
        group=Group.SHOW if harmless else Group.ACT,
        run=run or _acts(words),
        label=words.label,
        footer=words.footer,
        scopes=frozenset(scopes),
        effect=ActionEffect.LOOKS if harmless else ActionEffect.ACTS,
        help=words.help,
        unavailable=unavailable or _unavailable(words),
    )


def _unavailable(words: Words) -> Callable[[Context], str | None]:
    if not isinstance(words, Verb | TaskVerb):
        return reasons.possible
    verb = words

    def reason(context: Context) -> str | None:
        names = context.selection.names(verb.noun)
        why = why_not(verb, context.view.state, names, context.view.now_ms)
        harmless = isinstance(verb, Verb) and verb.is_harmless
        return why or (reasons.cannot_note(context) if harmless else None)

    return reason


ENGINE_ACTIONS = (
    _action(PROBE),
    _action(NOTE, unavailable=reasons.cannot_note),
)
"""They change nothing in the fleet, so they ask nothing and keep lower-case keys."""

ACT_ACTIONS = (
    _action(SUBMIT, lambda screen, chosen: screen.console.go(Place(SUBMIT.name))),
    _action(CANCEL),
    _action(RESOLVE),
    *map(_action, (HOLD, RELEASE, EXPEDITE, PRIORITY, REQUEUE)),
    _action(EDIT, lambda screen, chosen: screen.console.go(Place(EDIT.name, chosen.tasks[0]))),
    *map(_action, (DROP, CORDON, UNCORDON, ACK, FREEZE, THAW)),
    _action(UNDO, unavailable=reasons.nothing_to_undo),
)
