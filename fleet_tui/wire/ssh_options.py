"""How a host is connected to: keys, known hosts, algorithms, the operator's ``~/.ssh/config``.

Everything is read once and off the event loop: parsing one RSA key costs 95 ms, an encrypted one
more. asyncssh applies ssh_config itself; what would weaken us in it is overridden here.
"""

from collections.abc import Sequence
from pathlib import Path

import asyncssh
import msgspec

from fleet_tui.core.fleet import HostSpec
from fleet_tui.core.vitals import FailureKind
from fleet_tui.wire.ssh_failures import LocalSetupError

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
DEFAULT_KEY_FILES = ("id_ed25519", "id_ecdsa", "id_rsa", "id_ed25519_sk", "id_ecdsa_sk")
SYSTEM_KNOWN_HOSTS = ("/etc/ssh/ssh_known_hosts", "/etc/ssh/ssh_known_hosts2")


class Route(msgspec.Struct, frozen=True, kw_only=True):
    """What a connection to one host needs, parsed and ready."""

    options: asyncssh.SSHClientConnectionOptions
    known_hosts: asyncssh.SSHKnownHosts
    known_hosts_files: tuple[Path, ...]
    key_alias: str
    """The name known_hosts is searched for (HostKeyAlias, HostName or the address)."""
    port: int
    jump_chain: tuple[str, ...]
    """``[user@]host[:port]`` of each ProxyJump of ssh_config, the first hop first."""
    arguments: dict[str, object]
    """Arguments of asyncssh.connect that must be given again beside the options."""


class SshFiles:
    """Keys and known hosts of this machine's user, each file parsed once until it changes.

    Not thread safe: the pool calls it from one worker at a time.
    """

    def __init__(self, known_hosts: Path | None = None) -> None:
        self._known_hosts = known_hosts
        self._hosts_cache: dict[tuple[object, ...], asyncssh.SSHKnownHosts] = {}
        self._keys_cache: dict[tuple[object, ...], Sequence[asyncssh.SSHKeyPair]] = {}

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
            options = asyncssh.SSHClientConnectionOptions(
                config=source,
                known_hosts=hosts,
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
                **self._identities(spec, bare),
                **_algorithms(bare.config),
                **arguments,
            )
        except (asyncssh.ConfigParseError, ValueError) as error:
            raise LocalSetupError(FailureKind.SSH_PROTOCOL, f"ssh_config: {error}") from error
        tunnel = bare.tunnel
        return Route(
            options=options,
            known_hosts=hosts,
            known_hosts_files=hosts_files,
            key_alias=bare.host_key_alias or bare.host,
            port=bare.port,
            jump_chain=tuple(tunnel.split(",")) if isinstance(tunnel, str) else (),
            arguments=arguments,
        )

    def _hosts(
        self, spec: HostSpec, bare: asyncssh.SSHClientConnectionOptions
    ) -> tuple[asyncssh.SSHKnownHosts, tuple[Path, ...]]:
        files = known_hosts_files(spec, self._known_hosts, bare.config)
        stamps = tuple(_stamp(path) for path in files)
        cached = self._hosts_cache.get(stamps)
        if cached is None:
            cached = asyncssh.SSHKnownHosts()
            for path in files:
                _load_known_hosts(cached, path)
            self._hosts_cache[stamps] = cached
        return cached, files

    def _identities(
        self, spec: HostSpec, bare: asyncssh.SSHClientConnectionOptions
    ) -> dict[str, object]:
        only = spec.identity is not None or bool(bare.config.get("IdentitiesOnly"))
        files = _identity_files(spec, bare.config)
        certificates = _strings(bare.config.get("CertificateFile"))
        stamps = (tuple(_stamp(path) for path in files), certificates)
        keys = self._keys_cache.get(stamps)
        if keys is None:
            keys = [pair for path in files for pair in _load_keys(path, certificates)]
            self._keys_cache[stamps] = keys
        found: dict[str, object] = {"client_keys": keys}
        if only:
            public = [path for path in map(_public_half, files) if path is not None]
            if public:
                found["agent_identities"] = [str(path) for path in public]
                if not keys:
                    # An empty list would make asyncssh offer the default keys instead.
                    found["client_keys"] = [str(path) for path in files]
                    found["ignore_encrypted"] = True
            elif keys:
                found["agent_path"] = None
            else:
                raise LocalSetupError(
                    FailureKind.SSH_AUTH,
                    f"no usable private key in {', '.join(map(str, files)) or 'the identity'}: "
                    "an encrypted key must be in an ssh-agent and have its .pub file beside it",
                )
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
    user = _strings(config.get("UserKnownHostsFile")) or ("~/.ssh/known_hosts",)
    system = _strings(config.get("GlobalKnownHostsFile")) or SYSTEM_KNOWN_HOSTS
    return tuple(Path(name).expanduser() for name in (*user, *system))


def _load_known_hosts(hosts: asyncssh.SSHKnownHosts, path: Path) -> None:
    try:
        hosts.load(path.read_text(encoding="utf-8", errors="surrogateescape"))
    except FileNotFoundError:
        return
    except (OSError, ValueError) as error:
        raise LocalSetupError(FailureKind.SSH_HOST_KEY, f"{path}: {error}") from error


def _load_keys(path: Path, certificates: tuple[str, ...]) -> Sequence[asyncssh.SSHKeyPair]:
    """The key pairs of a file; none if it is encrypted, for then an agent must hold it."""
    try:
        return asyncssh.load_keypairs(str(path), certlist=list(certificates))
    except asyncssh.KeyImportError as error:
        if "assphrase" in str(error):
            return ()
        raise LocalSetupError(FailureKind.SSH_AUTH, f"{path}: {error}") from error
    except asyncssh.KeyEncryptionError:
        return ()
    except OSError as error:
        message = f"cannot read the private key {path}: {error.strerror}"
        raise LocalSetupError(FailureKind.SSH_AUTH, message) from error


def _identity_files(spec: HostSpec, config: "asyncssh.config.SSHConfig") -> tuple[Path, ...]:
    if spec.identity is not None:
        return (Path(spec.identity).expanduser(),)
    configured = _strings(config.get("IdentityFile"))
    if configured:
        # OpenSSH too passes over configured keys that are not there.
        paths = [Path(name).expanduser() for name in configured]
        return tuple(path for path in paths if path.is_file() and path.suffix != ".pub")
    home = Path("~/.ssh").expanduser()
    return tuple(path for path in (home / name for name in DEFAULT_KEY_FILES) if path.is_file())


def _public_half(path: Path) -> Path | None:
    beside = path.with_name(path.name + ".pub")
    return beside if beside.is_file() else None


def _algorithms(config: "asyncssh.config.SSHConfig") -> dict[str, object]:
    """Fast and modern first; SHA-1 and CBC never. The operator's own choice wins."""
    chosen: dict[str, object] = {"signature_algs": SIGNATURES, "compression_algs": ["none"]}
    if config.get("KexAlgorithms") is None:
        chosen["kex_algs"] = KEY_EXCHANGES
    if config.get("Ciphers") is None:
        chosen["encryption_algs"] = CIPHERS
    if config.get("MACs") is None:
        chosen["mac_algs"] = MACS
    if config.get("HostKeyAlgorithms") is None:
        chosen["server_host_key_algs"] = "-ssh-rsa,ssh-rsa-cert-v01@openssh.com"
    if config.get("PreferredAuthentications") is None:
        chosen["preferred_auth"] = ("publickey",)
    return chosen


def _strings(value: object) -> tuple[str, ...]:
    match value:
        case str():
            return (value,)
        case list() | tuple():
            return tuple(str(item) for item in value)
        case _:
            return ()


def _stamp(path: Path) -> tuple[str, int, int]:
    try:
        found = path.stat()
    except OSError:
        return (str(path), 0, 0)
    return (str(path), found.st_mtime_ns, found.st_size)
