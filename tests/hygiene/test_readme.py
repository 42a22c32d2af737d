"""The README says what the program does: its generated parts are up to date, its pictures real."""

import re

import pytest

from fleet_tui.config.load import load_text
from tests.support.readme import PICTURE, README, generated, picture, with_generated

HOW = "run: python -m tests.support.readme"


def test_the_generated_parts_are_up_to_date() -> None:
    text = README.read_text()
    for name in generated():
        assert f"<!-- {name} -->" in text
    assert with_generated(text) == text, HOW


@pytest.mark.snapshot
async def test_the_picture_is_what_the_console_draws() -> None:
    assert await picture() == PICTURE.read_text(), HOW


def test_the_fleet_in_the_readme_is_a_sound_one_of_at_most_ten_lines() -> None:
    (text,) = re.findall(r"```yaml\n(.*?)```", README.read_text(), re.DOTALL)
    assert len(text.splitlines()) <= 10
    spec = load_text(text).spec
    assert set(spec.agents) == {"anna", "bert"}
