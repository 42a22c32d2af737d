"""Who we are to a real sshd, and who it is to us: agents, identities, certificates."""

import errno
import random
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import asyncssh
import pytest

from fleet_tui.core.agents.vitals import FailureKind
from fleet_tui.core.fleet import HostSpec
from fleet_tui.core.ids import HostName
from fleet_tui.wire.ssh import identities
from fleet_tui.wire.ssh.pool import SshConnection, SshFailure, SshPool
from fleet_tui.wire.ssh.trust import KeyTrust, OfferedKey, look_at_key
from tests.support.ssh_home import SshHome, keygen, new_key, security_key, ssh_agent
from tests.support.sshd import Sshd, make_sshd

pytestmark = pytest.mark.sshd
BOX = HostName("box")


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Sshd]:
    running = make_sshd(tmp_path / "sshd")
    yield running
    running.stop()


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> SshHome:
    return SshHome(tmp_path / "home", monkeypatch)


@pytest.fixture
def authority(tmp_path: Path) -> Path:
    """The private key of a certificate authority."""
    new_key(tmp_path / "authority")
    return tmp_path / "authority"


def box(server: Sshd, **changes: object) -> HostSpec:
    """The server by address, with the operator's own files and nothing else."""
    unsaid: dict[str, object] = {"identity": None, "use_ssh_config": True}
    return server.spec("box", **(unsaid | changes))


async def connect(spec: HostSpec) -> SshConnection | SshFailure:
    pool = SshPool({BOX: spec}, rng=random.Random(1), clock=time.monotonic)
    try:
        return await pool.connect(BOX)
    finally:
        await pool.close()


async def let_in(spec: HostSpec) -> None:
    found = await connect(spec)
    assert isinstance(found, SshConnection), found


async def turned_away(spec: HostSpec, kind: FailureKind = FailureKind.SSH_AUTH) -> str:
    """What the operator reads."""
    found = await connect(spec)
    assert isinstance(found, SshFailure), "it was let in"
    assert found.kind is kind, found
    return found.detail.raw


# --- agents and identities -----------------------------------------------------------------


async def test_a_key_that_only_the_agent_has(
    server: Sshd, home: SshHome, short_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with ssh_agent(short_dir / "agent", server.user_key) as agent:
        server.user_key.unlink()
        assert "Permission denied" in await turned_away(box(server))
        monkeypatch.setenv("SSH_AUTH_SOCK", str(agent))
        await let_in(box(server))
    said = await turned_away(box(server))
    assert f"no ssh-agent answers at {agent}" in said


async def test_a_key_file_that_is_passed_over_is_named_where_nothing_else_lets_in(
    server: Sshd, home: SshHome, short_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """``check`` may have found it sound: the engine runs elsewhere, or as somebody else."""
    stranger = short_dir / "stranger"
    new_key(stranger)
    key = asyncssh.read_private_key(server.user_key)
    key.write_public_key(f"{server.user_key}.pub")
    server.user_key.write_text("no key at all\n")
    with ssh_agent(short_dir / "agent", stranger) as agent:
        monkeypatch.setenv("SSH_AUTH_SOCK", str(agent))
        said = await turned_away(box(server, identity=str(server.user_key)))
    assert "Permission denied" in said
    assert f"{server.user_key} is passed over: " in said


async def test_the_agent_that_ssh_config_names(
    server: Sshd, home: SshHome, short_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stranger = short_dir / "stranger"
    new_key(stranger)
    with (
        ssh_agent(short_dir / "right", server.user_key) as right,
        ssh_agent(short_dir / "wrong", stranger) as wrong,
    ):
        server.user_key.unlink()
        monkeypatch.setenv("SSH_AUTH_SOCK", str(wrong))
        await turned_away(box(server))
        home.config(f"Host *\n  IdentityAgent {right}\n")
        await let_in(box(server))
        monkeypatch.setenv("THE_RIGHT_ONE", str(right))
        home.config("Host *\n  IdentityAgent $THE_RIGHT_ONE\n")
        await let_in(box(server))
        monkeypatch.setenv("SSH_AUTH_SOCK", str(right))
        home.config("Host *\n  IdentityAgent none\n")
        await turned_away(box(server))
        home.config("Host *\n  IdentityAgent SSH_AUTH_SOCK\n")
        await let_in(box(server))


async def test_only_the_named_identity_is_offered_of_all_the_agent_has(
    server: Sshd, home: SshHome, short_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    server.stop()
    server.extra = "MaxAuthTries 2"
    server.start()
    strangers = [short_dir / f"stranger-{number}" for number in range(4)]
    for stranger in strangers:
        new_key(stranger)
    public = home.ssh / "mine.pub"
    public.write_text(server.authorized_keys.read_text())
    with ssh_agent(short_dir / "agent", *strangers, server.user_key) as agent:
        server.user_key.unlink()
        monkeypatch.setenv("SSH_AUTH_SOCK", str(agent))
        await turned_away(box(server))
        # The private half is nowhere on disk; both ways to name the key, and the fleet file's.
        home.config(f"Host *\n  IdentitiesOnly yes\n  IdentityFile {home.ssh}/mine\n")
        await let_in(box(server))
        home.config(f"Host *\n  IdentitiesOnly yes\n  IdentityFile {public}\n")
        await let_in(box(server))
        home.config("")
        await let_in(box(server, identity=str(home.ssh / "mine")))
        await let_in(box(server, identity=str(public)))
        home.config(f"Host *\n  IdentitiesOnly yes\n  IdentityFile {strangers[0]}\n")
        await turned_away(box(server))


async def test_an_encrypted_key_is_used_through_the_agent(
    server: Sshd, home: SshHome, short_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    locked = home.ssh / "locked"
    locked.write_bytes(server.user_key.read_bytes())
    locked.chmod(0o600)
    with ssh_agent(short_dir / "agent", locked) as agent:
        keygen("-p", "-P", "", "-N", "passphrase", "-f", locked)
        (home.ssh / "locked.pub").write_text(server.authorized_keys.read_text())
        spec = box(server, identity=str(locked))
        monkeypatch.setenv("SSH_AUTH_SOCK", str(agent))
        await let_in(spec)
        monkeypatch.delenv("SSH_AUTH_SOCK")
        assert "ssh-agent" in await turned_away(spec)


async def test_an_identity_that_is_not_there_is_named(server: Sshd, home: SshHome) -> None:
    said = await turned_away(box(server, identity=str(home.ssh / "absent")))
    assert str(home.ssh / "absent") in said
    assert "No such file" in said


async def test_keys_that_nobody_named_are_not_offered(server: Sshd, home: SshHome) -> None:
    (home.ssh / "id_ed25519").write_bytes(server.user_key.read_bytes())
    (home.ssh / "id_ed25519").chmod(0o600)
    await let_in(box(server))
    for nothing in (f"{home.ssh}/absent", "none"):
        home.config(f"Host *\n  IdentityFile {nothing}\n")
        assert "no private key to show" in await turned_away(box(server))


def bad_keys(home: SshHome) -> list[Path]:
    """What OpenSSH cannot load either: it says so and takes the next."""
    putty, empty, folder = home.ssh / "old.ppk", home.ssh / "empty", home.ssh / "folder"
    putty.write_text("PuTTY-User-Key-File-3: ssh-ed25519\nEncryption: none\n")
    empty.write_text("")
    folder.mkdir()
    return [putty, empty, folder]


async def test_keys_that_cannot_be_read_are_passed_over(
    server: Sshd, home: SshHome, monkeypatch: pytest.MonkeyPatch
) -> None:
    bad = bad_keys(home)
    named = "".join(f"  IdentityFile {file}\n" for file in (*bad, server.user_key))
    for only in ("no", "yes"):
        home.config(f"Host *\n{named}  IdentitiesOnly {only}\n")
        await let_in(box(server))
    with monkeypatch.context() as patch:
        patch.setattr(asyncssh, "read_private_key", refusing(bad[1]))
        await let_in(box(server))
    home.config("")
    (home.ssh / "id_ed25519").write_bytes(server.user_key.read_bytes())
    (home.ssh / "id_ed25519").chmod(0o600)
    bad[0].rename(home.ssh / "id_rsa")
    await let_in(box(server))


def refusing(unreadable: Path) -> Callable[[Path], asyncssh.SSHKey]:
    """The system lets nobody read this file; root would be let."""
    read = asyncssh.read_private_key

    def of(path: Path) -> asyncssh.SSHKey:
        if path == unreadable:
            raise PermissionError(errno.EACCES, "Permission denied")
        return read(path)

    return of


async def test_what_cannot_be_read_is_named_where_nothing_else_is_left(
    server: Sshd, home: SshHome
) -> None:
    putty, *_ = bad_keys(home)
    for identity in (str(putty), None):
        home.config(f"Host *\n  IdentityFile {putty}\n")
        said = await turned_away(box(server, identity=identity))
        assert said == f"no usable private key: {putty}: Invalid private key"


async def test_a_security_key_is_left_to_the_agent_where_the_library_cannot_sign(
    server: Sshd, home: SshHome, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(identities, "sk_available", False)
    hardware = home.ssh / "id_ed25519_sk"
    security_key(hardware)
    said = await turned_away(box(server))
    assert f"{hardware}: a security key" in said
    (home.ssh / "id_ed25519").write_bytes(server.user_key.read_bytes())
    (home.ssh / "id_ed25519").chmod(0o600)
    server.authorized_keys.write_text(
        f"{hardware.with_suffix('.pub').read_text()}{server.authorized_keys.read_text()}"
    )
    home.config(f"Host *\n  IdentityFile {hardware}\n  IdentityFile {home.ssh}/id_ed25519\n")
    await let_in(box(server))


# --- certificates of users -----------------------------------------------------------------


def sign_user(
    authority: Path, public: Path, *, principal: str = "", valid: str = "-1d:+1d"
) -> Path:
    """Make ``x-cert.pub`` beside ``x.pub``."""
    keygen("-s", authority, "-I", "operator", "-n", principal or "root", "-V", valid, public)
    return public.with_name(public.name.removesuffix(".pub") + "-cert.pub")


@pytest.fixture
def believing(tmp_path: Path, authority: Path) -> Iterator[Sshd]:
    """A server that lets in whom the authority vouches for, and nobody else."""
    server = make_sshd(tmp_path / "sshd", f"TrustedUserCAKeys {authority}.pub")
    server.authorized_keys.write_text("")
    yield server
    server.stop()


def principal(server: Sshd) -> str:
    return str(server.spec().user)


async def test_the_certificate_beside_the_key(
    believing: Sshd, home: SshHome, authority: Path
) -> None:
    public = new_key(home.ssh / "id_ed25519")
    await turned_away(box(believing))
    sign_user(authority, public, principal=principal(believing))
    await let_in(box(believing))
    await let_in(box(believing, identity=str(home.ssh / "id_ed25519")))


async def test_the_certificate_that_ssh_config_names(
    believing: Sshd, home: SshHome, authority: Path
) -> None:
    public = new_key(home.ssh / "mine")
    certificate = sign_user(authority, public, principal=principal(believing))
    elsewhere = certificate.rename(home.ssh / "from-the-authority.pub")
    identity = f"Host *\n  IdentityFile {home.ssh}/mine\n"
    home.config(identity)
    await turned_away(box(believing))
    home.config(f"{identity}  CertificateFile {elsewhere}\n")
    await let_in(box(believing))
    home.config(f"{identity}  CertificateFile {elsewhere}\n  IdentitiesOnly yes\n")
    await let_in(box(believing))


async def test_a_certificate_does_not_keep_the_bare_key_from_being_offered(
    server: Sshd, home: SshHome, authority: Path
) -> None:
    (home.ssh / "mine").write_bytes(server.user_key.read_bytes())
    (home.ssh / "mine").chmod(0o600)
    (home.ssh / "mine.pub").write_text(server.authorized_keys.read_text())
    certificate = sign_user(authority, home.ssh / "mine.pub")
    elsewhere = certificate.rename(home.ssh / "unknown-authority.pub")
    home.config(f"Host *\n  IdentityFile {home.ssh}/mine\n  CertificateFile {elsewhere}\n")
    await let_in(box(server))


async def test_a_certificate_file_that_is_not_there_is_passed_over(
    server: Sshd, home: SshHome
) -> None:
    home.config(
        f"Host *\n  IdentityFile {server.user_key}\n  CertificateFile {home.ssh}/absent.pub\n"
    )
    await let_in(box(server))


async def test_a_certificate_file_that_is_none_is_named(server: Sshd, home: SshHome) -> None:
    broken = home.ssh / "broken-cert.pub"
    broken.write_text("ssh-ed25519-cert-v01@openssh.com AAAA nonsense\n")
    home.config(f"Host *\n  IdentityFile {server.user_key}\n  CertificateFile {broken}\n")
    assert str(broken) in await turned_away(box(server))


async def test_a_certificate_in_the_agent(
    believing: Sshd,
    home: SshHome,
    authority: Path,
    short_dir: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    key = short_dir / "mine"
    public = new_key(key)
    certificate = sign_user(authority, public, principal=principal(believing))
    with ssh_agent(short_dir / "agent", key) as agent:
        key.unlink()
        monkeypatch.setenv("SSH_AUTH_SOCK", str(agent))
        await let_in(box(believing))
        home.config(f"Host *\n  IdentitiesOnly yes\n  IdentityFile {key}\n")
        await let_in(box(believing))
        assert certificate.exists()


async def test_a_certificate_on_disk_for_a_key_in_the_agent(
    believing: Sshd,
    home: SshHome,
    authority: Path,
    short_dir: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    key = short_dir / "mine"
    public = new_key(key)
    with ssh_agent(short_dir / "agent", key) as agent:
        certificate = sign_user(authority, public, principal=principal(believing))
        key.unlink()
        monkeypatch.setenv("SSH_AUTH_SOCK", str(agent))
        await turned_away(box(believing))
        home.config(f"Host *\n  CertificateFile {certificate}\n")
        await let_in(box(believing))
        home.config(
            f"Host *\n  CertificateFile {certificate}\n  IdentityFile {public}\n"
            "  IdentitiesOnly yes\n"
        )
        await let_in(box(believing))


@pytest.mark.parametrize(("valid", "words"), [("-2d:-1d", "expired"), ("+1d:+2d", "not yet valid")])
async def test_a_certificate_out_of_its_time_is_told(
    believing: Sshd, home: SshHome, authority: Path, valid: str, words: str
) -> None:
    public = new_key(home.ssh / "id_ed25519")
    sign_user(authority, public, principal=principal(believing), valid=valid)
    said = await turned_away(box(believing))
    assert "Permission denied" in said
    assert words in said
    assert str(home.ssh / "id_ed25519-cert.pub") in said


# --- certificates of hosts -----------------------------------------------------------------


def certify(
    server: Sshd, authority: Path, *, name: str = "127.0.0.1", valid: str = "-1d:+1d"
) -> None:
    """Restart the server with a host certificate."""
    public = server.directory / "host_key.pub"
    public.write_text(server.new_host_key() + "\n")
    keygen("-s", authority, "-I", "host", "-h", "-n", name, "-V", valid, public)
    server.stop()
    server.extra = f"HostCertificate {server.directory}/host_key-cert.pub"
    server.start()


def believe(server: Sshd, authority: Path) -> None:
    """Have known_hosts trust the authority for this server, and no key of its own."""
    public = authority.with_name(f"{authority.name}.pub").read_text()
    server.known_hosts.write_text(f"@cert-authority [127.0.0.1]:{server.port} {public}")


async def look(spec: HostSpec) -> OfferedKey | SshFailure:
    pool = SshPool({BOX: spec}, rng=random.Random(1), clock=time.monotonic)
    try:
        return await look_at_key(pool, BOX)
    finally:
        await pool.close()


async def test_a_host_that_an_authority_vouches_for(server: Sshd, authority: Path) -> None:
    certify(server, authority)
    believe(server, authority)
    await let_in(server.spec())
    offered = await look(server.spec())
    assert isinstance(offered, OfferedKey), offered
    assert offered.trust is KeyTrust.CERTIFIED


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"valid": "-2d:-1d"}, "expired"),
        ({"valid": "+1d:+2d"}, "not yet valid"),
        ({"name": "another.example.net"}, "not for 127.0.0.1"),
    ],
)
async def test_a_host_certificate_that_does_not_hold_is_told(
    server: Sshd, authority: Path, changes: dict[str, str], words: str
) -> None:
    certify(server, authority, **changes)
    believe(server, authority)
    said = await turned_away(server.spec(), FailureKind.SSH_HOST_KEY)
    assert "the host certificate" in said
    assert words in said
    looked = await look(server.spec())
    assert isinstance(looked, SshFailure), looked
    assert words in looked.detail.raw


async def test_a_host_certificate_of_another_authority_is_told(
    server: Sshd, authority: Path, tmp_path: Path
) -> None:
    certify(server, authority)
    new_key(tmp_path / "other")
    believe(server, tmp_path / "other")
    said = await turned_away(server.spec(), FailureKind.SSH_HOST_KEY)
    assert "another authority" in said
    assert str(server.known_hosts) in said


async def test_a_host_without_the_certificate_that_is_expected_is_told(
    server: Sshd, authority: Path
) -> None:
    believe(server, authority)
    said = await turned_away(server.spec(), FailureKind.SSH_HOST_KEY)
    assert "no certificate" in said
    assert str(server.known_hosts) in said
