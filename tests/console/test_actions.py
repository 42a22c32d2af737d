"""The registry keeps its rules, and everything that is bound is in it."""

from itertools import combinations

import msgspec
import pytest
from textual.binding import Binding

from fleet_tui.cli.main import commands as verbs
from fleet_tui.console.actions.action import Action, ActionEffect, key_text
from fleet_tui.console.actions.registry import ACTIONS, BY_NAME, keys_table_markdown
from fleet_tui.console.actions.selection import Context, Scope, Selection
from fleet_tui.console.shell.commandline import COMMANDS, CommandSpec, find
from fleet_tui.console.shell.footer import hints
from fleet_tui.console.shell.places import SCREENS, TABS, Place
from fleet_tui.console.shell.screen import FleetScreen
from fleet_tui.console.shell.screens import make_screen
from fleet_tui.console.widgets.fleet_table import FleetTable
from fleet_tui.console.widgets.log_view import LogView
from fleet_tui.feed.feed import Mode
from tests.support.fake_feed import FakeFeed
from tests.support.scene import agent_name, task_id

IMPOSSIBLE = {"ctrl+i", "ctrl+m", "ctrl+h", "shift+enter", "ctrl+enter", "ctrl+a", "ctrl+b"}
"""Other keys in most terminals, or the prefixes of screen and tmux."""

UPPER_CASE_THAT_LOOKS = frozenset({"G", "N", "E"})
"""The exceptions to the rule, as pagers have them: end, previous match, previous error."""


def is_upper_case(key: str) -> bool:
    return len(key) == 1 and key.isupper()


def test_names_are_unique() -> None:
    assert len(BY_NAME) == len(ACTIONS)


@pytest.mark.parametrize("action", ACTIONS, ids=lambda action: action.name)
def test_lower_case_looks_and_upper_case_acts(action: Action) -> None:
    assert action.keys, "an action without a key belongs to the command line"
    if action.effect is ActionEffect.ACTS:
        assert all(is_upper_case(key) for key in action.keys)
        assert action.name in verbs(), "whatever acts has a twin in the shell"
    else:
        assert {key for key in action.keys if is_upper_case(key)} <= UPPER_CASE_THAT_LOOKS


@pytest.mark.parametrize("action", ACTIONS, ids=lambda action: action.name)
def test_every_action_can_be_shown(action: Action) -> None:
    assert action.title
    assert action.title[0].islower() or action.title.removesuffix(" view") in {
        t.title for t in TABS
    }
    assert bool(action.label) or not action.footer
    assert not IMPOSSIBLE & set(action.keys)


def test_a_key_means_one_thing() -> None:
    for one, other in combinations(ACTIONS, 2):
        shared = set(one.keys) & set(other.keys)
        assert not shared or one.shares_keys_with(other), (one.name, other.name)


def test_half_a_page_down_is_never_destructive() -> None:
    (action,) = [each for each in ACTIONS if "ctrl+d" in each.keys]
    assert action.effect is ActionEffect.LOOKS
    assert action.run is None


@pytest.mark.parametrize("widget", [FleetTable, LogView])
def test_keys_of_the_widgets_are_in_the_registry(widget: type[FleetTable | LogView]) -> None:
    by_binding = {name: action for action in ACTIONS for name in action.bindings}
    for binding in widget.BINDINGS:
        assert isinstance(binding, Binding)
        action = by_binding[binding.id or ""]
        keys = set(binding.key.split(","))
        assert keys == set(action.keys), binding.id


def test_keys_of_the_screens_are_those_of_the_registry() -> None:
    bound = {binding.id for binding in FleetScreen.BINDINGS if isinstance(binding, Binding)}
    assert bound == {action.name for action in ACTIONS if action.run is not None}


@pytest.mark.parametrize("view", SCREENS)
def test_every_place_has_a_screen(view: str) -> None:
    assert isinstance(make_screen(Place(view, "agent-01")), FleetScreen)


def test_only_views_that_exist_have_a_digit() -> None:
    assert {tab.view for tab in TABS} <= SCREENS.keys()
    digits = {key for action in ACTIONS for key in action.keys if key.isdigit()}
    assert digits == {tab.key for tab in TABS} - {"u"}, "u: undelivered; the digits are taken"


def test_the_table_of_keys_has_every_action() -> None:
    table = keys_table_markdown()
    for action in ACTIONS:
        assert action.title in table
        for key in action.keys:
            assert f"`{key_text(key)}`" in table
    assert all(line.count(" | ") == 1 for line in table.splitlines() if line.startswith("| `"))


# --- why not ---

AGENT = Selection(agents=(agent_name(1),))
WAITING = Selection(tasks=(task_id(48_220),))
DONE = Selection(tasks=(task_id(47_500),))
UNSURE = Selection(tasks=(task_id(48_100),))
EVERYTHING = frozenset(Scope)


def context(
    selection: Selection = AGENT,
    *,
    can_act: bool = True,
    mode: Mode = Mode.LIVE,
    scopes: frozenset[Scope] = EVERYTHING,
) -> Context:
    feed = FakeFeed(mode=mode)
    return Context(view=feed.view(), can_act=can_act, scopes=scopes, selection=selection)


@pytest.mark.parametrize(
    ("name", "selection", "reason"),
    [
        ("cordon", AGENT, None),
        ("cordon", Selection(), "no agent is selected"),
        ("uncordon", AGENT, "agent-01 is not cordoned."),
        ("cancel", WAITING, None),
        ("cancel", DONE, "t-47500 is already succeeded."),
        ("resolve", UNSURE, None),
        ("resolve", WAITING, "t-48220 is waiting; no verdict is needed."),
        ("hold", WAITING, None),
        ("hold", DONE, "t-47500 is succeeded; only waiting tasks can be held."),
        ("release", WAITING, "t-48220 is not held."),
        ("expedite", WAITING, None),
        ("priority", DONE, "t-47500 is succeeded; only waiting tasks can be moved."),
        ("requeue", WAITING, "t-48220 is waiting; only failed work is requeued."),
        ("edit", DONE, "t-47500 is succeeded; only dead letters can be edited."),
        ("drop", DONE, "t-47500 is succeeded; only dead letters can be dropped."),
        ("freeze", AGENT, None),
        ("thaw", AGENT, "The engine is not frozen."),
        ("ack", AGENT, "no alert is selected"),
        ("details", Selection(), "nothing is selected"),
    ],
)
def test_an_action_says_why_it_cannot_be_done(
    name: str, selection: Selection, reason: str | None
) -> None:
    assert BY_NAME[name].disabled_reason(context(selection)) == reason


@pytest.mark.parametrize(
    "action", [a for a in ACTIONS if a.effect is ActionEffect.ACTS], ids=lambda action: action.name
)
def test_nothing_acts_where_it_must_not(action: Action) -> None:
    read_only = action.disabled_reason(context(can_act=False))
    assert read_only == "this console is read-only"
    review = action.disabled_reason(context(can_act=False, mode=Mode.REVIEW))
    assert review == "this is a recording: nothing can be changed"


def test_an_action_names_what_it_needs() -> None:
    here = context(scopes=frozenset({Scope.ANYWHERE}))
    assert BY_NAME["why"].disabled_reason(here) == "needs a task in focus"


def test_the_foot_hides_what_cannot_be_done() -> None:
    here = context()
    assert {"C", "?"} <= {hint.key for hint in hints(here)}
    there = msgspec.structs.replace(here, can_act=False)
    acting = {a.keys[0] for a in ACTIONS if a.effect is ActionEffect.ACTS}
    assert not acting & {hint.key for hint in hints(there)}
    assert [hint.action for hint in hints(there)][-2:] == ["help", "back"]


def test_the_foot_of_a_recording_begins_with_what_moves_time() -> None:
    offered = [(hint.key, hint.label) for hint in hints(context(can_act=False, mode=Mode.REVIEW))]
    assert offered[:6] == [
        ("p", "play"),
        (", .", "step"),
        ("{ }", "event"),
        ("< >", "speed"),
        ("t", "go to time"),
        ("end", "last"),
    ]
    live = context(scopes=EVERYTHING - {Scope.REVIEW})
    assert "step" not in {hint.label for hint in hints(live)}


def test_keys_that_move_time_sort_only_where_there_is_none() -> None:
    assert BY_NAME["sort.left"].disabled_reason(context()) == "in a recording this key moves time"
    live = context(scopes=EVERYTHING - {Scope.REVIEW})
    assert BY_NAME["sort.left"].disabled_reason(live) is None


# --- the command line's words ---


def test_every_acting_action_can_be_typed() -> None:
    for action in ACTIONS:
        if action.effect is ActionEffect.ACTS:
            assert (action.command or action.name) in COMMANDS


def test_a_unique_beginning_is_enough() -> None:
    found = find("cord")
    assert isinstance(found, CommandSpec)
    assert found.name == "cordon"
    ambiguous = find("a")
    assert isinstance(ambiguous, list)
    assert {"ack", "agent", "agents", "alerts"} <= set(ambiguous)
