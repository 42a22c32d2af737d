"""References to secrets, and the refusal of secrets themselves.

The fleet file refers to secrets: ``secret:env:NAME``, ``secret:file:PATH``,
``secret:keyring:SERVICE/USER`` or ``secret:host:PATH`` (read from the agent's own host); a path to
a JSON file may end with ``#a.b``, the place of the text in it. The engine resolves it when it
connects and keeps it in memory only. There is no ``secret:cmd:``, and it is refused with that
reason: it would run a command on the operator's machine, and the file may come from another person.
"""

import re

from fleet_tui.config.problems import did_you_mean
from fleet_tui.config.values import MAX_TEXT_CHARS, Unacceptable, text
from fleet_tui.core.fleet import is_reference

KINDS = ("env", "file", "keyring", "host")
REFERENCE_PATTERN = r"secret:(env|file|keyring|host):.+"
SECRET_KEYS = frozenset(
    {"password", "passphrase", "passwd", "secret", "api_key", "apikey", "private_key", "key"}
)
"""Keys of secrets that do not belong in a fleet file."""

_ENV_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,127}", re.ASCII)
_KEYRING = re.compile(r"[^/\s]+/[^\s]+")
_FORMS = "secret:env:NAME, secret:file:PATH, secret:keyring:SERVICE/USER or secret:host:PATH"


def reference(value: object) -> str:
    """A reference to a secret. Raises Unacceptable, which never repeats the value."""
    if not isinstance(value, str):
        raise Unacceptable("expected a reference to a secret", f"write {_FORMS}")
    scheme, _, rest = value.partition(":")
    kind, _, place = rest.partition(":")
    if scheme != "secret":
        raise Unacceptable("secrets do not belong here", f"write a reference: {_FORMS}")
    if kind == "cmd":
        raise Unacceptable(
            "secret:cmd: is not allowed in a fleet file",
            "a fleet file never runs commands on the operator's machine; run it yourself, put the "
            "result in a variable and write secret:env:NAME",
        )
    if kind not in KINDS:
        meant = did_you_mean(kind, KINDS)
        raise Unacceptable(f"expected a known kind of secret reference{meant}", f"write {_FORMS}")
    if not place or not place.isprintable() or len(place) > MAX_TEXT_CHARS:
        raise Unacceptable(f"secret:{kind}: needs to say where the secret is", f"write {_FORMS}")
    if kind == "env" and not _ENV_NAME.fullmatch(place):
        raise Unacceptable(
            "expected the name of a variable after secret:env:", "such as secret:env:GATEWAY_TOKEN"
        )
    if kind == "keyring" and not _KEYRING.fullmatch(place):
        raise Unacceptable(
            "expected SERVICE/USER after secret:keyring:", "such as secret:keyring:fleet/agent-01"
        )
    return str(value)


def text_or_reference(value: object) -> str:
    """Any text on one line; what begins like a reference has to be one."""
    found = text(value)
    return reference(value) if is_reference(found) else found
