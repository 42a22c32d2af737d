"""The credentials offered to a host: keys from files, keys of an ssh-agent, certificates for both.

Follows OpenSSH where asyncssh differs: a key that only an agent holds is named by its public half,
a certificate also applies to a key in the agent, and nothing is offered that was not named.
"""

import os
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

import asyncssh
import msgspec
from asyncssh.public_key import CERT_TYPE_USER
from asyncssh.sk import sk_available

from fleet_tui.base.files import read_regular
from fleet_tui.core.agents.vitals import FailureKind
from fleet_tui.core.fleet import HostSpec
from fleet_tui.core.ssh.config import Resolved
from fleet_tui.wire.ssh.failures import LocalSetupError
from fleet_tui.wire.ssh.named_keys import named_keys, shows_only_named
from fleet_tui.wire.ssh.phrases import Phrase
from fleet_tui.wire.ssh.surroundings import named_files

Stamps = tuple[tuple[str, int, int], ...]
"""Name, time of the last change and size in bytes of files; 0 and 0 for a missing one."""


class IdentityError(LocalSetupError):
    """There is nothing to show, or a certificate cannot be read."""

    def __init__(
        self, keyword: str, file: Path | None, message: str, *, is_for_here: bool = False
    ) -> None:
        """``keyword`` of ssh_config, or the fleet file's field; ``is_for_here``: the missing file
        or ssh-agent may exist where the engine runs."""
        super().__init__(FailureKind.SSH_AUTH, message)
        self.keyword = keyword
        self.file = file
        self.is_for_here = is_for_here


class Unusable(msgspec.Struct, frozen=True):
    """A key file that is skipped, and why."""

    keyword: str
    file: Path
    why: str


class Certificate(msgspec.Struct, frozen=True):
    """One of our certificates and its file."""

    file: Path
    raw: asyncssh.SSHCertificate

    def trouble(self) -> str:
        """Why no host can accept it now; empty if it is valid."""
        try:
            self.raw.validate(CERT_TYPE_USER, None)  # type: ignore[attr-defined]  # X.509 has none
        except ValueError as error:
            return f"{self.file}: {str(error).lower()}"
        return ""


class Identities(msgspec.Struct, frozen=True, kw_only=True):
    """Everything that may be offered to one host."""

    keys: Sequence[asyncssh.SSHKeyPair]
    """Keys from files that are directly usable, each with its certificates first."""
    certificates: tuple[Certificate, ...]
    agent: str | None
    """The socket of the ssh-agent to ask, if any."""
    agent_only: tuple[bytes, ...]
    """The public keys and certificates the agent may be asked for; empty: all it has."""
    passed_over: tuple[Unusable, ...] = ()
    """Skipped key files; OpenSSH too reports the problem and takes the next."""

    def options(self) -> dict[str, object]:
        """As arguments of asyncssh."""
        return {
            "client_keys": _Exactly(self.keys),
            "client_certs": [],  # attached to their keys; here they would go to every key
            "agent_path": self.agent,
            "agent_identities": list(self.agent_only) or None,
        }

    def for_agent(self) -> list[asyncssh.SSHCertificate]:
        """The certificates whose keys are not in files, so that an agent may have them."""
        here = {pair.key_public_data for pair in self.keys}
        return [each.raw for each in self.certificates if _certified(each.raw) not in here]


class _Exactly(list[asyncssh.SSHKeyPair]):
    """A list that always counts as given: asyncssh takes an empty one as its default keys."""

    def __bool__(self) -> bool:
        return True


def agent_socket(host: Resolved) -> str | None:
    """Where the operator's ssh-agent listens: IdentityAgent, or else SSH_AUTH_SOCK."""
    named = host.one("identityagent") or "SSH_AUTH_SOCK"
    if named.lower() == "none":
        return None
    if named == "SSH_AUTH_SOCK":
        place = os.environ.get("SSH_AUTH_SOCK", "")
    elif named.startswith("$"):
        place = os.environ.get(named[1:].strip("{}"), "")
    else:
        place = named
    return str(Path(place).expanduser()) if place else None


def read_identities(spec: HostSpec, host: Resolved) -> Identities:
    """Read the files that a host's configuration names. Raises IdentityError with a message for
    people."""
    keyword, files = named_keys(spec, host)
    certificates = (*_named_certificates(host), *_certificates_beside(files))
    keys: list[asyncssh.SSHKeyPair] = []
    passed_over: list[Unusable] = []
    for file in files:
        if _is_there(file) and not _is_public(file):
            found = _load_keys(file, certificates)
            if isinstance(found, str):
                passed_over.append(Unusable(keyword, file, found))
            else:
                keys.extend(found)
    agent = agent_socket(host)
    agent_only: tuple[bytes, ...] = ()
    if only_named := shows_only_named(spec, host):
        agent_only = (
            *(key for key in map(_public_key, files) if key is not None),
            *(each.raw.public_data for each in certificates),
        )
        if not agent_only:
            agent = None
    if agent is None and not keys and (passed_over or only_named):
        raise _nothing_usable(keyword, files, passed_over)
    return Identities(
        keys=keys,
        certificates=certificates,
        agent=agent,
        agent_only=agent_only,
        passed_over=tuple(passed_over),
    )


def identity_stamps(spec: HostSpec, host: Resolved) -> tuple[bool, str | None, Stamps]:
    """Everything that :func:`read_identities` depends on: read again when it changes. Whether only
    named keys count, the ssh-agent's socket, and the files."""
    _, files = named_keys(spec, host)
    watched = [*files, *map(_public_half, files), *map(_certificate_of, files)]
    return (
        shows_only_named(spec, host),
        agent_socket(host),
        tuple(map(stamp, [*watched, *named_files(host, "certificatefile")])),
    )


def _nothing_usable(
    keyword: str, files: Sequence[Path], passed_over: Sequence[Unusable]
) -> IdentityError:
    if passed_over:
        reasons = "; ".join(f"{each.file}: {each.why}" for each in passed_over)
        return IdentityError(keyword, passed_over[0].file, f"no usable private key: {reasons}")
    names = ", ".join(map(str, files))
    if files and not any(map(os.path.exists, files)):
        said = f"cannot read the private key {names}: No such file"
    else:
        said = (
            f"no usable private key in {names or 'the identity'}: "
            "an encrypted key must be in an ssh-agent and have its .pub file beside it"
        )
    return IdentityError(keyword, files[0] if files else None, said, is_for_here=True)


def _is_public(file: Path) -> bool:
    return file.suffix == ".pub"


def _is_there(file: Path) -> bool:
    """Unlike Path.is_file, no error for an impossible file name."""
    return os.path.isfile(file)


def _public_half(file: Path) -> Path:
    return file if _is_public(file) else file.with_name(f"{file.name}.pub")


def _certificate_of(file: Path) -> Path:
    return file.with_name(f"{_public_half(file).stem}-cert.pub")


def _public_key(file: Path) -> bytes | None:
    """The public half of an identity, which may be its only part in a file."""
    with suppress(OSError, asyncssh.KeyImportError):
        return asyncssh.import_public_key(read_regular(_public_half(file))).public_data
    return None


def _named_certificates(host: Resolved) -> list[Certificate]:
    found = []
    for file in named_files(host, "certificatefile"):
        try:
            found.append(Certificate(file, asyncssh.import_certificate(read_regular(file))))
        except FileNotFoundError:
            continue  # OpenSSH too skips missing files
        except (OSError, asyncssh.KeyImportError) as error:
            message = f"cannot read the certificate {file}: {error}"
            raise IdentityError("certificatefile", file, message) from error
    return found


def _certificates_beside(files: Sequence[Path]) -> list[Certificate]:
    found = []
    for file in map(_certificate_of, files):
        with suppress(OSError, asyncssh.KeyImportError):  # not named, so not reported
            found.append(Certificate(file, asyncssh.import_certificate(read_regular(file))))
    return found


def _certified(certificate: asyncssh.SSHCertificate) -> bytes:
    """The public key of a certificate."""
    key: bytes = certificate.key.public_data
    return key


def _load_keys(path: Path, certificates: Sequence[Certificate]) -> list[asyncssh.SSHKeyPair] | str:
    """A file's key with each of its certificates, then bare; none if it is encrypted, for then an
    agent must hold it. Or why it cannot be used."""
    try:
        key = asyncssh.read_private_key(path)
        if key.algorithm.startswith(b"sk-") and not sk_available:
            return "a security key works here only through an ssh-agent"
        with_certificate = [
            asyncssh.load_keypairs((key, each.raw))[0]
            for each in certificates
            if _certified(each.raw) == key.public_data
        ]
        return [*with_certificate, *asyncssh.load_keypairs(key)]
    except asyncssh.KeyImportError as error:
        if Phrase.PASSPHRASE.is_in(error):
            return []
        return str(error)
    except asyncssh.KeyEncryptionError:
        return []
    except OSError as error:
        return error.strerror or "cannot be read"


def stamp(path: Path) -> tuple[str, int, int]:
    """A stamp that changes when a file or its permissions do."""
    try:
        found = path.stat()
    except OSError:
        return (str(path), 0, 0)
    return (str(path), found.st_ctime_ns, found.st_size)
