"""Takes secrets out of text before it is stored or shown.

Patterns find what has a known shape, and secrets that this process itself holds are found whatever
their shape (:func:`know`). Nothing finds everything, so tokens are also never fetched. A replaced
secret says what it was, never a part of it.
"""

import re
from functools import partial

_ASSIGNED = (
    r"(?:api[_-]?key|apikey|access[_-]?token|auth[_-]?token|refresh[_-]?token|token|secret"
    r"|client[_-]?secret|passwd|password|passphrase)"
)

_REFERENCE = r"secret:(?:env|file|host|keyring|cmd):"
"""Says where a secret is, as a fleet file does; that is no secret."""

_PATTERNS: tuple[tuple[str, re.Pattern[str]], ...] = (
    (
        "private-key",
        re.compile(
            r"-----BEGIN [A-Z0-9 ]{0,40}PRIVATE KEY-----.*?(?:-----END [^-]{0,60}-----|\Z)", re.S
        ),
    ),
    ("jwt", re.compile(r"\beyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{4,}\.[A-Za-z0-9_-]*")),
    (
        "authorization",
        re.compile(
            r"(?i)(?<=authorization)([\"']?\s*[:=]\s*[\"']?)(?:(?:bearer|basic|token)\s+)?[^\s\"',;]+"
        ),
    ),
    ("bearer", re.compile(r"(?i)(?<=\bbearer )[A-Za-z0-9._~+/=-]{8,}")),
    ("api-key", re.compile(r"\bsk-[A-Za-z0-9_-]{12,}")),
    ("github-token", re.compile(r"\b(?:gh[pousr]_[A-Za-z0-9]{16,}|github_pat_[A-Za-z0-9_]{20,})")),
    ("slack-token", re.compile(r"\bxox[abeoprs]-[A-Za-z0-9-]{10,}")),
    ("aws-key", re.compile(r"\b(?:AKIA|ASIA)[A-Z0-9]{16}\b")),
    ("google-key", re.compile(r"\bAIza[A-Za-z0-9_-]{30,}")),
    ("url-password", re.compile(r"(?<=://)[^\s/:@]{1,100}:[^\s/@]{1,200}(?=@)")),
    (
        "secret",
        re.compile(
            rf"(?i)(?<![A-Za-z0-9])(?!{_REFERENCE}){_ASSIGNED}"
            r"([\"']?\s*[:=]\s*[\"']?)[^\s\"',;&}]{6,}"
        ),
    ),
)

_HINT = re.compile(
    r"(?i)-----BEGIN|eyJ|authorization|bearer|sk-|gh[pousr]_|github_pat|xox|AKIA|ASIA|AIza|://"
    r"|key|token|secret|pass"
)
"""Almost no line has any of these, and one search finds that out."""

_PEM_BEGIN = re.compile(r"-----BEGIN [A-Z0-9 ]{0,40}PRIVATE KEY-----")
_PEM_END = re.compile(r"-----END [A-Z0-9 ]{0,40}PRIVATE KEY-----")

MAX_PEM_LINES = 400
"""A key block that never ends hides at most so many lines."""


MIN_KNOWN_CHARS = 8
"""A shorter secret is a word of ordinary text, and hiding that would tell it."""

_known: list[str] = []
"""As many as a fleet has tokens; one that holds another comes before it."""


def know(secret: str) -> None:
    """From now on this secret, which this process holds, is taken out of every text."""
    if len(secret) >= MIN_KNOWN_CHARS and secret not in _known:
        _known.append(secret)
        _known.sort(key=len, reverse=True)


def redact(text: str) -> str:
    """``text`` with every recognised secret replaced by ``[redacted:kind]``."""
    return redact_counted(text)[0]


def redact_counted(text: str) -> tuple[str, int]:
    """As :func:`redact`, and how many were replaced."""
    count = 0
    for secret in _known:
        if secret in text:
            count += text.count(secret)
            text = text.replace(secret, "[redacted:token]")
    if _HINT.search(text) is None:
        return text, count
    for kind, pattern in _PATTERNS:
        text, found = pattern.subn(partial(_mark, kind=kind), text)
        count += found
    return text, count


def _mark(match: re.Match[str], kind: str) -> str:
    mark = f"[redacted:{kind}]"
    if match.re.groups == 0:
        return mark
    # What is named before the value stays: "token=" tells a reader more than a blank line.
    return match.string[match.start() : match.end(1)] + mark


class LineRedactor:
    """Redacts line after line and remembers that it is inside a private key."""

    def __init__(self) -> None:
        self.count = 0
        self._hidden_lines = 0

    def redact(self, line: str) -> str | None:
        """The line to keep, or None for the inner lines of a key."""
        if self._hidden_lines:
            end = _PEM_END.search(line)
            self._hidden_lines += 1
            if end is None and self._hidden_lines <= MAX_PEM_LINES:
                return None
            self._hidden_lines = 0
            line = line[end.end() :] if end is not None else line
            if not line.strip():
                return None
        text, found = redact_counted(line)
        self.count += found
        begins = [match.start() for match in _PEM_BEGIN.finditer(line)]
        if begins and _PEM_END.search(line, begins[-1]) is None:
            self._hidden_lines = 1
        return text
