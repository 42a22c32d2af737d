"""What acting actions do: make the command, show its plan, send it, tell what came of it.

How much is asked depends on what can be lost: one line where it can be undone, the plan where work
is stopped, a name to type where the fleet is protected or much of a pool is concerned.
"""

from collections.abc import Awaitable, Callable, Mapping, Sequence

from fleet_tui.console.actions import doing_tasks as acting_tasks
from fleet_tui.console.actions.plans import (
    approved,
    asked,
    command_line,
    confirmed,
    plan_of,
    send_all,
)
from fleet_tui.console.actions.selection import Selection, listed
from fleet_tui.console.host import Stage
from fleet_tui.console.text.cells import Cell, Line, Tone
from fleet_tui.console.widgets.dialogs import Plan
from fleet_tui.console.widgets.plan_form import Field
from fleet_tui.core.agents.commands import Cordon, ProbeNow, Uncordon
from fleet_tui.core.alerting.commands import Ack
from fleet_tui.core.engine.commands import Freeze, Thaw
from fleet_tui.core.ids import AgentName
from fleet_tui.core.ledger.commands import AddNote
from fleet_tui.core.ledger.state import FleetState
from fleet_tui.core.text import words
from fleet_tui.core.text.firewall import safe_line
from fleet_tui.core.text.untrusted import Untrusted

MUCH_OF_A_POOL_PERCENT = 25
"""Taking more than this share of a pool out of routing at once asks for the fleet's name."""

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


async def cordon(screen: Stage, chosen: Selection) -> None:
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
        same_as = command_line("cordon", *names)
        title = f"cordon {words.plural(len(names), 'agent')}"
        plan = plan_of(state, title, lines, same_as, "Cordon", typed=True)
        go = await approved(screen, plan)
    else:
        go = await confirmed(screen, f"Cordon {label}? No new work for it.{goes_on}")
    if go:
        done = f"cordoned {label}. U takes it back"
        await send_all(screen, [Cordon(agents=tuple(names))], done)


async def uncordon(screen: Stage, chosen: Selection) -> None:
    """Let agents take work again."""
    state = screen.console.view.state
    names = [n for n in chosen.agents if n in state.agents and state.agents[n].cordon is not None]
    label = safe_line(listed(names))
    if await confirmed(screen, f"Uncordon {label}? It takes work again."):
        await send_all(screen, [Uncordon(agents=tuple(names))], f"uncordoned {label}")


async def probe(screen: Stage, chosen: Selection) -> None:
    """Look at agents at once."""
    label = safe_line(listed(chosen.agents))
    await send_all(screen, [ProbeNow(agents=chosen.agents)], f"looking at {label} now")


# --- the whole fleet ---


async def freeze(screen: Stage, chosen: Selection) -> None:
    """Start nothing until a thaw."""
    del chosen
    view, status = screen.console.view, screen.console.status

    def plan(typed: Mapping[str, str]) -> Plan:
        del typed
        runs = words.plural(status.running + status.unknown, "task")
        waits = words.plural(status.waiting, "task")
        return plan_of(
            view.state,
            "freeze the fleet",
            [
                (Cell("Nothing is started until a thaw, also after a restart of the engine."),),
                (Cell(f"{runs} on agents go on and are followed; {waits} wait."),),
                (Cell("What is submitted is taken and waits."),),
            ],
            "fleet-tui freeze",
            "Freeze",
            typed=view.state.fleet.protected,
        )

    why = Field("reason", "reason", hint="why, for the record")
    said = await asked(screen, plan, [why])
    if said is not None:
        done = "the fleet is frozen. J thaws it"
        await send_all(screen, [Freeze(reason=said["reason"])], done)


async def thaw(screen: Stage, chosen: Selection) -> None:
    """Start work again."""
    del chosen
    waits = words.plural(screen.console.status.waiting, "task")
    question = f"Thaw the fleet? Work is started again; {waits} wait."
    if await confirmed(screen, question):
        await send_all(screen, [Thaw()], "the fleet starts work again")


# --- alerts and notes ---


async def ack(screen: Stage, chosen: Selection) -> None:
    """Say that alerts are in hand."""
    alerts = screen.console.view.state.alerts
    open_ones = [alerts[a] for a in chosen.alerts if a in alerts and alerts[a].acked_by is None]
    label = safe_line(listed(f"{alert.subject} {alert.text}" for alert in open_ones))
    if open_ones and await confirmed(screen, f"Acknowledge {label}?"):
        command = Ack(alerts=tuple(alert.id for alert in open_ones))
        await send_all(screen, [command], f"acknowledged {label}")


async def note(screen: Stage, chosen: Selection) -> None:
    """Note this moment, with the words that were given or asking for them."""
    del chosen
    text, screen.console.note_text = screen.console.note_text, ""
    if text:
        await send_all(screen, [AddNote(text=Untrusted(text))], "noted")
    else:
        screen.open_command_line("note ")


ACTS: dict[str, Callable[[Stage, Selection], Awaitable[None]]] = {
    "cordon": cordon,
    "uncordon": uncordon,
    "probe": probe,
    "ack": ack,
    "note": note,
    "freeze": freeze,
    "thaw": thaw,
    **acting_tasks.ACTS,
}
"""By the name of the action."""
