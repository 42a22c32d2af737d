"""The key files that may be offered to a host, before any of them is read."""

from pathlib import Path

from fleet_tui.core.fleet import HostSpec
from fleet_tui.core.ssh.config import Resolved
from fleet_tui.wire.ssh.surroundings import named_files

DEFAULT_KEY_FILES = ("id_ed25519", "id_ecdsa", "id_rsa", "id_ed25519_sk", "id_ecdsa_sk")


def named_keys(spec: HostSpec, host: Resolved) -> tuple[str, tuple[Path, ...]]:
    """The keyword that names them, and the files, whether they exist or not. Raises
    UnknownTokenError."""
    if spec.identity is not None:
        return "identity", (Path(spec.identity).expanduser(),)
    if host.all("identityfile"):
        return "identityfile", named_files(host, "identityfile")
    home = Path("~/.ssh").expanduser()
    return "identityfile", tuple(home / name for name in DEFAULT_KEY_FILES)


def shows_only_named(spec: HostSpec, host: Resolved) -> bool:
    """Whether an ssh-agent is asked for those only."""
    return spec.identity is not None or host.is_on("identitiesonly")
