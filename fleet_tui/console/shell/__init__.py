"""The frame around every view: the application, its keys, lines and menus."""
