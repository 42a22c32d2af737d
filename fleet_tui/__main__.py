"""The ``fleet-tui`` command, which ``python -m fleet_tui`` is too."""

from typing import NoReturn

from fleet_tui.base import interrupt


def main() -> NoReturn:
    """Run the command line and exit. It is imported when an interrupt can be answered."""
    interrupt.program(_command_line)


def _command_line() -> int:
    from fleet_tui.cli.main import main as command_line  # noqa: PLC0415  # see above

    return command_line()


if __name__ == "__main__":
    main()
