"""The values of the fleet file: the grammar and the meaning of each.

Each function takes the text as it stands in the file and returns the value, or raises
:class:`Unacceptable` with what was expected. One grammar for the file, the command line and the
console's filters.
"""

import ipaddress
import re
from decimal import Decimal

from fleet_tui.config.problems import did_you_mean, quoted
from fleet_tui.core.tasks.codes import FAILURE_KINDS, FailedCode
from fleet_tui.core.text.quantities import span_ms

MAX_DURATION_MS = 366 * 86_400_000
MIN_HEARTBEAT_MS = 3_000
"""A run is queried for a sign of life once a second at most; one lost answer must not end it."""
MAX_DOLLARS = 100_000
MAX_WHOLE_DIGITS = 9
MAX_TEXT_CHARS = 4_096

NAME_PATTERN = r"[a-z0-9][a-z0-9._-]{0,62}"
"""Agents, pools, hosts and the fleet: safe as a file name, a key and a selector."""
WORD_PATTERN = r"[A-Za-z0-9][A-Za-z0-9._:/@+-]{0,62}"
"""Regions, capabilities, clients, projects and labels."""
USER_PATTERN = r"[A-Za-z0-9_]([A-Za-z0-9._+@\\-]{0,126}[A-Za-z0-9._+-])?"
"""Those of a directory too: ``CORP\\ann``, ``ann@corp.example``."""
VARIABLE_PATTERN = r"[A-Za-z_][A-Za-z0-9_]{0,127}"
HOST_PATTERN = r"[A-Za-z0-9_]([A-Za-z0-9._-]{0,251}[A-Za-z0-9_])?"
"""An ssh_config alias or a DNS name; IP addresses are recognised before it is tried."""

USER_ALONE = "a password stands in it; write the user alone"
"""Of ``user:password``, which no message repeats."""

_NAME = re.compile(NAME_PATTERN)
_WORD = re.compile(WORD_PATTERN)
_EXIT = re.compile(
    r"exit-(?:[1-9]|[1-9][0-9]|1[0-9]{2}|2[0-4][0-9]|25[0-5])"
    r"|signal-(?:[1-9]|[1-5][0-9]|6[0-4])",
    re.ASCII,
)
_ENDS_IN_NUMBER = re.compile(r"(?P<before>[^0-9]*)(?P<number>[0-9]{1,3})", re.ASCII)
_SIGNALS = {
    "HUP": 1, "INT": 2, "QUIT": 3, "ILL": 4, "ABRT": 6, "FPE": 8, "KILL": 9, "SEGV": 11,
    "PIPE": 13, "ALRM": 14, "TERM": 15,
}  # fmt: skip
"""Those that have the same number on every system (POSIX, kill utility, and what is common)."""
_USER = re.compile(USER_PATTERN)
_VARIABLE = re.compile(VARIABLE_PATTERN)
_HOST = re.compile(HOST_PATTERN)
_LIKE_IP4 = re.compile(r"[0-9]+(?:\.[0-9]+)+\.?", re.ASCII)
_WHOLE = re.compile("0|[1-9][0-9]*", re.ASCII)
_DOLLARS = re.compile(r"\$?(?P<amount>[0-9]{1,6}(?:\.[0-9]{1,6})?)", re.ASCII)


class Unacceptable(ValueError):
    """A value that is invalid in its place."""

    def __init__(self, message: str, hint: str = "") -> None:
        """``message`` states what was expected and what was found."""
        super().__init__(message)
        self.message = message
        self.hint = hint


class Expanded(str):
    """A value that came, at least in part, from the environment; messages never quote it."""

    __slots__ = ()


def shown(value: object) -> str:
    """A value as a message may quote it."""
    match value:
        case None:
            return "nothing"
        case Expanded():
            return "a value from the environment that does not fit"
        case str():
            return quoted(value)
        case dict():
            return "a map"
        case list():
            return "a list"
        case _:  # numbers, booleans and dates
            return quoted(repr(value))


def text(value: object) -> str:
    """Any text on one line."""
    if not isinstance(value, str):
        raise Unacceptable(f"expected text, got {shown(value)}")
    if not value:
        raise Unacceptable("expected text, got an empty value")
    if len(value) > MAX_TEXT_CHARS:
        raise Unacceptable(f"is longer than {MAX_TEXT_CHARS:,} characters")
    if not value.isprintable():
        raise Unacceptable("holds characters that cannot be printed (line breaks, escapes)")
    return str(value)


def name(value: object) -> str:
    """The name of an agent, pool, host or fleet."""
    if not isinstance(value, str) or not _NAME.fullmatch(value):
        raise Unacceptable(
            f"expected a name, got {shown(value)}",
            "names are 1-63 of a-z 0-9 . _ - and start with a letter or digit",
        )
    return str(value)


def word(value: object) -> str:
    """A region, capability, client, project or label value."""
    if not isinstance(value, str) or not _WORD.fullmatch(value):
        raise Unacceptable(
            f"expected a word, got {shown(value)}",
            "words are 1-63 of A-Z a-z 0-9 . _ : / @ + - and start with a letter or digit",
        )
    return str(value)


def words(value: object) -> list[object]:
    """One word or a list of them; each is judged by :func:`word` in its place."""
    if isinstance(value, str):
        return [value]
    if not isinstance(value, list):
        raise Unacceptable(f"expected a word or a list of words, got {shown(value)}")
    return value


def user(value: object) -> str:
    """A login name that cannot be taken for an option or a command."""
    if isinstance(value, str) and ":" in value:
        raise Unacceptable(USER_ALONE)
    if not isinstance(value, str) or not _USER.fullmatch(value):
        raise Unacceptable(
            f"expected a login name, got {shown(value)}",
            "login names are 1-128 of A-Z a-z 0-9 . _ + @ \\ - and start with a letter or digit",
        )
    return str(value)


def variable(value: object) -> str:
    """The name of an environment variable."""
    if not isinstance(value, str) or not _VARIABLE.fullmatch(value):
        raise Unacceptable(f"expected the name of a variable, got {shown(value)}")
    return str(value)


def address(value: object) -> str:
    """An ssh_config alias, a DNS name or an IP address without a zone."""
    if isinstance(value, str):
        if ":" in value.rpartition("@")[0]:
            raise Unacceptable(USER_ALONE)
        try:
            ip = ipaddress.ip_address(value)
        except ValueError:
            ip = None
        if ip and "%" in value:
            raise Unacceptable(
                f"{shown(value)} has a zone, which only this machine knows",
                "give the host a name in ~/.ssh/config",
            )
        if ip:
            return str(value)
        if _LIKE_IP4.fullmatch(value):
            # No name ends in a number, and libraries disagree about what 10.1 or 010.0.0.1 is.
            raise Unacceptable(
                f"{shown(value)} is not an IP address",
                "an IPv4 address has four parts from 0 to 255, without leading zeros",
            )
        if _HOST.fullmatch(value) and ".." not in value:
            return str(value)
    raise Unacceptable(
        f"expected a host name or an IP address, got {shown(value)}",
        "a host is an ssh_config alias, a DNS name (international ones as xn--…) or an IP "
        "address; user and port have keys of their own under hosts",
    )


def whole(value: object, *, least: int, most: int) -> int:
    """A whole number in decimal digits."""
    if not isinstance(value, str) or not _WHOLE.fullmatch(value):
        hint = ""
        if isinstance(value, str) and value.lstrip("0") and _WHOLE.fullmatch(value.lstrip("0")):
            hint = f"write {value.lstrip('0')[:MAX_WHOLE_DIGITS]}, without the leading zero"
        raise Unacceptable(f"expected a whole number, got {shown(value)}", hint)
    if len(value) > MAX_WHOLE_DIGITS or not least <= int(value) <= most:
        raise Unacceptable(f"expected {least} to {most:,}, got {shown(value)}")
    return int(value)


def percent(value: object) -> int:
    """``60%`` or ``60``."""
    if isinstance(value, str) and value.endswith("%"):
        value = value[:-1]
    return whole(value, least=0, most=100)


def flag(value: object) -> bool:
    """``true`` or ``false``, and nothing else."""
    match value:
        case "true":
            return True
        case "false":
            return False
        case _:
            raise Unacceptable(f"expected true or false, got {shown(value)}")


def on_or_off(value: object) -> bool:
    """``on`` or ``off``, or true or false."""
    match value:
        case "on" | "true":
            return True
        case "off" | "false":
            return False
        case _:
            raise Unacceptable(f"expected on or off, got {shown(value)}")


def duration_ms(value: object) -> int:
    """``500ms``, ``5s``, ``1h30m``: see :data:`fleet_tui.core.text.quantities.SPAN_PATTERN`."""
    total_ms = span_ms(value) if isinstance(value, str) else None
    if total_ms is None:
        hint = "durations look like 500ms, 5s, 10m, 1.5h, 1h30m or 14d, the largest unit first"
        if isinstance(value, str) and _WHOLE.fullmatch(value):
            hint = f"say the unit: {value[:MAX_WHOLE_DIGITS]}s is seconds"
        raise Unacceptable(f"expected a duration, got {shown(value)}", hint)
    if not total_ms or not total_ms.is_integer():
        raise Unacceptable(f"expected whole milliseconds, at least 1ms, got {shown(value)}")
    if total_ms > MAX_DURATION_MS:
        raise Unacceptable(f"is longer than 366d: {shown(value)}")
    return int(total_ms)


def heartbeat_ms(value: object) -> int:
    """A duration of MIN_HEARTBEAT_MS or more."""
    silence_ms = duration_ms(value)
    if silence_ms < MIN_HEARTBEAT_MS:
        raise Unacceptable(f"expected at least {MIN_HEARTBEAT_MS // 1_000}s, got {shown(value)}")
    return silence_ms


_SHELL_SAYS = {
    "exit-126": FailedCode.COMMAND_NOT_EXECUTABLE.value,
    "exit-127": FailedCode.COMMAND_MISSING.value,
}
"""Exit statuses that have a name of their own: both ways to write them mean the same."""


def failure_kind(value: object) -> str:
    """A failure code of a run, as the console names it."""
    if isinstance(value, str) and (value in FAILURE_KINDS or _EXIT.fullmatch(value)):
        return _SHELL_SAYS.get(value, str(value))
    meant = _meant_kind(value) if isinstance(value, str) else ""
    raise Unacceptable(
        f"expected a kind of failure, got {shown(value)}{meant}",
        f"kinds are {', '.join(FAILURE_KINDS)}, exit-1 to exit-255 and signal-1 to signal-64",
    )


def _meant_kind(value: str) -> str:
    """The kind that a misspelt one may mean: ``exit2`` is exit-2, ``SIGKILL`` is signal-9."""
    number = _SIGNALS.get(value.upper().removeprefix("SIG"))
    if number is not None:
        return f' - did you mean "signal-{number}"?'
    found = _ENDS_IN_NUMBER.fullmatch(value)
    near = [f"{how}-{int(found['number'])}" for how in ("exit", "signal")] if found else []
    near = [each for each in near if _EXIT.fullmatch(each)]
    if near and found is not None and not found["before"]:
        return f' - did you mean "{near[0]}"?'
    return did_you_mean(value, (*FAILURE_KINDS, *near))


def duration_range_ms(value: object) -> tuple[int, int]:
    """``2s..60s``: from the first wait's ceiling to the highest."""
    low, dots, high = value.partition("..") if isinstance(value, str) else ("", "", "")
    if not dots:
        raise Unacceptable(f"expected two durations such as 2s..60s, got {shown(value)}")
    low_ms, high_ms = duration_ms(low.strip()), duration_ms(high.strip())
    if low_ms > high_ms:
        raise Unacceptable(f"the first wait is longer than the longest one: {shown(value)}")
    return low_ms, high_ms


def microusd(value: object) -> int:
    """Dollars as a decimal, to the millionth: ``2.50``."""
    found = _DOLLARS.fullmatch(value) if isinstance(value, str) else None
    if not found or Decimal(found["amount"]) > MAX_DOLLARS:
        raise Unacceptable(
            f"expected dollars such as 2.50, got {shown(value)}",
            f"a decimal from 0 to {MAX_DOLLARS:,} with at most six places",
        )
    return int(Decimal(found["amount"]) * 1_000_000)


def factor(value: object) -> float:
    """How much each wait grows: 1 to 10."""
    found = _DOLLARS.fullmatch(value) if isinstance(value, str) else None
    if not found or not 1 <= Decimal(found["amount"]) <= 10 or found[0].startswith("$"):
        raise Unacceptable(f"expected a number from 1 to 10, got {shown(value)}")
    return float(found["amount"])
