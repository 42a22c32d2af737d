"""What routing says about one task, for tests."""

from fleet_tui.core.fleet import TaskClass
from fleet_tui.core.ledger.state import FleetState
from fleet_tui.core.routing.decision import RoutingDecision
from fleet_tui.core.routing.requirement import requirement_of
from fleet_tui.core.routing.schedule import ProbeResults, Round, Router
from fleet_tui.core.tasks.model import Task


def decided_alone(
    state: FleetState, task: Task, probes: ProbeResults | None = None
) -> RoutingDecision:
    """The decision about the task at the state's last moment, alone in the queue."""
    resumes = task.spec.task_class is TaskClass.RESUMABLE
    wanted = requirement_of(state.fleet, task.spec, goes_on=resumes and task.checkpoint is not None)
    return Router(state.fleet).decide(task, wanted, Round(state, probes or {}, state.at_ms))
