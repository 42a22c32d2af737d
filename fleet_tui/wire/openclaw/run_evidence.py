"""Turns a gateway's answers about a run into evidence.

OpenClaw's terms are misleading in places: a cancelled run ends with status ``timeout`` and stop
reason ``rpc``; so does, up to 2026.7, one that reached its limit, but only the latter names its
phase; ``agent.wait`` answers ``timeout`` for a run that still works, one that was forgotten and one
that never existed. Only unambiguous answers become facts here.
"""

import hashlib
from collections.abc import Iterable
from typing import assert_never

import msgspec
from msgspec.structs import replace

from fleet_tui.core.agents.vitals import FailureKind
from fleet_tui.core.tasks.codes import FailedCode
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
    microusd,
)
from fleet_tui.wire.numbers import count
from fleet_tui.wire.openclaw.connection import GatewayRefused, GatewayReply, GatewayResult, Lost
from fleet_tui.wire.openclaw.dial import GatewayFailure
from fleet_tui.wire.openclaw.frames import (
    ErrorDetails,
    Lifecycle,
    Malformed,
    RunAccepted,
    decode,
    lifecycle,
    name_of,
)
from fleet_tui.wire.words import words_of

WITHDRAWN = "Gateway is draining; new tasks are not accepted"
"""The message of a gateway that stops for an accepted run that had not reached the model."""

UNTOLD = Usage(unusable=True)
"""The usage of a run whose end is reported without it."""

_STOPPED_BY = frozenset({"rpc", "delete"})
"""Stop reasons of ``sessions.abort`` and of ``sessions.delete`` under a run."""

_STOPPED = frozenset({"timeout", "error"})
"""Statuses of a run that was stopped: of ``agent``, and of ``agent.wait``."""

_ENDED = frozenset({"ok", *_STOPPED})
_STARTED = frozenset({"accepted", "in_flight"}) | _ENDED
"""Statuses of ``agent``. Any other proves nothing."""


class Cost(msgspec.Struct, frozen=True, kw_only=True):
    """Cost part of a usage, in US dollars."""

    total: float | None = None


class TokenUsage(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """Tokens as results and transcripts report them."""

    input: float | None = None
    output: float | None = None
    cache_read: float | None = None
    cache_write: float | None = None
    cost: Cost = Cost()


class _AgentMeta(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    model: str | None = None
    usage: TokenUsage = TokenUsage()
    cost_usd: float | None = None


class _Meta(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    duration_ms: float | None = None
    agent_meta: _AgentMeta = _AgentMeta()


class _Payload(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    text: str | None = None
    is_error: bool = False


class _RunResult(msgspec.Struct, frozen=True, kw_only=True):
    payloads: list[_Payload] = []
    meta: msgspec.Raw = msgspec.Raw(b"{}")


class _Named(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    run_id: str | None = None


class _RunEnd(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    status: str = ""
    summary: str = ""
    stop_reason: str | None = None
    timeout_phase: str | None = None
    result: msgspec.Raw = msgspec.Raw(b"{}")


class _Reply(msgspec.Struct, frozen=True, kw_only=True):
    text: str | None = None


class _Waited(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    status: str = ""
    stop_reason: str | None = None
    timeout_phase: str | None = None
    ended_at: float | None = None
    error: str | None = None
    terminal_reply: _Reply = _Reply()


def unreachable(failure: GatewayFailure) -> Unknown:
    """Unknown for a request that could not be sent."""
    return Unknown(_lost_as(failure.kind), failure.detail)


def _lost_as(kind: FailureKind) -> LostReason:
    """What a failure on the path to a gateway means for a query about a run."""
    match kind:
        case FailureKind.GATEWAY_HUNG:
            return LostReason.HUNG
        case FailureKind.TIMEOUT:
            return LostReason.TIMEOUT
        case FailureKind.BAD_ANSWER:
            return LostReason.BAD_ANSWER
        case (
            FailureKind.GATEWAY_STARTING
            | FailureKind.GATEWAY_DRAINING
            | FailureKind.GATEWAY_AUTH
            | FailureKind.GATEWAY_SCOPE
            | FailureKind.PROTOCOL_MISMATCH
            | FailureKind.RELEASE_UNSUPPORTED
            | FailureKind.AGENT_MISSING
        ):
            return LostReason.REFUSED
        case (
            FailureKind.SSH_UNREACHABLE
            | FailureKind.SSH_AUTH
            | FailureKind.SSH_HOST_KEY
            | FailureKind.SSH_PROTOCOL
            | FailureKind.FORWARD_DENIED
            | FailureKind.SESSION_DENIED
            | FailureKind.GATEWAY_DOWN
            | FailureKind.SECRET_MISSING
            | FailureKind.COMMAND_MISSING
            | FailureKind.DISK_FULL
            | FailureKind.NO_DESCRIPTORS
            | FailureKind.CANNOT_WORK
            | FailureKind.INTERNAL
        ):
            return LostReason.UNREACHABLE
        case _:
            assert_never(kind)


def unanswered(reply: GatewayRefused | Lost | Malformed) -> Unknown:
    """Unknown for a request without a usable answer."""
    match reply:
        case Lost(reason=reason, detail=detail):
            return Unknown(reason, detail)
        case GatewayRefused(error=error):
            return Unknown(LostReason.REFUSED, words_of(f"{error.code}: {error.message}"))
        case Malformed(problem=problem):
            return Unknown(LostReason.BAD_ANSWER, words_of(problem))


def no_cancel(reply: GatewayRefused | Lost) -> Unknown:
    """A cancel that was not accepted. A gateway that drains refuses it like every other request,
    and its runs continue."""
    lost = unanswered(reply)
    if isinstance(reply, GatewayRefused):
        details = decode(reply.error.details, ErrorDetails)
        reason = details.reason if isinstance(details, ErrorDetails) else ""
        if lifecycle(reason) is Lifecycle.DRAINING:
            return Unknown(LostReason.CANNOT_CANCEL, lost.detail)
    return lost


def about_another(reply: GatewayReply, run_id: str) -> Unknown | None:
    """Unknown for an answer that names another run than the requested one: it proves nothing about
    ours. Gateways name the run in every answer about one."""
    if isinstance(reply, Lost):
        return None
    named = decode(reply.payload, _Named)
    if isinstance(named, Malformed) or named.run_id in {None, run_id}:
        return None
    return Unknown(LostReason.BAD_ANSWER, words_of(f"the answer is about run {named.run_id}"))


def start_answer(reply: GatewayReply, boot_id: str) -> Definite[Started | NotStarted] | Unknown:
    """The evidence in the first answer of ``agent``. A refusal there comes before any work."""
    match reply:
        case GatewayResult(payload=payload):
            accepted = decode(payload, RunAccepted)
            if isinstance(accepted, Malformed):
                return unanswered(accepted)
            if accepted.status not in _STARTED:
                strange = words_of(f"status {accepted.status[:40]!r}")
                return Unknown(LostReason.BAD_ANSWER, strange)
            return Definite(Started(boot_id=boot_id, already=accepted.status != "accepted"))
        case GatewayRefused():
            return Definite(refused_start(reply))
        case Lost():
            return unanswered(reply)


def refused_start(refused: GatewayRefused) -> NotStarted:
    """A start that the gateway refused. Another agent may take it, even where this one calls the
    request invalid: it may support fewer methods and keys than others, or have no agent of that
    id."""
    error = refused.error
    details = decode(error.details, ErrorDetails)
    said = details.reason or details.code if isinstance(details, ErrorDetails) else ""
    reason = _word(said or error.code)
    return NotStarted(
        reason=reason, detail=words_of(error.message), passing=lifecycle(reason) is not None
    )


def _word(code: str) -> str:
    """A gateway's code in a form that is safe to show: letters, digits and dashes."""
    kept = "".join(c if c.isascii() and c.isalnum() else "-" for c in code[:40]).strip("-")
    return kept.lower() or "refused"


def final_outcome(
    reply: GatewayResult | GatewayRefused,
) -> Definite[Finished | Stopped | NotStarted] | Unknown:
    """How a run ended, from the last answer of ``agent``.

    A run whose model failed is reported as a refusal with status ``error``. So is one that was
    accepted and had not entered its lane when the gateway began to stop: it is given back, and no
    restart continues it. Runs waiting in the lane still get their turn. Any other refusal, such as
    by a gateway that stops, is no evidence about the run.
    """
    if isinstance(reply, GatewayRefused):
        told = decode(reply.payload, _RunEnd)
        if isinstance(told, Malformed) or told.status != "error":
            return unanswered(reply)
        if WITHDRAWN in (told.summary, reply.error.message):
            given_back = NotStarted(
                reason=FailureKind.GATEWAY_DRAINING.value,
                detail=words_of(reply.error.message),
                withdrawn=True,
            )
            return Definite(given_back)
        return Definite(
            Finished(
                ok=False,
                failure=FailedCode.MODEL_ERROR,
                detail=words_of(reply.error.message),
            )
        )
    end = decode(reply.payload, _RunEnd)
    if isinstance(end, Malformed):
        return unanswered(end)
    result = decode(end.result, _RunResult)
    is_strange = isinstance(result, Malformed)
    if isinstance(result, Malformed):
        result = _RunResult()
    meta, usage = _Meta(), UNTOLD
    told_meta = decode(result.meta, _Meta)
    if isinstance(told_meta, _Meta):
        meta, agent = told_meta, told_meta.agent_meta
        usage = usage_of([agent.usage], model=agent.model, cost_usd=agent.cost_usd)
    if _was_aborted(end):
        return Definite(Stopped(usage=usage))
    if end.status not in _ENDED or _contradicts_itself(end):
        strange = words_of(f"status {end.status[:40]!r}, stop reason {end.stop_reason!r}")
        return Unknown(LostReason.BAD_ANSWER, strange)
    errors = [part.text or "" for part in result.payloads if part.is_error]
    answer = answer_of("\n\n".join(p.text for p in result.payloads if p.text and not p.is_error))
    if is_strange and end.status == "ok":
        answer = Answer(lost=True)
    only_errors = bool(errors) and not answer.size_bytes
    is_ok = end.status == "ok" and not only_errors
    return Definite(
        Finished(
            ok=is_ok,
            answer=answer,
            usage=of_success(usage) if is_ok else usage,
            failure=_failure(end.status, only_errors),
            detail=words_of("\n".join(errors)),
            duration_ms=count(meta.duration_ms),
        )
    )


def _was_aborted(end: _RunEnd | _Waited) -> bool:
    """Whether a run ended because it was aborted, while running or still queued."""
    stopped = end.status in _STOPPED and end.stop_reason in _STOPPED_BY
    return stopped and end.timeout_phase in {None, "queue"}


def _contradicts_itself(end: _RunEnd | _Waited) -> bool:
    """A success that was stopped is neither."""
    return end.status == "ok" and end.stop_reason in _STOPPED_BY


def _failure(status: str, only_errors: bool) -> str:
    if status == "timeout":
        return FailedCode.TIMEOUT
    if status == "error":
        return FailedCode.MODEL_ERROR
    return FailedCode.AGENT_ERROR if only_errors else ""


def waited_outcome(payload: msgspec.Raw) -> Finished | Stopped | None:
    """The end of a run from ``agent.wait``, without its usage; None when that proves no end."""
    waited = decode(payload, _Waited)
    if isinstance(waited, Malformed):
        return None
    if _was_aborted(waited):
        return Stopped()
    error = words_of(waited.error or "")
    said = waited.terminal_reply.text
    if waited.status == "ok" and not _contradicts_itself(waited):
        answer = answer_of(said) if said else Answer(lost=True)
        return Finished(ok=True, answer=answer, usage=UNTOLD)
    if waited.status == "error":
        return Finished(ok=False, failure=FailedCode.MODEL_ERROR, usage=UNTOLD, detail=error)
    if waited.status == "timeout" and waited.ended_at is not None:
        return Finished(ok=False, failure=FailedCode.TIMEOUT, usage=UNTOLD, detail=error)
    return None


def usage_of(
    parts: Iterable[TokenUsage], *, model: str | None, cost_usd: float | None = None
) -> Usage:
    """The sum of several reports; the cost is that of the parts unless given, None if none was
    reported."""
    parts = list(parts)
    told = [part.cost.total for part in parts if part.cost.total is not None]
    priced = cost_usd is not None or bool(told)
    halves = any((part.input is None) != (part.output is None) for part in parts)
    tokens = [n for p in parts for n in (p.input, p.output, p.cache_read, p.cache_write)]
    costs = told if cost_usd is None else [*told, cost_usd]
    whole = sum(told) if cost_usd is None else cost_usd
    return Usage(
        input_tokens=sum(count(part.input) or 0 for part in parts),
        output_tokens=sum(count(part.output) or 0 for part in parts),
        cache_read_tokens=sum(count(part.cache_read) or 0 for part in parts),
        cache_write_tokens=sum(count(part.cache_write) or 0 for part in parts),
        cost_microusd=microusd(whole) if priced else None,
        model=None if model is None else name_of(model),
        unusable=any(n is not None and count(n) is None for n in tokens)
        or any(microusd(usd) is None for usd in costs)
        or (halves and not priced),
    )


def of_success(usage: Usage) -> Usage:
    """The usage of a successful turn: it used tokens, so where neither tokens nor cost are
    reported, the usage is unknown."""
    is_told = usage.total_tokens > 0 or usage.cost_microusd is not None
    return usage if is_told else replace(usage, unusable=True)


def answer_of(text: str) -> Answer:
    """An answer as stored in the ledger: redacted and cut, with the size and hash of the whole."""
    whole = text.encode("utf-8", "surrogatepass")
    return Answer(
        text=words_of(text, MAX_ANSWER_CHARS),
        size_bytes=len(whole),
        sha256=hashlib.sha256(whole).hexdigest() if whole else "",
        truncated=len(text) > MAX_ANSWER_CHARS,
    )
