"""How a host is connected to: keys, known hosts, algorithms, the operator's ``~/.ssh/config``.

Everything is read once and off the event loop: parsing one RSA key costs 95 ms, an encrypted one
more. asyncssh applies ssh_config itself; what would weaken us in it is overridden here.
"""

import re
from pathlib import Path
from urllib.parse import urlsplit

import asyncssh
import msgspec

from fleet_tui.core.fleet import HostSpec
from fleet_tui.core.vitals import FailureKind
from fleet_tui.wire.ssh_failures import LocalSetupError
from fleet_tui.wire.ssh_identities import (
    Identities,
    identity_stamps,
    read_identities,
    stamp,
    strings,
)

KEEPALIVE_EVERY_S = 5
KEEPALIVE_MISSES = 3

KEY_EXCHANGES = (
    "curve25519-sha256",
    "curve25519-sha256@libssh.org",
    "ecdh-sha2-nistp256",
    "ecdh-sha2-nistp384",
    "ecdh-sha2-nistp521",
    "diffie-hellman-group16-sha512",
    "diffie-hellman-group18-sha512",
    "diffie-hellman-group14-sha256",
)
CIPHERS = (
    "aes128-gcm@openssh.com",
    "aes256-gcm@openssh.com",
    "chacha20-poly1305@openssh.com",
    "aes256-ctr",
    "aes192-ctr",
    "aes128-ctr",
)
MACS = (
    "hmac-sha2-256-etm@openssh.com",
    "hmac-sha2-512-etm@openssh.com",
    "hmac-sha2-256",
    "hmac-sha2-512",
)
SIGNATURES = (
    "ssh-ed25519",
    "sk-ssh-ed25519@openssh.com",
    "ecdsa-sha2-nistp256",
    "sk-ecdsa-sha2-nistp256@openssh.com",
    "ecdsa-sha2-nistp384",
    "ecdsa-sha2-nistp521",
    "rsa-sha2-256",
    "rsa-sha2-512",
)
HOST_KEYS = (
    "ssh-ed25519",
    "ecdsa-sha2-nistp256",
    "ecdsa-sha2-nistp384",
    "ecdsa-sha2-nistp521",
    "sk-ssh-ed25519@openssh.com",
    "sk-ecdsa-sha2-nistp256@openssh.com",
    "rsa-sha2-512",
    "rsa-sha2-256",
)
"""Kinds of host keys, the best first."""
HOST_CERTIFICATES = (
    "ssh-ed25519-cert-v01@openssh.com",
    "ecdsa-sha2-nistp256-cert-v01@openssh.com",
    "ecdsa-sha2-nistp384-cert-v01@openssh.com",
    "ecdsa-sha2-nistp521-cert-v01@openssh.com",
    "rsa-sha2-512-cert-v01@openssh.com",
    "rsa-sha2-256-cert-v01@openssh.com",
)
SYSTEM_KNOWN_HOSTS = ("/etc/ssh/ssh_known_hosts", "/etc/ssh/ssh_known_hosts2")


class Hop(msgspec.Struct, frozen=True):
    """One ``[user@]host[:port]`` or ``ssh://`` address of a ProxyJump."""

    address: str
    user: str | None
    port: int | None
    text: str


class Known(msgspec.Struct, frozen=True, kw_only=True):
    """What known_hosts says about one host."""

    keys: tuple[asyncssh.SSHKey, ...]
    authorities: tuple[asyncssh.SSHKey, ...]
    revoked: tuple[asyncssh.SSHKey, ...]

    @classmethod
    def of(cls, hosts: asyncssh.SSHKnownHosts, name: str, port: int) -> "Known":
        """Search for ``name``, or ``[name]:port`` where the port is not the usual one."""
        keys, authorities, revoked, *_ = hosts.match(
            name, "", None if port == asyncssh.DEFAULT_PORT else port
        )
        return cls(keys=tuple(keys), authorities=tuple(authorities), revoked=tuple(revoked))

    def key_kinds(self) -> list[str]:
        """Signature algorithms for plain host keys, those of known keys first.

        All of them, as in OpenSSH: a host that has lost the kind we know shows what it has
        instead, which can be told from a network that fails.
        """
        kinds: list[str] = []
        for key in self.keys:
            name = key.get_algorithm()
            kinds.extend(("rsa-sha2-512", "rsa-sha2-256") if name == "ssh-rsa" else (name,))
        return list(dict.fromkeys((*kinds, *HOST_KEYS)))


class Route(msgspec.Struct, frozen=True, kw_only=True):
    """What a connection to one host needs, parsed and ready."""

    options: asyncssh.SSHClientConnectionOptions
    identities: Identities
    known: Known
    known_hosts_files: tuple[Path, ...]
    key_alias: str
    """The name known_hosts is searched for (HostKeyAlias, HostName or the address)."""
    port: int
    jump_chain: tuple["Hop", ...]
    """The hosts of ssh_config's ProxyJump, the first one first."""
    proxy_command: str | None
    """ssh_config's ProxyCommand, its tokens replaced; a jump host goes before it."""
    arguments: dict[str, object]
    """Arguments of asyncssh.connect that must be given again beside the options."""


class SshFiles:
    """Keys and known hosts of this machine's user, each file parsed once until it changes.

    Not thread safe: the pool calls it from one worker at a time.
    """

    def __init__(self, known_hosts: Path | None = None) -> None:
        self._known_hosts = known_hosts
        self._hosts_cache: dict[tuple[object, ...], asyncssh.SSHKnownHosts] = {}
        self._identities_cache: dict[tuple[object, ...], Identities] = {}

    def route(self, spec: HostSpec) -> Route:
        """Read everything ``spec`` needs. Raises LocalSetupError with a message for people."""
        arguments: dict[str, object] = {"host": spec.address}
        if spec.port is not None:
            arguments["port"] = spec.port
        if spec.user is not None:
            arguments["username"] = spec.user
        source = () if spec.use_ssh_config else None
        try:
            bare = asyncssh.SSHClientConnectionOptions(
                config=source, client_keys=None, known_hosts=b"", **arguments
            )
            hosts, hosts_files = self._hosts(spec, bare)
            identities = self._identities(spec, bare.config)
            known = Known.of(hosts, bare.host_key_alias or bare.host, bare.port)
            options = asyncssh.SSHClientConnectionOptions(
                config=source,
                known_hosts=hosts,
                tunnel=None,  # the pool goes through jump hosts and proxies itself
                proxy_command=None,
                agent_forwarding=False,
                x11_forwarding=False,
                command=None,
                request_pty=False,
                password_auth=False,
                kbdint_auth=False,
                host_based_auth=False,
                encoding=None,
                keepalive_interval=KEEPALIVE_EVERY_S,
                keepalive_count_max=KEEPALIVE_MISSES,
                connect_timeout=spec.connect_timeout_ms / 1000,
                login_timeout=spec.connect_timeout_ms / 1000,
                **identities.options(),
                **_algorithms(bare.config, known),
                **arguments,
            )
        except (asyncssh.ConfigParseError, ValueError) as error:
            raise LocalSetupError(FailureKind.SSH_PROTOCOL, f"ssh_config: {error}") from error
        return Route(
            options=options,
            identities=identities,
            known=known,
            known_hosts_files=hosts_files,
            key_alias=bare.host_key_alias or bare.host,
            port=bare.port,
            jump_chain=_jump_chain(bare),
            proxy_command=_proxy_command(bare.config),
            arguments=arguments,
        )

    def _hosts(
        self, spec: HostSpec, bare: asyncssh.SSHClientConnectionOptions
    ) -> tuple[asyncssh.SSHKnownHosts, tuple[Path, ...]]:
        files = known_hosts_files(spec, self._known_hosts, bare.config)
        stamps = tuple(stamp(path) for path in files)
        cached = self._hosts_cache.get(stamps)
        if cached is None:
            cached = asyncssh.SSHKnownHosts()
            for path in files:
                _load_known_hosts(cached, path)
            self._hosts_cache[stamps] = cached
        return cached, files

    def _identities(self, spec: HostSpec, config: "asyncssh.config.SSHConfig") -> Identities:
        stamps = identity_stamps(spec, config)
        found = self._identities_cache.get(stamps)
        if found is None:
            found = self._identities_cache[stamps] = read_identities(spec, config)
        return found


def known_hosts_files(
    spec: HostSpec, fleet_file: Path | None, config: "asyncssh.config.SSHConfig"
) -> tuple[Path, ...]:
    """The files that may vouch for a host, in order; the first is where a new key is added.

    ``UserKnownHostsFile none`` would make asyncssh accept any key, so it means the usual file here.
    """
    if spec.known_hosts is not None:
        return (Path(spec.known_hosts).expanduser(),)
    if fleet_file is not None:
        return (fleet_file.expanduser(),)
    user = strings(config.get("UserKnownHostsFile")) or ("~/.ssh/known_hosts",)
    system = strings(config.get("GlobalKnownHostsFile")) or SYSTEM_KNOWN_HOSTS
    return tuple(Path(name).expanduser() for name in (*user, *system))


def _load_known_hosts(hosts: asyncssh.SSHKnownHosts, path: Path) -> None:
    try:
        hosts.load(path.read_text(encoding="utf-8", errors="surrogateescape"))
    except FileNotFoundError:
        return
    except (OSError, ValueError) as error:
        raise LocalSetupError(FailureKind.SSH_HOST_KEY, f"{path}: {error}") from error


def _jump_chain(bare: asyncssh.SSHClientConnectionOptions) -> tuple[Hop, ...]:
    """The hosts of ProxyJump. Raises ValueError."""
    said = bare.tunnel
    if not isinstance(said, str) or said.lower() == "none":
        return ()
    tokens = {"%": "%", "h": bare.host, "n": bare.orig_host, "p": bare.port, "r": bare.username}
    text = re.sub(r"%(.)", lambda found: str(tokens.get(found[1], found[0])), said)
    return tuple(_hop(each.strip()) for each in text.split(","))


def _hop(text: str) -> Hop:
    # urlsplit knows the brackets of IPv6 addresses and what a port may be.
    parts = urlsplit(text if text.startswith("ssh://") else f"ssh://{text}")
    # Not .hostname, which is in lower case: aliases are told apart by it.
    address = parts.netloc.rpartition("@")[2].removesuffix(f":{parts.port}").strip("[]")
    if not address:
        raise ValueError(f"ProxyJump {text!r} names no host")
    return Hop(address=address, user=parts.username, port=parts.port, text=text)


def _proxy_command(config: "asyncssh.config.SSHConfig") -> str | None:
    said = config.get("ProxyCommand")
    return said if isinstance(said, str) and said.lower() != "none" else None


def _algorithms(config: "asyncssh.config.SSHConfig", known: Known) -> dict[str, object]:
    """Fast and modern first; SHA-1 and CBC never. The operator's own choice wins."""
    chosen: dict[str, object] = {"signature_algs": SIGNATURES, "compression_algs": ["none"]}
    if config.get("KexAlgorithms") is None:
        chosen["kex_algs"] = KEY_EXCHANGES
    if config.get("Ciphers") is None:
        chosen["encryption_algs"] = CIPHERS
    if config.get("MACs") is None:
        chosen["mac_algs"] = MACS
    if config.get("HostKeyAlgorithms") is None:
        certificates = HOST_CERTIFICATES if known.authorities else ()
        chosen["server_host_key_algs"] = [*certificates, *known.key_kinds()]
    if config.get("PreferredAuthentications") is None:
        chosen["preferred_auth"] = ("publickey",)
    return chosen
