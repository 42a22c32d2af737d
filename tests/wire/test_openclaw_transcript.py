"""Where an attempt stands by its session: sessions recorded from OpenClaw 2026.9.6."""

from pathlib import Path

import msgspec
import pytest
from msgspec.structs import replace

from fleet_tui.core.tasks.codes import FAILURE_KINDS
from fleet_tui.core.tasks.evidence import Died, Finished, Running, Stopped, Usage
from fleet_tui.wire.openclaw.frames import Malformed, decode
from fleet_tui.wire.openclaw.run_evidence import UNTOLD
from fleet_tui.wire.openclaw.transcript import (
    GOES_ON,
    NOT_CONTINUED,
    WORDS_LOST,
    Abort,
    ChatEntry,
    ChatHistory,
    LedgerRow,
    Provenance,
    SessionInfo,
    SessionState,
    TaskLedger,
    ended_without_words,
    session_state,
)

DATA = Path(__file__).parent / "data" / "openclaw"

Stands = Running | Finished | Died | Stopped | SessionState


class Recorded(msgspec.Struct):
    history: ChatHistory
    ledger: TaskLedger


def recorded(case: str) -> Stands:
    both = decode((DATA / f"session-{case}.json").read_bytes(), Recorded)
    assert isinstance(both, Recorded), both
    return session_state(both.history, both.ledger, f"run.{case}")


def test_a_session_nobody_made() -> None:
    assert recorded("absent") is SessionState.ABSENT


def test_a_session_made_for_a_run_that_has_not_arrived() -> None:
    assert recorded("untouched") is SessionState.UNTOUCHED


def test_a_finished_run_with_its_answer_tokens_and_cost() -> None:
    done = recorded("done")
    assert isinstance(done, Finished)
    assert done.ok
    assert done.answer.text.raw.startswith("stub reply to:")
    assert done.usage.output_tokens == 83
    assert done.usage.cache_read_tokens == 200
    assert done.usage.model == "stub-1"
    assert done.usage.cost_microusd == round(done.usage.input_tokens * 3 + 83 * 15 + 200 * 0.3)
    assert done.duration_ms is not None


@pytest.mark.parametrize(("case", "failure"), [("failed", "model-error"), ("timeout", "timeout")])
def test_a_failed_run(case: str, failure: str) -> None:
    failed = recorded(case)
    assert isinstance(failed, Finished)
    assert not failed.ok
    assert failed.failure == failure
    assert failed.answer.size_bytes == 0


def test_a_run_at_work() -> None:
    both = decode((DATA / "session-running.json").read_bytes(), Recorded)
    assert isinstance(both, Recorded)
    assert session_state(both.history, both.ledger, "run.killed") == Running()


def test_a_cancelled_run_costs_nothing_it_did_not_report() -> None:
    assert recorded("killed") == Stopped(usage=Usage())


def test_a_deleted_session_leaves_the_ledger_as_witness() -> None:
    assert recorded("deleted") == Stopped()


def test_a_turn_interrupted_by_a_crash_is_not_yet_judged() -> None:
    both = decode((DATA / "session-interrupted.json").read_bytes(), Recorded)
    assert isinstance(both, Recorded)
    assert session_state(both.history, both.ledger, "run.resumed") is SessionState.INTERRUPTED


def test_a_turn_continued_by_the_gateway_itself() -> None:
    assert recorded("resumed") == Running(resumed_by_agent=True)


def test_a_resumed_turn_that_the_ledger_does_not_name_yet_is_told_as_resumed() -> None:
    history = ChatHistory(
        session_id="s", session_info=SessionInfo(status="running", has_active_run=True)
    )
    cut_off = TaskLedger(tasks=[LedgerRow(run_id="a.1", status="cancelled")])
    assert session_state(history, cut_off, "a.1") == Running(resumed_by_agent=True)
    assert session_state(history, TaskLedger(), "a.1") == Running(resumed_by_agent=False)


def test_a_continued_turn_ends_as_the_attempt() -> None:
    both = decode((DATA / "session-resumed-done.json").read_bytes(), Recorded)
    assert isinstance(both, Recorded)
    done = session_state(both.history, both.ledger, "run.resumed")
    assert isinstance(done, Finished)
    assert done.ok
    assert done.answer.text.raw.endswith("w19")
    assert done.usage.output_tokens > 0


def without_our_text(*, provenance: bool, status: str = "done") -> Recorded:
    """As a gateway leaves it that was killed before it had kept the text of its turn."""
    both = decode((DATA / "session-resumed-done.json").read_bytes(), Recorded)
    assert isinstance(both, Recorded), both
    history = both.history
    ours, prompt, answer = history.messages
    assert not ours.is_own_prompt
    assert prompt.is_own_prompt
    if not provenance:
        prompt = replace(prompt, provenance=Provenance())
    info = replace(history.session_info, status=status)
    both.history = replace(history, messages=[prompt, answer], session_info=info)
    return both


@pytest.mark.parametrize("status", ["done", "running"])
@pytest.mark.parametrize("provenance", [True, False])
def test_a_turn_that_went_on_without_the_tasks_text_did_nothing_of_it(
    provenance: bool, status: str
) -> None:
    both = without_our_text(provenance=provenance, status=status)
    ended = TaskLedger(tasks=[LedgerRow(run_id="run.resumed", status="completed")])
    done = session_state(both.history, ended, "run.resumed")
    assert isinstance(done, Finished)
    assert (done.ok, done.failure, done.answer.size_bytes) == (False, "text-lost", 0)
    assert done.failure in FAILURE_KINDS
    assert done.detail.raw.endswith("w19"), "what the agent said of nothing"
    assert done.usage.output_tokens > 0, "it cost something all the same"


def test_a_task_may_say_what_a_gateway_says() -> None:
    said = ChatEntry(role="user", content=f"{GOES_ON}. Why?", idempotency_key="r:user")
    answer = ChatEntry(role="assistant", content="Who knows.")
    info = SessionInfo(status="done")
    history = ChatHistory(session_id="s", messages=[said, answer], session_info=info)
    assert isinstance(done := session_state(history, TaskLedger(), "r"), Finished)
    assert done.ok


def test_the_text_of_a_long_session_is_further_up() -> None:
    both = without_our_text(provenance=True)
    done = session_state(replace(both.history, has_more=True), both.ledger, "run.resumed")
    assert isinstance(done, Finished)
    assert done.ok


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        ("completed", ended_without_words(WORDS_LOST)),
        ("failed", Finished(ok=False, failure="model-error", usage=UNTOLD)),
        ("timed_out", Finished(ok=False, failure="timeout", usage=UNTOLD)),
        ("running", Running()),
        ("cancelled", Stopped()),
        ("lost", Stopped()),
        ("archived", SessionState.UNCLEAR),
    ],
)
def test_what_the_ledger_alone_says(status: str, expected: Stands) -> None:
    ledger = TaskLedger(tasks=[LedgerRow(run_id="r", status=status)])
    assert session_state(ChatHistory(), ledger, "r") == expected


@pytest.mark.parametrize("status", ["failed", "timed_out"])
def test_a_turn_that_fails_of_the_deletion_of_its_session_was_stopped(status: str) -> None:
    """Seen on 2026.9.5: it had just gone on by itself, under a run id of its own."""
    rows = [LedgerRow(run_id="another", status=status), LedgerRow(run_id="r", status="cancelled")]
    assert session_state(ChatHistory(), TaskLedger(tasks=rows), "r") == Stopped()


@pytest.mark.parametrize("status", ["done", "failed", "timeout"])
@pytest.mark.parametrize("run_id", ["r", "another"])
def test_a_turn_whose_words_are_still_to_come_is_at_work(status: str, run_id: str) -> None:
    """The session says that it is over up to two seconds before what it said is there."""
    history = ChatHistory(
        session_id="s", messages=[ChatEntry(role="user")], session_info=SessionInfo(status=status)
    )
    at_work = TaskLedger(tasks=[LedgerRow(run_id=run_id, status="running")])
    assert session_state(history, at_work, "r") == Running(resumed_by_agent=run_id != "r")


def test_a_turn_that_is_done_has_said_something() -> None:
    history = ChatHistory(session_id="s", session_info=SessionInfo(status="done"))
    over = TaskLedger(tasks=[LedgerRow(run_id="r", status="completed")])
    for ledger in (TaskLedger(), over):
        assert session_state(history, ledger, "r") is SessionState.WORDLESS


def test_a_long_transcript_is_summed_by_the_gateway() -> None:
    info = SessionInfo(
        status="done", input_tokens=10, output_tokens=5, estimated_cost_usd=0.5, model="m"
    )
    entry = ChatEntry(role="assistant", content="end")
    history = ChatHistory(session_id="s", messages=[entry], has_more=True, session_info=info)
    done = session_state(history, TaskLedger(), "r")
    assert isinstance(done, Finished)
    assert done.usage == Usage(input_tokens=10, output_tokens=5, cost_microusd=500_000, model="m")


def test_signs_that_contradict_each_other_prove_nothing() -> None:
    history = ChatHistory(session_id="s", session_info=SessionInfo(status="running"))
    assert session_state(history, TaskLedger(), "r") is SessionState.UNCLEAR


@pytest.mark.parametrize(
    "body",
    [
        b'{"sessionId": 5}',
        b'{"sessionId": "s", "messages": {}}',
        b'{"sessionId": "s", "messages": [{"content": 5}]}',
        b'{"sessionId": "s", "messages": [{"usage": {"input": NaN}}]}',
    ],
)
def test_a_history_that_is_none(body: bytes) -> None:
    assert isinstance(decode(body, ChatHistory), Malformed)


# --- releases up to 2026.7 ---------------------------------------------------------------------


def slow_session(*said: ChatEntry) -> ChatHistory:
    """A session that does not say yet that its run is over."""
    return ChatHistory(
        session_id="s", messages=list(said), session_info=SessionInfo(status="running")
    )


@pytest.mark.parametrize(
    ("row", "expected"),
    [
        ("completed", True),
        ("failed", False),
        ("timed_out", False),
    ],
)
def test_the_ledger_is_believed_about_the_end_before_the_session_says_it(
    row: str, expected: bool
) -> None:
    ledger = TaskLedger(tasks=[LedgerRow(run_id="r", status=row)])
    ended = session_state(slow_session(ChatEntry(role="assistant", content="done")), ledger, "r")
    assert isinstance(ended, Finished)
    assert ended.ok is expected
    assert ended.answer.text.raw == ("done" if expected else "")


def test_an_abort_looks_like_a_timeout_in_the_ledger_and_has_left_its_mark_in_the_session() -> None:
    """Seen on 2026.5.28, whose sessions never say how they stand."""
    asked = ChatEntry(role="user", content="do it")
    cut = ChatEntry(role="assistant", content="w0 w1", openclaw_abort=Abort(aborted=True))
    ledger = TaskLedger(tasks=[LedgerRow(run_id="r", status="timed_out")])
    for said in ([asked, cut], [cut, asked, ChatEntry(role="assistant")]):
        history = ChatHistory(session_id="s", messages=said)
        assert isinstance(session_state(history, ledger, "r"), Stopped)


def test_a_run_that_the_ledger_calls_complete_has_an_answer_or_is_not_yet_told() -> None:
    ledger = TaskLedger(tasks=[LedgerRow(run_id="r", status="completed")])
    assert session_state(slow_session(ChatEntry(role="user")), ledger, "r") is SessionState.UNCLEAR


def test_a_turn_that_was_cut_off_with_its_gateway_died_and_did_not_fail() -> None:
    info = SessionInfo(status="failed", aborted_last_run=True)
    assert session_state(ChatHistory(session_id="s", session_info=info), TaskLedger(), "r") == Died(
        reason=NOT_CONTINUED
    )


@pytest.mark.parametrize("status", ["running", "queued"])
def test_what_ran_in_a_process_that_is_gone_is_lost(status: str) -> None:
    row = LedgerRow(run_id="r", status=status, updated_at=1_000)
    before, after = TaskLedger(tasks=[row]).as_of(1_001), TaskLedger(tasks=[row]).as_of(1_000)
    assert session_state(ChatHistory(), before, "r") == Stopped()
    assert session_state(slow_session(), before, "r") is SessionState.INTERRUPTED
    assert session_state(ChatHistory(), after, "r") == Running()
    assert TaskLedger(tasks=[row]).as_of(None).tasks == [row]


def test_how_a_run_ended_is_not_changed_by_a_restart() -> None:
    row = LedgerRow(run_id="r", status="completed", updated_at=1_000)
    assert TaskLedger(tasks=[row]).as_of(2_000).tasks == [row]
