"""Why the program stops, and the exit code that says so.

    FleetError              1  something did not work, or the fleet is not well
    ├── UsageError          2  the command was typed wrongly
    ├── InvalidConfig       3  a file of the operator's cannot be used
    │   └── config.load.InvalidFleet  (carries every problem of the fleet file)
    ├── Unreachable         4  nothing that was asked for could be reached
    ├── PartialFailure      5  some of it was done, some was not
    └── CommandRefused      6  policy, read-only, or not confirmed

What can be expected of a network or an agent is a value, never one of these; these end a command.
"""

from enum import IntEnum
from typing import ClassVar


class ExitCode(IntEnum):
    """The stable meaning of the program's exit codes."""

    OK = 0
    FAILED = 1
    USAGE = 2
    INVALID_CONFIG = 3
    UNREACHABLE = 4
    PARTIAL = 5
    REFUSED = 6
    INTERRUPTED = 130


class FleetError(Exception):
    """The command did not succeed."""

    exit_code: ClassVar[ExitCode] = ExitCode.FAILED

    def __init__(self, message: str = "", *, hint: str = "") -> None:
        """``message`` says what and where, ``hint`` what to do; the docstring is the default."""
        self.message = message or (type(self).__doc__ or "").strip().splitlines()[0]
        self.hint = hint
        super().__init__(self.message)


class UsageError(FleetError):
    """The command was not understood."""

    exit_code = ExitCode.USAGE


class InvalidConfig(FleetError):
    """A configuration file cannot be used."""

    exit_code = ExitCode.INVALID_CONFIG


class Unreachable(FleetError):
    """Nothing could be reached."""

    exit_code = ExitCode.UNREACHABLE


class PartialFailure(FleetError):
    """Some of it was done and some was not."""

    exit_code = ExitCode.PARTIAL


class CommandRefused(FleetError):
    """It was not allowed."""

    exit_code = ExitCode.REFUSED
