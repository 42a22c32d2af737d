"""Reads one text from a JSON file by a dotted path: ``gateway.auth.token``.

OpenClaw's own ``openclaw.json`` may have comments and trailing commas, as JSON5 allows; unquoted
names and single quotes, which it allows as well, are not read.
"""

import re

import msgspec

MAX_JSON_BYTES = 1024 * 1024
MAX_STEPS = 16

_PLACE = re.compile(r"(?P<path>.+\.json5?)#(?P<steps>[A-Za-z0-9_-]+(?:\.[A-Za-z0-9_-]+)*)")
_SKIP = re.compile(r'("(?:[^"\\]|\\.)*")|//[^\n\r]*|/\*.*?\*/', re.DOTALL)
_TRAILING = re.compile(r'("(?:[^"\\]|\\.)*")|,(?=\s*[}\]])')
_TEMPLATE = re.compile(r"\$\{[^}]*\}")


def split_place(place: str) -> tuple[str, str]:
    """``PATH.json#a.b`` as path and steps; any other place is a path without steps."""
    found = _PLACE.fullmatch(place)
    if found is None or found["steps"].count(".") >= MAX_STEPS:
        return place, ""
    return found["path"], found["steps"]


def text_at(data: bytes, steps: str) -> str:
    """The text at that place. Raises ValueError with a message that quotes nothing from the
    file."""
    if len(data) > MAX_JSON_BYTES:
        raise ValueError(f"is larger than {MAX_JSON_BYTES // 1024} KiB")
    try:
        plain = _TRAILING.sub(_kept, _SKIP.sub(_kept, data.decode("utf-8")))
        value: object = msgspec.json.decode(plain)
    except (ValueError, RecursionError):
        raise ValueError("is not JSON, also without comments and trailing commas") from None
    walked: list[str] = []
    for step in steps.split("."):
        walked.append(step)
        if not isinstance(value, dict) or step not in value:
            raise ValueError(f"has no {'.'.join(walked)}")
        value = value[step]
    if not isinstance(value, str):
        raise ValueError(f"has something else than text at {steps}")
    if _TEMPLATE.search(value):
        raise ValueError(f"names a variable at {steps}; say where that one is instead")
    return value


def _kept(found: re.Match[str]) -> str:
    return found[1] or ""
