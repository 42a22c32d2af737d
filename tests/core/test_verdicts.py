"""A person's verdict: about the run that they looked at, and nothing goes round it."""

from fleet_tui.core import commands as c
from fleet_tui.core.decide import decide
from fleet_tui.core.decided import Decided
from fleet_tui.core.evidence import Started
from fleet_tui.core.state import AttemptPhase, TaskPhase
from tests.core.test_attempts import LOST, PATIENCE_MS, Run


def ask(run: Run, command: c.Command) -> Decided | c.Refused:
    verdict = decide(run.story.state, "ann", command, run.story.now_ms)
    if isinstance(verdict, Decided):
        run.story.add(*verdict.events)
    return verdict


def judge(run: Run, verdict: c.Verdict) -> Decided | c.Refused:
    """A verdict on the newest run."""
    return ask(run, c.Resolve(task=run.id, run=run.run, verdict=verdict, reason="looked"))


def given_up(run: Run) -> Run:
    """Started, lost, and nothing heard for too long."""
    run.fact(Started())
    run.hear(LOST)
    run.later(PATIENCE_MS)
    return run


def test_a_verdict_on_a_run_that_is_not_the_newest_any_more_changes_nothing() -> None:
    run = given_up(Run())
    first = run.run
    assert isinstance(judge(run, c.Verdict.RUN_AGAIN), Decided)
    second = run.place()
    run.fact(Started())
    run.hear(LOST)
    before = run.story.state
    late = c.Resolve(task=run.id, run=first, verdict=c.Verdict.DID_NOT_RUN, reason="looked")
    refused = ask(run, late)
    assert isinstance(refused, c.Refused)
    assert refused.code == "other-run"
    assert first in refused.text
    assert f"now it is {second} on " in refused.text
    assert run.story.state is before
    assert run.phase is AttemptPhase.UNKNOWN
    assert isinstance(judge(run, c.Verdict.DID_NOT_RUN), Decided)
    assert run.task.phase is TaskPhase.WAITING


def test_a_verdict_that_names_no_run_is_not_one_on_whatever_there_is() -> None:
    run = given_up(Run())
    refused = ask(run, c.Resolve(task=run.id, verdict=c.Verdict.RAN, reason="looked"))
    assert isinstance(refused, c.Refused)
    assert refused.code == "other-run"
    assert run.task.phase is TaskPhase.NEEDS_OPERATOR
