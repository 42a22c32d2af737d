"""What gateways answer, with every value of it in turn missing or another one than it can be.

The answers are recorded ones. Whatever is made of them, reading never fails; what was no success
does not become one; and a cost or a number of tokens that is not what was recorded is told as
unknown, never as less.
"""

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from fleet_tui.core.tasks.evidence import Definite, Finished, Stopped, Unknown, Usage
from fleet_tui.wire.openclaw.connection import GatewayRefused, GatewayResult
from fleet_tui.wire.openclaw.frames import (
    PROTOCOL,
    ErrorShape,
    GatewayFrame,
    GatewayHello,
    Malformed,
    decode,
)
from fleet_tui.wire.openclaw.handshake import SCOPES, check_hello
from fleet_tui.wire.openclaw.host_vitals import parse_lanes, parse_system
from fleet_tui.wire.openclaw.readiness import Readiness, parse_readyz
from fleet_tui.wire.openclaw.run_evidence import (
    about_another,
    final_outcome,
    start_answer,
    waited_outcome,
)
from fleet_tui.wire.openclaw.transcript import ChatHistory, TaskLedger, session_state

DATA = Path(__file__).parent / "data" / "openclaw"

ABSENT = object()
ODD: tuple[object, ...] = (
    *(ABSENT, None, True, False, 0, -1, 0.5, 1e308, 2**70, -(2**70)),
    *("", "x", "-1", "12", "NaN", [], [None], [[]], {}, {"": None}),
)

Read = Callable[[object], object]


def twisted(value: Any, at: str = "") -> Iterator[tuple[str, Any]]:
    """The document with one of its values odd, for each value and each oddity."""
    if isinstance(value, dict | list):
        for key, inner in list(value.items() if isinstance(value, dict) else enumerate(value)):
            place = f"{at}.{key}"
            for odd in ODD:
                copy = value.copy()
                if odd is ABSENT:
                    del copy[key]
                elif type(odd) is type(inner) and odd == inner:
                    continue
                else:
                    copy[key] = odd
                yield f"{place} = {'absent' if odd is ABSENT else repr(odd)}", copy
            for where, other in twisted(inner, place):
                copy = value.copy()
                copy[key] = other
                yield where, copy


def _final(frame: object) -> object:
    read = decode(json.dumps(frame).encode(), GatewayFrame)
    if isinstance(read, Malformed):
        return read
    if read.ok:
        return final_outcome(GatewayResult(read.payload))
    return final_outcome(GatewayRefused(read.error or ErrorShape(), read.payload))


def _first(frame: object) -> object:
    read = decode(json.dumps(frame).encode(), GatewayFrame)
    if isinstance(read, Malformed):
        return read
    about_another(GatewayResult(read.payload), "run.1")
    if read.ok:
        return start_answer(GatewayResult(read.payload), "boot")
    return start_answer(GatewayRefused(read.error or ErrorShape(), read.payload), "boot")


def _waited(payload: object) -> object:
    return waited_outcome(msgspec.Raw(json.dumps(payload).encode()))


def _session(run: str) -> Read:
    def read(both: object) -> object:
        assert isinstance(both, dict)
        history = decode(json.dumps(both.get("history")).encode(), ChatHistory)
        ledger = decode(json.dumps(both.get("ledger")).encode(), TaskLedger)
        if isinstance(history, Malformed) or isinstance(ledger, Malformed):
            return None
        return session_state(history, ledger, run)

    return read


def _json(name: str) -> Any:
    return json.loads((DATA / f"{name}.json").read_bytes())


SESSIONS = (
    *("absent", "deleted", "done", "failed", "interrupted", "killed", "resumed"),
    *("resumed-done", "running", "timeout", "untouched"),
)
ANSWERS: dict[str, tuple[Any, Read]] = {
    **{
        f"agent-{name}": (_json(f"agent-{name}"), _final)
        for name in ("done", "cancelled", "draining", "model-500", "run-timeout")
    },
    **{f"first-{name}": (_json(f"agent-{name}"), _first) for name in ("accepted", "draining")},
    **{f"wait-{name}": (answer, _waited) for name, answer in _json("wait").items()},
    **{f"session-{name}": (_json(f"session-{name}"), _session(f"run.{name}")) for name in SESSIONS},
}


def finished(outcome: object) -> Finished | Stopped | None:
    value = outcome.value if isinstance(outcome, Definite) else outcome
    return value if isinstance(value, Finished | Stopped) else None


def is_success(outcome: object) -> bool:
    value = finished(outcome)
    return isinstance(value, Finished) and value.ok


def tells_less(told: Usage, real: Usage) -> bool:
    """Whether it names less than was used without saying that it may be more."""
    if told.unusable:
        return False
    if told.cost_microusd is not None:
        return told.cost_microusd < (real.cost_microusd or 0)
    return told.input_tokens < real.input_tokens or told.output_tokens < real.output_tokens


@pytest.mark.parametrize("name", ANSWERS)
def test_an_odd_answer_is_no_success_and_costs_no_less(name: str) -> None:
    document, read = ANSWERS[name]
    real = read(document)
    known = finished(real)
    tried = 0
    wrong = []
    for where, odd in twisted(document):
        tried += 1
        told = read(odd)
        ended = finished(told)
        if is_success(told) and not is_success(real):
            wrong.append(f"{where}: a success")
        if not is_success(told) or not is_success(real):
            continue
        assert known is not None
        assert ended is not None
        is_another_cost = "ost" in where and where.endswith((" = 0", " = 0.5"))
        if not is_another_cost and tells_less(ended.usage, known.usage):
            wrong.append(f"{where}: {ended.usage}")
    assert tried > 20
    assert wrong == []


def test_no_status_but_its_own_is_a_success() -> None:
    document, read = ANSWERS["agent-done"]
    for odd in ODD:
        twisted_status = json.loads(json.dumps(document))
        if odd is ABSENT:
            del twisted_status["payload"]["status"]
        else:
            twisted_status["payload"]["status"] = odd
        assert isinstance(read(twisted_status), Unknown), odd


def _numbers(value: object) -> Iterator[float]:
    for name in getattr(value, "__struct_fields__", ()):
        part = getattr(value, name)
        if isinstance(part, int | float) and not isinstance(part, bool):
            yield part


VITALS: dict[str, tuple[Any, Callable[[bytes], object]]] = {
    "readyz": (_json("readyz"), lambda body: parse_readyz(200, body)),
    "lanes": (_json("lanes-busy"), parse_lanes),
    "system": (_json("system-info"), parse_system),
}


@pytest.mark.parametrize("name", VITALS)
def test_odd_vitals_are_no_numbers_that_cannot_be(name: str) -> None:
    document, read = VITALS[name]
    assert list(_numbers(read(json.dumps(document).encode())))
    for where, odd in twisted(document):
        told = read(json.dumps(odd).encode())
        assert all(0 <= n < 2**60 for n in _numbers(told)), where
        if isinstance(told, Readiness) and told.ready:
            assert odd["ready"] is True, where


def test_an_odd_hello_is_read_or_refused() -> None:
    document = _json("hello-ok")
    hello = document.get("payload", document)
    assert isinstance(decode(json.dumps(hello).encode(), GatewayHello), GatewayHello)
    for where, odd in twisted(hello):
        read = decode(json.dumps(odd).encode(), GatewayHello)
        if isinstance(read, GatewayHello) and check_hello(read) is None:
            assert read.protocol == PROTOCOL, where
            assert set(SCOPES) <= set(read.auth.scopes), where
