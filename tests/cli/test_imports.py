"""What `import` writes is a fleet file that `check` takes, and its exit code says what it lacks."""

import io
import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from fleet_tui.base import crash
from fleet_tui.base.errors import ExitCode
from fleet_tui.cli.fleet_file import check_command
from fleet_tui.cli.import_ import import_command


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(crash, "install", lambda: None)  # hooks of the whole process
    monkeypatch.setattr(crash, "quiet_stderr", lambda: None)
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / ".ssh").mkdir(mode=0o700)
    return tmp_path


def run(*arguments: str, stdin: str = "") -> Result:
    return CliRunner().invoke(
        import_command, [*arguments], standalone_mode=False, input=io.BytesIO(stdin.encode())
    )


def checked(file: str) -> str:
    done = CliRunner().invoke(check_command, [file], standalone_mode=False)
    return done.output + done.stderr


def test_lines_that_are_no_hosts_are_named_and_make_exit_5() -> None:
    done = run("hosts", "-", "-o", "f.yaml", stdin="h1\nno host\nh2:99999\n\n# fine\nh3\n")
    assert done.return_value == ExitCode.PARTIAL
    assert done.stderr.splitlines()[:2] == [
        'not carried over: line 2: "no host" is not [user@]host[:port]',
        'not carried over: line 3: "h2:99999": expected 1 to 65,535, got "99999"',
    ]
    assert "2 agents" in done.stderr
    assert run("hosts", "-", "-o", "g.yaml", stdin="h1\n# fine\n\nh3\n").return_value == 0


def test_what_was_imported_is_told_as_a_document() -> None:
    hosts = "h1\nno host\n h3\n"
    printed = run("hosts", "-", "--json", stdin=hosts)
    written = run("hosts", "-", "--json", "-o", "f.yaml", stdin=hosts)
    plain = run("hosts", "-", stdin=hosts)
    for done in (printed, written):
        assert done.return_value == ExitCode.PARTIAL
        assert done.stderr == ""
    document, other = json.loads(printed.stdout), json.loads(written.stdout)
    assert document["schema"] == "fleet-tui/import/1"
    assert (document["fleet"], document["agents"]) == ("imported", ["h1", "h3"])
    assert document["pools"] == ["general"]
    assert document["missed"] == ['line 2: "no host" is not [user@]host[:port]']
    assert document["file"] is None
    assert document["text"] == plain.stdout == Path("f.yaml").read_text()
    assert other == {**document, "file": "f.yaml", "text": None}


@pytest.mark.parametrize("listed", ["one\ntwo\n", "one\n192.0.2.7\n", "one\ndeploy@two\n"])
def test_names_that_ssh_config_leads_to_one_machine_become_one_agent(
    listed: str, home: Path
) -> None:
    config = home / ".ssh" / "config"
    config.write_text("Host one two\n  HostName 192.0.2.7\nHost two\n  User deploy\n")
    config.chmod(0o600)
    done = run("hosts", "-", "-o", "f.yaml", stdin=listed)
    told_user = "@" in listed
    assert done.return_value == (ExitCode.PARTIAL if told_user else ExitCode.OK)
    assert ("another user" in done.stderr) is told_user
    assert "1 agent" in done.stderr
    assert "ok: fleet imported" in checked("f.yaml")


def test_an_inventory_and_a_list_agree_about_one_machine(home: Path) -> None:
    Path("i.ini").write_text("[a]\none ansible_host=192.0.2.7\ntwo ansible_host=192.0.2.7\n")
    done = run("ansible", "i.ini", "-o", "f.yaml")
    assert done.return_value == ExitCode.OK
    assert "ok: fleet imported" in checked("f.yaml")


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP, signal.SIGINT])
def test_an_import_that_is_ended_leaves_no_program_and_no_directory(
    home: Path, number: signal.Signals
) -> None:
    started, scratch = home / "started", home / "scratch"
    os.mkfifo(started)
    scratch.mkdir()
    (home / "hosts.ini").write_text("h1\n")
    program = home / "ansible-inventory"
    program.write_text(f"#!/bin/sh\necho $$ > {started}\nexec sleep 600\n")
    program.chmod(0o700)
    env = {**os.environ, "PATH": f"{home}:{os.environ['PATH']}", "TMPDIR": str(scratch)}
    words = [sys.executable, "-m", "fleet_tui", "import", "ansible", "hosts.ini"]
    with subprocess.Popen(words, env=env) as process:
        pid = int(started.read_text())
        assert [*scratch.iterdir()]
        process.send_signal(number)
        assert process.wait(60) == 128 + number
    assert [*scratch.iterdir()] == []
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)
