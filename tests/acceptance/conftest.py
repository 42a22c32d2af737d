"""Fixtures of the acceptance tests."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.acceptance.rig import MakeRig, Rig


@pytest.fixture
def make_rig(short_dir: Path) -> Iterator[MakeRig]:
    """Makes a fleet from the text of its file; its engine is ended with the test."""
    made: list[Rig] = []

    def make(text: str, **variables: str) -> Rig:
        rig = Rig(short_dir, text, **variables)
        made.append(rig)
        return rig

    yield make
    for rig in made:
        rig.close()
