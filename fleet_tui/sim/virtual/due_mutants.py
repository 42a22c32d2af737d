"""Bugs of one line, planted as text: what is due and does not happen, turns, unfit hosts, names."""

from fleet_tui.core.agents import brake
from fleet_tui.core.engine import fold as fold_engine
from fleet_tui.core.routing import waiting
from fleet_tui.core.tasks import attempts, tries
from fleet_tui.core.tasks import fold as fold_task
from fleet_tui.sim.virtual.planting import Mutant, change, rewrite
from fleet_tui.wire.openclaw import attempt, run_evidence, transcript
from fleet_tui.wire.programs import fitness

_DUE: tuple[Mutant, ...] = (
    Mutant(
        "end-ignored",
        "what waits past its total deadline waits on",
        rewrite(attempts, "_overdue_wait", "deadlines.total_ms is not None and", "False and"),
    ),
    Mutant(
        "end-of-runs-ignored",
        "what runs past its total deadline runs on",
        rewrite(
            attempts,
            "_run_is_over",
            "return deadlines.total_ms is not None and",
            "return False and",
        ),
    ),
    Mutant(
        "start-deadline-ignored",
        "what no agent starts in time waits on",
        rewrite(attempts, "_start_is_late", "limit is None or", "True or"),
    ),
    Mutant(
        "lost-for-ever",
        "what is lost is waited for without end",
        rewrite(attempts, "_overdue_unknown", "patience is not None", "False"),
    ),
    Mutant(
        "back-off-ignored",
        "a retry does not wait",
        rewrite(waiting.WaitQueues, "_join", "task.not_before_ms > now_ms", "False"),
    ),
    Mutant(
        "wakes-late",
        "a retry waits for longer than it has to",
        rewrite(
            waiting.WaitQueues,
            "follow",
            "self._later[0][0] <= now_ms",
            "self._later[0][0] + 20_000 <= now_ms",
        ),
    ),
    Mutant(
        "cordon-ends-with-engine",
        "after a restart cordoned agents get work again",
        rewrite(
            fold_engine,
            "fold_engine",
            "held = draft",
            "draft.agents = {n: replace(a, cordon=None) for n, a in draft.agents.items()}; "
            "held = draft",
        ),
    ),
    Mutant(
        "turn-forgotten",
        "nobody remembers whose turn it was",
        rewrite(
            fold_task,
            "_placed",
            "draft.turns = {**draft.turns, event.decision.pool: event.agent}",
            "pass",
        ),
    ),
)

_RELEASES: tuple[Mutant, ...] = (
    Mutant(
        "unfenced-moved",
        "work is moved whose start may still arrive, for nothing keeps its gateway from it",
        change(tries, "_may_start_late", lambda *_: False),
    ),
    Mutant(
        "unfenced-is-fenced",
        "an empty session is deleted where that keeps nothing from starting",
        rewrite(
            attempt.Attempts,
            "_look",
            "case SessionState.UNTOUCHED if not connection.dialect.expected_session:",
            "case SessionState.UNTOUCHED if False:",
        ),
    ),
    Mutant(
        "limit-is-an-abort",
        "a run limit of an older release is taken for an abort",
        rewrite(run_evidence, "_was_aborted", 'and end.timeout_phase in {None, "queue"}', ""),
    ),
    Mutant(
        "cut-off-has-failed",
        "a turn that an older gateway lost with its process has failed",
        rewrite(transcript, "session_state", "if info.aborted_last_run", "if False"),
    ),
)

_HOSTS: tuple[Mutant, ...] = (
    Mutant(
        "refusal-unheeded",
        "a host that refuses a start for a lack of its own is not looked at again",
        change(fitness.Fitness, "refused", lambda *_: None),
    ),
    Mutant(
        "unfit-for-ever",
        "a host that was mended gets no work any more",
        rewrite(
            fitness.Fitness,
            "_note",
            "self._unfit = unfit\n",
            "self._unfit = unfit or self._unfit\n",
        ),
    ),
    Mutant(
        "nameless-is-lost",
        "agents that never answered count as lost",
        rewrite(
            brake, "reconcile_brake", "agent is None or not agent.was_ever_up", "agent is None"
        ),
    ),
    Mutant(
        "nameless-counts",
        "agents that never answered count among those of which many have to be lost",
        rewrite(
            brake,
            "reconcile_brake",
            "continue  # a name",
            "answered[spec.pool] += 1; continue  # a name",
        ),
    ),
)

DUE_MUTANTS = (*_DUE, *_RELEASES, *_HOSTS)
