"""What a console may see, and how it asks for something.

The console is written against :class:`fleet_tui.feed.feed.Feed`. An attached feed follows a running
engine; a recorded feed plays a ledger back and has no way to act at all.
"""
