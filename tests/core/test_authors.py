"""Every event that names an operator is theirs when they take back what they did last."""

from typing import get_args

import msgspec
import pytest

from fleet_tui.core.ledger.events import Event
from fleet_tui.core.undo import author


def written_by(kind: type[msgspec.Struct]) -> msgspec.Struct:
    """An event of ann. Its author depends on no other field, so nothing is in them."""
    fields = kind.__struct_fields__
    return kind(**{name: "ann" if name == "by" else None for name in fields})


@pytest.mark.parametrize("kind", get_args(Event), ids=lambda kind: kind.__name__)
def test_whoever_an_event_names_as_its_author_is_the_one_who_takes_it_back(
    kind: type[msgspec.Struct],
) -> None:
    """An act that is not known as theirs would be passed over, and an older one taken back."""
    event = written_by(kind)
    assert isinstance(event, Event)
    assert author(event) == ("ann" if "by" in kind.__struct_fields__ else "")


def test_there_are_events_of_both_sorts() -> None:
    named = [kind for kind in get_args(Event) if "by" in kind.__struct_fields__]
    assert 10 <= len(named) < len(get_args(Event))
