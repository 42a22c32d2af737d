"""Which class shows a place. Screens are imported when they are first opened, so that the first
paint does not wait for them."""

from importlib import import_module

from fleet_tui.console.shell.places import Place
from fleet_tui.console.shell.screen import FleetScreen

_PACKAGE = "fleet_tui.console.views"

SCREENS: dict[str, tuple[str, str]] = {
    "overview": ("overview.screen", "OverviewScreen"),
    "agents": ("agents.table", "AgentsScreen"),
    "tasks": ("tasks.table", "TasksScreen"),
    "logs": ("logs.screen", "LogsScreen"),
    "routes": ("routing.screen", "RoutesScreen"),
    "alerts": ("alerts.screen", "AlertsScreen"),
    "sessions": ("recordings.sessions", "SessionsScreen"),
    "agent": ("agents.screen", "AgentScreen"),
    "definition": ("agents.definition", "DefinitionScreen"),
    "task": ("tasks.screen", "TaskScreen"),
    "why": ("routing.why_screen", "WhyScreen"),
    "diff": ("diff.screen", "DiffScreen"),
    "dead": ("dead.screen", "DeadScreen"),
    "edit": ("submit.edit", "EditScreen"),
    "submit": ("submit.screen", "SubmitScreen"),
    "review": ("recordings.review", "ReviewScreen"),
    "messages": ("help.messages", "MessagesScreen"),
    "help": ("help.screen", "HelpScreen"),
}
"""View name -> module below ``console/views`` and class; each is made as ``Screen(place)``."""


def make_screen(place: Place) -> FleetScreen:
    """The screen of a place. Raises KeyError for a view that does not exist."""
    module, name = SCREENS[place.view]
    screen: FleetScreen = getattr(import_module(f"{_PACKAGE}.{module}"), name)(place)
    return screen
