"""ssh_config as asyncssh reads it, for machines that have no ``ssh`` to ask.

It understands less than OpenSSH: no tokens in UserKnownHostsFile, no ``Match localnetwork``, no
time formats, UTF-8 only. ``check`` and ``doctor`` report this.
"""

import os
import socket
from pathlib import Path

import asyncssh

from fleet_tui.core.ssh.config import Complaint, ConfigRefusal, Reader, Resolved

_TEXTS = (
    "BindAddress",
    "Ciphers",
    "HostKeyAlgorithms",
    "HostKeyAlias",
    "KexAlgorithms",
    "MACs",
    "PreferredAuthentications",
    "ProxyCommand",
    "ProxyJump",
)
_SWITCHES = ("Compression", "IdentitiesOnly", "PubkeyAuthentication", "TCPKeepAlive")
_LISTS = ("CertificateFile", "IdentityFile", "SendEnv", "SetEnv")
_FILE_LISTS = ("GlobalKnownHostsFile", "UserKnownHostsFile")
_FAMILIES = {socket.AF_INET: "inet", socket.AF_INET6: "inet6"}


def resolved_by_asyncssh(
    file: str, address: str, user: str | None, port: int | None
) -> Resolved | ConfigRefusal:
    """Read a file for one host. Blocks: not for an event loop."""
    is_there = os.access(file, os.R_OK) and Path(file).is_file()
    given: dict[str, object] = {"host": address}
    if user is not None:
        given["username"] = user
    if port is not None:
        given["port"] = port
    try:
        options = asyncssh.SSHClientConnectionOptions(
            config=[file] if is_there else None,
            client_keys=None,
            known_hosts=b"",
            **given,
        )
    except UnicodeDecodeError:
        return _refusal(f"{file}: not UTF-8 text")
    except (asyncssh.ConfigParseError, OSError, ValueError) as error:
        return _refusal(str(error))
    return Resolved(
        original=address,
        hostname=options.host,
        port=options.port,
        user=options.username,
        said=_said(options.config),
        reader=Reader.ASYNCSSH if is_there else Reader.NOBODY,
    )


def _refusal(words: str) -> ConfigRefusal:
    return ConfigRefusal((Complaint(words),), Reader.ASYNCSSH)


def _said(config: "asyncssh.config.SSHConfig") -> dict[str, tuple[str, ...]]:
    """asyncssh's values in the format of ``ssh -G``."""
    said: dict[str, tuple[str, ...]] = {}
    for keyword in _TEXTS:
        if (value := config.get(keyword)) is not None:
            said[keyword.lower()] = (str(value),)
    for keyword in _SWITCHES:
        if (value := config.get(keyword)) is not None:
            said[keyword.lower()] = ("yes" if value else "no",)
    for keyword in _LISTS:
        if (values := config.get(keyword)) is not None:
            assert isinstance(values, list)
            said[keyword.lower()] = tuple(map(str, values)) or ("none",)
    for keyword in _FILE_LISTS:
        if values := config.get(keyword):
            assert isinstance(values, list)
            said[keyword.lower()] = (" ".join(str(Path(name).expanduser()) for name in values),)
    agent = config.get("IdentityAgent", "")
    if agent != "":
        said["identityagent"] = ("none" if agent is None else str(agent),)
    family = config.get("AddressFamily")
    if isinstance(family, int) and family in _FAMILIES:
        said["addressfamily"] = (_FAMILIES[socket.AddressFamily(family)],)
    return said
