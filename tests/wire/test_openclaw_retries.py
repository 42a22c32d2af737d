"""What a gateway tells of its own tries at a model that fails."""

import json
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fleet_tui.core.agents.model_trouble import MAX_REASON_CHARS
from fleet_tui.core.agents.vitals import ModelTrouble, VitalsReading
from fleet_tui.core.ids import RunId
from fleet_tui.wire.openclaw.frames import GatewayFrame
from fleet_tui.wire.openclaw.retries import MAX_RUNS, Retries
from tests.support.fake_gateway import FakeGateway, at_work

RUN = RunId("01KTASK.1")
RETRYING = {
    "phase": "retrying",
    "retryAttempt": 3,
    "maxRetries": 9,
    "attempt": 4,
    "maxAttempts": 10,
    "delayMs": 8_000,
    "reason": "rate_limit",
}
"""As OpenClaw 2026.9.6 pushes it."""


def event(stream: str, data: object, run: object = RUN, name: str = "agent") -> GatewayFrame:
    payload = json.dumps({"runId": run, "stream": stream, "data": data}).encode()
    return GatewayFrame(type="event", event=name, payload=msgspec.Raw(payload))


def heard(*frames: GatewayFrame) -> dict[RunId, ModelTrouble]:
    retries = Retries()
    for frame in frames:
        retries.hear(frame)
    return retries.now()


def test_a_retry_is_told_with_its_reason_and_its_number() -> None:
    expected = ModelTrouble(reason="rate limit", attempt=4, of=10)
    assert heard(event("run_status", RETRYING)) == {RUN: expected}


FAILED = {"phase": "finishing", "error": "⚠️ API rate limit reached. Please try again later."}
"""As 2026.8.2 ends a try that failed, be there another one or not."""


def test_a_release_that_numbers_no_tries_is_counted_for() -> None:
    start, failed = event("lifecycle", {"phase": "start"}), event("lifecycle", FAILED)
    assert heard(start, failed) == {}, "it may be the last one"
    (second,) = heard(start, failed, start).values()
    assert second.reason.startswith("api rate limit reached")
    assert (second.attempt, second.of) == (2, None)
    (third,) = heard(start, failed, start, failed, start).values()
    assert third.attempt == 3
    ended = event("lifecycle", {"phase": "error", "error": "…"})
    assert heard(start, failed, start, failed, ended) == {}


def test_a_key_in_a_gateways_sentence_is_not_shown() -> None:
    start = event("lifecycle", {"phase": "start"})
    said = {"phase": "finishing", "error": "401: wrong key sk-abcdefghijklmnop1234"}
    (trouble,) = heard(start, event("lifecycle", said), start).values()
    assert "abcdefghijklmnop" not in trouble.reason
    assert trouble.reason.startswith("401 wrong key")


def test_the_gateway_s_own_numbers_win() -> None:
    start, failed = event("lifecycle", {"phase": "start"}), event("lifecycle", FAILED)
    (told,) = heard(start, failed, event("run_status", RETRYING), start).values()
    assert told == ModelTrouble(reason="rate limit", attempt=4, of=10)


@pytest.mark.parametrize(
    ("stream", "data"),
    [
        ("assistant", {"text": "hello", "delta": "hello"}),
        ("tool", {"phase": "start", "name": "read"}),
        ("lifecycle", {"phase": "end"}),
        ("lifecycle", {"phase": "error", "error": "429"}),
    ],
)
def test_what_comes_from_the_model_or_the_end_is_the_end_of_the_trouble(
    stream: str, data: object
) -> None:
    trouble = event("run_status", RETRYING)
    assert heard(trouble, event(stream, data)) == {}
    other = event(stream, data, run="01KTASK.2")
    assert list(heard(trouble, other)) == [RUN], "another run's"


@pytest.mark.parametrize(
    ("stream", "data"),
    [
        ("lifecycle", {"phase": "start"}),  # every try begins with one
        ("lifecycle", {"phase": "model"}),
        ("assistant", {"text": ""}),
        ("thinking-of-tomorrow", {"text": "new"}),
        ("run_status", {"phase": "retrying"}),
        ("run_status", {"phase": "compacting", "attempt": 2}),
        ("run_status", {"phase": "retrying", "attempt": -1}),
        ("run_status", {"phase": "retrying", "attempt": 0.5}),
        ("run_status", {"phase": 4, "attempt": 5}),
        ("run_status", None),
        ("lifecycle", 5),
    ],
)
def test_anything_else_changes_nothing(stream: str, data: object) -> None:
    trouble = event("run_status", RETRYING)
    assert heard(trouble, event(stream, data)) == heard(trouble)
    assert heard(event(stream, data)) == {}


def test_only_the_event_of_that_name_counts() -> None:
    assert heard(event("run_status", RETRYING, name="chat")) == {}
    assert heard(event("run_status", RETRYING, run="")) == {}
    assert heard(event("run_status", RETRYING, run=7)) == {}


@given(st.text())
def test_a_reason_is_a_short_word_that_is_safe_to_show(reason: str) -> None:
    (trouble,) = heard(event("run_status", {**RETRYING, "reason": reason})).values()
    assert trouble.reason
    assert len(trouble.reason) <= MAX_REASON_CHARS
    assert all(c.isascii() and (c.isalnum() or c == " ") for c in trouble.reason)


def test_a_gateway_that_tells_of_runs_without_end_fills_no_memory() -> None:
    retries = Retries()
    for n in range(MAX_RUNS + 10):
        retries.hear(event("run_status", RETRYING, run=f"r.{n}"))
    assert len(retries.now()) == MAX_RUNS
    assert f"r.{MAX_RUNS + 9}" in retries.now()
    retries.clear()
    assert retries.now() == {}


async def test_a_look_tells_what_was_pushed_on_the_open_connection() -> None:
    gateway = FakeGateway()

    def pushed(**data: Any) -> str:
        payload = {"runId": RUN, "stream": "run_status", "data": data}
        return json.dumps({"type": "event", "event": "agent", "payload": payload})

    async with at_work(gateway) as port:

        async def troubles() -> dict[RunId, ModelTrouble] | None:
            look = await port.probe()
            assert isinstance(look, VitalsReading)
            return look.model_troubles

        while await troubles() is None:
            pass
        assert await troubles() == {}
        await gateway.send(pushed(**RETRYING))
        while not (told := await troubles()):
            pass
        assert told == {RUN: ModelTrouble(reason="rate limit", attempt=4, of=10)}
        await gateway.cut()
        while await troubles() == told:
            pass
