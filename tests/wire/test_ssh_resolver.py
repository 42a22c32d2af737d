"""What an ``ssh`` that cannot be asked at the moment leaves: nothing for long."""

from asyncio.subprocess import Process
from pathlib import Path
from types import SimpleNamespace

import pytest

from fleet_tui.core.fleet import HostSpec
from fleet_tui.core.ids import HostName
from fleet_tui.core.ssh.config import ConfigRefusal, Resolved
from fleet_tui.wire import processes
from fleet_tui.wire.ssh import resolver
from fleet_tui.wire.ssh.resolver import (
    AT_ONCE,
    LOOK_AGAIN_AFTER_S,
    MAX_OUTPUT_BYTES,
    VOLATILE_FOR_S,
    SshResolver,
)

HOST = HostSpec(name=HostName("web"), address="web")
WORKS = (
    'for last; do :; done; printf "host %s\\nhostname 10.0.0.7\\nport 22\\nuser fleet\\n" "$last"'
)
AILMENTS = {
    "hangs": ("exec sleep 600", "did not end within"),
    "is killed": ("kill -KILL $$", "was ended by signal 9"),
    "cannot be started": (None, "cannot be started"),
    "has nobody to look up a name": (
        """echo 'ssh: Could not resolve host "web"' >&2; exit 255""",
        "Could not resolve host",
    ),
    "hangs when asked what is usual": (
        f'case " $* " in *" none "*) exec sleep 600 ;; esac; {WORKS}',
        "did not end within",
    ),
}


class Ssh:
    """A program in the place of ssh, its config and the clock of who asks it."""

    def __init__(self, tmp_path: Path) -> None:
        self.now_s = 0.0
        self.program = tmp_path / "ssh"
        self.config = tmp_path / "config"
        self.config.write_text("Host web\n  HostName 10.0.0.7\n")
        self.resolver = SshResolver(
            config=self.config, program=str(self.program), clock=lambda: self.now_s
        )

    def does(self, script: str | None) -> None:
        """What it does from now on; None: it has no interpreter."""
        self.program.write_text(f"#!/bin/sh\n{script}\n" if script else "#!/nowhere\n")
        self.program.chmod(0o755)


@pytest.fixture
def ssh(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Ssh:
    monkeypatch.setattr(resolver, "TIMEOUT_S", 3.0)
    return Ssh(tmp_path)


@pytest.mark.parametrize("ailment", AILMENTS)
async def test_what_ails_this_machine_is_no_word_about_the_config(ssh: Ssh, ailment: str) -> None:
    script, words = AILMENTS[ailment]
    ssh.does(script)
    refused = await ssh.resolver.resolve(HOST)
    assert isinstance(refused, ConfigRefusal)
    assert words in str(refused)
    ssh.does(WORKS)
    assert await ssh.resolver.resolve(HOST) == refused, "not asked again and again"
    ssh.now_s += VOLATILE_FOR_S
    found = await ssh.resolver.resolve(HOST)
    assert isinstance(found, Resolved), found
    assert found.hostname == "10.0.0.7"


async def test_what_ssh_says_of_the_config_holds_until_a_file_changes(ssh: Ssh) -> None:
    ssh.does("echo 'config line 2: Bad configuration option: hostnam' >&2; exit 255")
    refused = await ssh.resolver.resolve(HOST)
    assert isinstance(refused, ConfigRefusal)
    ssh.does(WORKS)
    ssh.now_s += 100 * VOLATILE_FOR_S
    assert await ssh.resolver.resolve(HOST) == refused


async def test_what_ssh_writes_is_kept_up_to_a_bound(ssh: Ssh) -> None:
    ssh.does(f"head -c {MAX_OUTPUT_BYTES + 100_000} /dev/zero")
    refused = await ssh.resolver.resolve(HOST)
    assert isinstance(refused, ConfigRefusal)
    assert str(refused) == f"ssh -G wrote more than {MAX_OUTPUT_BYTES} bytes"
    assert not refused.is_passing, "it would write as much again"


async def test_hosts_are_asked_about_side_by_side_and_a_few_at_once(
    ssh: Ssh, monkeypatch: pytest.MonkeyPatch
) -> None:
    ssh.does(WORKS)
    running: set[Process] = set()
    counts: list[int] = []
    starting = 0

    async def start(*command: str, **streams: int) -> Process:
        nonlocal starting
        if "none" in command:  # what is usual is asked once, beside the hosts
            return await processes.start(*command, **streams)
        starting += 1
        counts.append(starting + len(running))
        process = await processes.start(*command, **streams)
        starting -= 1
        running.add(process)
        return process

    async def end(process: Process) -> None:
        running.discard(process)
        await processes.end(process)

    monkeypatch.setattr(resolver, "processes", SimpleNamespace(start=start, end=end))
    names = [f"web-{number}" for number in range(3 * AT_ONCE)]
    specs = [HostSpec(name=HostName(name), address=name) for name in names]
    answers = await ssh.resolver.resolve_all(specs)
    assert [isinstance(each, Resolved) and each.original for each in answers] == names
    assert (len(counts), max(counts)) == (len(names), AT_ONCE)


async def test_a_change_of_what_is_included_is_noticed(ssh: Ssh, tmp_path: Path) -> None:
    included = tmp_path / "a.conf"
    included.write_text("User one\n")
    ssh.config.write_text(f"Include {tmp_path}/*.conf\nHost web\n  HostName 10.0.0.7\n")

    async def changed(number: int) -> bool:
        """Whether ssh is asked again, a moment later."""
        ssh.does(WORKS.replace("10.0.0.7", f"10.0.0.{number}"))
        ssh.now_s += LOOK_AGAIN_AFTER_S
        found = await ssh.resolver.resolve(HOST)
        assert isinstance(found, Resolved), found
        return found.hostname == f"10.0.0.{number}"

    assert await changed(1)
    assert not await changed(2), "nothing changed"
    included.write_text("User another\n")
    assert await changed(3)
    (tmp_path / "b.conf").write_text("Port 1\n")
    assert await changed(4), "a file is there that the pattern matches"
    included.unlink()
    assert await changed(5)
    (tmp_path / "c.txt").write_text("Port 1\n")
    assert not await changed(6), "nobody includes it"
