"""Where an operator can be: every screen has a name, and a place is a name with a subject.

Screens are imported when they are first opened, so that the first paint does not wait for them.
"""

from importlib import import_module
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from fleet_tui.console.screens.base import FleetScreen


class Place(NamedTuple):
    """A screen and what it is about."""

    view: str
    """A name in SCREENS."""
    subject: str = ""
    """An agent's name, a task's label or id, a help topic; empty for the whole fleet."""
    query: str = ""
    """The filter to start with."""


class Tab(NamedTuple):
    """A view of the tab line."""

    key: str
    view: str
    title: str


TABS = (
    Tab("1", "overview", "Overview"),
    Tab("2", "agents", "Agents"),
    Tab("3", "tasks", "Tasks"),
    Tab("4", "logs", "Logs"),
    Tab("5", "routes", "Routes"),
    Tab("7", "alerts", "Alerts"),
    Tab("9", "sessions", "Sessions"),
    Tab("u", "dead", "Dead letters"),
)
"""The views with a key of their own. They are roots: opening one leaves every drill-down."""

TITLES = {tab.view: tab.title for tab in TABS}

OVERVIEW = Place("overview")

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


def make_screen(place: Place) -> "FleetScreen":
    """The screen of a place. Raises KeyError for a view that does not exist."""
    module, name = SCREENS[place.view]
    screen: FleetScreen = getattr(import_module(f"{_PACKAGE}.{module}"), name)(place)
    return screen
