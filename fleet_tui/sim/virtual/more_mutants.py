"""Bugs of one line, planted as text: waits, limits, deadlines, modes, verdicts, answers."""

from typing import Any

from fleet_tui.core.agents import fold as fold_agent
from fleet_tui.core.agents.model import Health
from fleet_tui.core.backoff import Backoff
from fleet_tui.core.engine import fold as fold_engine
from fleet_tui.core.ledger import fold
from fleet_tui.core.routing import candidates, waiting
from fleet_tui.core.tasks import (
    attempts,
    dead_letters,
    fold_attempt,
    queueing,
    retry,
    submission,
    tries,
    verdicts,
)
from fleet_tui.core.tasks import fold as fold_task
from fleet_tui.core.tasks import heartbeat as beats
from fleet_tui.core.tasks import retry_budget as budget
from fleet_tui.engine import dispatch
from fleet_tui.sim.virtual.planting import Mutant, change, rewrite
from fleet_tui.wire.openclaw import transcript
from fleet_tui.wire.programs import answers, wrapper

_IF_CANCELLED = """\
    if task.cancel_requested_by is not None:
        return [_cancelled(task)]
"""


def _takes_work(health: Health) -> bool:
    also = (Health.SUSPECT, Health.DRAINING)  # wrongly
    return health is Health.UP or health is Health.DEGRADED or health in also


def _always(*_: object) -> bool:
    return True


def _paid_twice(draft: Any, event: Any) -> None:
    fold_attempt.fold_attempt(draft, event)
    if hasattr(event, "usage"):
        task = draft.tasks.find(event.run.rpartition(".")[0])
        fold_agent.pay(draft, task.attempts[-1].agent, event.usage, 0)


_AFTER_AN_END: tuple[Mutant, ...] = (
    Mutant(
        "cancelled-retried",
        "a cancelled task whose run did not start is retried",
        rewrite(attempts, "_after_not_started", _IF_CANCELLED, ""),
    ),
    Mutant(
        "cancelled-after-death",
        "a cancelled task whose run died is retried",
        rewrite(attempts, "_after_death", _IF_CANCELLED, ""),
    ),
    Mutant(
        "cancelled-after-failure",
        "a cancelled task whose run failed is retried",
        rewrite(attempts, "_after_finished", _IF_CANCELLED, ""),
    ),
    Mutant(
        "deadline-beats-cancel",
        "a task that is cancelled while its run is stopped for its deadline is retried",
        rewrite(attempts, "_after_stopped", _IF_CANCELLED, ""),
    ),
    Mutant(
        "non-retryable-retried",
        "failures that no second try would mend are retried",
        rewrite(
            attempts,
            "_after_finished",
            "fact.retryable and fact.failure not in policy.non_retryable",
            "fact.retryable",
        ),
    ),
    Mutant(
        "one-try-more",
        "there is one try more than the policy allows",
        rewrite(tries, "tries_left", "< state", "<= state"),
    ),
    Mutant(
        "unstarted-count",
        "tries that never started count against the most attempts",
        rewrite(tries, "started_tries", "not a.phase.never_started and ", ""),
    ),
    Mutant(
        "stopped-once-retried",
        "what was stopped for its deadline is retried, whatever its class",
        rewrite(attempts, "_after_stopped", "may_run_again(task) and ", ""),
    ),
    Mutant(
        "late-result-lost",
        "the result of a run that was given up is thrown away",
        rewrite(attempts, "_late", "given_up or attempt.phase is", "attempt.phase is"),
    ),
)

_TIME: tuple[Mutant, ...] = (
    Mutant(
        "start-deadline-after-start",
        "schedule-to-start also expires after a start",
        rewrite(attempts, "_start_is_late", "a.started_at_ms is None for", "True for"),
    ),
    Mutant(
        "lost-since-placement",
        "lost_after counts from the placement",
        rewrite(
            attempts,
            "_overdue_unknown",
            "since = attempt.unknown_since_ms",
            "since = attempt.planned_at_ms",
        ),
    ),
    Mutant(
        "close-since-placement",
        "start-to-close counts from the placement",
        rewrite(
            attempts,
            "_run_is_over",
            "attempt.started_at_ms or attempt.planned_at_ms",
            "attempt.planned_at_ms",
        ),
    ),
    Mutant(
        "close-ignored",
        "runs may take as long as they like",
        rewrite(
            attempts, "_run_is_over", "deadlines.start_to_close_ms is not None and", "False and"
        ),
    ),
    Mutant(
        "late-look",
        "a directory that the late look of a dead engine made anew is believed",
        change(wrapper.RunDirectory, "age_ms", lambda *_: 0),
    ),
    Mutant(
        "beats-ignored",
        "a run's signs of life do not count",
        rewrite(
            beats,
            "silence_ms",
            "max(since_ms, beat.at_ms)",
            "since_ms",
        ),
    ),
    Mutant(
        "pause-is-silence",
        "what an engine did not hear before its start counts as silence",
        rewrite(
            beats,
            "silence_ms",
            "max(attempt.started_at_ms or attempt.planned_at_ms, ear.since_ms)",
            "attempt.started_at_ms or attempt.planned_at_ms",
        ),
    ),
    Mutant(
        "no-jitter",
        "a herd of retries waits equally long",
        rewrite(retry, "wait_ms", "fraction_of(run)", "1.0"),
    ),
    Mutant(
        "no-ceiling",
        "waits grow for ever",
        rewrite(Backoff, "ceiling_ms", "min(grown, self.cap_ms)", "grown"),
    ),
    Mutant(
        "no-growth",
        "every wait is as short as the first",
        rewrite(Backoff, "ceiling_ms", "** min(tries - 1, MAX_GROWTHS)", "** 0"),
    ),
    Mutant(
        "no-patience",
        "a question without an answer is asked again at once",
        rewrite(dispatch._Worker, "_back_off", "self._rng.random()", "0.0"),
    ),
    Mutant(
        "budget-forgets",
        "the retry budget forgets the retries it gave",
        rewrite(budget, "retry_allowance", " - sum(s.retries for s in recent)", ""),
    ),
)

_PEOPLE: tuple[Mutant, ...] = (
    Mutant(
        "freeze-ends-with-engine",
        "a freeze ends with a restart",
        rewrite(
            fold_engine,
            "fold_engine",
            "draft.engine.mode if draft.engine.mode.mode is EngineMode.FROZEN else NORMAL",
            "NORMAL",
        ),
    ),
    Mutant(
        "brake-ends-with-engine",
        "the mass-failure brake is off after a restart",
        rewrite(
            fold_engine, "fold_engine", "held = draft", "draft.braked_pools = {}; held = draft"
        ),
    ),
    Mutant(
        "cordon-ends-with-health",
        "an agent that is well again is not cordoned any more",
        rewrite(
            fold_agent,
            "next_agent",
            "health=event.health,",
            "health=event.health, cordon=None,",
        ),
    ),
    Mutant(
        "cordon-ignored",
        "a cordoned agent gets work",
        rewrite(
            candidates.CandidateSet, "__init__", "elif agent.cordon is not None:", "elif False:"
        ),
    ),
    Mutant(
        "doubtful-agents-work",
        "suspect and draining agents get work",
        change(Health, "takes_work", property(_takes_work)),
    ),
    Mutant(
        "hold-ignored",
        "held tasks are placed",
        rewrite(waiting.WaitQueues, "_join", " or task.hold is not None", ""),
    ),
    Mutant(
        "expedite-ignored",
        "expedited tasks wait like all others",
        rewrite(
            waiting,
            "urgency",
            "(-1, expedited, task.spec.priority, task.number)",
            "(task.spec.priority, task.submitted_at_ms, 0, task.number)",
        ),
    ),
    Mutant(
        "last-come-first",
        "of equally urgent tasks the newest goes first",
        rewrite(
            waiting,
            "urgency",
            "task.submitted_at_ms, 0, task.number",
            "-task.submitted_at_ms, 0, -task.number",
        ),
    ),
    Mutant(
        "priority-not-kept",
        "a new priority is acknowledged and forgotten",
        rewrite(
            fold_task,
            "_queued",
            "task = replace(task, spec=spec, asked=task.submitted_spec)",
            "pass",
        ),
    ),
    Mutant(
        "stale-verdict",
        "a verdict counts for a newer run than its author looked at",
        rewrite(
            verdicts,
            "resolve",
            "if command.run != (attempt.run_id if attempt is not None else None):",
            "if False:",
        ),
    ),
    Mutant(
        "uncalled-verdict",
        "a verdict is taken on a task that nobody doubts",
        change(verdicts, "may_be_judged", _always),
    ),
    Mutant(
        "verdict-unflagged",
        "run-again does not say that work may be done twice",
        rewrite(verdicts, "_after_verdict", "                duplicate_possible=True,\n", ""),
    ),
    Mutant(
        "doubt-requeued",
        "work that may have run is requeued without a verdict",
        rewrite(
            dead_letters,
            "_not_requeued",
            "task.phase is TaskPhase.NEEDS_OPERATOR or in_doubt(task)",
            "False",
        ),
    ),
    Mutant(
        "requeue-unflagged",
        "a requeue does not say that the last run may still go on",
        change(dead_letters, "may_have_unseen_run", lambda task: False),
    ),
    Mutant(
        "cancel-of-a-stop",
        "a cancel is refused once its run is being stopped",
        rewrite(queueing, "cancel", "return [requested]", "return []"),
    ),
    Mutant(
        "queue-without-end",
        "one task more than the limit may be open",
        rewrite(submission, "no_room", "taken + wanted.tasks > most", "taken > most"),
    ),
    Mutant(
        "lane-without-end",
        "one task more than its lane's limit may be open",
        rewrite(submission, "no_room", "taken + count > lane", "taken > lane"),
    ),
    Mutant(
        "share-without-end",
        "one task more than its client's share may be open",
        rewrite(submission, "no_room", "taken + count > share", "taken > share"),
    ),
)

_AGENTS: tuple[Mutant, ...] = (
    Mutant(
        "starts-cancelled",
        "a start leaves although its cancel was acknowledged",
        change(dispatch._Worker, "_is_wanted", _always),
    ),
    Mutant(
        "cancel-ends-with-engine",
        "after a restart nobody stops what was being stopped",
        rewrite(
            dispatch.Dispatcher,
            "_match",
            "found[1].cancel_cause is not None",
            "found[1].cancel_cause is not None and found[1].epoch == state.engine.epoch",
        ),
    ),
    Mutant(
        "status-ignored",
        "a program that ends with a failure did well",
        rewrite(answers, "_finished", "ok=status == 0", "ok=True"),
    ),
    Mutant(
        "answer-cut",
        "an answer is cut on its way",
        rewrite(answers, "_finished", "words_of(text, MAX_ANSWER_CHARS)", "words_of(text, 8)"),
    ),
    Mutant(
        "dead-never-ran",
        "a run that died is taken for one that never started",
        rewrite(
            answers,
            "inspection_of",
            "Died(reason=reason, checkpoint=read_checkpoint(reply))",
            "FENCED",
        ),
    ),
    Mutant(
        "lost-is-fenced",
        "what a deleted run directory cannot tell is proof",
        rewrite(answers, "inspection_of", "return NOTHING_LEFT", "return Definite(FENCED)"),
    ),
    Mutant(
        "stopped-for-nothing",
        "a run that was stopped cost nothing",
        rewrite(answers, "inspection_of", 'read_usage(reply.blobs.get("usage", b""))', "Usage()"),
    ),
    Mutant(
        "gateway-for-nothing",
        "a turn that is read from its transcript cost nothing",
        rewrite(transcript, "_finished", "usage=", "usage=Usage() if True else "),
    ),
    Mutant(
        "usage-not-kept",
        "what a run used is thrown away",
        rewrite(fold_attempt, "_finished", "        usage=event.usage,\n", ""),
    ),
    Mutant(
        "paid-twice",
        "a run's tokens are counted twice",
        change(fold, "fold_attempt", _paid_twice),
    ),
)

MORE_MUTANTS = (*_AFTER_AN_END, *_TIME, *_PEOPLE, *_AGENTS)
