"""The class of each screen. Screens are imported when they are first opened, so that the first
paint does not wait for them."""

from importlib import import_module

from fleet_tui.console.shell.places import SCREENS, Place
from fleet_tui.console.shell.screen import FleetScreen

_PACKAGE = "fleet_tui.console.views"


def make_screen(place: Place) -> FleetScreen:
    """The screen of a place. Raises KeyError for a view that does not exist."""
    module, name = SCREENS[place.view]
    screen: FleetScreen = getattr(import_module(f"{_PACKAGE}.{module}"), name)(place)
    return screen
