"""Places in the console: every screen has a name, and a place is a name with a subject."""

from typing import NamedTuple


class Place(NamedTuple):
    """A screen and its subject."""

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
    help: str


TABS = (
    Tab(
        "1",
        "overview",
        "Overview",
        ("Shows health, queue, alerts, routing and logs on one screen."),
    ),
    Tab("2", "agents", "Agents", "Shows every agent with all its metrics."),
    Tab("3", "tasks", "Tasks", "Shows tasks that wait, run, need an operator or have ended."),
    Tab("4", "logs", "Logs", "Shows the log lines of all agents, merged in order of arrival."),
    Tab("5", "routes", "Routes", "Shows every routing decision with its reason."),
    Tab("7", "alerts", "Alerts", "Shows open alerts, worst first."),
    Tab(
        "9",
        "sessions",
        "Sessions",
        "Shows earlier engine sessions and recordings to review.",
    ),
    Tab(
        "u",
        "dead",
        "Dead letters",
        "Shows failed tasks not yet requeued or dropped, grouped by cause.",
    ),
)
"""The views with a key of their own. They are roots: opening one leaves every drill-down."""

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

TITLES = {tab.view: tab.title for tab in TABS}

OVERVIEW = Place("overview")
