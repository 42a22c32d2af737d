"""``python -m fleet_tui`` is ``fleet-tui``."""

from fleet_tui.cli.main import main

if __name__ == "__main__":
    main()
