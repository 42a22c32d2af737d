"""Every verb is whole: words for all who print them, one key each, one command each."""

from typing import get_args

import pytest

from fleet_tui.cli.main import BY_HAND, CHAPTERS, THE_REST, chapters, commands
from fleet_tui.console.actions.registry import BY_NAME
from fleet_tui.core.engine.commands import StopEngine
from fleet_tui.core.ledger.base import Tier
from fleet_tui.core.ledger.commands import Command
from fleet_tui.core.tasks.commands import Edit, Resolve, Submit
from fleet_tui.verbs.chapters import Chapter
from fleet_tui.verbs.table import VERBS, WORDS
from fleet_tui.verbs.verb import Option, Said, Verb, Words

OF_OTHERS = {Submit, Edit, Resolve, StopEngine}
"""What has a form of its own, or is done to an engine's process."""


def test_every_command_has_one_verb() -> None:
    commands = [type(verb.command((), Said())) for verb in VERBS.values()]
    assert len(commands) == len(set(commands))
    assert set(commands) == set(get_args(Command)) - OF_OTHERS


@pytest.mark.parametrize("words", WORDS.values(), ids=lambda words: words.name)
def test_a_verb_is_told_in_the_shell_and_done_by_its_key(words: Words) -> None:
    assert commands()[words.name][1] == words.summary
    assert words.name in chapters()[words.chapter]
    action = BY_NAME[words.name]
    assert (action.keys, action.title, action.help) == ((words.key,), words.title, words.help)
    for sentence in (words.summary, words.help):
        assert sentence[0].isupper(), sentence
        assert sentence.endswith("."), sentence
    assert words.title == words.title.lower()
    assert bool(words.label) == bool(words.footer)


def test_a_verb_that_nobody_placed_by_hand_has_a_place_in_every_chapter() -> None:
    assert list(CHAPTERS) == list(Chapter)
    assert all(placed.items() >= THE_REST.items() for placed in CHAPTERS.values())
    assert commands().keys() == BY_HAND.keys() | WORDS.keys()
    with_words = {name for name, (_, line) in BY_HAND.items() if not line}
    assert with_words <= WORDS.keys()


def test_no_key_and_no_word_is_taken_twice() -> None:
    assert len({words.key for words in WORDS.values()}) == len(WORDS)
    assert len({words.summary for words in WORDS.values()}) == len(WORDS)
    assert len({verb.done for verb in VERBS.values()}) == len(VERBS)


@pytest.mark.parametrize("verb", VERBS.values(), ids=lambda verb: verb.name)
def test_what_names_something_passes_the_names_on(verb: Verb) -> None:
    command: Command = verb.command(("one", "two"), Said(reason="why"))
    named = [value for value in _fields(command).values() if value == ("one", "two")]
    assert len(named) == (0 if verb.noun == "fleet" else 1)
    takes = {Option.REASON, Option.NEEDED_REASON} & set(verb.options)
    assert (_fields(command).get("reason") == "why") == bool(takes)
    assert set(verb.asks(1)) | set(verb.asks(2)) <= set(verb.options)


def test_only_what_changes_nothing_has_a_key_that_is_no_capital() -> None:
    for verb in VERBS.values():
        assert verb.is_harmless == (verb.makes.tier is Tier.NOTHING)
        assert verb.is_harmless == (not (len(verb.key) == 1 and verb.key.isupper())), verb.name


def _fields(command: Command) -> dict[str, object]:
    return {name: getattr(command, name) for name in command.__struct_fields__}
