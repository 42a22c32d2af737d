"""Advice for operators about a host that is not trusted, or that refused our login."""

import asyncssh

from fleet_tui.core.ids import HostName
from fleet_tui.wire.ssh.options import Route
from fleet_tui.wire.ssh.phrases import Phrase

ADOPTED = ">"
"""Begins the name of a jump host that only ssh_config knows."""


def called(host: HostName) -> str:
    """A host's name for its operator."""
    return host.rpartition(ADOPTED)[2]


def host_key_advice(host: HostName, route: Route, error: BaseException) -> str | None:
    """What to do about a host's key or certificate; None if the error is about something else."""
    if not isinstance(error, asyncssh.HostKeyNotVerifiable):
        return None
    where = ", ".join(str(path) for path in route.known_hosts_files)
    name = route.key_alias
    if Phrase.REVOKED.is_in(error):
        return f"the host key is revoked in {where}"
    if Phrase.CERTIFICATE_EXPIRED.is_in(error):
        return f"the host certificate of {name} has expired"
    if Phrase.CERTIFICATE_NOT_YET_VALID.is_in(error):
        return f"the host certificate of {name} is not yet valid; are both clocks right?"
    if Phrase.OTHER_PRINCIPAL.is_in(error):
        return f"the host certificate it shows is not for {name}"
    if Phrase.OTHER_AUTHORITY.is_in(error):
        return f"the host certificate of {name} is from another authority than the one in {where}"
    if route.known.keys:
        return (
            f"the host key of {name} is not the one in {where}: it changed, or another machine "
            "answers"
        )
    if route.known.authorities:
        return f"{name} shows no certificate, and {where} has an authority for it but no key"
    if host.startswith(ADOPTED):
        # It is not in the fleet file, so ssh(1) is the one to enrol it.
        return (
            f"the host key of the jump host {name} is not known in {where}; to look at it: "
            f"ssh {called(host)}"
        )
    return f"the host key of {name} is not known; to look at it: fleet-tui trust {host}"


def is_too_many(error: BaseException) -> bool:
    """Whether sshd hung up because of MaxAuthTries."""
    return isinstance(error, asyncssh.DisconnectError) and Phrase.TOO_MANY_KEYS.is_in(error)


async def auth_advice(route: Route, error: BaseException, banner: str = "") -> str | None:
    """Why a host refused the login; None if the error is about something else. ``banner`` is its
    message to everyone who logs in."""
    if is_too_many(error):
        return (
            f"{error}: more keys were shown than it looks at; name the right one (identity in the "
            "fleet file, or IdentitiesOnly and IdentityFile in ssh_config)"
        )
    if not isinstance(error, asyncssh.PermissionDenied):
        return None
    ours = route.identities
    remarks = [text for each in ours.certificates if (text := each.trouble())]
    remarks += [f"{each.file} is passed over: {each.why}" for each in ours.passed_over]
    if ours.agent is not None:
        try:
            (await asyncssh.connect_agent(ours.agent)).close()
        except OSError:
            remarks.append(f"no ssh-agent answers at {ours.agent}")
    elif not ours.keys:
        remarks.append("there is no private key to show, and no ssh-agent")
    if banner:
        remarks.append(f"it says: {banner}")
    return "; ".join((str(error), *remarks))
