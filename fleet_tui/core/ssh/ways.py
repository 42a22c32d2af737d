"""The path to a host in ssh_config: jump hosts, a proxy program, or neither."""

import msgspec

from fleet_tui.core.ssh.config import Resolved, expand_way

MAX_JUMPS = 8
"""Hosts that a connection may go through, and levels of nested paths in ssh_config."""


class Hop(msgspec.Struct, frozen=True):
    """One ``[user@]host[:port]`` or ``ssh://`` address of a ProxyJump."""

    address: str
    user: str | None
    port: int | None
    text: str


def judge_login(host: Resolved) -> list[tuple[str, str]]:
    """Why ssh_config leaves no login method: keywords and reasons."""
    reasons = []
    if host.user is not None and not _is_text(host.user):
        reasons.append(("user", "the name is not UTF-8 text, which SSH asks for"))
    if host.one("pubkeyauthentication") in ("no", "false"):
        reasons.append(("pubkeyauthentication", "it turns off public keys, all fleet-tui has"))
    ways = host.names("preferredauthentications")
    if ways is not None and "publickey" not in ways:
        reasons.append(("preferredauthentications", "publickey is all fleet-tui has"))
    if (words := host.one("refuseconnection")) is not None:
        reasons.append(("refuseconnection", f"it refuses to connect: {words}"))
    return reasons


def _is_text(name: str) -> bool:
    return not any("\ud800" <= char <= "\udfff" for char in name)


def jump_chain(host: Resolved) -> tuple[Hop, ...]:
    """The hosts of ProxyJump. Raises ValueError."""
    said = host.one("proxyjump")
    if said is None or said.lower() == "none":
        return ()
    return tuple(_hop(each.strip()) for each in expand_way(said, host).split(","))


def _hop(text: str) -> Hop:
    """``[user@]host[:port]``, an address with colons in brackets; ssh writes any address so."""
    user, _, place = text.removeprefix("ssh://").rstrip("/").rpartition("@")
    if place.startswith("["):
        address, _, port = place[1:].partition("]")
        port = port.removeprefix(":")
    else:
        address, _, port = place.partition(":")
    if not address or (port and not port.isdecimal()):
        raise ValueError(f"ProxyJump {text!r} names no host")
    return Hop(address=address, user=user or None, port=int(port) if port else None, text=text)


def proxy_command(host: Resolved) -> str | None:
    """The ProxyCommand with its tokens replaced. Raises ValueError."""
    said = host.one("proxycommand")
    if said is None or said.lower() == "none":
        return None
    if host.is_on("proxyusefdpass"):
        raise ValueError("ProxyUseFdpass is not supported")
    return expand_way(said, host)
