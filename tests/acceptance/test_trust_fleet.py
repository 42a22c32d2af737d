"""``fleet-tui trust FLEET`` in a terminal: every host of a fleet looked at and enrolled, over real
sshds."""

import json
import re
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from pathlib import Path

import asyncssh
import pytest

from tests.support.documents import assert_known
from tests.support.pty_harness import PtyProgram, python
from tests.support.sshd import Sshd, free_port, make_sshd

pytestmark = [pytest.mark.sshd, pytest.mark.slow]

PROMPT = "last 8 characters of the fingerprint"
FINGERPRINT = re.compile(r"SHA256:[A-Za-z0-9+/]{43}")
REFUSED, PARTIAL, UNREACHABLE = 6, 5, 4


class Fleet:
    """Servers by the names of their hosts, and a fleet file that shares one known_hosts."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.known_hosts = directory / "known_hosts"
        self.known_hosts.write_text("")
        self.servers: dict[str, Sshd] = {}
        self._hosts: list[str] = []

    def server(self, name: str, **more: object) -> Sshd:
        server = self.servers[name] = make_sshd(self.directory / name)
        self.host(name, server.port, identity=str(server.user_key), **more)
        return server

    def host(self, name: str, port: int, **more: object) -> None:
        entry = {"address": "127.0.0.1", "port": port} | more
        self._hosts.append(f"  {name}: {json.dumps(entry)}\n")

    def know(self, name: str, line: str) -> None:
        port = self.servers[name].port
        with self.known_hosts.open("a") as file:
            file.write(f"[127.0.0.1]:{port} {line}\n")

    def fingerprint(self, name: str) -> str:
        """What the host's own console would show."""
        return asyncssh.read_private_key(self.servers[name].host_key).get_fingerprint()

    def file(self) -> str:
        path = self.directory / "fleet.yaml"
        names = [host.partition(":")[0].strip() for host in self._hosts]
        agents = "".join(
            f"  on-{name}: {{kind: command, host: {name}, command: [cat]}}\n" for name in names
        )
        path.write_text(
            f"version: 1\nfleet: trusting\ndefaults: {{known_hosts: {self.known_hosts}, "
            f"ssh_config: off}}\nhosts:\n{''.join(self._hosts)}agents:\n{agents}"
        )
        return str(path)


@pytest.fixture
def fleet(tmp_path: Path) -> Iterator[Fleet]:
    made = Fleet(tmp_path)
    yield made
    for server in made.servers.values():
        server.stop()


def trust(fleet: Fleet) -> PtyProgram:
    return PtyProgram(python("-m", "fleet_tui", "trust", fleet.file()), columns=200)


def answer(program: PtyProgram, number: int, instead: str | None = None) -> str:
    """Confirm the ``number``th question with the fingerprint above it; which one that was."""
    program.wait_until(lambda text: text.count(PROMPT) == number, what=f"question {number}")
    shown = FINGERPRINT.findall(program.text().split(PROMPT)[number - 1])[-1]
    program.press(f"{instead or shown[-8:]}\r")
    return str(shown)


def other_key() -> str:
    key = asyncssh.generate_private_key("ssh-ed25519")
    return key.export_public_key().decode().strip()


def test_a_whole_fleet_is_enrolled_in_one_run(fleet: Fleet) -> None:
    fleet.server("inner", jump="door")  # told before the host it is behind
    fleet.server("door")
    fleet.server("old")
    fleet.know("old", fleet.servers["old"].known_hosts.read_text().split(" ", 1)[1].strip())
    fleet.server("changed")
    fleet.know("changed", expected := other_key())
    fleet.host("down", free_port())
    fleet.server("new")
    with trust(fleet) as program:
        asked = [answer(program, 1), answer(program, 2), answer(program, 3)]
        assert program.wait_for_end() == REFUSED, program.text()
        said = program.text()
    assert asked == [fleet.fingerprint(name) for name in ("door", "new", "inner")]
    assert all(fleet.fingerprint(name) in said for name in fleet.servers)
    assert said.count("added to") == 3
    assert said.count("known already") == 1
    assert "down cannot be checked: its host is unreachable over SSH: Connection refused" in said
    assert "changed: this is not the key in" in said
    assert asyncssh.import_public_key(expected).get_fingerprint() in said
    assert "ssh-keygen -R '[127.0.0.1]:" in said
    assert "some hosts are not trusted" in said
    with trust(fleet) as program:
        assert program.wait_for_end() == REFUSED
        said = program.text()
    assert said.count("known already") == 4
    assert PROMPT not in said


def test_a_wrong_answer_keeps_only_its_own_host_out(fleet: Fleet) -> None:
    fleet.server("door")
    fleet.server("inner", jump="door")
    fleet.server("other")
    with trust(fleet) as program:
        answer(program, 1, instead="abcdefgh")
        answer(program, 2)
        assert program.wait_for_end() == REFUSED
        said = program.text()
    assert "door: those are not the last 8 characters; nothing was added" in said
    assert "inner cannot be checked: its host is unreachable over SSH: jump host door" in said
    assert fleet.known_hosts.read_text().count("\n") == 1
    assert f"[127.0.0.1]:{fleet.servers['other'].port} " in fleet.known_hosts.read_text()


def test_nobody_there_to_ask(fleet: Fleet) -> None:
    fleet.server("new")
    ended = subprocess.run(
        [sys.executable, "-m", "fleet_tui", "trust", fleet.file()],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        check=False,
        text=True,
    )
    assert ended.returncode == REFUSED, ended.stderr
    assert "--yes-fingerprint" in ended.stderr
    assert fleet.fingerprint("new") in ended.stdout
    assert fleet.known_hosts.read_text() == ""


def test_a_fleet_of_which_some_hosts_are_not_reached_is_trusted_in_part(fleet: Fleet) -> None:
    """Also as a document, which tells of every host what stands in the text otherwise."""
    fleet.server("old")
    fleet.know("old", fleet.servers["old"].known_hosts.read_text().split(" ", 1)[1].strip())
    fleet.host("down", free_port())
    ended = subprocess.run(
        [sys.executable, "-m", "fleet_tui", "trust", fleet.file(), "--json"],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        check=False,
        text=True,
    )
    assert ended.returncode == PARTIAL, ended.stderr
    assert "known already" in ended.stderr
    document = json.loads(ended.stdout)
    assert document["schema"] == "fleet-tui/trust/1"
    assert_known(document)
    assert document["fleet"] == "trusting"
    old, down = document["hosts"]
    assert (old["host"], old["trusted"], old["before"]) == ("old", True, "known")
    assert old["fingerprint"] == fleet.fingerprint("old")
    assert old["files"] == [str(fleet.known_hosts)]
    assert (down["host"], down["trusted"], down["before"]) == ("down", False, None)
    assert "Connection refused" in down["problem"]


def test_one_host_is_told_as_a_document_whether_it_was_enrolled_or_not(fleet: Fleet) -> None:
    fleet.server("new")
    for given, code in (("abcdefgh", REFUSED), (fleet.fingerprint("new")[-8:], 0)):
        ended = subprocess.run(
            [sys.executable, "-m", "fleet_tui", "trust", "new", "-f", fleet.file(), "--json",
             "--yes-fingerprint", given],
            capture_output=True,
            check=False,
            text=True,
        )  # fmt: skip
        assert ended.returncode == code, ended.stderr
        (host,) = json.loads(ended.stdout)["hosts"]
        assert (host["before"], host["trusted"]) == ("new", code == 0)
        assert ("not the last 8" in (host["problem"] or "")) == (code == REFUSED)


def test_hosts_that_do_not_answer_do_not_wait_for_each_other(fleet: Fleet) -> None:
    """Each of them lets go once all of them have been asked."""
    all_asked = threading.Barrier(3)
    with ExitStack() as stack:
        for number in range(3):
            listener = stack.enter_context(socket.create_server(("127.0.0.1", 0)))
            fleet.host(f"slow-{number}", listener.getsockname()[1])
            waiting = threading.Thread(target=let_go, args=(listener, all_asked), daemon=True)
            waiting.start()
        ended = subprocess.run(
            [sys.executable, "-m", "fleet_tui", "trust", fleet.file()],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            check=False,
            text=True,
        )
    assert ended.returncode == UNREACHABLE
    assert ended.stderr.count("cannot be checked") == 3
    assert "no answer within" not in ended.stderr


def let_go(listener: socket.socket, all_asked: threading.Barrier) -> None:
    with suppress(OSError, threading.BrokenBarrierError):
        connection, _ = listener.accept()
        with connection:
            all_asked.wait(timeout=60)
