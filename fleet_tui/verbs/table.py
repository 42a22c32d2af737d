"""All that operators can do, by name."""

from fleet_tui.core.ledger.commands import Command
from fleet_tui.verbs.agents import AGENT_VERBS
from fleet_tui.verbs.alerts import ALERT_VERBS
from fleet_tui.verbs.dead_letters import DEAD_LETTER_VERBS, EDIT
from fleet_tui.verbs.fleet import FLEET_VERBS, UNDO
from fleet_tui.verbs.tasks import RESOLVE, SUBMIT, TASK_VERBS
from fleet_tui.verbs.verb import Said, Verb, Words

VERBS: dict[str, Verb] = {
    verb.name: verb
    for verb in (*TASK_VERBS, *DEAD_LETTER_VERBS, *AGENT_VERBS, *ALERT_VERBS, *FLEET_VERBS)
}
"""Verbs that make one command."""

VERB_OF: dict[type[Command], Verb] = {
    type(verb.command((), Said())): verb for verb in VERBS.values()
}
"""By the command that it makes."""

WORDS: dict[str, Words] = {**VERBS, **{each.name: each for each in (SUBMIT, RESOLVE, EDIT, UNDO)}}
"""These, and those that have a form of their own or need several commands."""
