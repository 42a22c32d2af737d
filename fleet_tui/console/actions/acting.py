"""Actions that change the fleet, and those that only need its engine.

They are the verbs (:mod:`fleet_tui.verbs`), applied to the marked rows, else the one under the
cursor. Every plan is shown before anything is sent (:mod:`fleet_tui.console.actions.doing`).
"""

from collections.abc import Callable

from fleet_tui.console.actions import reasons
from fleet_tui.console.actions.action import Action, ActionEffect, ActionRun, Group
from fleet_tui.console.actions.selection import SCOPE_OF, Context, Scope, Selection
from fleet_tui.console.host import Stage
from fleet_tui.console.shell.places import Place
from fleet_tui.verbs.fleet import UNDO
from fleet_tui.verbs.possible import why_not
from fleet_tui.verbs.table import WORDS
from fleet_tui.verbs.verb import TaskVerb, Verb, Words


def _acts(words: Words) -> ActionRun:
    async def act(screen: Stage, chosen: Selection) -> None:
        # Plans and their cards are needed only once an operator acts.
        from fleet_tui.console.actions import doing  # noqa: PLC0415 - keeps the first paint early

        if isinstance(words, Verb):
            await doing.do(screen, chosen, words)
        else:
            await doing.OTHERS[words.name](screen, chosen)

    def fill_in(screen: Stage, chosen: Selection) -> None:
        screen.console.go(Place(words.name, *chosen.names(words.noun)[:1]))

    return fill_in if words.has_form else act


def _action(words: Words) -> Action:
    """The console action for a verb."""
    scopes = {SCOPE_OF[words.noun]} | ({Scope.DEAD} if words.of_dead_letters else set())
    harmless = isinstance(words, Verb) and words.is_harmless
    return Action(
        name=words.name,
        title=words.title,
        keys=(words.key,),
        group=Group.SHOW if harmless else Group.ACT,
        run=_acts(words),
        label=words.label,
        footer=words.footer,
        scopes=frozenset(scopes),
        effect=ActionEffect.LOOKS if harmless else ActionEffect.ACTS,
        help=words.help,
        unavailable=_unavailable(words),
    )


def _unavailable(words: Words) -> Callable[[Context], str | None]:
    if not isinstance(words, Verb | TaskVerb):
        return reasons.nothing_to_undo if words is UNDO else reasons.possible
    verb = words

    def reason(context: Context) -> str | None:
        names = context.selection.names(verb.noun)
        why = why_not(verb, context.view.state, names, context.view.now_ms)
        harmless = isinstance(verb, Verb) and verb.is_harmless
        return why or (reasons.cannot_note(context) if harmless else None)

    return reason


_ACTIONS = [_action(words) for words in WORDS.values()]

ENGINE_ACTIONS = [each for each in _ACTIONS if each.effect is ActionEffect.LOOKS]
"""They change nothing in the fleet, so they need no confirmation and keep lower-case keys."""

ACT_ACTIONS = [each for each in _ACTIONS if each.effect is ActionEffect.ACTS]
