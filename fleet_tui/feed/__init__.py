"""The console's source of data and its channel for commands.

The console is written against :class:`fleet_tui.feed.feed.Feed`. An attached feed follows a running
engine; a recorded feed plays a ledger back and cannot send commands.
"""
