"""The algorithms offered to a host: ours, or those of ssh_config that asyncssh supports."""

from collections.abc import Sequence
from functools import cache

from fleet_tui.core.ssh.config import Resolved

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

COMPRESSION = ("zlib@openssh.com", "zlib", "none")


CHOICES = ("kexalgorithms", "ciphers", "macs", "hostkeyalgorithms", "pubkeyacceptedalgorithms")
"""Keywords that choose algorithms."""


@cache
def available(keyword: str) -> frozenset[str]:
    """The algorithms that asyncssh supports here for a keyword of CHOICES. It is loaded only if
    needed."""
    from asyncssh import encryption, kex, mac, public_key  # noqa: PLC0415 - check is quick

    keys = public_key.get_public_key_algs()
    found = {
        "kexalgorithms": kex.get_kex_algs(),
        "ciphers": encryption.get_encryption_algs(),
        "macs": mac.get_mac_algs(),
        "hostkeyalgorithms": [*keys, *public_key.get_certificate_algs()],
        "pubkeyacceptedalgorithms": keys,
    }
    return frozenset(name.decode("ascii") for name in found[keyword])


def missing(host: Resolved) -> dict[str, tuple[str, ...]]:
    """Choices of ssh_config that asyncssh lacks: keyword to names, where none of the chosen ones is
    left."""
    return {
        keyword: names
        for keyword in CHOICES
        if (names := host.names(keyword)) is not None and not available(keyword).intersection(names)
    }


def algorithms(host: Resolved, key_kinds: Sequence[str], *, certified: bool) -> dict[str, object]:
    """As arguments of asyncssh: fast and modern first, SHA-1 and CBC never, unless the operator
    chooses. ``key_kinds``: of host keys, those known_hosts has first; ``certified``: whether it
    has an authority for the host. Raises ValueError if nothing is left of a choice."""
    for keyword, names in missing(host).items():
        raise ValueError(f"fleet-tui has none of the {keyword} {', '.join(names)}")
    kinds = [*(HOST_CERTIFICATES if certified else ()), *key_kinds]
    return {
        "kex_algs": _chosen(host, "kexalgorithms") or KEY_EXCHANGES,
        "encryption_algs": _chosen(host, "ciphers") or CIPHERS,
        "mac_algs": _chosen(host, "macs") or MACS,
        "signature_algs": _chosen(host, "pubkeyacceptedalgorithms") or SIGNATURES,
        "server_host_key_algs": _host_keys(_chosen(host, "hostkeyalgorithms"), kinds, certified),
        "compression_algs": COMPRESSION if host.is_on("compression") else ["none"],
    }


def _chosen(host: Resolved, keyword: str) -> list[str] | None:
    names = host.names(keyword)
    return None if names is None else [name for name in names if name in available(keyword)]


def _host_keys(chosen: list[str] | None, kinds: list[str], certified: bool) -> list[str]:
    """Known kinds first: a server that has the known key and others should present that one."""
    if chosen is None:
        return kinds
    if not certified:
        chosen = [name for name in chosen if "-cert-" not in name] or chosen
    first = [name for name in kinds if name in chosen]
    return list(dict.fromkeys((*first, *chosen)))
