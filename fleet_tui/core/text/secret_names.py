"""Names that mark their values as secrets: the only such list.

Any value after ``=`` or ``:`` and such a name is removed. In a sentence, and after names with other
meanings too, it also depends on the value (``secret_values.py``).

``AWS_SECRET_ACCESS_KEY``, ``API_KEYS``, ``DB_PASSWORD_PROD`` and ``apiKeyOpenai`` do;
``PASSWORD_FILE``, ``TOKEN_URL`` and ``max_tokens`` do not: those give the place of a secret,
describe its handling, or count something.
"""

import re
from functools import cache

_KEYS = (
    "access|account|api|app|auth|client|deploy|encryption|license|master|private|secret|service"
    "|shared|signing|ssh|storage|subscription|webhook"
)
_NO_KEY = "".join(
    f"(?<!{word}_)"
    for word in ("PUBLIC", "PRIMARY", "FOREIGN", "CACHE", "SORT", "HOST", "GROUP", "PARTITION")
)
_SHORT = "PAT|JWT|COOKIE|BEARER|CRED|SK|HMAC|MNEMONIC|SESSIONID|AUTHORIZATION"
"""Variables that are secrets. In lower case these words have other meanings too."""

_OWNERS = (
    "admin|become|bind|db|ftp|http|key|ldap|mail|mongo|my|mysql|pg|proxy|redis|root|smtp|ssh|store"
    "|su|sudo|trust|user"
)
_WORD = (
    r"(?:pass[_.-]?words?|passwds?|passwort|kennwort|passphrases?|(?<=[_-])pass"
    r"|pass(?=[\"']?\s{0,4}[:=]\s{0,4}[\"'])"
    rf"|(?<![a-z])(?:{_OWNERS})(?:pass|pwd?)(?=_|\Z|[\"']?\s{{0,4}}[:=])|(?<=[_;])pwd?"
    r"|(?<![a-z])(?:(?:key|trust)?store_?pass|keypass)(?![a-z])"
    r"|passcodes?|(?<![a-z])[ht]?otp(?![a-z])"
    r"|secrets?|token|(?<![a-z])(?:access|api|auth|bearer|bot|refresh)[_.-]?tokens"
    r"|(?-i:(?<=[A-Z0-9]_)(?<!MAX_)(?<!INPUT_)(?<!OUTPUT_)(?<!TOTAL_)TOKENS)"
    r"|credentials?|(?<![a-z])creds"
    r"|(?<![a-z])psk|connection[_-]?string|phpsessid|jsessionid|connect\.sid|laravel_session"
    rf"|(?:{_KEYS})[_.-]?keys?|client[_.-]?secrets?|client[_-]key[_-]data"
    r"|(?-i:(?<=[A-Z0-9]_)(?:AUTH|PIN))"
    rf"|(?-i:(?<=[A-Z0-9]_){_NO_KEY}KEYS?)"
    rf"|(?-i:(?<=[A-Z0-9]_)(?:{_SHORT})(?![A-Za-z])|(?<![A-Za-z0-9_])(?:{_SHORT})(?=\Z|[+?]?=))"
    r"|(?-i:(?<![A-Za-z0-9])AUTH_HEADER(?![A-Za-z]))"
    r"|contraseña|mot[_-]de[_-]passe|пароль|senha|密码|密碼|パスワード|暗号|口令|hasło|wachtwoord"
    r"|(?<![a-z])(?:heslo|mdp|parola)(?![a-z]))"
)

_ABOUT = (
    "age|alg|algorithm|arn|attempt|attempts|audience|auth|authentication|aware|backend|based"
    "|bucket|budget|changed|class|cmd|command|count|counts|created|denied|dir|directory|enabled"
    "|endpoint|engine|env|error|exists|expired|expires|expiration|expiry|failed|failure|field"
    "|fields|file|files|folder|format|header|headers|helper|hint|host|id|ids|index|input"
    "|invalid|issuer|kind|label|len|length|less|limit|limits|manager|max|min|mismatch|missing"
    "|mode|ms|name|names|param|path|paths|per|policy|port|position|present|prompt|protected"
    "|provider|rate|ref|refs|refused|rejected|required|reset|retries|ring|rotation|rule|rules"
    "|schema|scope|scopes|seconds|size|sock|socket|source|spec|state|status|store|strength|text"
    "|title|ttl|type|types|unknown|updated|uri|url|usage|used|valid|version"
)
"""Words after such a name that make it one of something else. BASE is none: SECRET_KEY_BASE."""

_PLACES = (
    "admin|backup|ci|current|default|dev|development|eu|global|live|local|main|master|new|next|old"
    "|prev|previous|primary|prod|production|qa|read|readonly|replica|ro|root|rw|sandbox|secondary"
    r"|stage|staging|test|testing|uat|us|user|v?\d{1,3}|write"
)
"""Where hyphens or dots hold a name together, only these go on with it: the same may be prose."""

_ABOUT_CAMEL = "|".join(word.capitalize() for word in _ABOUT.split("|"))

NAMED = (
    rf"{_WORD}(?:_?\d{{1,3}})?"
    rf"(?:_(?!(?:{_ABOUT})(?![a-z0-9]))[A-Za-z0-9]{{1,30}}){{0,4}}"
    rf"(?:(?-i:(?<=[a-z0-9])(?!(?:{_ABOUT_CAMEL})(?![a-z]))[A-Z][a-z0-9]{{1,20}})){{0,3}}"
    rf"(?:[.-](?:{_PLACES})(?![a-z0-9])){{0,2}}"
)
"""How such a name ends, from the word that says it on. To be read without regard to case."""

SAID = (
    r"(?:pass[ _.-]?(?:words?|phrases?|codes?)|passwds?|passwort|kennwort|pwd?|psk|secrets?"
    r"|(?<!unexpected )(?<!illegal )token|credentials?|creds"
    rf"|(?:{_KEYS}|encryption|recovery)[ _.-]?keys?)(?:_\w{{1,30}})?"
)
"""How a sentence names a secret before giving it. A token that a parser did not expect is not
one."""

NAMED_ALOUD = r"(?-i:(?=[A-Z0-9_]{3,80}[ \t]))" rf"\w{{0,60}}?{NAMED}"
"""Such a name in capitals, as a variable's is."""

MADE_UP = r"(?:pass[_.-]?words?|passwds?|passphrases?|passcodes?|passwort|kennwort)"
"""Names of secrets that people make up, which may be short."""

_COLOURED = r"(?<=[\[;]\dm)|(?<=[\[;]\d\dm)"
"""After a colour sequence, which ends with a letter."""

AMBIGUOUS_KEY = (
    r"(?:(?<![\w.-])(?<!gpg )(?<!pgp )(?<!public )(?<!host )(?<!cache )|(?<=\s--)"
    rf"|{_COLOURED})(?:key|licen[cs]e|pass|seed)"
)
AMBIGUOUS = rf"(?:(?<![a-z0-9])|{_COLOURED})(?:auth|salt|pepper)"
"""Names of secrets and of other things: of entries, of login methods, of food."""

CODE = (
    rf"(?:(?<![a-z])|{_COLOURED})(?:pin|[ht]?otp|passcode|cvv|cvc"
    r"|(?:verification|security|login|sign-in|one-time|2fa|mfa|backup|recovery)[ _-]code)"
    r"(?:[ _-]?(?:code|number))?"
)
"""Names of secrets of a few digits."""

ASK_BY_OPTION = (
    r"(?:\w+ ){0,2}login|sshpass|mysql\w*|mariadb[\w-]*|mongo\w*|redis-cli|valkey-cli|ldap\w+"
    r"|openssl|sqlcmd|bcp|isql|ipmitool|cqlsh|7za?|unzip|zip|rabbitmqadmin|plink|pscp|psftp|kadmin|influx"
)
"""Programs that take a password as the value of an option of one letter."""

ASK_BY_OPTION_HINTS = (
    *("login", "sshpass", "mysql", "mariadb", "mongo", "redis-cli", "valkey-cli"),
    *("ldap", "openssl", "sqlcmd", "bcp", "isql", "ipmitool", "cqlsh", "7z", "zip"),
    *("rabbitmqadmin", "plink", "pscp", "psftp", "kadmin", "influx"),
)

NAME_HINTS = (
    *("pass", "kennwort", "pw", "secret", "token", "key", "cred", "connection"),
    *("auth", "pin", "psk", "sessid", "sessionid", "connect.sid", "laravel_session", "contraseña"),
    *("mot", "пароль", "senha", "密", "パスワード", "暗号", "口令", "hasło", "wachtwoord", "heslo"),
    *("mdp", "parola", "otp", "jwt", "cookie", "bearer", "hmac", "mnemonic", "pat=", "pat:"),
    *('pat"', "pat'", "pat+", "pat?", "pat_", "sk=", "sk+", "sk?", "_sk:", '_sk"', "_sk'", "_sk_"),
)
"""In lower case; a text without any of them has no such name."""

ABOUT = _ABOUT

MAX_NAME_CHARS = 200
"""A longer name is judged by its beginning."""


@cache
def _name() -> re.Pattern[str]:
    return re.compile(rf"(?is).*{NAMED}\Z")


def names_secret(name: str) -> bool:
    """Whether a variable's or a field's name says that its value is a secret."""
    return _name().match(name[:MAX_NAME_CHARS]) is not None
