"""Sentences for failure codes, shown in place of ``no-trace`` or ``process-gone``.

The ledger keeps codes, because they are compared, counted and matched; every text on screen puts
them as a sentence about the agent, whose name comes first. A gateway's own code is shown as such.
Names of failures that a fleet file can use (``non_retryable``) are in brackets.
"""

import re
from enum import StrEnum
from typing import assert_never

from fleet_tui.core.agents.vitals import FailureKind
from fleet_tui.core.routing.decision import PendingCode
from fleet_tui.core.tasks.evidence import LostReason

_CODE = re.compile(r"[a-z0-9]+(?:-[a-z0-9]+)*")
"""A code, as opposed to a sentence."""


class NotStartedCode(StrEnum):
    """Why a run did not start, other than that its agent could not be reached."""

    REFUSED = "refused"
    FENCED = "fenced"
    CANCELLED_FIRST = "cancelled-first"
    STALE_EPOCH = "stale-epoch"
    ENGINE_REPLACED = "engine-replaced"
    BAD_ID = "bad-id"
    SHORT = "short"
    DAMAGED = "damaged"
    NO_RUN_DIR = "no-run-dir"
    RUN_DIR_NOT_WRITABLE = "run-dir-not-writable"
    RUN_DIR_BEGAN_ANEW = "run-dir-began-anew"
    NO_HARD_LINKS = "no-hard-links"
    SECRETS_TOO_LARGE = "secrets-too-large"
    PAYLOAD_TOO_LARGE = "payload-too-large"
    PAYLOAD_NOT_TEXT = "payload-not-text"

    @property
    def text(self) -> str:
        """It in words."""
        match self:
            case NotStartedCode.REFUSED:
                return "its agent refused it"
            case NotStartedCode.FENCED:
                return "it was kept from starting"
            case NotStartedCode.CANCELLED_FIRST:
                return "it was cancelled before it was sent"
            case NotStartedCode.STALE_EPOCH:
                return "a newer engine uses these runs"
            case NotStartedCode.ENGINE_REPLACED:
                return "a newer engine replaced the one that asked"
            case NotStartedCode.BAD_ID:
                return "the run id is invalid"
            case NotStartedCode.SHORT:
                return "the task arrived incomplete at its host"
            case NotStartedCode.DAMAGED:
                return "the task arrived damaged at its host"
            case NotStartedCode.NO_RUN_DIR | NotStartedCode.RUN_DIR_NOT_WRITABLE:
                return "its run_dir cannot be made or written to"
            case NotStartedCode.RUN_DIR_BEGAN_ANEW:
                return "its run_dir was deleted since the run was planned"
            case NotStartedCode.NO_HARD_LINKS:
                return "its run_dir has no hard links"
            case NotStartedCode.SECRETS_TOO_LARGE:
                return "its secrets are too large for an environment"
            case NotStartedCode.PAYLOAD_TOO_LARGE:
                return "the task's text is larger than the agent takes"
            case NotStartedCode.PAYLOAD_NOT_TEXT:
                return "the task's text is not text that the agent takes"
            case _:
                assert_never(self)

    @property
    def is_of_agent(self) -> bool:
        """Whether the agent or its host is the cause, provided that the task may run at all."""
        match self:
            case (
                NotStartedCode.FENCED
                | NotStartedCode.CANCELLED_FIRST
                | NotStartedCode.STALE_EPOCH
                | NotStartedCode.ENGINE_REPLACED
                | NotStartedCode.REFUSED
            ):
                return False
            case (
                NotStartedCode.BAD_ID
                | NotStartedCode.SHORT
                | NotStartedCode.DAMAGED
                | NotStartedCode.NO_RUN_DIR
                | NotStartedCode.RUN_DIR_NOT_WRITABLE
                | NotStartedCode.RUN_DIR_BEGAN_ANEW
                | NotStartedCode.NO_HARD_LINKS
                | NotStartedCode.SECRETS_TOO_LARGE
                | NotStartedCode.PAYLOAD_TOO_LARGE
                | NotStartedCode.PAYLOAD_NOT_TEXT
            ):
                return True
            case _:
                assert_never(self)

    @property
    def is_noticed_here(self) -> bool:
        """Whether it was detected on this side, so that its detail is our own text."""
        match self:
            case (
                NotStartedCode.FENCED
                | NotStartedCode.STALE_EPOCH
                | NotStartedCode.ENGINE_REPLACED
                | NotStartedCode.PAYLOAD_TOO_LARGE
                | NotStartedCode.PAYLOAD_NOT_TEXT
            ):
                return True
            case (
                NotStartedCode.REFUSED
                | NotStartedCode.CANCELLED_FIRST
                | NotStartedCode.BAD_ID
                | NotStartedCode.SHORT
                | NotStartedCode.DAMAGED
                | NotStartedCode.NO_RUN_DIR
                | NotStartedCode.RUN_DIR_NOT_WRITABLE
                | NotStartedCode.RUN_DIR_BEGAN_ANEW
                | NotStartedCode.NO_HARD_LINKS
                | NotStartedCode.SECRETS_TOO_LARGE
            ):
                return False
            case _:
                assert_never(self)


class DiedCode(StrEnum):
    """Why a run is gone without a result."""

    HOST_REBOOTED = "host-rebooted"
    PROCESS_GONE = "process-gone"

    @property
    def text(self) -> str:
        """It in words."""
        match self:
            case DiedCode.HOST_REBOOTED:
                return "its host was restarted while it ran"
            case DiedCode.PROCESS_GONE:
                return "its processes are gone and left no exit status"
            case _:
                assert_never(self)


class FailedCode(StrEnum):
    """How a run failed, beside exit statuses and signals. A fleet file can use these names."""

    COMMAND_MISSING = "command-missing"
    COMMAND_NOT_EXECUTABLE = "command-not-executable"
    MODEL_ERROR = "model-error"
    TEXT_LOST = "text-lost"
    TIMEOUT = "timeout"
    AGENT_ERROR = "agent-error"

    @property
    def text(self) -> str:
        """It in words."""
        match self:
            case FailedCode.COMMAND_MISSING:
                return "a program was not found"
            case FailedCode.COMMAND_NOT_EXECUTABLE:
                return "a program could not be executed"
            case FailedCode.MODEL_ERROR:
                return "its model failed"
            case FailedCode.TEXT_LOST:
                return "its gateway lost the task's text in a restart"
            case FailedCode.TIMEOUT:
                return "its agent stopped it because it took too long"
            case FailedCode.AGENT_ERROR:
                return "its agent failed"
            case _:
                assert_never(self)


FAILURE_KINDS = tuple(sorted(code.value for code in FailedCode))
"""How a run can fail, apart from ``exit-N`` and ``signal-N`` of programs."""


def failure_words(kind: FailureKind) -> str:
    """Why a probe of an agent failed, as a sentence about the agent."""
    match kind:
        case FailureKind.SSH_UNREACHABLE:
            return "its host is unreachable over SSH"
        case FailureKind.SSH_AUTH:
            return "its host rejects the engine's SSH key"
        case FailureKind.SSH_HOST_KEY:
            return "its host's SSH key is not the trusted one"
        case FailureKind.SSH_PROTOCOL:
            return "no SSH connection to its host can be made"
        case FailureKind.FORWARD_DENIED:
            return "its host's SSH server does not forward connections"
        case FailureKind.SESSION_DENIED:
            return "its host's SSH server does not open a session"
        case FailureKind.GATEWAY_DOWN:
            return "its gateway is not running"
        case FailureKind.GATEWAY_HUNG:
            return "its gateway does not answer"
        case FailureKind.GATEWAY_STARTING:
            return "its gateway is starting"
        case FailureKind.GATEWAY_DRAINING:
            return "its gateway is draining"
        case FailureKind.GATEWAY_AUTH:
            return "its gateway rejects the token"
        case FailureKind.GATEWAY_SCOPE:
            return "its token lacks a permission that the gateway requires"
        case FailureKind.PROTOCOL_MISMATCH:
            return "its gateway speaks a different protocol version"
        case FailureKind.RELEASE_UNSUPPORTED:
            return "its gateway's release is not supported"
        case FailureKind.AGENT_MISSING:
            return "its gateway has no agent with that id"
        case FailureKind.BAD_ANSWER:
            return "its answer is not valid"
        case FailureKind.SECRET_MISSING:
            return "a secret that it needs cannot be read"
        case FailureKind.COMMAND_MISSING:
            return "its program cannot be executed"
        case FailureKind.DISK_FULL:
            return "its host's disk is full"
        case FailureKind.NO_DESCRIPTORS:
            return "the engine has no file descriptors left"
        case FailureKind.CANNOT_WORK:
            return "its host lacks what a run needs"
        case FailureKind.TIMEOUT:
            return "it did not answer in time"
        case FailureKind.INTERNAL:
            return "a bug in fleet-tui stopped its probe"
        case _:
            assert_never(kind)


def lost_words(reason: LostReason) -> str:
    """Why the state of a run is unknown."""
    match reason:
        case LostReason.CONNECTION_LOST:
            return "the connection was lost"
        case LostReason.TIMEOUT:
            return "no answer came in time"
        case LostReason.UNREACHABLE:
            return "its agent is unreachable"
        case LostReason.BAD_ANSWER:
            return "the answer is not valid"
        case LostReason.HUNG:
            return "its agent does not answer"
        case LostReason.REFUSED:
            return "its agent cannot report on it yet"
        case LostReason.NO_TRACE:
            return "its agent does not know the run, and nothing proves that it never ran"
        case LostReason.CANNOT_CANCEL:
            return "its agent accepts no cancel while it drains"
        case LostReason.CANCELLED:
            return "the engine stopped asking"
        case _:
            assert_never(reason)


def pending_words(code: PendingCode) -> str:
    """Why a task waits."""
    match code:
        case PendingCode.NEW:
            return "just submitted"
        case PendingCode.CAPACITY:
            return "all eligible agents are busy"
        case PendingCode.BACKOFF:
            return "backing off before the next attempt"
        case PendingCode.RETRY_BUDGET:
            return "the retry budget is spent for now"
        case PendingCode.BRAKE:
            return "failover is frozen: too many agents were lost at once"
        case PendingCode.STATE:
            return "no eligible agent is in service"
        case PendingCode.TRIAL:
            return "eligible agents are failing their runs, and this task must not run twice"
        case PendingCode.CORDON:
            return "every eligible agent is cordoned"
        case PendingCode.PIN:
            return "the agent it is pinned to cannot take it"
        case PendingCode.POOL:
            return "its pool cannot take it"
        case PendingCode.CAPABILITY:
            return "no agent has what it needs"
        case PendingCode.RESIDENCY:
            return "no eligible agent is where its data must stay"
        case PendingCode.ISOLATION:
            return "eligible agents are reserved for other clients"
        case PendingCode.HOLD:
            return "held by an operator"
        case PendingCode.NO_FLEET:
            return "no fleet is loaded"
        case _:
            assert_never(code)


_NOT_STARTED = {
    **{reason.value: lost_words(reason) for reason in LostReason},
    **{kind.value: failure_words(kind) for kind in FailureKind},
    **{code.value: code.text for code in NotStartedCode},
}
_DIED = {code.value: code.text for code in DiedCode}
_FAILED = {code.value: f"{code.text} ({code.value})" for code in FailedCode}
_STATUS = re.compile(r"(?:exit|signal)-[0-9]+")


def not_started_words(code: str) -> str:
    """Why a run did not start."""
    return _NOT_STARTED.get(code) or _of_agent(code)


def died_words(code: str) -> str:
    """Why a run is gone without a result."""
    return _DIED.get(code) or _of_agent(code)


def failed_words(code: str) -> str:
    """How a run failed; exit statuses and signals by the names that a fleet file has for them."""
    if not code:
        return "it failed"
    return _FAILED.get(code) or (code if _STATUS.fullmatch(code) else _of_agent(code))


def _of_agent(code: str) -> str:
    """An agent's own code is quoted; sentences stay as they are."""
    return f'its agent says "{code}"' if _CODE.fullmatch(code) else code
