"""The place of a host, as people write it for ssh: ``[user@]host[:port]``.

An IPv6 address with a port stands in brackets; ``ssh://`` before it is allowed (ssh(1), and
misc.c, parse_user_host_port). The last ``@`` counts: ``ann@corp.example@host`` logs in as
``ann@corp.example``.
"""

import re
from dataclasses import dataclass

from fleet_tui.config.problems import quoted
from fleet_tui.config.values import USER_ALONE, Unacceptable, address, user, whole

_HOST = re.compile(
    r"(?:\[(?P<within>[^\s\[\]/]+)\]|(?P<host>[^:\s\[\]/]+))(?::(?P<port>[0-9]+))?/?"
)
_BARE_IP6 = re.compile(r"(?=[^:]*:[^:]*:)(?P<host>[0-9A-Fa-f:.]+(?:%[^\s:]+)?)")
_NO_PASSWORD = re.compile(r"[0-9A-Fa-f:.%\[\]]*")
"""Text after a ``:`` that may be quoted: ports and addresses."""


@dataclass(frozen=True, slots=True, kw_only=True)
class HostPlace:
    """A host, with its user and port if given."""

    address: str
    user: str | None = None
    port: str | None = None


def place_of(text: str, *, bare_ip6: bool = False) -> HostPlace:
    """Raises Unacceptable. ``bare_ip6``: whether ``::1`` may stand without brackets, where nothing
    could be meant for a port."""
    login, where = split_login(text.removeprefix("ssh://"))
    found = (_BARE_IP6.fullmatch(where) if bare_ip6 else None) or _HOST.fullmatch(where)
    if found is None or login == "":
        raise Unacceptable(f"{told(text)} is not [user@]host[:port]")
    parts = found.groupdict()
    port = parts.get("port")
    try:
        return HostPlace(
            address=address(parts.get("within") or parts["host"]),
            user=None if login is None else user(login),
            port=str(whole(port, least=1, most=65_535)) if port else None,
        )
    except Unacceptable as reason:
        raise Unacceptable(f"{quoted(text)}: {reason.message}", reason.hint) from None


def split_login(text: str) -> tuple[str | None, str]:
    """The user, None if not given, and the text after the ``@``. Raises Unacceptable if there is a
    password too."""
    login, at, where = text.rpartition("@")
    if ":" in login:
        raise Unacceptable(USER_ALONE)
    return login if at else None, where


def told(text: str) -> str:
    """A text in which a host was looked for, as a message repeats it: a user's password may stand
    in it, wherever the text ends."""
    before, colon, after = text.removeprefix("ssh://").partition(":")
    return quoted(text if _NO_PASSWORD.fullmatch(after) else f"{before}{colon}...")
