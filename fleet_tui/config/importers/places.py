"""Where a host is, as people write it for ssh: ``[user@]host[:port]``.

An IPv6 address with a port stands in brackets; ``ssh://`` before it is allowed (ssh(1), and
misc.c, parse_user_host_port). The last ``@`` counts: ``ann@corp.example@host`` logs in as
``ann@corp.example``.
"""

import re
from dataclasses import dataclass

from fleet_tui.config.problems import quoted
from fleet_tui.config.values import Unacceptable, address, user, whole

_PLACE = re.compile(
    r"(?:ssh://)?(?:(?P<user>[^\s/]+)@)?(?:\[(?P<within>[^@\s\[\]/]+)\]|(?P<host>[^:@\s\[\]/]+))"
    r"(?::(?P<port>[0-9]+))?/?"
)
_BARE_IP6 = re.compile(
    r"(?:(?P<user>[^\s/]+)@)?(?P<host>[0-9A-Fa-f]*:[0-9A-Fa-f:.]*:[0-9A-Fa-f:.]*(?:%[^@\s:]+)?)"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """A host, and what is said of the way to it."""

    address: str
    user: str | None = None
    port: str | None = None


def place_of(text: str, *, bare_ip6: bool = False) -> Place:
    """Raises Unacceptable. ``bare_ip6``: whether ``::1`` may stand without brackets, where nothing
    could be meant for a port."""
    found = (_BARE_IP6.fullmatch(text) if bare_ip6 else None) or _PLACE.fullmatch(text)
    if found is None:
        raise Unacceptable(f"{quoted(text)} is not [user@]host[:port]")
    parts = found.groupdict()
    login, port = parts["user"], parts.get("port")
    if login and ":" in login:
        raise Unacceptable("a password stands in it; write the user alone")
    try:
        return Place(
            address=address(parts.get("within") or parts["host"]),
            user=user(login) if login else None,
            port=str(whole(port, least=1, most=65_535)) if port else None,
        )
    except Unacceptable as reason:
        raise Unacceptable(f"{quoted(text)}: {reason.message}", reason.hint) from None
