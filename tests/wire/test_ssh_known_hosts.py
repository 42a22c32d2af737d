"""Odd lines in known_hosts vouch for nobody and keep nobody out, but for those that forbid."""

import os
import random
import time
from collections.abc import Iterator
from pathlib import Path

import asyncssh
import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fleet_tui.core.agents.vitals import FailureKind
from fleet_tui.core.fleet import HostSpec
from fleet_tui.core.ids import HostName
from fleet_tui.core.ssh.config import Reader, Resolved
from fleet_tui.wire.ssh.failures import LocalSetupError
from fleet_tui.wire.ssh.host_keys import load_known_hosts
from fleet_tui.wire.ssh.identities import read_identities
from fleet_tui.wire.ssh.known_hosts import KnownHostsLine, OddLine, read_known_hosts, read_revoked
from fleet_tui.wire.ssh.pool import SshConnection, SshFailure, SshPool
from tests.support.sshd import Sshd, make_sshd

BOX = HostName("box")
KEY = asyncssh.generate_private_key("ssh-ed25519").export_public_key().decode().strip()
BLOB = KEY.split()[1]

ODD = {
    "=======": "it is no host with a key",
    "<<<<<<< HEAD": "it is no host with a key",
    "stray": "it is no host with a key",
    "<!DOCTYPE html>": "it is no host with a key",
    "<p>no such page here, try again</p>": "its key is not of the kind that it says",
    f"@foo h {KEY}": "its marker is neither @revoked nor @cert-authority",
    f"|1|abc|def {KEY}": "its hashed host name is damaged",
    f"|2|{BLOB}|{BLOB} {KEY}": "its hashed host name is damaged",
    f"h\0 {KEY}": "it has a NUL character",
    "h ssh-ed25519": "it is no host with a key",
    "h ssh-ed25519 AA!A": "it has no key in base64",
    f"h ssh-rsa {BLOB}": "its key is not of the kind that it says",
    f"h ssh-ed25519 {BLOB[:-8]}": "its key is cut off",
    f"h\u2028h {KEY}": "its host name has a space that is none for ssh",
    f"h ssh-ed25519\x0b {BLOB}": "its key is of no kind that there is",
    "h 2048 35 123456789": "it has no key in base64",
}
CLOSING = {
    "@revoked": "it is no host with a key",
    "@revoked h": "it is no host with a key",
    f"@revoked * ssh-ed25519 {BLOB[:-8]}": "its key is cut off",
    f"@Revoked * {KEY}": "its marker is neither @revoked nor @cert-authority",
    "@revoked * ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAAXg=": "its key is damaged",
    f"@cert-authority {KEY}": "it is no host with a key",
    "@cert-authority * ssh-rsa AAAA": "its key is not of the kind that it says",
}
GOOD = (
    f"h {KEY}",
    f"h,[h2]:22,!h3 {KEY} with a comment",
    f"\t h\t{KEY}\r",
    f"@revoked * {KEY}",
    f"@cert-authority *.example.net {KEY}",
    "h new-kind@example.net AAAAFG5ldy1raW5kQGV4YW1wbGUubmV0AAAAAA==",
    "@revoked * new-kind@example.net AAAAFG5ldy1raW5kQGV4YW1wbGUubmV0AAAAAA==",
)


def lines_of(tmp_path: Path, text: str) -> list[KnownHostsLine | OddLine]:
    path = tmp_path / "known_hosts"
    path.write_bytes(text.encode("utf-8", "surrogateescape"))
    return list(read_known_hosts(path))


def test_a_file_below_what_is_no_directory_is_not_there(tmp_path: Path) -> None:
    """As ssh has it: where a home is a file or a device, nobody is known."""
    (tmp_path / "home").touch()
    assert list(read_known_hosts(tmp_path / "home" / ".ssh" / "known_hosts")) == []


@pytest.mark.parametrize("text", ODD)
def test_what_is_no_entry_is_told_with_its_line(tmp_path: Path, text: str) -> None:
    [first, odd, last] = lines_of(tmp_path, f"# top\na {KEY}\n{text}\nb {KEY}\n")
    assert odd == OddLine(file=tmp_path / "known_hosts", line=3, why=ODD[text], closes=False)
    assert (first, last) == (
        KnownHostsLine(2, f"a {KEY}", False),
        KnownHostsLine(4, f"b {KEY}", False),
    )


@pytest.mark.parametrize("text", CLOSING)
def test_a_line_that_forbids_and_cannot_be_read_lets_nobody_in(tmp_path: Path, text: str) -> None:
    path = tmp_path / "known_hosts"
    path.write_text(f"h {KEY}\n{text}\n")
    with pytest.raises(LocalSetupError) as found:
        load_known_hosts(asyncssh.SSHKnownHosts(), path)
    assert str(found.value) == f"{path}:2: {CLOSING[text]}"
    assert found.value.kind is FailureKind.SSH_PROTOCOL


@pytest.mark.parametrize("text", GOOD)
def test_entries_are_entries(tmp_path: Path, text: str) -> None:
    [line] = lines_of(tmp_path, text)
    assert isinstance(line, KnownHostsLine)
    load_known_hosts(asyncssh.SSHKnownHosts(), tmp_path / "known_hosts")


@pytest.mark.parametrize("comment", [b"M\xfcller", "Müller".encode(), b"\xff\xfe"])
def test_a_comment_may_be_in_any_encoding(tmp_path: Path, comment: bytes) -> None:
    path = tmp_path / "known_hosts"
    path.write_bytes(f"h {KEY} ".encode() + comment + b"\n")
    hosts = asyncssh.SSHKnownHosts()
    load_known_hosts(hosts, path)
    assert len(hosts.match("h", "", None)[0]) == 1


def test_a_file_that_cannot_be_read_lets_nobody_in(tmp_path: Path) -> None:
    with pytest.raises(LocalSetupError, match="not a regular file"):
        load_known_hosts(asyncssh.SSHKnownHosts(), tmp_path)
    load_known_hosts(asyncssh.SSHKnownHosts(), tmp_path / "nothing")


@pytest.mark.parametrize("end", ["\x0b", "\x0c", "\x1c", "\x85", "\u2028", "\r"])
def test_only_a_newline_ends_a_line(tmp_path: Path, end: str) -> None:
    path = tmp_path / "known_hosts"
    path.write_bytes(f"h {KEY} comment{end}other {KEY}\n".encode())
    hosts = asyncssh.SSHKnownHosts()
    load_known_hosts(hosts, path)
    assert len(hosts.match("h", "", None)[0]) == 1
    assert hosts.match("other", "", None)[0] == []


TEXTS = st.lists(st.sampled_from([*ODD, *GOOD, "", "#", " "]) | st.text(), max_size=6)


@given(TEXTS)
def test_odd_lines_never_widen_trust(
    tmp_path_factory: pytest.TempPathFactory, texts: list[str]
) -> None:
    path = tmp_path_factory.mktemp("any") / "known_hosts"
    path.write_bytes("\n".join(texts).encode("utf-8", "surrogatepass"))
    good = [line.text for line in read_known_hosts(path) if isinstance(line, KnownHostsLine)]
    hosts = asyncssh.SSHKnownHosts()
    try:
        load_known_hosts(hosts, path)
    except LocalSetupError:
        return
    plain = asyncssh.SSHKnownHosts("\n".join(good))
    assert hosts.match("h", "", None) == plain.match("h", "", None)
    path.unlink()


# --- over a real server ----------------------------------------------------------------------


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Sshd]:
    running = make_sshd(tmp_path / "sshd")
    yield running
    running.stop()


async def outcome(server: Sshd) -> SshConnection | SshFailure:
    pool = SshPool({BOX: server.spec()}, rng=random.Random(1), clock=time.monotonic)
    found = await pool.connect(BOX)
    await pool.close()
    return found


@pytest.mark.sshd
async def test_odd_lines_keep_nobody_out(server: Sshd) -> None:
    known = server.known_hosts.read_text()
    server.known_hosts.write_text("\n".join((*ODD, known, *ODD)))
    found = await outcome(server)
    assert isinstance(found, SshConnection), found


@pytest.mark.sshd
async def test_a_line_that_is_passed_over_vouches_for_nobody(server: Sshd) -> None:
    server.known_hosts.write_text(f"@foo {server.known_hosts.read_text()}")
    found = await outcome(server)
    assert isinstance(found, SshFailure)
    assert found.kind is FailureKind.SSH_HOST_KEY
    assert "is not known" in found.detail.raw


@pytest.mark.sshd
async def test_a_damaged_revocation_closes_every_host_and_names_its_line(server: Sshd) -> None:
    with server.known_hosts.open("a") as file:
        file.write("@revoked * ssh-ed25519 AAAA\n")
    found = await outcome(server)
    assert isinstance(found, SshFailure)
    assert found.kind is FailureKind.SSH_PROTOCOL
    assert found.detail.raw == f"{server.known_hosts}:2: its key is not of the kind that it says"


def test_a_pipe_in_place_of_a_file_is_not_waited_for(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    (line,) = read_known_hosts(pipe)
    assert isinstance(line, OddLine)
    assert line.closes
    assert "not a regular file" in str(line)
    assert "not a regular file" in str(read_revoked(pipe)[1])
    named = Resolved(
        original="a",
        hostname="a",
        port=22,
        user=None,
        reader=Reader.NOBODY,
        said={"identityfile": (str(pipe),), "identitiesonly": ("yes",)},
    )
    for name in ("pipe.pub", "pipe-cert.pub"):
        os.mkfifo(tmp_path / name)
    with pytest.raises(LocalSetupError, match="no usable private key"):
        read_identities(HostSpec(name=BOX, address="a"), named)
    certified = msgspec.structs.replace(named, said={"certificatefile": (str(pipe),)})
    with pytest.raises(LocalSetupError, match="not a regular file"):
        read_identities(HostSpec(name=BOX, address="a"), certified)


def test_the_null_device_is_an_empty_file() -> None:
    assert list(read_known_hosts(Path("/dev/null"))) == []
    assert read_revoked(Path("/dev/null")) == ((), None)
