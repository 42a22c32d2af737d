"""What acting actions do: make the command, show its plan, send it, tell what came of it.

How much is asked depends on what can be lost: one line where it can be undone, the plan where work
is stopped, a name to type where the fleet is protected or much of a pool is concerned.
"""

import shlex
from collections.abc import Awaitable, Callable, Sequence
from typing import TYPE_CHECKING

from fleet_tui.console.cells import Cell, Line, Tone
from fleet_tui.console.selection import Selection, listed
from fleet_tui.console.verdict import judge, needs_verdict
from fleet_tui.console.widgets.dialogs import ConfirmBar, Plan, PlanCard
from fleet_tui.core import words
from fleet_tui.core.commands import (
    Accepted,
    Ack,
    AddNote,
    Cancel,
    Command,
    Cordon,
    ProbeNow,
    Requeue,
    Uncordon,
)
from fleet_tui.core.firewall import safe_line
from fleet_tui.core.ids import AgentName
from fleet_tui.core.state import FleetState, Task, TaskPhase
from fleet_tui.core.untrusted import Untrusted

if TYPE_CHECKING:
    from fleet_tui.console.screens.base import FleetScreen

MUCH_OF_A_POOL_PERCENT = 25
"""Taking more than this share of a pool out of routing at once asks for the fleet's name."""

MAX_PAYLOAD_CHARS = 60

_SAID_HERE = "said in the console"


async def _confirmed(screen: "FleetScreen", question: str) -> bool:
    """Tier 1: one line, default no."""
    return await screen.app.push_screen_wait(ConfirmBar(question)) is True


async def _approved(screen: "FleetScreen", plan: Plan) -> bool:
    """Tiers 2 and 3: the plan on a card."""
    return await screen.app.push_screen_wait(PlanCard(plan)) is True


def _plan(
    state: FleetState,
    title: str,
    lines: Sequence[Line],
    same_as: str,
    verb: str,
    *,
    typed: bool,
) -> Plan:
    fleet = safe_line(state.fleet.name)
    return Plan(
        title=title,
        lines=tuple(lines),
        same_as=same_as,
        verb=verb,
        typed=fleet if typed else None,
        fleet=fleet,
        protected=state.fleet.protected,
    )


def _command_line(verb: str, *names: str) -> str:
    return " ".join(("fleet-tui", verb, *(shlex.quote(safe_line(name)) for name in names)))


async def _send_all(screen: "FleetScreen", commands: Sequence[Command], done: str) -> None:
    """Send one after the other; a refusal is told by the console and ends it."""
    for command in commands:
        reply = await screen.console.send(command)
        if not isinstance(reply, Accepted):
            return
    screen.console.tell(done)


# --- agents ---


def _much_of_a_pool(state: FleetState, names: Sequence[AgentName]) -> list[Line]:
    """A line per pool of which too much would be taken out."""
    found: list[Line] = []
    for pool in state.fleet.pools:
        members = [n for n, spec in state.fleet.agents.items() if spec.pool == pool]
        serving = [n for n in members if n in state.agents and state.agents[n].in_service]
        taken = [n for n in serving if n in names]
        if taken and 100 * len(taken) > MUCH_OF_A_POOL_PERCENT * len(members):
            left = len(serving) - len(taken)
            text = f"{safe_line(pool)} in service {len(serving)}/{len(members)} -> {left}"
            found.append((Cell(text, Tone.WARN),))
    return found


async def cordon(screen: "FleetScreen", chosen: Selection) -> None:
    """Keep agents out of routing."""
    state = screen.console.view.state
    names = [n for n in chosen.agents if n in state.agents and state.agents[n].cordon is None]
    label = safe_line(listed(names))
    running = sum(len(state.agents[name].runs) for name in names)
    goes_on = f" {words.plural(running, 'task')} running there goes on." if running == 1 else ""
    if running > 1:
        goes_on = f" {running} tasks running there go on."
    much = _much_of_a_pool(state, names)
    if much and (len(names) > 1 or state.fleet.protected):
        lines = [(Cell(f"{label}: no new work.{goes_on}"),), *much]
        same_as = _command_line("cordon", *names)
        title = f"cordon {words.plural(len(names), 'agent')}"
        plan = _plan(state, title, lines, same_as, "Cordon", typed=True)
        go = await _approved(screen, plan)
    else:
        go = await _confirmed(screen, f"Cordon {label}? No new work for it.{goes_on}")
    if go:
        done = f"cordoned {label}. U takes it back"
        await _send_all(screen, [Cordon(agents=tuple(names))], done)


async def uncordon(screen: "FleetScreen", chosen: Selection) -> None:
    """Let agents take work again."""
    state = screen.console.view.state
    names = [n for n in chosen.agents if n in state.agents and state.agents[n].cordon is not None]
    label = safe_line(listed(names))
    if await _confirmed(screen, f"Uncordon {label}? It takes work again."):
        await _send_all(screen, [Uncordon(agents=tuple(names))], f"uncordoned {label}")


async def probe(screen: "FleetScreen", chosen: Selection) -> None:
    """Look at agents at once."""
    label = safe_line(listed(chosen.agents))
    await _send_all(screen, [ProbeNow(agents=chosen.agents)], f"looking at {label} now")


# --- tasks ---


def _payload(task: Task) -> str:
    return safe_line(task.spec.payload, MAX_PAYLOAD_CHARS)


def _cancel_line(task: Task, now_ms: int) -> Line:
    label = Cell(f"{task.label:<9}", Tone.ACCENT)
    attempt = task.open_attempt
    if attempt is None:
        return (label, Cell("waits: taken off the queue  "), Cell(_payload(task), Tone.DIM))
    since_ms = attempt.started_at_ms or attempt.planned_at_ms
    ran = words.age(since_ms, now_ms)
    where = f"runs on {safe_line(attempt.agent)} for {ran}: "
    return (
        label,
        Cell(where),
        Cell("that work is lost  ", Tone.WARN),
        Cell(_payload(task), Tone.DIM),
    )


async def cancel(screen: "FleetScreen", chosen: Selection) -> None:
    """Take tasks off the queue or stop their runs."""
    view = screen.console.view
    tasks = [view.state.open_tasks[t] for t in chosen.tasks if t in view.state.open_tasks]
    labels = [task.label for task in tasks]
    lines = [_cancel_line(task, view.now_ms) for task in tasks]
    plan = _plan(
        view.state,
        f"cancel {listed(labels)}",
        lines,
        _command_line("cancel", *labels),
        "Cancel them" if len(tasks) > 1 else "Cancel it",
        typed=view.state.fleet.protected,
    )
    if tasks and await _approved(screen, plan):
        commands = [Cancel(task=task.id) for task in tasks]
        await _send_all(screen, commands, f"cancelling {listed(labels)}")


async def resolve(screen: "FleetScreen", chosen: Selection) -> None:
    """A verdict on a task that needs one; tasks that ended badly are run again as they were."""
    state = screen.console.view.state
    for task_id in chosen.tasks:
        task = state.task(task_id)
        if task is None:
            continue
        if needs_verdict(task):
            await judge(screen, task)
        elif task.phase.is_closed and task.phase is not TaskPhase.SUCCEEDED:
            await _requeue(screen, state, task)


async def _requeue(screen: "FleetScreen", state: FleetState, task: Task) -> None:
    lines: list[Line] = [
        (Cell(_payload(task), Tone.DIM),),
        (Cell(f"It ended as {task.phase.value}: {safe_line(task.reason or 'no reason told')}"),),
        (Cell("It runs again from its start, as a new attempt of the same task."),),
    ]
    plan = _plan(state, f"run {task.label} again", lines, "", "Run again", typed=False)
    if await _approved(screen, plan):
        command = Requeue(tasks=(task.id,), reason=_SAID_HERE)
        await _send_all(screen, [command], f"{task.label} is queued again")


# --- alerts and notes ---


async def ack(screen: "FleetScreen", chosen: Selection) -> None:
    """Say that alerts are in hand."""
    alerts = screen.console.view.state.alerts
    open_ones = [alerts[a] for a in chosen.alerts if a in alerts and alerts[a].acked_by is None]
    label = safe_line(listed(f"{alert.subject} {alert.text}" for alert in open_ones))
    if open_ones and await _confirmed(screen, f"Acknowledge {label}?"):
        commands = [Ack(alert=alert.id) for alert in open_ones]
        await _send_all(screen, commands, f"acknowledged {label}")


async def note(screen: "FleetScreen", chosen: Selection) -> None:
    """Note this moment, with the words that were given or asking for them."""
    del chosen
    text, screen.console.note_text = screen.console.note_text, ""
    if text:
        await _send_all(screen, [AddNote(text=Untrusted(text))], "noted")
    else:
        screen.open_command_line("note ")


ACTS: dict[str, Callable[["FleetScreen", Selection], Awaitable[None]]] = {
    "cordon": cordon,
    "uncordon": uncordon,
    "probe": probe,
    "cancel": cancel,
    "resolve": resolve,
    "ack": ack,
    "note": note,
}
"""By the name of the action."""
