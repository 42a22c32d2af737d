"""What an ``ssh`` that cannot be asked at the moment leaves: nothing for long."""

from pathlib import Path

import pytest

from fleet_tui.core.fleet import HostSpec
from fleet_tui.core.ids import HostName
from fleet_tui.core.ssh.config import Refusal, Resolved
from fleet_tui.wire.ssh import resolver
from fleet_tui.wire.ssh.resolver import VOLATILE_FOR_S, SshResolver

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
        config = tmp_path / "config"
        config.write_text("Host web\n  HostName 10.0.0.7\n")
        self.resolver = SshResolver(
            config=config, program=str(self.program), clock=lambda: self.now_s
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
    assert isinstance(refused, Refusal)
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
    assert isinstance(refused, Refusal)
    ssh.does(WORKS)
    ssh.now_s += 100 * VOLATILE_FOR_S
    assert await ssh.resolver.resolve(HOST) == refused
