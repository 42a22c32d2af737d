"""Which class shows a place. Screens are imported when they are first opened, so that the first
paint does not wait for them."""

from importlib import import_module

from fleet_tui.console.places import Place
from fleet_tui.console.screens.base import FleetScreen

_PACKAGE = "fleet_tui.console.screens"

SCREENS: dict[str, tuple[str, str]] = {
    "overview": ("overview", "OverviewScreen"),
    "agents": ("agents", "AgentsScreen"),
    "tasks": ("tasks", "TasksScreen"),
    "logs": ("logs", "LogsScreen"),
    "routes": ("routes", "RoutesScreen"),
    "alerts": ("alerts", "AlertsScreen"),
    "sessions": ("sessions", "SessionsScreen"),
    "agent": ("agent", "AgentScreen"),
    "definition": ("definition", "DefinitionScreen"),
    "task": ("task", "TaskScreen"),
    "why": ("why", "WhyScreen"),
    "dead": ("dead", "DeadScreen"),
    "edit": ("edit", "EditScreen"),
    "submit": ("submit", "SubmitScreen"),
    "review": ("review", "ReviewScreen"),
    "messages": ("messages", "MessagesScreen"),
    "help": ("help", "HelpScreen"),
}
"""View name -> module in ``console/screens`` and class; each is made as ``Screen(place)``."""


def make_screen(place: Place) -> FleetScreen:
    """The screen of a place. Raises KeyError for a view that does not exist."""
    module, name = SCREENS[place.view]
    screen: FleetScreen = getattr(import_module(f"{_PACKAGE}.{module}"), name)(place)
    return screen
