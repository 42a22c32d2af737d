"""What a command would do, before it is done: its subjects, those left out and why, what is lost,
which confirmation it needs.

Command line and console show the same plan. The command carries the impact that was shown as
:class:`Impact`, and the engine plans again when it arrives: where it would now do more harm than
was shown, it is refused with the difference (:func:`worse`). A plan that does less than was shown
is carried out: agreeing to stop five runs includes stopping four.
"""

from collections.abc import Iterable, Sequence
from enum import Enum, auto
from typing import TypeVar, assert_never

import msgspec

from fleet_tui.core.agents.commands import Cordon, ProbeNow, Uncordon
from fleet_tui.core.alerting.commands import Ack
from fleet_tui.core.engine.commands import Freeze, StopEngine, Thaw
from fleet_tui.core.ids import AgentName, AlertId, PoolName, TaskId
from fleet_tui.core.ledger.base import Tier
from fleet_tui.core.ledger.commands import Command
from fleet_tui.core.ledger.decide import decide
from fleet_tui.core.ledger.decided import Decided, LeftOut
from fleet_tui.core.ledger.events import Recorded
from fleet_tui.core.ledger.fold import Folding
from fleet_tui.core.ledger.refusals import RefusalCode
from fleet_tui.core.ledger.replies import Refused
from fleet_tui.core.ledger.state import FleetState
from fleet_tui.core.notes.commands import AddNote
from fleet_tui.core.tasks.commands import (
    Cancel,
    Drop,
    Edit,
    Expedite,
    Hold,
    Release,
    Requeue,
    Resolve,
    SetPriority,
    Submit,
)
from fleet_tui.core.tasks.dead_letters import may_have_unseen_run
from fleet_tui.core.tasks.model import AttemptPhase, Task, TaskPhase
from fleet_tui.core.tasks.verdicts import may_still_run
from fleet_tui.core.text import words

MUCH_OF_A_POOL_PERCENT = 25
"""Taking more than this share of a pool out of routing at once requires typing the fleet's name."""

MAX_TOLD = 3
"""Subjects that are named one by one in the title of a plan."""

C = TypeVar("C", bound=Command)


class PoolLeft(msgspec.Struct, frozen=True, kw_only=True):
    """What remains of a pool when agents are taken out of routing."""

    pool: PoolName
    agents: int
    serving: int
    """Of them in service now."""
    left: int
    """Of those in service afterwards."""

    @property
    def is_much(self) -> bool:
        """Whether a large part of the pool would be taken out."""
        return 100 * (self.serving - self.left) > MUCH_OF_A_POOL_PERCENT * self.agents


class Impact(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The effects and losses of a plan, as numbers that can be compared later."""

    tasks: int = 0
    """Tasks that are changed."""
    lost_runs: int = 0
    """Runs that are stopped; their work is lost."""
    unsure_runs: int = 0
    """Runs in unknown state; they are stopped if they still run."""
    maybe_twice: int = 0
    """Tasks that run again although an earlier run may still be running."""
    agents: int = 0
    pools: tuple[PoolLeft, ...] = ()
    """Pools that lose agents in service, by name."""


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """A command that can be carried out."""

    command: Command
    """Names only the subjects that are changed."""
    left_out: tuple[LeftOut, ...] = ()
    """The other subjects that were named."""
    impact: Impact = Impact()
    tier: Tier = Tier.LINE


def plan(state: FleetState, by: str, command: Command, now_ms: int) -> Plan | Refused:
    """What the command would do now, or why it would do nothing."""
    decision = decide(state, by, command, now_ms)
    if isinstance(decision, Refused):
        return decision
    narrowed = without(command, decision.left_out)
    if decision.left_out and not subjects(narrowed):
        return decision.left_out[0].why
    impact = impact_of(state, narrowed)
    return Plan(
        command=narrowed,
        left_out=decision.left_out,
        impact=impact,
        tier=_tier(state, narrowed, impact),
    )


def plan_in_turn(
    state: FleetState, by: str, commands: Iterable[Command], now_ms: int
) -> list[Plan | Refused]:
    """What commands would do that are carried out one after the other: each is planned on the state
    that the ones before it leave."""
    found: list[Plan | Refused] = []
    for command in commands:
        each = plan(state, by, command, now_ms)
        if isinstance(each, Plan):
            state = _after(state, by, each.command, now_ms)
        found.append(each)
    return found


def _after(state: FleetState, by: str, command: Command, now_ms: int) -> FleetState:
    decision = decide(state, by, command, now_ms)
    folding = Folding(state)
    for event in decision.events if isinstance(decision, Decided) else ():
        # Positions in the ledger do not matter in a state used only for planning.
        folding.apply(Recorded(state.seq, state.at_ms, state.engine.epoch, event))
    return folding.state()


def subjects(command: Command) -> tuple[str, ...]:
    """What a command names: ids of tasks, names of agents, ids of alerts; none for the fleet."""
    match command:
        case Cancel() | Hold() | Release() | Expedite() | SetPriority() | Requeue() | Drop():
            return command.tasks
        case Resolve() | Edit():
            return (command.task,)
        case Cordon() | Uncordon() | ProbeNow():
            return command.agents
        case Ack():
            return command.alerts
        case Submit() | Freeze() | Thaw() | StopEngine() | AddNote():
            return ()
        case _:
            assert_never(command)


def without(command: C, left_out: Iterable[LeftOut]) -> C:
    """The command without some of its subjects."""
    out = {each.subject for each in left_out}
    if not out:
        return command
    kept = tuple(each for each in subjects(command) if each not in out)
    match command:
        case Cancel() | Hold() | Release() | Expedite() | SetPriority() | Requeue() | Drop():
            return msgspec.structs.replace(command, tasks=kept)
        case Cordon() | Uncordon() | ProbeNow():
            return msgspec.structs.replace(command, agents=kept)
        case Ack():
            return msgspec.structs.replace(command, alerts=kept)
        case Submit() | Resolve() | Edit() | Freeze() | Thaw() | StopEngine() | AddNote():
            return command  # names one thing or none: it is refused as a whole
        case _:
            assert_never(command)


def named(state: FleetState, command: Command) -> str:
    """A command's subjects for people: ``t-1 and t-2``, ``4 agents``, the fleet's name."""
    match command:
        case Cancel() | Hold() | Release() | Expedite() | SetPriority() | Requeue() | Drop():
            return _and([_label(state, each) for each in command.tasks], "task")
        case Resolve() | Edit():
            return _label(state, command.task)
        case Cordon() | Uncordon() | ProbeNow():
            return _and(command.agents, "agent")
        case Ack():
            return _and([_alert(state, each) for each in command.alerts], "alert")
        case Submit() | Freeze() | Thaw() | StopEngine() | AddNote():
            return state.fleet.name
        case _:
            assert_never(command)


def title(state: FleetState, command: Command) -> str:
    """What a command does, in a few words: ``hold t-1 and t-2``, ``cordon 4 agents``."""
    them = named(state, command)
    match command:
        case Submit():
            return "submit a task"
        case Cancel():
            return f"cancel {them}"
        case Hold():
            return f"hold {them}"
        case Release():
            return f"release {them}"
        case Expedite():
            return f"expedite {them}"
        case SetPriority(priority=priority):
            return f"move {them} to {priority.name}"
        case Requeue():
            return f"requeue {them}"
        case Drop():
            return f"drop {them}"
        case Edit():
            return f"edit {them}"
        case Resolve(verdict=verdict):
            return f'give the verdict "{verdict.text}" on {them}'
        case Cordon():
            return f"cordon {them}"
        case Uncordon():
            return f"uncordon {them}"
        case ProbeNow():
            return f"probe {them}"
        case Ack():
            return f"acknowledge {them}"
        case Freeze():
            return "freeze the fleet"
        case Thaw():
            return "thaw the fleet"
        case StopEngine():
            return "stop the engine"
        case AddNote():
            return "add a note"
        case _:
            assert_never(command)


def _label(state: FleetState, task: TaskId) -> str:
    known = state.task(task)
    return task if known is None else known.label


def _alert(state: FleetState, alert: AlertId) -> str:
    known = state.alerts.get(alert)
    return alert if known is None else f"{known.subject} {known.text}"


def _and(names: Sequence[str], noun: str) -> str:
    if len(names) > MAX_TOLD:
        return words.plural(len(names), noun)
    return " and ".join(filter(None, [", ".join(names[:-1]), *names[-1:]]))


def impact_of(state: FleetState, command: Command) -> Impact:
    """The impact of a command that leaves nothing out."""
    match command:
        case Cancel(tasks=tasks):
            known = (task for each in tasks if (task := state.task(each)))
            fates = [stopped_by_cancel(task) for task in known]
            return Impact(
                tasks=len(tasks),
                lost_runs=fates.count(Stopping.LOST),
                unsure_runs=fates.count(Stopping.OUT_OF_SIGHT),
            )
        case Requeue(tasks=tasks):
            again = (task for each in tasks if (task := state.task(each)))
            return Impact(tasks=len(tasks), maybe_twice=sum(map(may_have_unseen_run, again)))
        case Hold() | Release() | Expedite() | SetPriority() | Drop():
            return Impact(tasks=len(command.tasks))
        case Resolve() | Edit() | Submit():
            return Impact(tasks=1)
        case Cordon(agents=agents):
            return Impact(agents=len(agents), pools=_pools_left(state, agents))
        case Uncordon() | ProbeNow():
            return Impact(agents=len(command.agents))
        case Ack() | Freeze() | Thaw() | StopEngine() | AddNote():
            return Impact()
        case _:
            assert_never(command)


def worse(state: FleetState, command: Command, decision: Decided, shown: Impact) -> Refused | None:
    """The refusal of a command that would do more than was shown."""
    found = differences(shown, impact_of(state, without(command, decision.left_out)))
    if not found:
        return None
    return Refused(
        code=RefusalCode.PLAN_CHANGED,
        text=f"The fleet has changed since the plan was shown: {', '.join(found)}.",
        hint="Nothing was done. Review the new plan, or freeze the fleet first.",
    )


def differences(shown: Impact, now: Impact) -> list[str]:
    """What a plan would now do beyond what was shown, in words."""
    found = [
        f"{name} {before} -> {after}"
        for name, before, after in (
            ("tasks", shown.tasks, now.tasks),
            ("runs lost", shown.lost_runs, now.lost_runs),
            ("runs in unknown state", shown.unsure_runs, now.unsure_runs),
            ("tasks that may run twice", shown.maybe_twice, now.maybe_twice),
            ("agents", shown.agents, now.agents),
        )
        if after > before
    ]
    left = {pool.pool: pool.left for pool in shown.pools}
    for pool in now.pools:
        before = left.get(pool.pool, pool.serving)
        if pool.left < before:
            found.append(f"in service in {pool.pool} afterwards {before} -> {pool.left}")
    return found


def impact_words(impact: Impact) -> list[str]:
    """The losses, one sentence each; none where nothing is lost."""
    said = []
    if impact.lost_runs:
        runs, their = ("run", "its") if impact.lost_runs == 1 else ("runs", "their")
        are = "is" if impact.lost_runs == 1 else "are"
        said.append(
            f"{words.grouped(impact.lost_runs)} {runs} {are} stopped: {their} work is lost."
        )
    if impact.unsure_runs:
        runs = words.plural(impact.unsure_runs, "run")
        said.append(f"{runs} in unknown state: stopped if still running.")
    if impact.maybe_twice:
        their = "its last run" if impact.maybe_twice == 1 else "their last runs"
        tasks = words.plural(impact.maybe_twice, "task")
        said.append(f"{tasks} may run twice: how {their} ended is unknown.")
    said += [
        f"{pool.pool} in service {pool.serving}/{pool.agents} -> {pool.left}"
        for pool in impact.pools
        if pool.is_much
    ]
    return said


def _tier(state: FleetState, command: Command, impact: Impact) -> Tier:
    tier = command.tier
    if isinstance(command, Cordon) and any(pool.is_much for pool in impact.pools):
        return Tier.NAME if impact.agents > 1 or state.fleet.protected else tier
    return Tier.NAME if state.fleet.protected and tier is Tier.PLAN else tier


class Stopping(Enum):
    """What a cancel stops for a task."""

    NOTHING = auto()
    """It waits, or no run of it can still be running."""
    LOST = auto()
    """A run that is known to run, or is being started or stopped: its work is lost."""
    OUT_OF_SIGHT = auto()
    """A run in unknown state: stopped if it still runs."""


def stopped_by_cancel(task: Task) -> Stopping:
    """What a cancel stops for it."""
    last = task.attempt
    if last is None:
        return Stopping.NOTHING
    if not last.phase.is_open:
        asked = task.phase is TaskPhase.NEEDS_OPERATOR and may_still_run(last)
        return Stopping.OUT_OF_SIGHT if asked else Stopping.NOTHING
    return Stopping.OUT_OF_SIGHT if last.phase is AttemptPhase.UNKNOWN else Stopping.LOST


def _pools_left(state: FleetState, names: Sequence[AgentName]) -> tuple[PoolLeft, ...]:
    gone, found = frozenset(names), []
    for pool in sorted({spec.pool for name in gone if (spec := state.fleet.agents.get(name))}):
        members = [name for name, spec in state.fleet.agents.items() if spec.pool == pool]
        serving = [n for n in members if n in state.agents and state.agents[n].in_service]
        left = sum(name not in gone for name in serving)
        if left < len(serving):
            found.append(PoolLeft(pool=pool, agents=len(members), serving=len(serving), left=left))
    return tuple(found)
