"""A server that fails before anybody logs in: the reason, as ssh would name it."""

import random
import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fleet_tui.core.agents.vitals import FailureKind
from fleet_tui.core.fleet import HostSpec
from fleet_tui.core.ids import HostName
from fleet_tui.wire.ssh.hello import Offers, SshHello, parse_hello, why_not
from fleet_tui.wire.ssh.pool import SshFailure, SshPool
from fleet_tui.wire.ssh.trust import look_at_key
from tests.support.rude_ssh import that_says
from tests.support.ssh_home import SshHome, keygen
from tests.support.sshd import Sshd, make_sshd

BOX = HostName("box")
OURS = Offers(
    key_exchanges=("curve25519-sha256",),
    host_keys=("ssh-ed25519", "rsa-sha2-512"),
    ciphers_in=("aes128-gcm@openssh.com", "aes128-ctr"),
    ciphers_out=("aes128-gcm@openssh.com", "aes128-ctr"),
    macs_in=("hmac-sha2-256",),
    macs_out=("hmac-sha2-256",),
    compressions_in=("none",),
    compressions_out=("none",),
)


def packet(*names: bytes) -> bytes:
    """A SSH_MSG_KEXINIT with these name lists."""
    lists = b"".join(len(each).to_bytes(4, "big") + each for each in names)
    payload = b"\x14" + b"c" * 16 + lists + b"\0" * 13  # no languages, and what follows them
    return (len(payload) + 5).to_bytes(4, "big") + b"\x04" + payload + b"\0" * 4


GOOD = (b"curve25519-sha256", b"ssh-ed25519", b"aes128-ctr", b"aes128-ctr", b"hmac-sha2-256",
        b"hmac-sha2-256", b"none,zlib", b"none,zlib")  # fmt: skip


KEYS = ("kex", "key", "out", "in", "mac_out", "mac_in", "packed_out", "packed_in")


def hello(version: bytes = b"SSH-2.0-x\r\n", **changed: bytes) -> SshHello:
    names = dict(zip(KEYS, GOOD, strict=True))
    return parse_hello(version + packet(*(names | changed).values()))


@pytest.mark.parametrize(
    ("said", "kind", "words"),
    [
        (hello(), None, ""),
        (parse_hello(b""), None, ""),
        (parse_hello(b"SSH-2.0-x\r\n"), None, ""),
        (hello(kex=b"diffie-hellman-group1-sha1,ext-info-s"), FailureKind.SSH_PROTOCOL,
         "no key exchange in common, it offers diffie-hellman-group1-sha1"),
        (hello(key=b"ssh-rsa,ssh-dss"), FailureKind.SSH_PROTOCOL,
         "no host key algorithm in common, it offers ssh-rsa, ssh-dss"),
        (hello(key=b""), FailureKind.SSH_PROTOCOL,
         "no host key algorithm in common, it offers none"),
        (hello(out=b"3des-cbc"), FailureKind.SSH_PROTOCOL,
         "no cipher in common, it offers 3des-cbc"),
        (hello(**{"in": b"3des-cbc"}), FailureKind.SSH_PROTOCOL,
         "no cipher in common, it offers 3des-cbc"),
        (hello(mac_in=b"hmac-md5"), FailureKind.SSH_PROTOCOL,
         "no MAC in common, it offers hmac-md5"),
        (hello(mac_in=b"hmac-md5", mac_out=b"hmac-md5", out=b"aes128-gcm@openssh.com",
               **{"in": b"aes128-gcm@openssh.com"}), None, ""),
        (hello(packed_out=b"zlib@openssh.com"), FailureKind.SSH_PROTOCOL,
         "no compression in common, it offers zlib@openssh.com"),
        (hello(packed_in=b"zlib@openssh.com"), FailureKind.SSH_PROTOCOL,
         "no compression in common, it offers zlib@openssh.com"),
        (parse_hello(b"SSH-1.99-x\n"), None, ""),
        *((parse_hello(f"{version}\r\n".encode()), FailureKind.SSH_PROTOCOL,
           f"what its server sends is no proper SSH: its version line is {version}")
          for version in ("SSH-2.0-", "SSH-2.0", "SSH-", "SSH-2.0-x\0y")),
        (hello(b"SSH-2.0-x\r\n\0\0\0\x06\4\2\0\0\0\0", key=b"ssh-dss"), FailureKind.SSH_PROTOCOL,
         "no host key algorithm in common, it offers ssh-dss"),
        (parse_hello(b"SSH-2.0-x\r\n\0\0\0\x06\4\1\0\0\0\0"), FailureKind.SSH_PROTOCOL,
         "what its server sends is no proper SSH: a packet ends too early"),
        (parse_hello(b"SSH-2.0-x\r\n" + packet(*GOOD) + b"\0\0\0\2\0\x15\0\0\0\2\0\1"), None, ""),
        (parse_hello(b"SSH-1.5-Cisco-1.25\n"), FailureKind.SSH_PROTOCOL,
         "it speaks no SSH version 2: SSH-1.5-Cisco-1.25"),
        (parse_hello(b"Exceeded MaxStartups\r\n"), FailureKind.SSH_UNREACHABLE,
         "it took no more connections of ours, saying: Exceeded MaxStartups"),
        (parse_hello(b"Not allowed at this time\r\n"), FailureKind.SSH_UNREACHABLE,
         "it took no more connections of ours, saying: Not allowed at this time"),
        (parse_hello(b"HTTP/1.1 400 Bad Request\r\nServer: x\r\n\r\n"), FailureKind.SSH_PROTOCOL,
         "no SSH server answers there, but something that says: HTTP/1.1 400 Bad Request"),
    ],
)  # fmt: skip
def test_why_a_server_would_not_talk(said: SshHello, kind: FailureKind | None, words: str) -> None:
    found = why_not(said, OURS)
    assert (found.kind if found else None) is kind
    assert (found.detail.raw if found else "") == words


@given(st.binary(), st.integers(0, 200))
def test_any_bytes_are_a_hello_and_may_end_anywhere(data: bytes, cut: int) -> None:
    why_not(parse_hello(data), OURS)
    why_not(parse_hello(b"SSH-2.0-x\r\n" + data), OURS)
    whole = b"SSH-2.0-x\r\n" + packet(*GOOD)
    assert parse_hello(whole[:cut]).offers in (None, parse_hello(whole).offers)


def test_a_server_that_offers_something_is_not_said_to_be_none() -> None:
    found = why_not(hello(out=b"3des-cbc"), OURS)
    assert found is not None
    said = f"{found.kind.text}: {found.detail.raw}"
    assert said == (
        "no SSH connection to its host can be made: no cipher in common, it offers 3des-cbc"
    )


def test_a_long_list_is_cut() -> None:
    many = b",".join(b"kex-%d" % number for number in range(20))
    found = why_not(hello(kex=many), OURS)
    assert found is not None
    assert found.detail.raw.endswith("kex-7 and 12 more")


# --- over real servers ---------------------------------------------------------------------


async def failures(spec: HostSpec) -> list[SshFailure]:
    """What a connection and `trust` say of a host."""
    pool = SshPool({BOX: spec}, rng=random.Random(1), clock=time.monotonic)
    try:
        found = [await pool.connect(BOX), await look_at_key(pool, BOX)]
    finally:
        await pool.close()
    assert all(isinstance(each, SshFailure) for each in found), found
    return [each for each in found if isinstance(each, SshFailure)]


def old_server(directory: Path, extra: str) -> Sshd:
    """A server with an RSA key and settings of long ago."""
    directory.mkdir()
    keygen("-t", "rsa", "-b", "2048", "-N", "", "-f", directory / "rsa")
    server = make_sshd(directory, f"HostKey {directory / 'rsa'}\n{extra}")
    public = (directory / "rsa.pub").read_text()
    server.known_hosts.write_text(f"[127.0.0.1]:{server.port} {public}")
    return server


@pytest.mark.sshd
@pytest.mark.parametrize(
    ("extra", "words"),
    [
        ("HostKeyAlgorithms ssh-rsa", "no host key algorithm in common, it offers ssh-rsa"),
        ("KexAlgorithms diffie-hellman-group14-sha1",
         "no key exchange in common, it offers diffie-hellman-group14-sha1"),
        ("Ciphers aes128-cbc,3des-cbc", "no cipher in common, it offers aes128-cbc, 3des-cbc"),
        ("Ciphers aes128-ctr\nMACs hmac-sha1", "no MAC in common, it offers hmac-sha1"),
    ],
)  # fmt: skip
async def test_an_old_sshd_is_told_from_a_network_that_fails(
    tmp_path: Path, extra: str, words: str
) -> None:
    server = old_server(tmp_path / "old", extra)
    try:
        for found in await failures(server.spec()):
            assert found.kind is FailureKind.SSH_PROTOCOL
            assert found.detail.raw == words
    finally:
        server.stop()


@pytest.mark.sshd
async def test_an_old_sshd_is_reached_when_ssh_config_allows_its_algorithms(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:

    server = old_server(tmp_path / "old", "HostKeyAlgorithms ssh-rsa\nCiphers aes128-cbc")
    home = SshHome(tmp_path / "home", monkeypatch)
    home.config("Host *\n  HostKeyAlgorithms +ssh-rsa\n  Ciphers +aes128-cbc\n")
    try:
        pool = SshPool(
            {BOX: server.spec(use_ssh_config=True)}, rng=random.Random(1), clock=time.monotonic
        )
        found = await pool.connect(BOX)
        await pool.close()
        assert not isinstance(found, SshFailure), found
    finally:
        server.stop()


@pytest.mark.sshd
async def test_behind_a_jump_host_too(tmp_path: Path) -> None:
    door = make_sshd(tmp_path / "door")
    old = old_server(tmp_path / "old", "HostKeyAlgorithms ssh-rsa")
    try:
        hosts = {
            HostName("door"): door.spec("door"),
            BOX: old.spec("box", jump=HostName("door")),
        }
        pool = SshPool(hosts, rng=random.Random(1), clock=time.monotonic)
        found = [await pool.connect(BOX), await look_at_key(pool, BOX)]
        await pool.close()
        for each in found:
            assert isinstance(each, SshFailure)
            assert each.detail.raw == "no host key algorithm in common, it offers ssh-rsa"
    finally:
        door.stop()
        old.stop()


@pytest.mark.sshd
@pytest.mark.parametrize(
    ("extra", "words"),
    [
        ("MaxAuthTries 1", "Too many authentication failures"),
        ("DenyUsers *", "Permission denied"),
        ("DenyUsers *\nBanner {banner}", "it says: Closed for today"),
    ],
)
async def test_a_server_that_does_not_let_us_in(tmp_path: Path, extra: str, words: str) -> None:
    (tmp_path / "banner").write_text("Closed for\n  today\n")
    server = make_sshd(tmp_path / "sshd", extra.format(banner=tmp_path / "banner"))
    try:
        server.authorized_keys.write_text("")
        pool = SshPool({BOX: server.spec()}, rng=random.Random(1), clock=time.monotonic)
        found = await pool.connect(BOX)
        await pool.close()
        assert isinstance(found, SshFailure)
        assert found.kind is FailureKind.SSH_AUTH
        assert words in found.detail.raw
    finally:
        server.stop()


@pytest.mark.parametrize(
    ("words", "kind", "said"),
    [
        (b"Exceeded MaxStartups\r\n", FailureKind.SSH_UNREACHABLE, "saying: Exceeded MaxStartups"),
        (b"Not allowed at this time\r\n", FailureKind.SSH_UNREACHABLE, "saying: Not allowed"),
        (b"SSH-1.5-OpenSSH_2.3\n", FailureKind.SSH_PROTOCOL, "no SSH version 2: SSH-1.5"),
        (b"220 mail.example.net ESMTP\r\n", FailureKind.SSH_PROTOCOL, "says: 220 mail"),
        (b"\x1b]0;owned\x07\xff\n", FailureKind.SSH_PROTOCOL, "no SSH server answers there"),
        (b"", FailureKind.SSH_UNREACHABLE, "Connection lost"),
    ],
)
async def test_what_is_no_ssh_server_or_takes_nobody(
    words: bytes, kind: FailureKind, said: str
) -> None:
    async with that_says(words) as port:
        spec = HostSpec(name=BOX, address="127.0.0.1", port=port, use_ssh_config=False)
        for found in await failures(spec):
            assert found.kind is kind
            assert said in found.detail.raw


def test_no_more_lines_are_read_than_asyncssh_takes_before_a_version() -> None:
    assert parse_hello(b"a\n" * 1_024 + b"SSH-2.0-x\r\n").version == "SSH-2.0-x"
    endless = parse_hello(b"a\n" * 1_025 + b"SSH-2.0-x\r\n")
    assert endless.version is None
    assert len(endless.lines) == 1_025


def test_a_goodbye_after_many_packets_is_read() -> None:
    ignored = b"\0\0\0\1\0" * 10_000
    words = b"enough"
    payload = b"\1" + (2).to_bytes(4, "big") + len(words).to_bytes(4, "big") + words + b"\0" * 4
    last = (len(payload) + 1).to_bytes(4, "big") + b"\0" + payload
    goodbye = parse_hello(b"SSH-2.0-x\r\n" + ignored + last).goodbye
    assert goodbye is not None
    assert goodbye.words == "enough"
