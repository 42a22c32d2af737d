"""Every code that tells why something failed has words, and no text that people read has a code."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

import fleet_tui
from fleet_tui.core.agents.vitals import FailureKind
from fleet_tui.core.fleet import TaskClass
from fleet_tui.core.ledger.narrate import narrate
from fleet_tui.core.routing.decision import PendingCode
from fleet_tui.core.tasks.attempts import RunReport, learn
from fleet_tui.core.tasks.codes import (
    FAILURE_KINDS,
    DiedCode,
    FailedCode,
    NotStartedCode,
    died_words,
    failed_words,
    not_started_words,
)
from fleet_tui.core.tasks.evidence import (
    Definite,
    Died,
    Finished,
    LostReason,
    NotStarted,
    Started,
    Unknown,
)
from fleet_tui.core.tasks.quoting import reason_of
from tests.support.task import Run

WIRE = Path(fleet_tui.__file__).parent / "wire"

CODES = {
    code.value
    for kind in (FailureKind, LostReason, NotStartedCode, DiedCode)
    for code in kind
    if "-" in code.value and code.value not in FAILURE_KINDS
}
"""What nobody should read. Codes of one plain word are words too."""


def texts() -> Iterator[str]:
    yield from (kind.text for kind in FailureKind)
    yield from (reason.text for reason in LostReason)
    yield from (code.text for code in PendingCode)
    yield from (not_started_words(code) for code in NotStartedCode)
    yield from (died_words(code) for code in DiedCode)
    yield from (failed_words(code) for code in FailedCode)


def is_sentence(text: str) -> bool:
    return len(text.split()) >= 2 and text[0].islower() and not text.endswith(".")


def test_every_code_has_words_and_none_has_a_code_in_them() -> None:
    for text in texts():
        assert is_sentence(text), text
        assert not any(code in text for code in CODES), text


def test_the_names_that_a_fleet_file_can_use_stand_with_their_words() -> None:
    for name in FAILURE_KINDS:
        assert failed_words(name).endswith(f" ({name})")
    for name in ("exit-3", "signal-15"):
        assert failed_words(name) == name


def test_what_an_agent_calls_it_is_quoted_and_a_sentence_stays_as_it_is() -> None:
    for in_words in (not_started_words, died_words, failed_words):
        assert in_words("session-busy") == 'its agent says "session-busy"'
        said = "the gateway restarted and did not continue the turn"
        assert in_words(said) == said
    assert failed_words("") == "it failed"


def constants(function: str, argument: str) -> Iterator[str]:
    """What the wire gives to that function by name, as far as it is written there."""
    for path in WIRE.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and getattr(node.func, "id", "") == function:
                for given in node.keywords:
                    if given.arg == argument and isinstance(given.value, ast.Constant):
                        yield str(given.value.value)


def test_whatever_the_wire_says_has_words() -> None:
    script = (WIRE / "programs" / "wrapper.sh").read_text(encoding="utf-8")
    assert list(constants("NotStarted", "reason")) == [], "it is a member, or a gateway's own code"
    refused = set(re.findall(r"refused? ([a-z-]+)", script))
    dead = set(re.findall(r"state dead ([a-z-]+)", script))
    assert {"short", "no-run-dir"} < refused
    assert dead == {code.value for code in DiedCode}
    for code in refused:
        assert "agent says" not in not_started_words(code), code
    for code in constants("Finished", "failure"):
        assert "agent says" not in failed_words(code), code


WORDS: tuple[RunReport, ...] = (
    *(Definite(Died(reason=code.value)) for code in DiedCode),
    *(Definite(NotStarted(reason=code.value)) for code in NotStartedCode),
    *(Definite(NotStarted(reason=kind.value)) for kind in FailureKind),
    *(Definite(NotStarted(reason=kind.value, retryable=False)) for kind in FailureKind),
    *(Definite(Finished(ok=False, failure=code.value)) for code in FailedCode),
    *(Unknown(reason) for reason in LostReason),
)


@pytest.mark.parametrize("task_class", TaskClass)
def test_no_event_of_a_run_is_told_with_a_code(task_class: TaskClass) -> None:
    for word in WORDS:
        run = Run(task_class)
        if not (isinstance(word, Definite) and isinstance(word.value, NotStarted)):
            run.fact(Started())
        events = learn(run.story.state, run.run, word, run.story.now_ms)
        run.story.add(*events)
        told = [narrate(event, run.story.state) for event in events]
        shown = [sentence.text for sentence in told if sentence is not None]
        shown += [run.task.reason, reason_of(run.task.attempts[0])]
        assert len(shown) > 2, word
        for text in shown:
            assert not any(code in text for code in CODES), text


def test_whose_doing_it_is_that_a_run_did_not_start_and_who_noticed() -> None:
    of_nobody = {code for code in NotStartedCode if not code.is_of_agent}
    assert of_nobody == {
        NotStartedCode.REFUSED,
        NotStartedCode.FENCED,
        NotStartedCode.CANCELLED_FIRST,
        NotStartedCode.STALE_EPOCH,
        NotStartedCode.ENGINE_REPLACED,
    }
    assert {code for code in NotStartedCode if code.is_noticed_here} == {
        NotStartedCode.FENCED,
        NotStartedCode.STALE_EPOCH,
        NotStartedCode.ENGINE_REPLACED,
        NotStartedCode.PAYLOAD_TOO_LARGE,
        NotStartedCode.PAYLOAD_NOT_TEXT,
    }
