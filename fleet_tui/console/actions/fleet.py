"""Actions that change something in the fleet, and those that only need its engine.

Every plan is shown before anything is sent (:mod:`fleet_tui.console.actions.doing_fleet`). Those on
tasks are in :mod:`fleet_tui.console.actions.tasks`.
"""

from fleet_tui.console.actions import reasons
from fleet_tui.console.actions.action import AGENTS, ALERTS, Action, Effect, Group
from fleet_tui.console.actions.acts import acts

ACT_ACTIONS = (
    Action(
        name="cordon",
        title="cordon the agent",
        keys=("C",),
        group=Group.ACT,
        run=acts("cordon"),
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
        run=acts("uncordon"),
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
        name="ack",
        title="acknowledge the alert",
        keys=("A",),
        group=Group.ACT,
        run=acts("ack"),
        label="ack",
        footer=54,
        scopes=ALERTS,
        effect=Effect.ACTS,
        tier=1,
        help="Says that you have it in hand. The condition stays open until it ends.",
        unavailable=reasons.nothing_to_ack,
    ),
    Action(
        name="freeze",
        title="freeze the fleet",
        keys=("Q",),
        group=Group.ACT,
        run=acts("freeze"),
        effect=Effect.ACTS,
        tier=2,
        cli="fleet-tui freeze",
        help="Starts nothing until a thaw; what runs goes on, what is submitted waits.",
        unavailable=reasons.already_frozen,
    ),
    Action(
        name="thaw",
        title="thaw the fleet",
        keys=("J",),
        group=Group.ACT,
        run=acts("thaw"),
        label="thaw",
        footer=87,
        effect=Effect.ACTS,
        tier=1,
        cli="fleet-tui thaw",
        help="Lets a frozen fleet start work again.",
        unavailable=reasons.not_frozen,
    ),
    Action(
        name="undo",
        title="undo",
        keys=("Z",),
        group=Group.ACT,
        run=acts("undo"),
        effect=Effect.ACTS,
        tier=1,
        cli="fleet-tui undo",
        help="Takes back what was done last in this console: a hold, a priority, a cordon, a"
        " freeze or their opposites. Pressed again, it is done again.",
        unavailable=reasons.nothing_to_undo,
    ),
)

ENGINE_ACTIONS = (
    Action(
        name="probe",
        title="look now",
        keys=("ctrl+r",),
        group=Group.SHOW,
        run=acts("probe"),
        scopes=AGENTS,
        help="Probes the agents at once instead of at their next turn. Changes nothing.",
        unavailable=lambda context: reasons.no_agent(context) or reasons.cannot_note(context),
    ),
    Action(
        name="note",
        title="note this moment",
        keys=("m",),
        group=Group.SHOW,
        run=acts("note"),
        command="note",
        help="A bookmark with your words in the ledger; changes nothing in the fleet.",
        unavailable=reasons.cannot_note,
    ),
)
"""They change nothing in the fleet, so they ask nothing and keep lower-case keys."""
