"""All that operators can do, by name."""

from fleet_tui.core.ledger.commands import Command
from fleet_tui.verbs.agents import AGENT_WORDS
from fleet_tui.verbs.alerts import ALERT_WORDS
from fleet_tui.verbs.dead_letters import DEAD_LETTER_WORDS
from fleet_tui.verbs.fleet import FLEET_WORDS
from fleet_tui.verbs.tasks import TASK_WORDS
from fleet_tui.verbs.verb import Verb, Words

WORDS: dict[str, Words] = {
    each.name: each
    for each in (*TASK_WORDS, *DEAD_LETTER_WORDS, *AGENT_WORDS, *ALERT_WORDS, *FLEET_WORDS)
}
"""Everything, in the order of the console's keys."""

VERBS: dict[str, Verb] = {name: words for name, words in WORDS.items() if isinstance(words, Verb)}
"""Verbs that make one command."""

VERB_OF: dict[type[Command], Verb] = {verb.makes: verb for verb in VERBS.values()}
"""By the command that it makes."""
