"""Actions that change something in the fleet, and those that only need its engine.

Every plan is shown before anything is sent (:mod:`fleet_tui.console.acting`).
"""

from typing import TYPE_CHECKING

from fleet_tui.console import reasons
from fleet_tui.console.action import AGENTS, ALERTS, TASKS, Action, Effect, Group, Run
from fleet_tui.console.places import Place
from fleet_tui.console.selection import Selection

if TYPE_CHECKING:
    from fleet_tui.console.screens.base import FleetScreen


async def _act(screen: "FleetScreen", chosen: Selection, name: str) -> None:
    # Plans and their cards are needed only once somebody acts.
    from fleet_tui.console import acting  # noqa: PLC0415 - keeps the first paint early

    await acting.ACTS[name](screen, chosen)


def _acts(name: str) -> Run:
    return lambda screen, chosen: _act(screen, chosen, name)


ACT_ACTIONS = (
    Action(
        name="submit",
        title="submit a task",
        keys=("T",),
        group=Group.ACT,
        run=lambda screen, chosen: screen.console.go(Place("submit")),
        label="submit",
        footer=38,
        effect=Effect.ACTS,
        tier=1,
        cli='fleet-tui submit "TEXT"',
        help="A form; nothing is sent before you confirm.",
    ),
    Action(
        name="cancel",
        title="cancel the task",
        keys=("K",),
        group=Group.ACT,
        run=_acts("cancel"),
        label="cancel",
        footer=52,
        scopes=TASKS,
        effect=Effect.ACTS,
        tier=2,
        cli="fleet-tui cancel TASK",
        help="Takes it off the queue, or stops its run: that work is lost.",
        unavailable=reasons.nothing_to_cancel,
    ),
    Action(
        name="cordon",
        title="cordon the agent",
        keys=("C",),
        group=Group.ACT,
        run=_acts("cordon"),
        label="cordon",
        footer=54,
        scopes=AGENTS,
        effect=Effect.ACTS,
        tier=1,
        cli="fleet-tui cordon AGENT",
        help="No new work for it; what it runs goes on.",
        unavailable=reasons.nothing_to_cordon,
    ),
    Action(
        name="uncordon",
        title="uncordon the agent",
        keys=("U",),
        group=Group.ACT,
        run=_acts("uncordon"),
        label="uncordon",
        footer=18,
        scopes=AGENTS,
        effect=Effect.ACTS,
        tier=1,
        cli="fleet-tui uncordon AGENT",
        help="It takes work again.",
        unavailable=reasons.nothing_to_uncordon,
    ),
    Action(
        name="resolve",
        title="give a verdict, or run again",
        keys=("Y",),
        group=Group.ACT,
        run=_acts("resolve"),
        label="verdict",
        footer=53,
        scopes=TASKS,
        effect=Effect.ACTS,
        tier=2,
        command="resolve",
        cli="fleet-tui resolve TASK ran|did-not-run|run-again REASON",
        help="For a task only a person can judge: shows the evidence. A failed one is requeued.",
        unavailable=reasons.nothing_to_judge,
    ),
    Action(
        name="ack",
        title="acknowledge the alert",
        keys=("A",),
        group=Group.ACT,
        run=_acts("ack"),
        label="ack",
        footer=54,
        scopes=ALERTS,
        effect=Effect.ACTS,
        tier=1,
        help="Says that you have it in hand. The condition stays open until it ends.",
        unavailable=reasons.nothing_to_ack,
    ),
)

ENGINE_ACTIONS = (
    Action(
        name="probe",
        title="look now",
        keys=("ctrl+r",),
        group=Group.SHOW,
        run=_acts("probe"),
        scopes=AGENTS,
        help="Probes the agents at once instead of at their next turn. Changes nothing.",
        unavailable=lambda context: reasons.no_agent(context) or reasons.cannot_note(context),
    ),
    Action(
        name="note",
        title="note this moment",
        keys=("m",),
        group=Group.SHOW,
        run=_acts("note"),
        command="note",
        help="A bookmark with your words in the ledger; changes nothing in the fleet.",
        unavailable=reasons.cannot_note,
    ),
)
"""They change nothing in the fleet, so they ask nothing and keep lower-case keys."""
