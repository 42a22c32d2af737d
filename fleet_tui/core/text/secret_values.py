"""Recognises values that are secrets where their names alone do not decide.

``password=`` is always followed by a secret. ``token`` in a sentence, ``key=`` or ``auth=`` may be
followed by anything, so a value after them is removed only when it looks like a credential:

- :func:`is_mixed`, after a name of a secret in a sentence and after ``auth=`` and ``salt=``: six or
  more letters and digits in a row with both among them, or eight characters of which some are
  letters, some digits and some signs that words do not have;
- :func:`is_random`, after ``key=``: ten or more of them in a row that change between capitals,
  small letters and digits as often as random text does, or twenty.

Algorithms and encodings, quantities, addresses, file paths, task ids and key fingerprints are
excluded.
"""

import re
from base64 import b64decode
from itertools import pairwise

_ORDINARY = re.compile(
    r"(?i)(?:hmac|hkdf|pkcs|rsa|ecdsa|x|v)?"
    r"(?:sha|md|int|uint|float|utf|base|oauth|oidc|http|ipv|ed|secp|argon|pbkdf|pkcs|aes|des"
    r"|bcrypt|blake|chacha|poly|saml|tls|win|llama|gpt)\d{1,6}[a-z]{0,24}\d{0,2}"
    r"|0x[0-9a-f]{1,16}|\d+(?:[a-z]{1,2}|th|min(?:ute)?s?|days?|hours?|bits?|bytes?)"
)
"""Letters and digits that many logs have: algorithms, types, addresses in memory, quantities."""

_PLACE = re.compile(
    r"[~.]{0,2}/|[A-Za-z]:\\|[a-z][a-z0-9+.-]{1,20}://|[\w.+-]+@[\w-]+\.[\w.-]+\Z"
    r"|(?:SHA256|MD5):|AAAA[A-Z]|[A-Za-z_][\w.]*\(|[^\]]*\]\("
    r"|#[0-9A-Fa-f]{3,8}\Z"
)
"""How a file, a URL, an address, a fingerprint, a public key, a call in a program, a link or a
colour begins; a URL with a secret in it has a shape of its own."""

_UUID = re.compile(r"(?i)[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_ULID = re.compile(r"[0-7][0-9A-HJKMNP-TV-Z]{25}")
_RUN = re.compile(r"[A-Za-z0-9]+")
_SIGN = re.compile(r"[!#$%^*?~+]")

_LATIN_LOGIN = re.compile(r"[A-Za-z0-9_.@+\\-]+:(?:[!-~]++[^!-~]?+)++", re.S)
"""Before UTF-8, some letters of the password were of Latin-1. Most are of ASCII, or any word in
base64 could be one."""

MIN_MIXED = 6
MIN_WITH_SIGNS = 8
MIN_RANDOM = 10
MIN_LONG = 20


def is_login(value: str) -> bool:
    """Whether a value is a user and a password as HTTP sends them, in base64 (RFC 7617), with or
    without what fills it up at the end."""
    try:
        sent = b64decode(value + "=" * (-len(value) % 4), validate=True)
    except ValueError:
        return False
    try:
        said = sent.decode()
    except UnicodeDecodeError:
        said = sent.decode("latin-1")
        if not _LATIN_LOGIN.fullmatch(said):
            return False
    return ":" in said and said.isprintable()


def is_mixed(value: str) -> bool:
    """Whether a value that a secret's name is said of looks like a credential."""
    if _PLACE.match(value) is not None:
        return False
    if len(value) >= MIN_WITH_SIGNS and _SIGN.search(value) is not None and _has_both(value):
        return True
    return any(
        len(run) >= MIN_MIXED and _has_both(run) and _ORDINARY.fullmatch(run) is None
        for run in _RUN.findall(value)
    )


def is_random(value: str) -> bool:
    """Whether a value looks random."""
    if _PLACE.match(value) is not None or _UUID.fullmatch(value) is not None:
        return False
    return any(map(_is_random_run, _RUN.findall(value)))


def _is_random_run(run: str) -> bool:
    if len(run) < MIN_RANDOM or not _has_both(run):
        return False
    if _ORDINARY.fullmatch(run) is not None or _ULID.fullmatch(run) is not None:
        return False
    kinds = [(char.isdigit(), char.isupper()) for char in run]
    changes = sum(before != after for before, after in pairwise(kinds))
    return len(run) >= MIN_LONG or changes * 3 >= len(run)


def _has_both(text: str) -> bool:
    """Letters and digits."""
    return any(map(str.isdigit, text)) and any(map(str.isalpha, text))
