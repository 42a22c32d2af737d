import math
from typing import get_args

import msgspec
import pytest
from hypothesis import given

from fleet_tui.core.ledger.events import Event, KnownEvent, UnknownEvent, kind_of, task_of
from fleet_tui.core.notes.events import NoteAdded
from fleet_tui.core.routing.decision import ScoreTerm
from fleet_tui.core.tasks.events import TaskPlaced
from fleet_tui.core.text.untrusted import Untrusted
from fleet_tui.journal.ledger.codec import (
    KNOWN_KINDS,
    Body,
    Unstorable,
    decode,
    decode_leniently,
    encode,
    version_of,
)
from tests.journal.stories import note, task_story
from tests.journal.strategies import events


@given(events())
def test_every_event_comes_back_as_it_was(event: Event) -> None:
    kind, v, body, _ = encode(event)
    assert kind == kind_of(event)
    assert decode(kind, v, body) == event


@given(events())
def test_a_stored_event_is_one_line(event: Event) -> None:
    assert b"\n" not in encode(event).body


def test_every_kind_is_known_once() -> None:
    assert len(KNOWN_KINDS) == len(get_args(KnownEvent))


def test_an_unknown_kind_is_kept_byte_for_byte() -> None:
    body = b'{"kind":"task.sung" , "key":  1.50, "e":"\\u00e9"}'
    event = decode("task.sung", 3, body)
    assert event == UnknownEvent(kind="task.sung", body=body)
    assert encode(event).body == body


def test_a_newer_version_of_a_known_kind_is_kept_as_unknown() -> None:
    kind, v, body, _ = encode(note())
    assert decode(kind, v + 1, body) == UnknownEvent(kind=kind, body=body)


def test_old_bodies_are_lifted_step_by_step() -> None:
    def rename(body: Body) -> Body:
        return {**body, "by": body["author"]}

    def wrap(body: Body) -> Body:
        return {**body, "text": [body["text"]]}

    upcasters = {("note.added", 1): rename, ("note.added", 2): wrap}
    old = b'{"kind":"note.added","author":"ana","text":"hi"}'
    lifted = NoteAdded(by="ana", text=Untrusted("hi"))
    assert version_of("note.added", upcasters) == 3
    assert decode("note.added", 1, old, upcasters) == lifted
    assert decode("note.added", 3, encode(lifted).body, upcasters) == lifted


def test_new_fields_of_a_later_program_are_ignored() -> None:
    body = b'{"kind":"note.added","by":"ana","text":["hi"],"mood":"good"}'
    assert decode("note.added", 1, body) == NoteAdded(by="ana", text=Untrusted("hi"))


def test_a_body_that_cannot_be_read_is_an_error_or_kept() -> None:
    with pytest.raises(ValueError):
        decode("note.added", 1, b'{"kind":"note.added"}')
    kept = decode_leniently("note.added", 1, b'{"kind":"note.added"}')
    assert kept == UnknownEvent(kind="note.added", body=b'{"kind":"note.added"}')


def test_what_would_not_come_back_is_refused() -> None:
    placed = task_story(1)[1]
    assert isinstance(placed, TaskPlaced)
    best = placed.decision.candidates[0]
    broken = msgspec.structs.replace(best, terms=(ScoreTerm("load", math.nan),))
    decision = msgspec.structs.replace(placed.decision, candidates=(broken,))
    with pytest.raises(Unstorable, match=r"task\.placed"):
        encode(msgspec.structs.replace(placed, decision=decision))
    with pytest.raises(Unstorable):
        encode(note("\ud800"))
    with pytest.raises(Unstorable):
        encode(UnknownEvent(kind="x", body=b"{}\n"))
    with pytest.raises(Unstorable):
        encode(UnknownEvent(kind="x", body=b"{"))


def test_events_are_found_by_their_task() -> None:
    story = task_story(7)
    assert {task_of(event) for event in story} == {story[0].task}  # type: ignore[union-attr]  # the first one has a task
    assert task_of(note()) is None


@pytest.mark.parametrize("v", [0, -1])
def test_a_version_that_never_was_is_damage_and_no_crash(v: int) -> None:
    kind, _, body, _ = encode(NoteAdded(by="ana", text=Untrusted("hi")))
    with pytest.raises(ValueError, match="no version"):
        decode(kind, v, body)
    assert decode_leniently(kind, v, body) == UnknownEvent(kind=kind, body=body)
