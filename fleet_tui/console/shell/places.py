"""Where an operator can be: every screen has a name, and a place is a name with a subject."""

from typing import NamedTuple


class Place(NamedTuple):
    """A screen and what it is about."""

    view: str
    """A name in ``console.screens.registry.SCREENS``."""
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
