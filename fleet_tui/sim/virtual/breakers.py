"""Promises about gateways that answer every probe but cannot work."""

from fleet_tui.core.agents.canary import PAYLOAD, agent_of_canary
from fleet_tui.core.ids import AgentName, RunId
from fleet_tui.core.tasks.model import AttemptPhase
from fleet_tui.sim.virtual.checks import Checks
from fleet_tui.sim.virtual.truth import sha256
from fleet_tui.sim.virtual.world import World

WINDOW_S = 60.0
AT_FIRST = 8
"""What such a gateway may get before it is found out: three in a row, as many beside them as it has
slots, and those whose bad end was lost on the way."""
TRIALS = 4
"""Trials allowed in WINDOW_S after that: one every 15 s, when a trial is no evidence."""


def breakers(world: World, checks: Checks) -> None:
    """Check both sides of it: it opens, and it closes again."""
    for gateway in world.gateways.values():
        _is_spared(checks, gateway.agent, gateway.poisoned_s)
    _is_trusted_again(world, checks)
    _canaries(world, checks)


def _canaries(world: World, checks: Checks) -> None:
    """Each ran once, on its agent and with our own text, and none is still running."""
    seen: set[str] = set()
    for execution in world.truth.canaries:
        run = execution.run
        if execution.agent != agent_of_canary(RunId(run)):
            checks.broken("canaries-try", f"{run} ran on {execution.agent}", execution.started_s)
        if execution.payload_sha256 != sha256(PAYLOAD.raw.encode()):
            checks.broken("canaries-try", f"{run} got another payload", execution.started_s)
        if run in seen and not execution.continued:
            checks.broken("canaries-try", f"{run} ran twice", execution.started_s)
        seen.add(run)
    state = world.newest.state if world.newest is not None else None
    for agent in state.agents.values() if state is not None else ():
        if agent.canary is not None:
            checks.broken("canaries-try", f"{agent.canary.run} never ended")


def _is_spared(checks: Checks, agent: AgentName, hits_s: list[float]) -> None:
    first = 0
    for last, at_s in enumerate(hits_s):
        while at_s - hits_s[first] > WINDOW_S:
            first += 1
        if last - first + 1 > AT_FIRST + TRIALS:
            text = f"{agent} got {last - first + 1} runs within {WINDOW_S:g} s and did none"
            checks.broken("breaker-opens", text, at_s)
            return


def _is_trusted_again(world: World, checks: Checks) -> None:
    """An agent that is out at the end has had no success since."""
    state = world.newest.state if world.newest is not None else None
    if state is None:
        return
    for task in state.tasks():
        for attempt in task.attempts:
            agent = state.agents.get(attempt.agent)
            breaker = agent.breaker if agent is not None else None
            if breaker is None or attempt.phase is not AttemptPhase.SUCCEEDED:
                continue
            if attempt.planned_at_ms > breaker.since_ms:
                text = f"{attempt.agent} did {attempt.run_id} well and gets no work"
                checks.broken("breaker-closes", text)
                return
