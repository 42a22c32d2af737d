"""The one table of the shapes that secrets have.

Text in the form of a token is a secret anywhere; so is any value after the name of a secret
(``password=``, ``OTP=``). In a sentence (``token``, ``passwd``, ``signing key`` and a blank) and
after names with other meanings too (``key=``, ``auth=``, ``salt=``), a value is one if it looks
like a credential (``secret_values.py``); after ``pin`` and other names of codes, if it is a few
digits.
"""

import re
from collections.abc import Callable
from functools import cache
from typing import NamedTuple

from fleet_tui.core.text.secret_names import (
    ABOUT,
    AMBIGUOUS,
    AMBIGUOUS_KEY,
    ASK_BY_OPTION,
    ASK_BY_OPTION_HINTS,
    CODE,
    MADE_UP,
    NAME_HINTS,
    NAMED,
    NAMED_ALOUD,
    SAID,
    names_secret,
)
from fleet_tui.core.text.secret_values import is_login, is_mixed, is_random

REFERENCE = r"secret:(?:env|file|host|keyring|cmd):"
"""A reference to a secret, as in a fleet file; not itself a secret."""

KEY_BEGIN = r"-----BEGIN [A-Z0-9 ]{0,40}PRIVATE KEY(?: BLOCK)?-----"
KEY_END = r"-----END [A-Z0-9 ]{0,40}PRIVATE KEY(?: BLOCK)?-----"
PUTTY_BEGIN = r"PuTTY-User-Key-File-\d:"
PUTTY_END = r"Private-MAC: ?[0-9a-f]{8,}"
"""The first and the last line of a private key."""

_COLOURS = r"(?:(?:\x1b|\\(?:u001b|x1b|033)|␛)\[[0-9;:]{0,20}m){0,3}+"
"""Between a name and its value: programs colour the names of their fields. As they are sent, or as
text."""

_QUOTE_CODE = r"(?:%2[27]|&(?:quot|apos|#3[49]);|\\{1,3}u002[27])"
"""How a quotation mark is written in a URL, in HTML, and in JSON."""

_TYPE = (
    r"(?:(?::\s{0,4}&?[\w.<>\[\]|]{1,40}|\{[\w; ]{1,40}\})\s{0,4}(?==\s{0,4}[bfru]{0,2}[\"'])"
    r"|(?:\|\||\?\?)(?==))?+"
)
"""Between a name and ``=``: what the value is, or that it is only given where there is none."""

_NO_VALUE = (
    rf"(?!{REFERENCE}|\[redacted:|\*{{3}}|\$[({{A-Z_]|<[\w -]{{1,40}}>|%[({{]|\{{\{{"
    r"|(?:null|none|undefined|true|false|required|expired|invalid|missing|incorrect|redacted"
    r"|inherit|enabled|disabled)\b)"
)
"""Text in the place of a secret that is not one."""

_NO_QUOTED_VALUE = rf"(?!\\?[\"']?(?:{_NO_VALUE[3:-1]}))"
"""The same, or that in quotes."""

_VALUE = (
    r"(?:\"{3}(?!\")[^\x00]{1,4096}?\"{3}|'{3}(?!')[^\x00]{1,4096}?'{3}"
    r"|\\{1,3}[\"'][^\"'\\\n]{6,4096}(?:\\{1,3}[\"'])?"
    r"|\"(?=(?:[^\"\\]|\\.){6})(?:[^\"\\]|\\.){1,4096}\"(?=[\s,;)}\]]|\Z)"
    r"|\"(?=(?:[^\"\\\n]|\\.){6})(?:[^\"\\\n]|\\.){1,4096}\"?|'(?=[^']{6})[^'\n]{1,4096}'?"
    r"|\[(?=\s{0,200}[\"'])[^\]]{6,4096}\]?|\{(?=\s{0,200}[\"'])[^{}]{6,4096}\}?"
    r"|[|>][+-]?\d?(?:[ \t]{1,8}|[ \t]{0,8}\n[ \t]{1,40})\S[^\n]{5,400}"
    r"(?:\n[ \t]{1,40}\S[^\n]{0,400}){0,50}"
    r"|-[ \t]{1,8}[^\s-]\S{5,400}[ \t]{0,8}(?:\s{1,40}-[ \t]{1,8}\S{1,400}){0,50}(?=\s|\Z)"
    r"|(?=\S{6})(?:[^\s\"',;&}]|(?<=\w)[\"'](?=\w)"
    r"|[,;&}](?![\w.-]{0,40}[=:]|[\s\"',;&})\]]|$))+)"
)
"""In quotes whatever it is, without them up to where the next value could begin; lists, blocks of
YAML and what goes over several lines as a whole."""

_WORD_OF_TEXT = r"[^\s\"'`<>,;]{5,400}[^\s\"'`<>,;.:!?)\]}\\]"
"""Without quotes around it, and without what ends a sentence."""

_BASE64URL = r"[A-Za-z0-9_-]"


MAX_BEFORE_CHARS = 200
"""How far before a secret the context that decides about it may be."""

_QUOTED = re.compile(r"\"(?:[^\"\\]|\\.)*\"|'(?:[^'\\]|\\.)*'")

_NAME_BACKWARDS = re.compile(r"[\"'\\]{0,4}([\w.-]{1,80})")


class Shape(NamedTuple):
    """One kind of secret."""

    kind: str
    hints: tuple[str, ...]
    """In lower case; a text without any of these has no such secret."""
    source: str
    """A regular expression."""
    is_token: bool = True
    """Whether the secret itself has a form that nothing else has."""
    is_one: Callable[[str], bool] | None = None
    """What is found is a secret only if this says so of its value."""
    stands: Callable[[str], bool] = lambda _: True
    """And this, of the last ``MAX_BEFORE_CHARS`` before it."""
    again: bool = False
    """Whether a match begins before the secret where another could begin: a command line has one
    program and may have several secrets."""

    @property
    def pattern(self) -> re.Pattern[str]:
        """Compiled when a text first has one of the hints: all of them take longer than most
        commands."""
        return _compiled(self.source)


@cache
def _compiled(source: str) -> re.Pattern[str]:
    return re.compile(source)


def _token(kind: str, pattern: str, *hints: str) -> Shape:
    return Shape(kind, hints, rf"(?<![A-Za-z0-9])(?:{pattern})")


def _named(kind: str, pattern: str, *hints: str) -> Shape:
    return Shape(kind, hints, pattern, is_token=False)


_ARGUMENTS = r"(?>\"(?:[^\"\\\n]|\\.){0,200}\"|'[^'\n]{0,200}'|[^\n|;&]){0,200}?"
_ARGUMENT = r"(?:\"[^\"\n]{1,400}\"|'[^'\n]{1,400}'|[^\s\"']{6,400})"


def _option(kind: str, programs: str, option: str, value: str, *hints: str) -> Shape:
    """What an option of some programs is given in a command line."""
    pattern = rf"(?i)(\b(?:{programs})\b{_ARGUMENTS} {option}){_NO_QUOTED_VALUE}{value}"
    return _named(kind, pattern, *hints)._replace(again=True)


def _is_name(before: str) -> bool:
    """Whether a text ends with the name of a secret, in quotes or not."""
    found = _NAME_BACKWARDS.match(before[::-1])
    return found is not None and names_secret(found[1][::-1])


def _is_argument_of_name(before: str) -> bool:
    """The same, for a name that has its value behind it: an option, an argument of a call, the
    first of a pair. Not for one further on in a list, which may well be a list of names; where no
    bracket is seen, it is taken for one that was cut off."""
    found = _NAME_BACKWARDS.match(before[::-1])
    if found is None or not names_secret(found[1][::-1]):
        return False
    if found[1].endswith("-"):
        return True
    rest = _QUOTED.sub("", before[: len(before) - found.end()]).rstrip("\"'\\ ")
    closed = 0
    for place, char in enumerate(reversed(rest)):
        if char in ")]}":
            closed += 1
        elif char in "([{":
            if not closed:
                return char == "(" or place == 0
            closed -= 1
    return True


# Each is read over a text once, or once for each secret of a command, of which _ARGUMENTS bounds
# how far they are looked for: remote text of any length goes through them.
# Hence the look ahead from where a run of characters begins, for those that may begin in it often.
SHAPES: tuple[Shape, ...] = (
    Shape(
        "private-key",
        ("private key", "putty-user-key-file", "b3blbnnzac1rzxk"),
        (
            rf"(?s){KEY_BEGIN}.*?(?:-----END [^-]{{0,60}}-----|\Z)"
            rf"|{PUTTY_BEGIN}.*?(?:{PUTTY_END}|\Z)"
            r"|b3BlbnNzaC1rZXktdjE[A-Za-z0-9+/=]*"
            # The end of one whose beginning was cut off.
            rf"|\A[A-Za-z0-9+/=\s]{{16,16384}}{KEY_END}"
        ),
    ),
    Shape(
        "jwt",
        ("eyj",),
        (
            rf"(?<!{_BASE64URL})(?={_BASE64URL}++\.{_BASE64URL}{{4,}}\.)({_BASE64URL}*?)"
            rf"\beyJ{_BASE64URL}{{8,}}\.{_BASE64URL}{{4,}}\.{_BASE64URL}*"
        ),
    ),
    _named(
        "authorization",
        rf"(?i)(?<=authorization)({_COLOURS}\\?[\"']?\s{{0,8}}[:=]\s{{0,8}}{_COLOURS}\\?[\"']?"
        r"(?:\[(?!redacted:))?)(?!\[{1,2}redacted:)"
        r"(?:(?:bearer|basic|token|digest|negotiate|ntlm|api-?key|key|hmac|aws4-hmac-sha256)\s{1,8}"
        # Some other scheme, but no word before a time, an address or a place.
        r"|[a-z][\w-]{1,20}\s{1,8}(?=[^\s\"',;\d]{0,80}\d)(?=[^\s\"',;]{12})"
        r"(?![\d.:TZ+-]{12,40}(?![^\s\"',;])|[~.]{0,2}/|[a-z][a-z+.-]{1,20}://))?"
        r"(?:[\w-]{1,40}=\"[^\"\n]{0,400}\"|[^\s\"',;\]]+)"
        r"(?:[,;] ?[\w-]{1,40}=[^\s\"',;]+|[,;] ?[\w-]{1,40}=\"[^\"\n]{0,400}\")*",
        "authorization",
    ),
    _named(
        "authorization",
        r"(?i)((?<=authorization)\\?[\"']?[\s,]{1,8}\\?[\"'](?:bearer|basic|token|key|api-?key)\s{1,8})"
        r"[^\s\"'\\]{8,}",
        "authorization",
    ),
    _named("bearer", r"(?i)(?<=\bbearer )[A-Za-z0-9._~+/=-]{8,}", "bearer "),
    _named(
        "cookie",
        rf"(?i)((?<=cookie){_COLOURS}\\?[\"']?\s{{0,8}}[:=]\s{{0,8}}{_COLOURS}\[?\\?[\"']?)"
        r"[\w.-]{1,60}=[^\r\n\"']+",
        "cookie",
    ),
    _option(
        "cookie",
        "curl",
        r"(?:-b|--cookie)[ =]{1,4}",
        r"(?:(?:\\?\"[\w.-]{1,60}=[^\"\\\n]{1,4096}\\?\"?|\\?'[\w.-]{1,60}=[^'\\\n]{1,4096}\\?'?)"
        r"|[\w.-]{1,60}=[^\s\"']{1,4096})",
        "curl ",
    ),
    _token("api-key", r"sk-[A-Za-z0-9_-]{12,}", "sk-"),
    _token(
        "github-token",
        r"gh[pousr]_[A-Za-z0-9]{16,}|github_pat_[A-Za-z0-9_]{20,}",
        "gh",
        "github_pat",
    ),
    _token(
        "gitlab-token",
        r"gl(?:pat|ptt|dt|rt|soat|cbt|imt|ft|agent|oas)-[A-Za-z0-9_.-]{16,}"
        r"|GR1348941[A-Za-z0-9_-]{16,}",
        *("gl", "gr1348941"),
    ),
    _token(
        "slack-token",
        r"xox[a-z](?:\.xox[a-z])?-[A-Za-z0-9%-]{10,}|xapp-\d-[A-Za-z0-9-]{10,}",
        "xox",
        "xapp-",
    ),
    _token(
        "aws-key",
        r"(?:AKIA|ASIA)[A-Z0-9]{16}\b(?:[\s:,;|\"']{1,5}[A-Za-z0-9/+]{40}(?![A-Za-z0-9/+=]))?",
        "akia",
        "asia",
    ),
    _token(
        "aws-session-token",
        r"(?:IQoJb3JpZ2lu|FwoGZXIvYXdz|FQoGZXIvYXdz|AQoDYXdz)[A-Za-z0-9+/%]{24,}={0,2}",
        *("iqojb3jpz2lu", "fwogzxivyxdz", "fqogzxivyxdz", "aqodyxdz"),
    ),
    _token(
        "google-key",
        r"AIza[A-Za-z0-9_-]{30,}|ya29\.(?:[a-z]\.)?[A-Za-z0-9_-]{20,}|GOCSPX-[A-Za-z0-9_-]{20,}"
        r"|1//0[A-Za-z0-9_-]{30,}",
        *("aiza", "ya29.", "gocspx-", "1//0"),
    ),
    _token(
        "stripe-key",
        r"(?:sk|rk)_(?:live|test)_[A-Za-z0-9]{10,}|whsec_[A-Za-z0-9+/=]{16,}",
        "_live_",
        "_test_",
        "whsec_",
    ),
    _token("npm-token", r"npm_[A-Za-z0-9]{20,}", "npm_"),
    _token("pypi-token", r"pypi-[A-Za-z0-9_-]{16,}", "pypi-"),
    _token("telegram-token", r"(?:bot)?\d{8,10}:AA[A-Za-z0-9_-]{33}(?![A-Za-z0-9_-])", ":aa"),
    _token(
        "token",
        r"hf_[A-Za-z0-9]{20,}|gsk_[A-Za-z0-9]{20,}|xai-[A-Za-z0-9]{20,}|nvapi-[A-Za-z0-9_-]{20,}"
        r"|pplx-[A-Za-z0-9]{20,}|r8_[A-Za-z0-9]{30,}|dckr_pat_[A-Za-z0-9_-]{20,}"
        r"|do[ort]_v1_[a-f0-9]{40,}|SG\.[A-Za-z0-9_-]{16,}\.[A-Za-z0-9_-]{16,}"
        r"|shp(?:at|ca|pa|ss)_[a-fA-F0-9]{32}|hv[sb]\.[A-Za-z0-9_-]{20,}|dapi[a-f0-9]{32}"
        r"|lin_api_[A-Za-z0-9]{20,}|ATATT3[A-Za-z0-9_=-]{20,}|AGE-SECRET-KEY-1[A-Z0-9]{20,}"
        r"|rubygems_[a-f0-9]{40,}|sq0[a-z]{3}-[A-Za-z0-9_-]{20,}|ntn_[A-Za-z0-9]{30,}"
        r"|key-[0-9a-f]{32}(?![0-9a-f])|SK[0-9a-f]{32}(?![0-9a-f])|gl(?:sa|c)_[A-Za-z0-9_+/=]{20,}"
        r"|sntry[su]_[A-Za-z0-9_+/=-]{20,}|NRAK-[A-Z0-9]{20,}"
        r"|[A-Za-z0-9]{14}\.atlasv1\.[A-Za-z0-9_=-]{40,}|dp\.(?:pt|st|sa|ct|scim|audit)\."
        r"[A-Za-z0-9._-]{20,}|pul-[a-f0-9]{40}|pscale_(?:tkn|oauth|pw)_[A-Za-z0-9_.-]{20,}"
        r"|sbp_[a-f0-9]{40}|figd_[A-Za-z0-9_-]{20,}|PMAK-[a-f0-9]{24}-[a-f0-9]{34}"
        r"|[MNO][A-Za-z0-9_-]{23,27}\.[A-Za-z0-9_-]{6}\.[A-Za-z0-9_-]{27,}|secret_[A-Za-z0-9]{40,}"
        r"|HRKU-[A-Za-z0-9_-]{20,}|ops_eyJ[A-Za-z0-9_=-]{40,}|fm[12][ar]?_[A-Za-z0-9+/=_,-]{40,}",
        *("hf_", "gsk_", "xai-", "nvapi-", "pplx-", "r8_", "dckr_pat_", "_v1_", "sg.", "shp"),
        *("hvs.", "hvb.", "dapi", "lin_api_", "atatt3", "age-secret", "rubygems_", "sq0", "ntn_"),
        *("key-", "sk", "glsa_", "glc_", "sntry", "nrak-", ".atlasv1.", "dp.", "pul-", "pscale_"),
        *("sbp_", "figd_", "pmak-", ".", "secret_", "hrku-", "ops_eyj", "fm"),
    ),
    _token(
        "cloud-key",
        r"LTAI[A-Za-z0-9]{12,}|AKID[A-Za-z0-9]{32,}|AQVN[A-Za-z0-9_-]{34,}|ABSK[A-Za-z0-9+/]{60,}={0,2}"
        r"|t1\.9eu[A-Za-z0-9_.-]{40,}|[A-Za-z0-9_~.-]{3}\dQ~[A-Za-z0-9_~.-]{31,}"
        r"|v1\.0-[a-f0-9]{24}-[a-f0-9]{40,}|nfp_[A-Za-z0-9]{36,}|rnd_[A-Za-z0-9]{28,}",
        *("ltai", "akid", "aqvn", "absk", "t1.9eu", "q~", "v1.0-", "nfp_", "rnd_"),
    ),
    _token(
        "service-token",
        r"CCI(?:PAT|PRJ)_[A-Za-z0-9_]{30,}|bk(?:ua|aj)_[a-f0-9]{40}|ATCTT3[A-Za-z0-9_=-]{20,}"
        r"|ATBB[A-Za-z0-9]{32,}"
        r"|lin_oauth_[A-Za-z0-9]{30,}|xkeysib-[a-f0-9]{64}-[A-Za-z0-9]{8,}"
        r"|NRII-[A-Za-z0-9_-]{28,}|tvly-[A-Za-z0-9_-]{20,}|lsv2_[a-z]{2}_[a-f0-9]{32}_[a-f0-9]{10}"
        r"|pcsk_[A-Za-z0-9_]{40,}|AKCp[A-Za-z0-9]{50,}"
        r"|cmVmdGtuO[A-Za-z0-9]{40,}|sq[apu]_[a-f0-9]{40}"
        r"|access_token\$[a-z]{6,12}\$[A-Za-z0-9]{12,}\$[A-Za-z0-9]{3,}"
        r"|access-(?:sandbox|development|production)-[a-f0-9-]{36}",
        *("ccip", "bkua_", "bkaj_", "atctt3", "atbb", "lin_oauth_"),
        *("xkeysib-", "nrii-", "tvly-", "lsv2_", "pcsk_", "akcp", "cmvmdgtuo", "sqa_"),
        *("sqp_", "squ_", "access_token$", "access-"),
    ),
    # Their beginnings stand in other words too, so each is looked for alone.
    _token("service-token", r"pat[A-Za-z0-9]{14}\.[a-f0-9]{64}", "pat"),
    _token("service-token", r"sl\.[A-Za-z0-9_-]{100,}", "sl."),
    _token("service-token", r"[a-f0-9]{32}-us\d{1,2}\b", "-us"),
    _token("service-token", r"fc-[a-f0-9]{32}(?![a-f0-9])", "fc-"),
    _token("service-token", r"oy2[a-z0-9]{43}(?![a-z0-9])", "oy2"),
    _token("service-token", r"cio[A-Za-z0-9]{32}(?![A-Za-z0-9])", "cio"),
    _token("service-token", r"EAA[A-Za-z0-9_-]{60,}", "eaa"),
    _token("service-token", r"v1\.[a-f0-9]{40}(?![a-f0-9])", "v1."),
    _named("service-token", r"(?<![\w./-])[12]/\d{16}:[a-f0-9]{32}", *("1/1", "2/1")),
    _named(
        "service-token",
        r"s\.(?<![\w.-]s\.)(?=[A-Za-z]{0,24}\d)[A-Za-z0-9]{24}(?![A-Za-z0-9_(.-])",
        "s.",
    ),
    _named(
        "private-key",
        r"LS0tLS1CRUdJTi[A-Za-z0-9+/]{0,40}?(?:UFJJVkFUR|QUklWQVRF|BSSVZBVE)[A-Za-z0-9+/=]*",
        "ls0tls1crudjti",
    ),
    _named("basic", r"(?i)(\bbasic )[A-Za-z0-9+/]{8,}={0,2}(?![\w+/=-])", "basic ")._replace(
        is_one=is_login
    ),
    _named(
        "password-hash",
        r"\$(?:1|2[abxy]?|5|6|7|g?y|apr1|argon2(?:id|i|d)|scrypt|pbkdf2[\w-]{0,20})\$"
        r"[./A-Za-z0-9$=,+-]{20,}",
        "$",
    ),
    _token(
        "webhook",
        r"(?i:hooks\.slack\.com/(?:services|workflows|triggers)|discord(?:app)?\.com/api/webhooks"
        r"|[\w.-]{0,60}webhook\.office\.com/webhookb2)"
        r"/[A-Za-z0-9_/@-]{16,}",
        *("hooks.slack.com", "/api/webhooks", "webhook.office.com"),
    ),
    _named(
        "url-password",
        r"(?<=://)(?!\[redacted:)[^\s/:@\"']{0,100}:"
        r"(?:[^\s/\"']{1,200}|(?!\d{1,5}/)[^\s\"'@]{1,200})(?=@)",
        "://",
    ),
    _named(
        "url-password",
        r"(?<=thin:)[^\s/@\"']{1,60}/[^\s@\"']{1,200}(?=@)"
        r"|(?<![\w.:/\[-])[\w.-]{1,60}:[^\s:@/\"']{1,200}(?=@(?:tcp|unix)\()",
        *("thin:", "@tcp(", "@unix("),
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
        rf"(?i)((?<![\w-])--?(?!-)[\w-]{{0,40}}{NAMED}[ =]{{1,4}}"
        r"|(?<![\w-])--user(?:=| {1,4}(?=[^\s:]{1,100}:(?!\d{1,9}(?!\S)))))"
        rf"(?!-){_NO_VALUE}{_VALUE}",
        "-",
    ),
    _option("secret", "curl", "-u {1,4}", rf"(?!-){_VALUE}", "curl "),
    _option(
        "secret",
        ASK_BY_OPTION,
        r"(?-i:(?>-pass(?:in|out)?(?= )|-pw(?= )|-[pPaw])) ?(?:(?:pass|password):)?+",
        rf"(?![-:]){_VALUE}",
        *ASK_BY_OPTION_HINTS,
    ),
    _option(
        "secret",
        "smbclient|net|rpcclient|wmic",
        r"(?:-U|--user)[ =]?[\"']?[\w.\\-]{1,60}%",
        r"[^\s\"']{1,200}",
        "%",
    ),
    _named(
        "secret",
        r"(?i)(\blogin\s{1,8}\S{1,100}\s{1,8}(?:password|passwd)\s{1,8})[^\s,;:=]\S{3,400}"
        r"|(\b(?:identified\s{1,4}(?:with\s{1,4}\S{1,40}\s{1,4})?by|password)(?:\s{1,4}|\s{0,4}\(\s{0,4}))'[^'\n]{4,400}'"
        rf"|(\b(?:env|arg|setenv|setx|set -[a-z]{{1,4}})\s{{1,4}}[\w]{{0,60}}?{NAMED}\s{{1,4}})"
        rf"(?![=:]){_NO_VALUE}{_VALUE}"
        r"|(\b(?:passw(?:or)?d|passphrase|token|secret|api[ _-]?key) (?:is|was):? {1,4}"
        r"|\b(?:api[ -]key|bearer): {1,4}|(?<![\w.-])(?:pass|pwd|pw)=(?!/))"
        r"(?=[^\s\d]{0,40}\d)(?=[^\sA-Za-z]{0,40}[A-Za-z])\S{8,400}",
        *(
            "login",
            "identified",
            "password '",
            "password('",
            "env ",
            "arg ",
            "set",
            " is ",
            " was ",
            " is:",
        ),
        *("pass=", "pwd=", "pw=", "api key:", "api-key:", "bearer:"),
    ),
    _named(
        "secret",
        # Both as arguments.
        rf"([\"'],\s{{0,4}}\\{{0,3}}[\"']){_NO_VALUE}{_WORD_OF_TEXT}",
        *('",', "',"),
    )._replace(is_one=is_mixed, stands=_is_argument_of_name),
    _named(
        "secret",
        # A path of C++ or Rust has no digits among its letters, goes on or is called.
        rf"(::\\?[\"'`]?){_NO_VALUE}[^\s\"'`<>,;:(){{}}\[\]]{{6,400}}+(?!::|[(<{{!\[])",
        "::",
    )._replace(is_one=is_mixed, stands=_is_name),
    _named(
        "secret",
        r"((?<![\w.*-])[\w.*-]{1,100}:(?:5432|6432|\*):[\w.*-]{1,60}:[\w.*-]{1,60}:)[^\s:]{6,200}",
        *(":5432:", ":6432:", ":*:"),
    )._replace(is_one=is_mixed),
    _option(
        "secret",
        "(?:https?|xh)(?= )",
        r"(?:(?-i:-a)|--auth)[ =]{1,4}[\"']?[\w.@-]{1,60}:",
        r"[^\s\"']{6,400}",
        *("http ", "https ", "xh "),
    ),
    _option("secret", r"snmp\w{1,20}", "(?-i:-[AX]) {0,4}", _ARGUMENT, "snmp"),
    _named(
        "secret",
        r"(?i)((?<=jfrog-art-api)[\"']?:\s{0,4})(?!\[redacted:)[^\s\"':]{6,400}",
        "jfrog-art-api",
    ),
    _named(
        "secret",
        rf"(?i)(?!{REFERENCE}){NAMED}({_COLOURS}(?:\\{{0,3}}(?:[\"'][]}}]?)?|{_QUOTE_CODE})\s{{0,8}}{_TYPE}"
        rf"(?>=>|:=|[+?]=|::(?=\s)|[:=：＝](?!:)|%3[ad])\s{{0,8}}{_COLOURS}(?:{_QUOTE_CODE})?+"
        r"(?:!!\w{1,20}\s{1,8})?+(?:[bfru]{1,2}(?=[\"']))?+)"
        rf"{_NO_QUOTED_VALUE}{_VALUE}",
        *NAME_HINTS,
    ),
    _named(
        "secret",
        r"(?i)(\becho\s{1,4}(?:-n\s{1,4})?[\"']?)[^\s\"'|]{6,400}"
        r"(?=[\"']?\s{0,4}\|[^\n|]{0,200}(?:--password-stdin|\bsudo\s{1,4}-S|\bpasswd\b))"
        r"|(\b(?:requirepass|masterauth)\s{1,4}[\"']?)(?=[^\s\d]{0,40}\d)[^\s\"']{6,400}",
        *("--password-stdin", "sudo", "passwd", "requirepass", "masterauth"),
    ),
    _named(
        "secret",
        # A name and its value as two fields, in either order.
        rf"(?i){NAMED}([\"']?[\s,;]{{1,40}}(?:[\"']?type[\"']?\s{{0,4}}[:=]\s{{0,4}}[\"']?\w{{1,20}}[\"']?[\s,;]{{1,40}})?"
        rf"[\"']?value[\"']?\s{{0,4}}[:=]\s{{0,4}}){_NO_VALUE}"
        rf"{_VALUE}",
        "value",
    ),
    _named(
        "secret",
        r"(?i)((?<=value)[\"']?\s{0,4}[:=]\s{0,4})"
        rf"\"[^\"\n]{{6,400}}\"(?=[\s,;]{{1,20}}[\"']?(?:name|key)[\"']?\s{{0,4}}[:=]\s{{0,4}}[\"']?"
        rf"[\w.-]{{0,60}}?{NAMED}[\"'])",
        "value",
    ),
    _named(
        "secret",
        rf"(?i){MADE_UP}(?:_?\d{{1,3}})?({_COLOURS}=(?!=){_COLOURS}|\\?[\"']\s{{0,4}}:\s{{0,4}}|:\s{{0,4}}(?=[\"'])){_NO_VALUE}"
        r"(?!(?:yes|no|on|off|set|unset|ok|nil|empty|str|int|bool)\b)"
        r"(?:\\?\"[^\"\\\n]{1,5}\\?\"|\\?'[^'\\\n]{1,5}\\?'"
        r"|(?=\w)[^\s\"',;&(){}\[\]<>]{3,400})",
        *("pass", "kennwort"),
    ),
    _named(
        "secret",
        r"(?im)((?:^|[;&|$#>])[ \t]{0,20}(?:set|export|declare(?: -x)?)[ \t]{1,4}"
        rf"{NAMED_ALOUD}[ \t]{{1,4}})(?![=:]){_NO_VALUE}"
        rf"(?!(?:{ABOUT}|first|now|again|before|later|here|there|failed|done|\w{{2,20}}ly)(?!\S))"
        r"[^\s;&|]{1,400}(?=[ \t]{0,20}(?:$|[;&|]))",
        *("set", "export", "declare"),
    ),
    _option(
        "secret",
        r"mysql\w*|mariadb[\w-]*|sshpass",
        "(?-i:-p)",
        r"(?![-:=]|ort\b)(?:\"[^\"\n]{1,400}\"|'[^'\n]{1,400}'|[^\s\"']{1,400})",
        *("mysql", "mariadb", "sshpass"),
    ),
    _named(
        "secret",
        rf"(?i){CODE}({_COLOURS}\\?[\"']?(?:\s{{0,4}}[:=]\s{{0,4}}|\s{{1,4}}(?:(?:is|was):?\s{{1,4}})?)\\?[\"']?)"
        r"(?:\d{3}[ -]\d{3,4}|\d{4,10})(?![\w.-])",
        *("pin", "otp", "passcode", "cvv", "cvc", "code"),
    ),
    _named(
        "secret",
        rf"(?i)(?:(?<=\[){SAID}(?=\])|{SAID}(?!\]))"
        r"(\]?:?(?:\s{1,4}|[ \t]{1,40})(?:\|\s{1,20})?"
        r"(?:(?:is|was|to|as|of)(?: now)?:?\s{1,4})?[\"'`(]?)"
        rf"{_NO_VALUE}{_WORD_OF_TEXT}",
        *NAME_HINTS,
    )._replace(is_one=is_mixed),
    _named(
        "secret",
        rf"(?i){AMBIGUOUS}({_COLOURS}\\?[\"']?\s{{0,4}}[:=]\s{{0,4}}{_COLOURS}\\?[\"'`]?|(?<=--auth)\s)"
        rf"{_NO_VALUE}{_WORD_OF_TEXT}",
        *("auth", "salt", "pepper"),
    )._replace(is_one=is_mixed),
    _named(
        "secret",
        rf"(?i){AMBIGUOUS_KEY}({_COLOURS}\\?[\"']?\s{{0,4}}[:=]\s{{0,4}}{_COLOURS}\\?[\"'`]?|(?<=--key)\s)"
        rf"{_NO_VALUE}{_WORD_OF_TEXT}",
        *("key", "licen", "pass", "seed"),
    )._replace(is_one=is_random),
    _named(
        "secret",
        rf"(?i){NAMED}((?:\s[^<>\n]{{1,200}})?[\"']?>)(?!\[redacted:)[^<>\n]{{4,4096}}(?=</)",
        "</",
    ),
    _named(
        "jwk",
        rf"((?<=[\"'])(?:d|dp|dq|k|p|q|qi)[\"']\s{{0,4}}:\s{{0,4}})[\"']{_BASE64URL}{{20,}}[\"']",
        '"kty"',
        "'kty'",
    ),
)

BEGUN = (
    r"(?<![A-Za-z0-9])(?:sk[-_]|[rs]k_(?:live|test)_|gh[a-z]_|github_pat_|gl[a-z]{1,6}-|xox[a-z]-"
    r"|xapp-|AKIA|ASIA|AIza|ya29\.|GOCSPX-|npm_|pypi-|whsec_|hf_|eyJ)[-_.A-Za-z0-9]{8,}"
)
"""Text that begins like a token, however short: outside the usual places it may be the remainder of
one, and a line of a file may be cut. Case is left to the caller."""
