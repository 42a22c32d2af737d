"""Finding what looks like a secret, by its shape.

A replaced secret says what it was, never a part of it. What people submit is kept and delivered as
it is and shown without secrets; what agents say is stored without them (``wire/redact.py``).
"""

import re
from functools import partial

from fleet_tui.core.untrusted import Untrusted

_ASSIGNED = (
    r"(?:api[_-]?key|apikey|access[_-]?token|auth[_-]?token|refresh[_-]?token|token|secret"
    r"|client[_-]?secret|passwd|password|passphrase)"
)

_REFERENCE = r"secret:(?:env|file|host|keyring|cmd):"
"""Says where a secret is, as a fleet file does; that is no secret."""

_BASE64URL = r"[A-Za-z0-9_-]"

# Each is read over a text once, however it is made: remote text of any length goes through them.
# Hence the look ahead from where a run of characters begins, for those that may begin in it often.
_PATTERNS: tuple[tuple[str, re.Pattern[str]], ...] = (
    (
        "private-key",
        re.compile(
            r"-----BEGIN [A-Z0-9 ]{0,40}PRIVATE KEY-----.*?(?:-----END [^-]{0,60}-----|\Z)", re.S
        ),
    ),
    (
        "jwt",
        re.compile(
            rf"(?<!{_BASE64URL})(?={_BASE64URL}++\.{_BASE64URL}{{4,}}\.)({_BASE64URL}*?)"
            rf"\beyJ{_BASE64URL}{{8,}}\.{_BASE64URL}{{4,}}\.{_BASE64URL}*"
        ),
    ),
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


def without_patterns(text: str) -> tuple[str, int]:
    """``text`` with what looks like a secret replaced by ``[redacted:kind]``, and how many were."""
    count = 0
    if _HINT.search(text) is None:
        return text, count
    for kind, pattern in _PATTERNS:
        text, found = pattern.subn(partial(_mark, kind=kind), text)
        count += found
    return text, count


def without_secrets(text: Untrusted, max_chars: int | None = None) -> Untrusted:
    """A text as people may see it, or what they may see of its first ``max_chars``. A secret that
    is cut there may be too short for its shape, so take more than is shown."""
    return Untrusted(without_patterns(text.raw[:max_chars])[0])


def _mark(match: re.Match[str], kind: str) -> str:
    mark = f"[redacted:{kind}]"
    if match.re.groups == 0:
        return mark
    # What is named before the value stays: "token=" tells a reader more than a blank line.
    return match.string[match.start() : match.end(1)] + mark
