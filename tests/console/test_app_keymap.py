"""The operator's own keys, and the card of the first run."""

from pathlib import Path

import msgspec
import pytest

from fleet_tui.console.actions.registry import ACTIONS, BY_NAME
from fleet_tui.console.shell import band, keymap
from fleet_tui.console.shell.app import FleetApp
from fleet_tui.console.shell.places import Place
from fleet_tui.console.text.cells import Cell, Tone
from fleet_tui.console.views.help.first_run import Beginning, FirstRun
from fleet_tui.console.widgets.dialogs import ConfirmBar
from fleet_tui.core.modes import EngineMode, ModeNow
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
        ("filter", ["hyper+x"], "hyper+x is not a key"),
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


def test_texts_have_the_operators_keys() -> None:
    own = keymap.make({"submit": ["f7"], "filter": ["f5"], "help": ["h", "f1"], "why": ["x"]})
    assert own.problems == ()
    assert own.keyed("{submit} submits, {filter} or {last.row}; {} {a b}") == (
        "f7 submits, f5 or G; {} {a b}"
    )
    assert keymap.SHIPPED.keyed("{submit} {clear}") == "T esc"
    assert own.beside_typing(BY_NAME["help"]) == "F1"
    assert own.beside_typing(BY_NAME["why"]) == "x"


async def test_own_keys_stand_wherever_a_key_is_named() -> None:
    own = keymap.make(
        {
            "submit": ["f7"], "tasks": ["6"], "clear": ["f4"], "problems": ["f5"],
            "filter": ["f3"], "help": ["h"], "thaw": ["f9"], "resolve": ["f10"],
        }
    )  # fmt: skip
    assert own.problems == ()
    app = FleetApp(FakeFeed(), theme="fleet-dark", keys=own, env=COLOURFUL)
    async with running(app) as pilot:
        assert "6 Tasks" in text_of(app)
        assert " h help" in text_of(app)
        app.go(Place("task", "t-48100"))
        await until(pilot, lambda: "f10 it ran / it did not run" in text_of(app))
        app.go(Place("task", "t-1"))
        await until(pilot, lambda: "6 lists them, f3 filters; f4 goes back." in text_of(app))
        app.go(Place("agents"))
        await press(pilot, "h")
        await until(pilot, lambda: "enter does it, f3 searches" in text_of(app))
        await press(pilot, "f4", "f3", *"zzz", "enter")
        await until(pilot, lambda: "f4 clears" in text_of(app))
        app.go(Place("submit"))
        await until(pilot, lambda: "f4 back, keeps the text" in text_of(app))
        hold = ModeNow(mode=EngineMode.FROZEN)
        (line,) = band.lines(
            msgspec.structs.replace(app.view, engine=hold), "", 0, app.keyed("{thaw}")
        )
        assert Cell("f9", Tone.KEY) in line


@pytest.mark.parametrize(("key", "answer"), [("d", Beginning.DEMO), ("escape", None)])
async def test_the_first_run_offers_ways_to_begin(key: str, answer: Beginning | None) -> None:
    app = FirstRun()
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.pause()
        await pilot.press(key)
        await pilot.pause()
    assert app.return_value is answer
