"""With ASCII alone, every screen, card and menu is drawn with ASCII alone."""

import pytest

from fleet_tui.console.text.glyphs import ASCII
from tests.support.console import console, press, running, text_of, until
from tests.support.fake_feed import FakeFeed
from tests.support.scene import seeded_state, with_dead_letters

CARDS = {
    "plan": ("3", "j", "K"),
    "plan with fields": ("u", "Y"),
    "verdict": ("3", "V"),
    "priority": ("3", "slash", *"state:waiting", "enter", "I"),
    "palette": ("ctrl+p",),
    "actions": ("a",),
    "sort": ("2", "s"),
    "confirmation": ("2", "C"),
    "form": ("T",),
    "help": ("question_mark",),
}


@pytest.mark.parametrize("keys", CARDS.values(), ids=CARDS.keys())
async def test_cards_and_menus(keys: tuple[str, ...]) -> None:
    app = console(FakeFeed(state=with_dead_letters(seeded_state())), glyphs=ASCII)
    async with running(app) as pilot:
        before = app.screen
        await press(pilot, *keys)
        await until(pilot, lambda: app.screen is not before)
        strange = {char for char in text_of(app) if not char.isascii()}
        assert strange == set()
