"""Redaction of texts that people see: removes anything with the shape of a secret
(``secret_shapes.py``).

A replaced secret is named by its kind, never by a part of it. Submitted text is stored and
delivered unchanged and shown without secrets; agents' output is stored without them
(``base/redact.py``). The warnings of fleet files and of ``submit`` read the same table.
"""

import re
from collections.abc import Callable, Iterable, Iterator

from fleet_tui.core.text.secret_names import names_secret
from fleet_tui.core.text.secret_search import find_secrets, mark, replaced
from fleet_tui.core.text.secret_shapes import REFERENCE, SHAPES
from fleet_tui.core.text.untrusted import Untrusted

_NO_SECRET = re.compile(rf"(?i){REFERENCE}|\[redacted:")
"""Text in the place of a secret that is safe to show."""

MIN_TOKEN_CHARS = 12
"""No token is shorter, so field names and most other words are skipped."""


def without_patterns(text: str) -> tuple[str, int]:
    """``text`` with everything that looks like a secret replaced by ``[redacted:kind]``, and their
    number."""
    secrets = find_secrets(text)
    return replaced(text, secrets, mark), len(secrets)


def starred(text: str) -> str:
    """``text`` with stars for everything that looks like a secret, character by character."""
    return replaced(text, find_secrets(text), lambda _, secret: "*" * len(secret))


def named_without_secrets(name: str, value: str) -> str:
    """A value, redacted, as shown next to its name, such as a label's: the name may mark it as a
    secret."""
    if names_secret(name) and value and _NO_SECRET.match(value) is None:
        return "[redacted:secret]"
    told = f"{name}="  # the shape of what is named is that of an assignment
    shown = without_patterns(told + value)[0]
    return shown.removeprefix(told) if shown.startswith(told) else without_patterns(value)[0]


def without_secrets(text: Untrusted, max_chars: int | None = None) -> Untrusted:
    """A text, redacted, or its first ``max_chars``. A secret that is cut there may be too short for
    its shape, so take more than is shown."""
    return Untrusted(without_patterns(text.raw[:max_chars])[0])


def is_token(value: str) -> bool:
    """Whether a value has the unmistakable form of a key or token."""
    lowered = value.lower()
    return any(
        shape.is_token
        and any(hint in lowered for hint in shape.hints)
        and shape.pattern.search(value) is not None
        for shape in SHAPES
    )


def holds_secret(name: str, value: str) -> bool:
    """Whether a name, such as a label's, or its value would be redacted."""
    return without_patterns(name)[1] > 0 or named_without_secrets(name, value) != value


def shown_names(names: Iterable[str], show: Callable[[str], str]) -> Iterator[str]:
    """Names, such as labels', redacted. They stay distinct: those that look the same after
    redaction are numbered."""
    seen: set[str] = set()
    for name in names:
        first = shown = show(name) if len(name) >= MIN_TOKEN_CHARS else name
        number = 1
        while shown in seen:
            number += 1
            shown = f"{first} {number}"
        seen.add(shown)
        yield shown
