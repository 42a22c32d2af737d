"""What a gateway's answers mean: recorded answers of OpenClaw 2026.9.6 and hostile ones."""

import json
from pathlib import Path
from typing import Any

import msgspec
import pytest

from fleet_tui.core.agents.vitals import FailureKind
from fleet_tui.core.tasks.evidence import (
    MAX_ANSWER_CHARS,
    Answer,
    Definite,
    Finished,
    LostReason,
    NotStarted,
    Started,
    Stopped,
    Unknown,
    Usage,
)
from fleet_tui.wire import words
from fleet_tui.wire.openclaw.connection import GatewayRefused, GatewayReply, GatewayResult, Lost
from fleet_tui.wire.openclaw.dial import GatewayFailure
from fleet_tui.wire.openclaw.frames import ErrorShape, GatewayFrame, GatewayHello, Malformed, decode
from fleet_tui.wire.openclaw.handshake import check_hello, refusal
from fleet_tui.wire.openclaw.host_vitals import HostVitals, Lanes, parse_lanes, parse_system
from fleet_tui.wire.openclaw.readiness import Readiness, parse_readyz
from fleet_tui.wire.openclaw.run_evidence import (
    Cost,
    TokenUsage,
    answer_of,
    final_outcome,
    start_answer,
    usage_of,
    waited_outcome,
)

DATA = Path(__file__).parent / "data" / "openclaw"


def data(name: str) -> Any:
    return json.loads((DATA / name).read_bytes())


def raw(value: object) -> msgspec.Raw:
    return msgspec.Raw(json.dumps(value).encode())


def reply(frame: dict[str, Any]) -> GatewayResult | GatewayRefused:
    """A recorded ``res`` frame as the connection would give it."""
    decoded = decode(json.dumps(frame).encode(), GatewayFrame)
    assert isinstance(decoded, GatewayFrame)
    if decoded.ok:
        return GatewayResult(decoded.payload)
    return GatewayRefused(decoded.error or ErrorShape(), decoded.payload)


# --- readiness ---------------------------------------------------------------------------------


def test_a_ready_gateway_tells_its_host_load_and_its_lag() -> None:
    ready = parse_readyz(200, (DATA / "readyz.json").read_bytes())
    assert ready == Readiness(
        ready=True, note="", uptime_ms=455_061, cpu_percent=93.5, loop_lag_ms_p99=21.3
    )


@pytest.mark.parametrize(
    ("failing", "note"),
    [
        (["gateway-draining"], "draining"),
        (["startup-sidecars"], "starting"),
        (["startup-something-new"], "starting"),
        (["\x1b]0;evil\x07"], "not ready"),
        ([], "not ready"),
    ],
)
def test_a_gateway_that_is_not_ready_says_why_in_our_words(failing: list[str], note: str) -> None:
    body = json.dumps({"ready": False, "failing": failing}).encode()
    drains = note == "draining"
    assert parse_readyz(503, body) == Readiness(ready=False, draining=drains, note=note)


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (200, b"<html>nginx</html>"),
        (200, b""),
        (200, b"{}"),
        (200, b"[]"),
        (200, b'{"ready": "yes"}'),
        (200, b'{"ready": true, "eventLoop": NaN}'),
        (200, b'{"ready": true, "eventLoop": {"delayP99Ms": 1e999}}'),
        (200, b'{"ready": true, "x": ' + b"[" * 100_000),
        (200, b'{"ready": true, "failing": ["\xff\xfe"]}'),
        (404, b'{"ready": true}'),
        (403, (DATA / "readyz-proxy.json").read_bytes()),
    ],
)
def test_anything_else_on_the_port_is_a_bad_answer(status: int, body: bytes) -> None:
    failure = parse_readyz(status, body)
    assert isinstance(failure, GatewayFailure)
    assert failure.kind is FailureKind.BAD_ANSWER
    assert str(status) in failure.detail.raw
    assert len(failure.detail.raw) < 1_000


def test_numbers_that_cannot_be_are_left_out() -> None:
    loop = {"delayP99Ms": -5, "cpuBreakdown": {"hostUtilization": 1e300}}
    body = json.dumps({"ready": True, "eventLoop": loop}).encode()
    assert parse_readyz(200, body) == Readiness(ready=True)


# --- handshake ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("case", "kind"),
    [
        ("wrong token", FailureKind.GATEWAY_AUTH),
        ("empty token", FailureKind.GATEWAY_AUTH),
        ("old protocol", FailureKind.PROTOCOL_MISMATCH),
        ("protocol 3 of 2026.5.7", FailureKind.PROTOCOL_MISMATCH),
        ("agent with read scope", FailureKind.GATEWAY_SCOPE),
    ],
)
def test_refusals_to_connect(case: str, kind: FailureKind) -> None:
    error = decode(json.dumps(data("connect-errors.json")[case]).encode(), ErrorShape)
    assert isinstance(error, ErrorShape)
    assert refusal(error).kind is kind
    assert kind.is_permanent


def test_another_protocol_is_told_by_its_number() -> None:
    said = data("connect-errors.json")["protocol 3 of 2026.5.7"]
    error = decode(json.dumps(said).encode(), ErrorShape)
    assert isinstance(error, ErrorShape)
    assert "it speaks protocol 3, this program 4" in refusal(error).detail.raw
    said["details"] = {"code": "PROTOCOL_MISMATCH", "expectedProtocol": "x" * 900}
    error = decode(json.dumps(said).encode(), ErrorShape)
    assert isinstance(error, ErrorShape)
    assert refusal(error).kind is FailureKind.PROTOCOL_MISMATCH
    assert "x" not in refusal(error).detail.raw


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (
            {"code": "UNAVAILABLE", "details": {"reason": "startup-sidecars"}},
            FailureKind.GATEWAY_STARTING,
        ),
        (
            {"code": "UNAVAILABLE", "details": {"reason": "gateway-suspending"}},
            FailureKind.GATEWAY_DRAINING,
        ),
        ({"code": "UNAVAILABLE"}, FailureKind.GATEWAY_DRAINING),
        # Its package was replaced while it runs, which does not mean that it drains.
        ({"code": "UNAVAILABLE", "details": {"code": "STALE_INSTALL"}}, FailureKind.BAD_ANSWER),
        ({"code": "WHATEVER", "details": [1]}, FailureKind.BAD_ANSWER),
    ],
)
def test_passing_refusals(error: dict[str, object], kind: FailureKind) -> None:
    decoded = decode(json.dumps(error).encode(), ErrorShape)
    assert isinstance(decoded, ErrorShape)
    assert refusal(decoded).kind is kind
    assert not kind.is_permanent


def test_hello_is_checked_for_protocol_and_scopes() -> None:
    good = data("hello-ok.json")
    hello = decode(json.dumps(good).encode(), GatewayHello)
    assert isinstance(hello, GatewayHello)
    assert check_hello(hello) is None
    assert hello.server.boot_id
    assert hello.server.version == "2026.9.6"

    weak = decode(
        json.dumps({**good, "auth": {"scopes": ["operator.read"]}}).encode(), GatewayHello
    )
    assert isinstance(weak, GatewayHello)
    failure = check_hello(weak)
    assert failure is not None
    assert failure.kind is FailureKind.GATEWAY_SCOPE
    assert "operator.write" in failure.detail.raw

    other = decode(json.dumps({**good, "protocol": 5}).encode(), GatewayHello)
    assert isinstance(other, GatewayHello)
    failure = check_hello(other)
    assert failure is not None
    assert failure.kind is FailureKind.PROTOCOL_MISMATCH


# --- the start of a run ------------------------------------------------------------------------


def test_accepted_is_started() -> None:
    answer = start_answer(reply(data("agent-accepted.json")), "boot-1")
    assert answer == Definite(Started(boot_id="boot-1"))


def test_a_key_the_gateway_knew_is_already_started() -> None:
    answer = start_answer(GatewayResult(raw({"runId": "r", "status": "in_flight"})), "b")
    assert answer == Definite(Started(boot_id="b", already=True))


def test_a_draining_gateway_definitely_did_not_start() -> None:
    answer = start_answer(reply(data("agent-draining.json")), "b")
    assert isinstance(answer, Definite)
    assert isinstance(answer.value, NotStarted)
    assert answer.value.reason == "gateway-suspending"
    assert answer.value.retryable
    assert answer.value.passing, "its probes say so, too"


def test_what_one_gateway_calls_invalid_another_may_take() -> None:
    """It may be of an older release, or have no agent of that id."""
    unknown = ErrorShape(code="INVALID_REQUEST", message="unknown property displayName")
    answer = start_answer(GatewayRefused(unknown, raw(None)), "b")
    assert isinstance(answer, Definite)
    assert isinstance(answer.value, NotStarted)
    assert answer.value.reason == "invalid-request"
    assert answer.value.retryable
    assert not answer.value.passing


@pytest.mark.parametrize(
    ("said", "reason"),
    [
        (Lost(LostReason.CONNECTION_LOST), LostReason.CONNECTION_LOST),
        (Lost(LostReason.TIMEOUT), LostReason.TIMEOUT),
        (GatewayResult(msgspec.Raw(b'"?"')), LostReason.BAD_ANSWER),
    ],
)
def test_no_usable_answer_to_a_start_is_unknown(said: GatewayReply, reason: LostReason) -> None:
    answer = start_answer(said, "b")
    assert isinstance(answer, Unknown)
    assert answer.reason is reason


def test_a_refusal_reason_is_a_word_whatever_the_gateway_sends() -> None:
    answer = start_answer(GatewayRefused(ErrorShape(code="\x1b[31m evil [/x]"), raw(None)), "b")
    assert isinstance(answer, Definite)
    assert isinstance(answer.value, NotStarted)
    assert answer.value.reason.replace("-", "").isalnum()


# --- the end of a run --------------------------------------------------------------------------


def test_done_with_tokens_and_cost() -> None:
    outcome = final_outcome(reply(data("agent-done.json")))
    assert isinstance(outcome, Definite)
    finished = outcome.value
    assert isinstance(finished, Finished)
    assert finished.ok
    assert finished.failure == ""
    assert finished.answer.text.raw.startswith("stub reply to:")
    assert finished.answer.size_bytes == len(finished.answer.text.raw)
    assert len(finished.answer.sha256) == 64
    assert finished.duration_ms == 10_125
    assert finished.usage == Usage(
        input_tokens=855,
        output_tokens=62,
        cache_read_tokens=200,
        cost_microusd=3_555,
        model="stub-1",
    )


def test_cancelled_is_stopped_although_it_says_timeout() -> None:
    frame = data("agent-cancelled.json")
    assert frame["payload"]["status"] == "timeout"
    assert final_outcome(reply(frame)) == Definite(Stopped())


def test_a_run_under_a_deleted_session_is_stopped() -> None:
    end = {"status": "timeout", "stopReason": "delete", "timeoutPhase": "queue"}
    assert final_outcome(GatewayResult(raw(end))) == Definite(Stopped())


def test_a_run_limit_of_an_older_release_is_told_apart_from_an_abort() -> None:
    """Up to 2026.7 both have the stop reason of an abort, and only the limit names its phase."""
    end = {"status": "timeout", "stopReason": "rpc", "timeoutPhase": "provider"}
    limited = final_outcome(GatewayResult(raw(end)))
    assert isinstance(limited, Definite)
    assert isinstance(limited.value, Finished)
    assert limited.value.failure == "timeout"
    waited = waited_outcome(raw(end | {"endedAt": 1}))
    assert isinstance(waited, Finished)
    assert waited.failure == "timeout"
    queued = end | {"timeoutPhase": "queue"}
    assert final_outcome(GatewayResult(raw(queued))) == Definite(Stopped())
    assert waited_outcome(raw(queued)) == Stopped()


@pytest.mark.parametrize("status", ["ok", "sideways", "accepted", ""])
@pytest.mark.parametrize("stop_reason", ["rpc", "delete"])
def test_a_stop_reason_that_contradicts_the_status_proves_no_end(
    status: str, stop_reason: str
) -> None:
    end = raw({"status": status, "stopReason": stop_reason, "endedAt": 1})
    outcome = final_outcome(GatewayResult(end))
    assert isinstance(outcome, Unknown)
    assert outcome.reason is LostReason.BAD_ANSWER
    assert waited_outcome(end) is None


@pytest.mark.parametrize(
    ("name", "failure", "words"),
    [
        ("agent-run-timeout.json", "timeout", "timed out"),
        ("agent-model-500.json", "model-error", "HTTP 500"),
    ],
)
def test_runs_that_failed(name: str, failure: str, words: str) -> None:
    outcome = final_outcome(reply(data(name)))
    assert isinstance(outcome, Definite)
    assert isinstance(outcome.value, Finished)
    assert not outcome.value.ok
    assert outcome.value.failure == failure
    assert words in outcome.value.detail.raw
    assert outcome.value.retryable


def test_a_run_that_a_stopping_gateway_gave_back_never_started() -> None:
    """OpenClaw 2026.9.6, SIGTERM before an accepted turn was at the model."""
    said = "Gateway is draining; new tasks are not accepted"
    for error, summary in ((said, ""), ("Error", said)):
        payload = raw({"runId": "r", "status": "error", "summary": summary})
        refused = GatewayRefused(ErrorShape(code="UNAVAILABLE", message=error), payload)
        outcome = final_outcome(refused)
        assert isinstance(outcome, Definite)
        assert isinstance(outcome.value, NotStarted)
        assert outcome.value.withdrawn
        assert outcome.value.reason == "gateway-draining"


@pytest.mark.parametrize("payload", [None, {}, {"status": "accepted"}])
def test_a_refusal_that_does_not_say_that_the_run_failed_decides_nothing(payload: object) -> None:
    key = "sk-" + "a1b2c3d4" * 4
    stopping = ErrorShape(code="UNAVAILABLE", message=f"gateway stopping {key}")
    outcome = final_outcome(GatewayRefused(stopping, raw(payload)))
    assert isinstance(outcome, Unknown)
    assert key not in outcome.detail.raw


def test_a_secret_in_a_providers_error_is_taken_out() -> None:
    key = "sk-" + "a1b2c3d4" * 4
    failed = raw({"status": "error"})
    outcome = final_outcome(GatewayRefused(ErrorShape(message=f"bad key {key}"), failed))
    assert isinstance(outcome, Definite)
    assert isinstance(outcome.value, Finished)
    assert key not in outcome.value.detail.raw


def test_an_answer_of_errors_alone_is_a_failure() -> None:
    end = {"status": "ok", "result": {"payloads": [{"text": "no", "isError": True}]}}
    outcome = final_outcome(GatewayResult(raw(end)))
    assert isinstance(outcome, Definite)
    assert isinstance(outcome.value, Finished)
    assert not outcome.value.ok
    assert outcome.value.failure == "agent-error"


@pytest.mark.parametrize(
    "result", ["done", 3, [], {"payloads": "?", "meta": {}}, {"payloads": [{"text": {"a": 1}}]}]
)
def test_a_strange_result_spoils_the_answer_and_not_the_verdict(result: object) -> None:
    outcome = final_outcome(GatewayResult(raw({"status": "ok", "result": result})))
    assert isinstance(outcome, Definite)
    assert isinstance(outcome.value, Finished)
    assert outcome.value.ok
    assert outcome.value.answer == Answer(lost=True)


@pytest.mark.parametrize(
    "meta",
    [
        7,
        {"agentMeta": {"usage": {"input": "many"}}},
        {"agentMeta": {"usage": {"input": -1}}},
        {"agentMeta": {"usage": {"output": 2**60}}},
        {"agentMeta": {"costUsd": -0.5}},
        {"agentMeta": {"usage": {"cost": {"total": 1e12}}}},
    ],
)
def test_usage_that_cannot_be_spoils_neither_verdict_nor_answer_and_is_no_zero(
    meta: object,
) -> None:
    end = {"status": "ok", "result": {"payloads": [{"text": "done"}], "meta": meta}}
    outcome = final_outcome(GatewayResult(raw(end)))
    assert isinstance(outcome, Definite)
    assert isinstance(outcome.value, Finished)
    assert outcome.value.ok
    assert outcome.value.answer.text.raw == "done"
    assert outcome.value.usage.unusable
    assert outcome.value.usage.cost_microusd is None


@pytest.mark.parametrize("status", ["", "queued", "ACCEPTED", "started", "rejected", "ok\n"])
def test_a_first_answer_in_an_unknown_word_is_no_start(status: str) -> None:
    answer = start_answer(GatewayResult(raw({"runId": "r", "status": status})), "b")
    assert isinstance(answer, Unknown)
    assert answer.reason is LostReason.BAD_ANSWER


def test_an_unknown_status_proves_nothing() -> None:
    outcome = final_outcome(GatewayResult(raw({"status": "sideways"})))
    assert isinstance(outcome, Unknown)
    assert outcome.reason is LostReason.BAD_ANSWER


def test_a_long_answer_is_cut_and_its_whole_is_hashed() -> None:
    text = "é" * (MAX_ANSWER_CHARS + 10)
    answer = answer_of(text)
    assert len(answer.text.raw) == MAX_ANSWER_CHARS
    assert answer.truncated
    assert answer.size_bytes == 2 * len(text)
    assert answer.sha256 != answer_of(text[:-1]).sha256


def test_half_a_surrogate_in_an_answer_does_not_raise() -> None:
    assert answer_of("\ud800").size_bytes == 3


def test_a_secret_at_the_cut_of_an_answer_is_taken_out_whole() -> None:
    text = "x" * (MAX_ANSWER_CHARS - 8) + " sk-abcdefghijklmnop"
    assert answer_of(text).text.raw.endswith("x [redact")


def test_of_a_huge_answer_only_what_may_be_kept_is_looked_at_for_secrets(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A gateway may send 25 MB at once, and the engine has other things to do."""
    looked_at: list[int] = []

    def redact(text: str) -> str:
        looked_at.append(len(text))
        return text

    monkeypatch.setattr(words, "redact", redact)
    answer = answer_of("token=" * 1_000_000)
    assert (answer.size_bytes, answer.truncated) == (6_000_000, True)
    assert len(words.words_of("token=" * 1_000_000).raw) == words.MAX_WORDS_CHARS
    assert max(looked_at) <= MAX_ANSWER_CHARS * words.LOOK_AHEAD


def test_a_cost_of_less_than_a_micro_dollar_is_not_told_as_free() -> None:
    assert usage_of([TokenUsage(cost=Cost(total=2e-7))] * 2, model=None).cost_microusd == 1


def test_waiting_proves_only_what_is_unambiguous() -> None:
    waits = {case: waited_outcome(raw(payload)) for case, payload in data("wait.json").items()}
    done = waits.pop("done")
    assert isinstance(done, Finished)
    assert done.ok
    assert done.answer.text.raw.startswith("stub reply")
    assert waits.pop("cancelled") == Stopped()
    failed = waits.pop("failed")
    assert isinstance(failed, Finished)
    assert failed.failure == "model-error"
    late = waits.pop("run-timeout")
    assert isinstance(late, Finished)
    assert late.failure == "timeout"
    assert waits == {"working": None, "forgotten": None}


# --- the deep probe ----------------------------------------------------------------------------


def test_lanes_count_agent_runs_only() -> None:
    lanes = parse_lanes((DATA / "lanes-busy.json").read_bytes())
    assert lanes == Lanes(active=8, queued=16, capacity=8, clock_ms=1795201302777)


def test_the_machine_of_a_gateway() -> None:
    host = parse_system((DATA / "system-info.json").read_bytes())
    assert isinstance(host, HostVitals)
    assert host.rss_bytes == 811_118_592
    assert host.disk_free_bytes == 79_485_267_968
    assert host.load_average == 1.54
    assert host.memory_percent == pytest.approx(5.99, abs=0.01)


def test_a_machine_with_impossible_numbers() -> None:
    said = {
        "memoryTotalBytes": 0,
        "memoryFreeBytes": -1,
        "processMemory": {"rssBytes": -1},
        "disks": [{"availableBytes": 1e300}, {"availableBytes": 7}],
        "loadAverage": [],
    }
    assert parse_system(raw(said)) == HostVitals(disk_free_bytes=7)


@pytest.mark.parametrize("body", [b"", b"[]", b'{"lanes": {}}', b'{"lanes": [1]}', b"\xff"])
def test_lanes_that_are_none(body: bytes) -> None:
    assert isinstance(parse_lanes(body), Malformed)
