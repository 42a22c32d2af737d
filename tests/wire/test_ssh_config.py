"""ssh_config means what OpenSSH says: hosts of a real sshd, reached as ssh(1) reaches them."""

import random
import shutil
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from fleet_tui.core.agents.vitals import FailureKind
from fleet_tui.core.fleet import HostSpec
from fleet_tui.core.ids import HostName
from fleet_tui.core.tasks.evidence import Definite
from fleet_tui.wire.ssh.pool import SshConnection, SshFailure, SshPool
from fleet_tui.wire.ssh.trust import KeyTrust, OfferedKey, add_key, look_at_key
from tests.support.ssh_home import SshHome, keygen
from tests.support.sshd import Sshd, make_sshd

pytestmark = pytest.mark.sshd
WEB = HostName("web-1")


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Sshd]:
    running = make_sshd(tmp_path / "sshd", "AcceptEnv GREETING LANG")
    yield running
    running.stop()


@pytest.fixture
def home(tmp_path: Path, server: Sshd, monkeypatch: pytest.MonkeyPatch) -> SshHome:
    """An operator whose usual key opens the server, and who knows its host key."""
    home = SshHome(tmp_path / "home", monkeypatch)
    shutil.copy(server.user_key, home.ssh / "id_ed25519")
    home.known(server.known_hosts.read_text())
    return home


def told(server: Sshd, *lines: str, before: str = "", after: str = "") -> str:
    """A config with a block about web-1."""
    block = "".join(f"  {line}\n" for line in lines)
    return f"{before}Host web-1\n  HostName 127.0.0.1\n  Port {server.port}\n{block}{after}"


async def connect(**changes: object) -> SshConnection | SshFailure:
    spec = HostSpec(**({"name": WEB, "address": "web-1"} | changes))  # type: ignore[arg-type]  # a plain bag of fields
    pool = SshPool({WEB: spec}, rng=random.Random(1), clock=time.monotonic)
    try:
        found = await pool.connect(WEB)
        if isinstance(found, SshConnection):
            assert isinstance(await found.run("true", timeout_ms=20_000), Definite)
        return found
    finally:
        await pool.close()


async def is_up(**changes: object) -> None:
    found = await connect(**changes)
    assert isinstance(found, SshConnection), found


async def refused(kind: FailureKind = FailureKind.SSH_PROTOCOL, **changes: object) -> str:
    found = await connect(**changes)
    assert isinstance(found, SshFailure), "it was reached"
    assert found.kind is kind, found
    return found.detail.raw


@pytest.mark.parametrize("name", ["%k", "%h", "%n", "${WHERE}", "%%-%p"])
async def test_tokens_in_the_known_hosts_file(
    server: Sshd, home: SshHome, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.setenv("WHERE", "some place")
    home.known()
    places = {"%k": "alias", "%h": "127.0.0.1", "%n": "web-1", "${WHERE}": "some place"}
    place = home.ssh / "known hosts.d" / places.get(name, f"%-{server.port}")
    place.parent.mkdir()
    lines = [f'UserKnownHostsFile /nowhere "~/.ssh/known hosts.d/{name}"', "HostKeyAlias alias"]
    home.config(told(server, *lines))
    await refused(FailureKind.SSH_HOST_KEY)
    place.write_text(server.known_hosts.read_text().replace(f"[127.0.0.1]:{server.port}", "alias"))
    await is_up()


async def test_a_new_key_is_kept_in_the_resolved_file_under_the_alias(
    server: Sshd, home: SshHome
) -> None:
    home.known()
    home.config(told(server, "UserKnownHostsFile ~/.ssh/%k.hosts", "HostKeyAlias gate"))
    spec = HostSpec(name=WEB, address="web-1")
    pool = SshPool({WEB: spec}, rng=random.Random(1), clock=time.monotonic)
    found = await look_at_key(pool, WEB)
    await pool.close()
    assert isinstance(found, OfferedKey)
    assert (found.trust, found.label) == (KeyTrust.NEW, "gate")
    assert found.file == home.ssh / "gate.hosts"
    add_key(found)
    await is_up()


@pytest.mark.parametrize("file", ["none", "/dev/null"])
async def test_a_file_that_keeps_no_key_means_the_usual_one(
    server: Sshd, home: SshHome, file: str
) -> None:
    lines = (f"UserKnownHostsFile {file}", "StrictHostKeyChecking no")
    home.config(told(server, *lines))
    await is_up()
    home.known()
    assert "is not known" in await refused(FailureKind.SSH_HOST_KEY)


@pytest.mark.parametrize("written", ["90", "1m", "1h30m", "2d"])
async def test_time_formats(server: Sshd, home: SshHome, written: str) -> None:
    home.config(told(server, before=f"ConnectTimeout {written}\n"))
    await is_up()


@pytest.mark.parametrize(
    "text",
    [
        b"# Server von M\xfcller\n" + b"%s",
        b"%s  LogVerbose M\xfcller\n",
        b"Host M\xfcller\n  User \xff\n%s",
        b"%s" + b"  SetEnv WHO=M\xfcller\n",
    ],
)
async def test_bytes_that_are_not_utf_8(server: Sshd, home: SshHome, text: bytes) -> None:
    (home.ssh / "config").write_bytes(text % told(server).encode())
    await is_up()


@pytest.mark.parametrize("ending", ["\r\n", " \t\n", "\n\n#\n"])
async def test_line_endings_tabs_and_equals_signs(server: Sshd, home: SshHome, ending: str) -> None:
    lines = ("Host\tweb-1", "\tHostName=127.0.0.1", f"Port\t=\t{server.port}", 'User "nobody"')
    home.config(ending.join(lines) + ending)
    assert "ermission denied" in await refused(FailureKind.SSH_AUTH)  # it is another user
    home.config(ending.join(lines[:-1]) + ending)
    await is_up()


async def test_a_very_long_line(server: Sshd, home: SshHome) -> None:
    home.config(told(server, f"IdentityFile {'x' * 900}", f"# {'y' * 100_000}") + "  User root\n")
    assert "too long" not in await refused(FailureKind.SSH_AUTH)
    home.config(told(server, f"# {'y' * 100_000}"))
    await is_up()


async def test_the_proxy_command_that_comes_first_wins(server: Sshd, home: SshHome) -> None:
    relay = home.relay()
    jump = "ProxyJump bastion.invalid"
    home.config(told(server, relay, after=f"Host *\n  {jump}\n"))
    await is_up()
    home.config(told(server, jump, after=f"Host *\n  {relay}\n"))
    assert "jump host bastion.invalid" in await refused(FailureKind.SSH_UNREACHABLE)


@pytest.mark.parametrize(
    "condition",
    [
        "host 127.0.0.1",
        "originalhost web-*,!web-2",
        "host=127.0.0.1 user=!nobody,*",
        "!exec false",
        'exec "test %n = web-1"',
        "final",
        "all",
    ],
)
async def test_match_blocks(server: Sshd, home: SshHome, condition: str) -> None:
    wrong = HostName("wrong")
    home.config(
        f"Host web-1 wrong\n  HostName 127.0.0.1\nMatch {condition}\n  Port {server.port}\n"
    )
    await is_up()
    if "web" in condition:
        found = await connect(name=WEB, address=str(wrong))
        assert isinstance(found, SshFailure)


@pytest.mark.parametrize(
    ("condition", "holds"),
    [
        ("localnetwork 127.0.0.0/8", True),
        ("localnetwork 255.255.255.255/32,127.0.0.1/32", True),
        ("localnetwork=255.255.255.255/32", False),
        ("!localnetwork 255.255.255.255/32", True),
        ('originalhost web-1 !localnetwork "127.0.0.0/8"', False),
        ("originalhost web-1 LocalNetwork 127.0.0.0/8", True),
    ],
)
async def test_local_networks_are_compared_whatever_the_age_of_ssh(
    server: Sshd, home: SshHome, condition: str, holds: bool
) -> None:
    port, other = (server.port, 1) if holds else (1, server.port)
    home.config(
        f"Match {condition}\n  Port {port}\nHost web-1\n  HostName 127.0.0.1\n  Port {other}\n"
    )
    await is_up()


async def test_includes_with_quotes_globs_and_includes_of_their_own(
    server: Sshd, home: SshHome
) -> None:
    more = home.ssh / "work hosts"
    more.mkdir()
    (more / "a.conf").write_text('Include "work hosts/deep"\n')
    (more / "deep").write_text(f"Host web-1\n  Port {server.port}\n")
    home.config('Include "~/.ssh/work hosts/*.conf" nothing-here-*\nHost *\n  HostName 127.0.0.1\n')
    await is_up()
    (more / "a.conf").write_text(f"Include {more.parent}/work\\ hosts/deep\n")
    await is_up()
    home.config(
        'Host other\n  Include "work hosts/*.conf"\nHost *\n  HostName 127.0.0.1\n  Port 1\n'
    )
    await refused(FailureKind.SSH_UNREACHABLE)


async def test_tokens_in_identity_and_certificate_files(
    server: Sshd, home: SshHome, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KEYS", str(home.ssh / "keys"))
    (home.ssh / "keys").mkdir()
    (home.ssh / "id_ed25519").rename(home.ssh / "keys" / f"web-1-{server.port}")
    home.config(told(server, 'IdentityFile "${KEYS}/%n-%p"', "CertificateFile %d/none-%u"))
    await is_up()
    home.config(told(server, "IdentityFile ~/.ssh/keys/%n-%p"))
    await is_up()
    home.config(told(server, "IdentityFile ${NOBODY_SET_THIS}/key"))
    assert "NOBODY_SET_THIS" in await refused()


async def test_what_the_fleet_file_says_goes_first(server: Sshd, home: SshHome) -> None:
    home.config(told(server, "User nobody").replace(f"Port {server.port}", "Port 1"))
    await is_up(port=server.port, user=server.spec().user)


async def test_ssh_config_off_reads_nothing(server: Sshd, home: SshHome) -> None:
    home.config("this is\nno ssh_config 'at all\n")
    await is_up(address="127.0.0.1", port=server.port, use_ssh_config=False)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("Host web-1\n  Port twentytwo\n", "config line 2: Bad port 'twentytwo'"),
        ("Host other\n  LocalCommand echo it's\n", "config line 2: "),
        ("Hots web-1\n", "config line 1: Bad configuration option: hots"),
        ("\ufeffHost web-1\n", "config line 1: Bad configuration option"),
        ("Match nonsense x\n", "config line 1: Unsupported Match attribute nonsense"),
    ],
)
async def test_what_ssh_refuses_is_refused_in_its_words(
    server: Sshd, home: SshHome, text: str, words: str
) -> None:
    (home.ssh / "config").write_text(text, encoding="utf-8")
    said = await refused()
    assert words in said
    assert str(home.ssh) in said


async def test_a_config_that_others_may_write_is_refused(server: Sshd, home: SshHome) -> None:
    home.config(told(server))
    (home.ssh / "config").chmod(0o666)
    assert f"Bad owner or permissions on {home.ssh / 'config'}" in await refused()
    (home.ssh / "config").chmod(0o600)
    await is_up()


async def test_a_config_that_is_a_directory_says_nothing(server: Sshd, home: SshHome) -> None:
    (home.ssh / "config").mkdir()
    await is_up(address="127.0.0.1", port=server.port)


async def test_a_corrected_file_helps_without_a_restart(server: Sshd, home: SshHome) -> None:
    home.config(told(server).replace(f"Port {server.port}", "Port 1"))
    now_s = 0.0
    spec = HostSpec(name=WEB, address="web-1")
    pool = SshPool({WEB: spec}, rng=random.Random(1), clock=lambda: now_s)
    assert isinstance(await pool.connect(WEB), SshFailure)
    home.config(told(server, "Compression yes", "AddressFamily inet", "BindAddress 127.0.0.1"))
    while not isinstance(await pool.connect(WEB), SshConnection):
        now_s += 60.0
    await pool.close()


async def test_variables_go_along_as_ssh_config_says(
    server: Sshd, home: SshHome, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GREETING", "from here")
    home.config(told(server, "SendEnv GREET*"))
    pool = SshPool(
        {WEB: HostSpec(name=WEB, address="web-1")}, rng=random.Random(1), clock=time.monotonic
    )
    found = await pool.connect(WEB)
    assert isinstance(found, SshConnection), found
    said = await found.run("echo $GREETING", timeout_ms=20_000)
    await pool.close()
    assert isinstance(said, Definite)
    assert said.value.stdout == b"from here\n"


@pytest.mark.parametrize(
    "line",
    [
        "Ciphers aes256-ctr,3des-cbc",
        "KexAlgorithms +diffie-hellman-group14-sha1",
        "MACs -hmac-sha1*",
        "HostKeyAlgorithms ^rsa-sha2-512",
        "PubkeyAcceptedAlgorithms ssh-ed25519",
        "RekeyLimit 1G 1h",
        "ServerAliveInterval 60",
        "PreferredAuthentications gssapi-with-mic,publickey",
    ],
)
async def test_choices_of_algorithms_and_habits(server: Sshd, home: SshHome, line: str) -> None:
    home.config(told(server, line))
    await is_up()


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("PreferredAuthentications password", "publickey is all fleet-tui has"),
        ("PubkeyAuthentication no", "turns off public keys"),
        ("KexAlgorithms sntrup761x25519-sha512@openssh.com", "kexalgorithms sntrup761"),
        ("ProxyCommand nc %z", "unknown token %z"),
        ("RevokedHostKeys /no/such/file", "cannot be read"),
    ],
)
async def test_what_cannot_be_followed_is_not_tried(
    server: Sshd, home: SshHome, line: str, words: str
) -> None:
    home.config(told(server, line))
    found = await connect()
    if isinstance(found, SshConnection) and line.startswith("Kex"):
        pytest.skip("the SSH library has it here")
    assert isinstance(found, SshFailure)
    assert words in found.detail.raw


@pytest.mark.parametrize("line", ["BindAddress 192.0.2.77", "AddressFamily inet6"])
async def test_where_a_connection_may_come_from_is_followed(
    server: Sshd, home: SshHome, line: str
) -> None:
    """Neither leads to an IPv4 address of this machine, as for ssh."""
    home.config(told(server, line))
    spec = HostSpec(name=WEB, address="web-1")
    pool = SshPool({WEB: spec}, rng=random.Random(1), clock=time.monotonic)
    try:
        for found in (await pool.connect(WEB), await look_at_key(pool, WEB)):
            assert isinstance(found, SshFailure), found
            assert found.kind is FailureKind.SSH_UNREACHABLE
    finally:
        await pool.close()


@pytest.mark.parametrize(
    "line", ["BindAddress 127.0.0.1", "AddressFamily inet", "ForkAfterAuthentication yes"]
)
async def test_what_changes_nothing_here_is_no_hindrance(
    server: Sshd, home: SshHome, line: str
) -> None:
    home.config(told(server, line))
    await is_up()


async def test_a_name_that_cannot_be_looked_up_asks_nobody_to_mend_a_file(
    server: Sshd, home: SshHome
) -> None:
    home.config(
        "CanonicalizeHostname yes\nCanonicalDomains invalid\nCanonicalizeFallbackLocal no\n"
        + told(server)
    )
    words = await refused(FailureKind.SSH_UNREACHABLE, address="nobody-there")
    assert "Could not resolve host" in words


async def test_a_revoked_host_key(server: Sshd, home: SshHome) -> None:
    key = server.known_hosts.read_text().partition(" ")[2]
    (home.ssh / "revoked").write_text(f"# gone\n{key}")
    home.config(told(server, "RevokedHostKeys ~/.ssh/revoked"))
    assert "revoked" in await refused(FailureKind.SSH_HOST_KEY)


async def test_revoked_keys_that_cannot_be_read_let_nobody_in(server: Sshd, home: SshHome) -> None:
    key = server.known_hosts.read_text().partition(" ")[2].strip()
    (home.ssh / "key.pub").write_text(f"{key}\n")
    keygen("-k", "-f", home.ssh / "krl", home.ssh / "key.pub")
    (home.ssh / "damaged").write_text(f"# gone\n{key[:-4]}\n")
    for name, why in (
        ("krl", "it is a key revocation list (KRL); fleet-tui needs one public key a line"),
        ("nothing", "it cannot be read: No such file or directory"),
        ("damaged", "its key is cut off"),
    ):
        home.config(told(server, f"RevokedHostKeys ~/.ssh/{name}"))
        place = f"{home.ssh / name}{':2' if name == 'damaged' else ''}"
        assert await refused() == f"RevokedHostKeys {place}: {why}"


async def test_comments_of_revoked_keys_may_be_in_any_encoding(server: Sshd, home: SshHome) -> None:
    key = server.known_hosts.read_text().partition(" ")[2].strip()
    (home.ssh / "revoked").write_bytes(f"{key} ".encode() + b"M\xfcller\n")
    home.config(told(server, "RevokedHostKeys ~/.ssh/revoked"))
    assert "revoked" in await refused(FailureKind.SSH_HOST_KEY)


async def test_odd_bytes_are_told_in_a_text_that_can_be_stored(server: Sshd, home: SshHome) -> None:
    for text in (b"Port \xff\n", b"Host *\n  User M\xfcller\n", b"ProxyJump M\xfcller\n"):
        (home.ssh / "config").write_bytes(text)
        found = await connect()
        assert isinstance(found, SshFailure)
        assert found.kind is not FailureKind.INTERNAL
        assert "codec" not in found.detail.raw
        found.detail.raw.encode()


async def test_a_broken_file_takes_no_other_host_down(server: Sshd, home: SshHome) -> None:
    home.config("Host web-1\n  Port twentytwo\n")
    free = HostName("free")
    hosts = {
        WEB: HostSpec(name=WEB, address="web-1"),
        free: HostSpec(name=free, address="127.0.0.1", port=server.port, use_ssh_config=False),
    }
    pool = SshPool(hosts, rng=random.Random(1), clock=time.monotonic)
    assert isinstance(await pool.connect(WEB), SshFailure)
    assert isinstance(await pool.connect(free), SshConnection)
    await pool.close()
