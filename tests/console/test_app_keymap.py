"""The operator's own keys, and the card of the first run."""

from pathlib import Path

import pytest

from fleet_tui.console.actions.registry import ACTIONS, BY_NAME
from fleet_tui.console.shell import keymap
from fleet_tui.console.shell.app import FleetApp
from fleet_tui.console.views.help.first_run import Beginning, FirstRun
from fleet_tui.console.widgets.dialogs import ConfirmBar
from tests.support.console import COLOURFUL, press, running, text_of, until
from tests.support.fake_feed import FakeFeed


def test_other_keys_replace_the_shipped_ones() -> None:
    made = keymap.make({"cordon": ["f7"], "page.down": ["pagedown", "ctrl+f"]})
    assert made.problems == ()
    assert made.shown(BY_NAME["cordon"]) == "f7"
    assert made.of(BY_NAME["uncordon"]) == ("U",)
    assert made.bindings()["table.page-down"] == "pagedown,ctrl+f"
    assert made.bindings()["log.page-down"] == "pagedown,ctrl+f"


@pytest.mark.parametrize(
    ("name", "keys", "said"),
    [
        ("cordn", ["f7"], "there is no such action - did you mean cordon?"),
        ("cordon", ["x"], "what acts needs an UPPER-CASE or function key"),
        ("cordon", ["K"], "K is taken by cancel"),
        ("filter", ["?"], "? is taken by help"),
        ("filter", ["ctrl+i"], "ctrl+i cannot be used: terminals send tab for it"),
        ("filter", ["hyper+x"], "hyper+x is no key"),
        ("filter", [], "needs a key, or a list of keys"),
    ],
)
def test_a_line_that_cannot_be_used_is_told_and_left_out(
    name: str, keys: list[str], said: str
) -> None:
    made = keymap.make({name: keys, "save": ["f2"]})
    assert len(made.problems) == 1
    assert made.problems[0].endswith(said)
    assert set(made.own) == {"save"}


def test_two_keys_can_be_swapped_in_order() -> None:
    made = keymap.make({"details": ["b"], "definition": ["d"]})
    assert made.problems == ()


def test_the_shipped_keys_could_stand_in_a_file() -> None:
    for action in ACTIONS:
        made = keymap.make({action.name: [*action.keys]})
        assert made.problems == (), made.problems


def test_a_file_is_read_and_what_is_wrong_in_it_told(tmp_path: Path) -> None:
    file = tmp_path / "keys.yaml"
    assert keymap.read(file) == keymap.SHIPPED
    file.write_text("cordon: f7\nnonsense: x\npage.down: [pagedown, f8]\n")
    made = keymap.read(file)
    assert made.own == {"cordon": ("f7",), "page.down": ("pagedown", "f8")}
    assert len(made.problems) == 1
    file.write_text("cordon: [\n")
    assert keymap.read(file).own == {}
    assert keymap.read(file).problems
    file.write_text("- cordon\n")
    assert "list of actions" in keymap.read(file).problems[0]


def test_where_the_file_is() -> None:
    assert keymap.own_keys({"XDG_CONFIG_HOME": "/c"}) == Path("/c/fleet-tui/keys.yaml")
    assert keymap.own_keys({"HOME": "/h"}) == Path("/h/.config/fleet-tui/keys.yaml")


async def test_own_keys_work_and_are_shown() -> None:
    own = keymap.make({"cordon": ["f7"], "help": ["f1"], "nonsense": ["x"]})
    app = FleetApp(FakeFeed(), theme="fleet-dark", keys=own, env=COLOURFUL)
    async with running(app) as pilot:
        assert "f7 cordon" in text_of(app)
        assert "there is no such action" in text_of(app)
        await press(pilot, "C")
        assert not isinstance(app.screen, ConfirmBar)
        await press(pilot, "f7")
        await until(pilot, lambda: isinstance(app.screen, ConfirmBar))


@pytest.mark.parametrize(("key", "answer"), [("d", Beginning.DEMO), ("escape", None)])
async def test_the_first_run_offers_ways_to_begin(key: str, answer: Beginning | None) -> None:
    app = FirstRun()
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.pause()
        await pilot.press(key)
        await pilot.pause()
    assert app.return_value is answer
