"""Environment variables in values: ``${NAME}``, ``${NAME:-default}``, ``${NAME:?message}``, ``$$``.

The rules are those of compose files, without nesting. Keys are never expanded, and ``$NAME``
without braces stays as it is, so a command for a remote shell needs no escaping.
"""

import re
from collections.abc import Mapping

MAX_EXPANDED_CHARS = 65_536
"""What variables may add to one value."""
MAX_GROWTH_CHARS = 1_048_576
"""What variables may add to a whole file."""

_REFERENCE = re.compile(r"\$(?:(?P<dollar>\$)|\{(?P<body>[^{}]*)\}|(?P<open>\{))")
_BODY = re.compile(r"(?P<name>[A-Za-z_][A-Za-z0-9_]*)(?P<operator>:-|:\?)?(?P<rest>.*)", re.DOTALL)


def expand(text: str, env: Mapping[str, str]) -> str:
    """The value with every reference replaced. Raises ValueError saying which one cannot be."""
    if "$" not in text:
        return text
    grown = 0

    def replace(found: re.Match[str]) -> str:
        nonlocal grown
        if found["dollar"]:
            return "$"
        if found["open"]:
            raise ValueError('"${" is not closed; write "$$" for a dollar sign')
        value = _resolve(found["body"], env)
        grown += len(value)
        if grown > MAX_EXPANDED_CHARS:
            raise ValueError(f"is longer than {MAX_EXPANDED_CHARS} characters when expanded")
        return value

    return _REFERENCE.sub(replace, text)


def _resolve(body: str, env: Mapping[str, str]) -> str:
    parts = _BODY.fullmatch(body)
    if parts is None or (parts["rest"] and not parts["operator"]):
        raise ValueError(
            'holds a "${…}" that is none of ${NAME}, ${NAME:-default} and ${NAME:?message}'
        )
    value = env.get(parts["name"])
    match parts["operator"]:
        case ":-":
            return value or parts["rest"]
        case ":?":
            if not value:
                raise ValueError(f"needs {parts['name']}: {parts['rest'] or 'it is not set'}")
            return value
        case None:  # the name alone
            if value is None:
                raise ValueError(f"the environment has no {parts['name']}")
            return value
        case unknown:
            raise AssertionError(f"the grammar has an operator that nobody reads: {unknown}")
