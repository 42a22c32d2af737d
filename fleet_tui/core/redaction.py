"""Finding what looks like a secret, by its shape: the one table of shapes that there is.

A replaced secret says what it was, never a part of it. What people submit is kept and delivered as
it is and shown without secrets; what agents say is stored without them (``wire/redact.py``). The
warnings of fleet files and of ``submit`` read the same table.
"""

import re
from functools import partial
from typing import NamedTuple

from fleet_tui.core.untrusted import Untrusted

_NAMED = (
    r"(?:passw(?:or)?d|passphrase|(?<=[_-])pass|pass(?=[\"']?\s{0,4}[:=]\s{0,4}[\"'])|(?<=[_;])pwd"
    r"|secret|token|credentials?|api[_.-]?key|client[_.-]?secret|connection[_-]?string"
    r"|(?:access|account|auth|deploy|encryption|license|master|private|secret|service|shared"
    r"|signing|ssh|storage|webhook)[_.-]?key"
    r"|(?-i:(?<=[A-Z0-9]_)(?<!PUBLIC_)(?<!PRIMARY_)(?<!FOREIGN_)(?<!CACHE_)(?<!SORT_)(?<!HOST_)"
    r"(?<!GROUP_)(?<!PARTITION_)KEY))(?:_?\d{1,3})?"
)
"""How the names end that say their value is a secret: ``AWS_SECRET_ACCESS_KEY``, ``dbPassword``."""

_REFERENCE = r"secret:(?:env|file|host|keyring|cmd):"
"""Says where a secret is, as a fleet file does; that is no secret."""

_NO_VALUE = (
    rf"(?!{_REFERENCE}|\[redacted:|\*{{3}}|\$[({{A-Z_]|<[\w -]{{1,40}}>|%[({{]|\{{\{{"
    r"|(?:null|none|undefined|true|false|required|expired|invalid|missing|incorrect|redacted)\b)"
)
"""What stands where a secret would and is none."""

_VALUE = (
    r"(?:\\[\"'][^\"'\\\n]{6,4096}(?:\\[\"'])?"
    r"|\"(?=(?:[^\"\\\n]|\\.){6})(?:[^\"\\\n]|\\.){1,4096}\"?|'(?=[^']{6})[^'\n]{1,4096}'?"
    r"|(?=\S{6})(?:[^\s\"',;&}]|[,;&}](?![\w.-]{0,40}[=:]|[\s\"',;&})\]]|$))+)"
)
"""In quotes whatever it is, without them up to where the next value could begin."""

_BASE64URL = r"[A-Za-z0-9_-]"


class Shape(NamedTuple):
    """One kind of secret."""

    kind: str
    hints: tuple[str, ...]
    """In lower case; a text without any of them has none of these."""
    pattern: re.Pattern[str]
    is_token: bool = True
    """Whether the secret itself has a form that nothing else has."""


def _token(kind: str, pattern: str, *hints: str) -> Shape:
    return Shape(kind, hints, re.compile(rf"(?<![A-Za-z0-9])(?:{pattern})"))


def _named(kind: str, pattern: str, *hints: str) -> Shape:
    return Shape(kind, hints, re.compile(pattern), is_token=False)


# Each is read over a text once, however it is made: remote text of any length goes through them.
# Hence the look ahead from where a run of characters begins, for those that may begin in it often.
SHAPES: tuple[Shape, ...] = (
    Shape(
        "private-key",
        ("private key", "putty-user-key-file", "b3blbnnzac1rzxk"),
        re.compile(
            r"-----BEGIN [A-Z0-9 ]{0,40}PRIVATE KEY(?: BLOCK)?-----"
            r".*?(?:-----END [^-]{0,60}-----|\Z)"
            r"|PuTTY-User-Key-File-\d:.*?(?:Private-MAC: ?[0-9a-f]{8,}|\Z)"
            r"|b3BlbnNzaC1rZXktdjE[A-Za-z0-9+/=]*",
            re.S,
        ),
    ),
    Shape(
        "jwt",
        ("eyj",),
        re.compile(
            rf"(?<!{_BASE64URL})(?={_BASE64URL}++\.{_BASE64URL}{{4,}}\.)({_BASE64URL}*?)"
            rf"\beyJ{_BASE64URL}{{8,}}\.{_BASE64URL}{{4,}}\.{_BASE64URL}*"
        ),
    ),
    _named(
        "authorization",
        r"(?i)(?<=authorization)(\\?[\"']?\s{0,8}[:=]\s{0,8}\\?[\"']?)"
        r"(?:(?:bearer|basic|token|digest|negotiate|ntlm|api-?key|key|hmac|aws4-hmac-sha256)\s{1,8})?"
        r"(?:[\w-]{1,40}=\"[^\"\n]{0,400}\"|[^\s\"',;]+)"
        r"(?:[,;] ?[\w-]{1,40}=[^\s\"',;]+|[,;] ?[\w-]{1,40}=\"[^\"\n]{0,400}\")*",
        "authorization",
    ),
    _named("bearer", r"(?i)(?<=\bbearer )[A-Za-z0-9._~+/=-]{8,}", "bearer "),
    _named(
        "cookie",
        r"(?i)(?<=cookie)(\\?[\"']?\s{0,8}[:=]\s{0,8}\\?[\"']?)[\w.-]{1,60}=[^\r\n\"']+",
        "cookie",
    ),
    _token("api-key", r"sk-[A-Za-z0-9_-]{12,}", "sk-"),
    _token(
        "github-token",
        r"gh[pousr]_[A-Za-z0-9]{16,}|github_pat_[A-Za-z0-9_]{20,}",
        "gh",
        "github_pat",
    ),
    _token(
        "gitlab-token", r"gl(?:pat|ptt|dt|rt|soat|cbt|imt|ft|agent|oas)-[A-Za-z0-9_.-]{16,}", "gl"
    ),
    _token(
        "slack-token", r"xox[abceoprs]-[A-Za-z0-9-]{10,}|xapp-\d-[A-Za-z0-9-]{10,}", "xox", "xapp-"
    ),
    _token(
        "aws-key",
        r"(?:AKIA|ASIA)[A-Z0-9]{16}\b(?:[\s:,;|\"']{1,5}[A-Za-z0-9/+]{40}(?![A-Za-z0-9/+=]))?",
        "akia",
        "asia",
    ),
    _token("google-key", r"AIza[A-Za-z0-9_-]{30,}|ya29\.[A-Za-z0-9_-]{20,}", "aiza", "ya29."),
    _token(
        "stripe-key",
        r"(?:sk|rk)_(?:live|test)_[A-Za-z0-9]{10,}|whsec_[A-Za-z0-9+/=]{16,}",
        "_live_",
        "_test_",
        "whsec_",
    ),
    _token("npm-token", r"npm_[A-Za-z0-9]{20,}", "npm_"),
    _token("pypi-token", r"pypi-[A-Za-z0-9_-]{16,}", "pypi-"),
    _token("telegram-token", r"\d{8,10}:AA[A-Za-z0-9_-]{33}(?![A-Za-z0-9_-])", ":aa"),
    _token(
        "token",
        r"hf_[A-Za-z0-9]{20,}|gsk_[A-Za-z0-9]{20,}|xai-[A-Za-z0-9]{20,}|nvapi-[A-Za-z0-9_-]{20,}"
        r"|pplx-[A-Za-z0-9]{20,}|r8_[A-Za-z0-9]{30,}|dckr_pat_[A-Za-z0-9_-]{20,}"
        r"|do[ort]_v1_[a-f0-9]{40,}|SG\.[A-Za-z0-9_-]{16,}\.[A-Za-z0-9_-]{16,}"
        r"|shp(?:at|ca|pa|ss)_[a-fA-F0-9]{32}|hv[sb]\.[A-Za-z0-9_-]{20,}|dapi[a-f0-9]{32}"
        r"|lin_api_[A-Za-z0-9]{20,}|ATATT3[A-Za-z0-9_=-]{20,}|AGE-SECRET-KEY-1[A-Z0-9]{20,}"
        r"|rubygems_[a-f0-9]{40,}|sq0[a-z]{3}-[A-Za-z0-9_-]{20,}|ntn_[A-Za-z0-9]{30,}",
        *("hf_", "gsk_", "xai-", "nvapi-", "pplx-", "r8_", "dckr_pat_", "_v1_", "sg.", "shp"),
        *("hvs.", "hvb.", "dapi", "lin_api_", "atatt3", "age-secret", "rubygems_", "sq0", "ntn_"),
    ),
    _token(
        "webhook",
        r"(?i:hooks\.slack\.com/(?:services|workflows)|discord(?:app)?\.com/api/webhooks)"
        r"/[A-Za-z0-9_/-]{16,}",
        "hooks.slack.com",
        "/api/webhooks",
    ),
    _named(
        "url-password", r"(?<=://)(?!\[redacted:)[^\s/:@\"']{0,100}:[^\s/\"']{1,200}(?=@)", "://"
    ),
    _named("url-token", r"(?<=://)[A-Za-z0-9_-]{20,200}(?=@)", "://"),
    _named(
        "url-secret",
        r"(?i)((?<=[?&])(?:x-amz-)?(?:sig|signature|key|code|auth)=)[^\s&\"'#]{16,}",
        "sig",
        "key=",
        "code=",
        "auth=",
    ),
    _named(
        "secret",
        rf"(?i)(--[\w-]{{0,40}}{_NAMED}[ =]{{1,4}}"
        r"|\b(?:sshpass -p|curl [^\n]{0,80}-u|--user) {1,4})"
        rf"(?!-){_NO_VALUE}{_VALUE}",
        *("--", "sshpass", "curl "),
    ),
    _named(
        "secret",
        rf"(?i)(?!{_REFERENCE}){_NAMED}(\\?[\"']?\s{{0,8}}(?:=>|:=|[:=])\s{{0,8}})"
        rf"(?!\\?[\"']?(?:{_NO_VALUE[3:-1]})){_VALUE}",
        *("pass", "pwd", "secret", "token", "key", "credential", "connection"),
    ),
)

MAX_NAME_CHARS = 200
"""A longer name is judged by its beginning."""

_NAME = re.compile(rf"(?i).*{_NAMED}\Z", re.S)


def without_patterns(text: str) -> tuple[str, int]:
    """``text`` with what looks like a secret replaced by ``[redacted:kind]``, and how many were."""
    count = 0
    lowered = text.lower()
    for shape in SHAPES:
        for hint in shape.hints:
            if hint in lowered:
                text, found = shape.pattern.subn(partial(_mark, kind=shape.kind), text)
                count += found
                break
    return text, count


def without_secrets(text: Untrusted, max_chars: int | None = None) -> Untrusted:
    """A text as people may see it, or what they may see of its first ``max_chars``. A secret that
    is cut there may be too short for its shape, so take more than is shown."""
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


def names_secret(name: str) -> bool:
    """Whether a variable's or a field's name says that its value is a secret."""
    return _NAME.match(name[:MAX_NAME_CHARS]) is not None


def _mark(match: re.Match[str], kind: str) -> str:
    mark = f"[redacted:{kind}]"
    if match.re.groups == 0:
        return mark
    # What is named before the value stays: "token=" tells a reader more than a blank line. So do
    # quotes around it: what was JSON is JSON.
    end = max(match.end(1), match.start())
    value = match.string[end : match.end()]
    for quote in ('\\"', "\\'", '"', "'"):
        if value.startswith(quote):
            mark = quote + mark + (quote if value.endswith(quote) else "")
            break
    return match.string[match.start() : end] + mark
