"""Any value of any msgspec type, for properties over every kind of event."""

from collections.abc import Mapping
from typing import get_args

import msgspec
from hypothesis import strategies as st
from msgspec import inspect as mi

from fleet_tui.core.ledger.events import Event, KnownEvent, UnknownEvent
from fleet_tui.journal.ledger.codec import KNOWN_KINDS

TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)


def _values(kind: mi.Type) -> st.SearchStrategy[object]:
    match kind:
        case mi.StructType(cls=cls):
            return _struct(cls)
        case mi.UnionType(types=types):
            return st.one_of([_values(one) for one in types])
        case mi.EnumType(cls=cls):
            return st.sampled_from(list(cls))
        case mi.DictType(key_type=key, value_type=value):
            return st.dictionaries(_values(key), _values(value), max_size=2)
        case mi.VarTupleType(item_type=item):
            return st.lists(_values(item), max_size=2).map(tuple)
        case mi.TupleType(item_types=items):
            return st.tuples(*(_values(item) for item in items))
        case mi.FrozenSetType(item_type=item):
            return st.frozensets(_values(item), max_size=3)
        case mi.StrType():
            return TEXT
        case mi.BoolType():
            return st.booleans()
        case mi.IntType():
            return st.integers(-(2**63), 2**63 - 1)
        case mi.FloatType():
            return st.floats(allow_nan=False, allow_infinity=False)
        case mi.NoneType():
            return st.none()
        case _:
            raise AssertionError(f"no strategy for {kind}")


_structs: dict[type, st.SearchStrategy[object]] = {}


def _struct(cls: type) -> st.SearchStrategy[object]:
    if cls not in _structs:
        _structs[cls] = st.deferred(lambda: _build(cls))
    return _structs[cls]


def _build(cls: type) -> st.SearchStrategy[object]:
    described = mi.type_info(cls)
    assert isinstance(described, mi.StructType)
    fields: Mapping[str, st.SearchStrategy[object]] = {
        field.name: _values(field.type) for field in described.fields
    }
    return st.fixed_dictionaries(dict(fields)).map(lambda values: cls(**values))


def unknown_events() -> st.SearchStrategy[UnknownEvent]:
    """Events of a later version, with whatever body."""
    kinds = TEXT.map(lambda text: f"later.{text}").filter(lambda kind: kind not in KNOWN_KINDS)
    bodies = st.dictionaries(TEXT, st.integers(-5, 5) | TEXT | st.booleans(), max_size=3)
    return st.builds(
        lambda kind, body: UnknownEvent(
            kind=kind, body=msgspec.json.encode({**body, "kind": kind})
        ),
        kinds,
        bodies,
    )


def events() -> st.SearchStrategy[Event]:
    """Any event at all, known kinds and unknown."""
    known: list[st.SearchStrategy[Event]] = [
        _struct(event_type).map(_event) for event_type in get_args(KnownEvent)
    ]
    return st.one_of([*known, unknown_events()])


def _event(value: object) -> Event:
    assert isinstance(value, get_args(KnownEvent))
    event: Event = value
    return event
