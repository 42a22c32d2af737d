"""Sentences for failure codes, shown in place of ``no-trace`` or ``process-gone``.

The ledger keeps codes, because they are compared, counted and matched; every text on screen puts
them as a sentence about the agent, whose name comes first. A gateway's own code is shown as such.
Names of failures that a fleet file can use (``non_retryable``) are in brackets.
"""

import re
from enum import StrEnum
from typing import Final, NamedTuple, assert_never

from fleet_tui.core.agents.vitals import FailureKind
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
        return _NOT_STARTED[self].text

    @property
    def is_of_agent(self) -> bool:
        """Whether the agent or its host is the cause, provided that the task may run at all."""
        return _NOT_STARTED[self].is_of_agent

    @property
    def is_noticed_here(self) -> bool:
        """Whether it was detected on this side, so that its detail is our own text."""
        return _NOT_STARTED[self].is_noticed_here


class _NotStarted(NamedTuple):
    text: str
    is_of_agent: bool = False
    is_noticed_here: bool = False


_NOT_STARTED: Final = {
    NotStartedCode.REFUSED: _NotStarted("its agent refused it"),
    NotStartedCode.FENCED: _NotStarted("it was kept from starting", is_noticed_here=True),
    NotStartedCode.CANCELLED_FIRST: _NotStarted("it was cancelled before it was sent"),
    NotStartedCode.STALE_EPOCH: _NotStarted("a newer engine uses these runs", is_noticed_here=True),
    NotStartedCode.ENGINE_REPLACED: _NotStarted(
        "a newer engine replaced the one that asked", is_noticed_here=True
    ),
    NotStartedCode.BAD_ID: _NotStarted("the run id is invalid", is_of_agent=True),
    NotStartedCode.SHORT: _NotStarted("the task arrived incomplete at its host", is_of_agent=True),
    NotStartedCode.DAMAGED: _NotStarted("the task arrived damaged at its host", is_of_agent=True),
    NotStartedCode.NO_RUN_DIR: _NotStarted(
        "its run_dir cannot be made or written to", is_of_agent=True
    ),
    NotStartedCode.RUN_DIR_NOT_WRITABLE: _NotStarted(
        "its run_dir cannot be made or written to", is_of_agent=True
    ),
    NotStartedCode.RUN_DIR_BEGAN_ANEW: _NotStarted(
        "its run_dir was deleted since the run was planned", is_of_agent=True
    ),
    NotStartedCode.NO_HARD_LINKS: _NotStarted("its run_dir has no hard links", is_of_agent=True),
    NotStartedCode.SECRETS_TOO_LARGE: _NotStarted(
        "its secrets are too large for an environment", is_of_agent=True
    ),
    NotStartedCode.PAYLOAD_TOO_LARGE: _NotStarted(
        "the task's text is larger than the agent takes", is_of_agent=True, is_noticed_here=True
    ),
    NotStartedCode.PAYLOAD_NOT_TEXT: _NotStarted(
        "the task's text is not text that the agent takes", is_of_agent=True, is_noticed_here=True
    ),
}


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
    """The gateway restarted before it had kept the task's text, and went on without it."""
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


_WORDS = {code.value: code.text for code in (*LostReason, *FailureKind, *NotStartedCode)}
_DIED = {code.value: code.text for code in DiedCode}
_FAILED = {code.value: f"{code.text} ({code.value})" for code in FailedCode}
_STATUS = re.compile(r"(?:exit|signal)-[0-9]+")


def not_started_words(code: str) -> str:
    """Why a run did not start."""
    return _WORDS.get(code) or _of_agent(code)


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
