"""check, schema, init and import as they are typed: output, files and exit codes."""

import errno
import json
import os
import subprocess
import sys
from pathlib import Path

import click
import pytest
from click.testing import CliRunner, Result

from fleet_tui.base import bundled
from fleet_tui.base.errors import CommandRefused, ExitCode, FleetError, InvalidConfig
from fleet_tui.cli.fleet_file import check_command, init_command, schema_command
from fleet_tui.cli.import_ import import_command
from fleet_tui.config.models import AgentEntry, Defaults, FleetFile

pytestmark = pytest.mark.usefixtures("own_process")

WRONG = "version: 1\nfleet: f\nagents: {a1: {host: h, port: x, token: secret:env:T}}\n"
DOUBTFUL = """\
version: 1
fleet: f
pools: {used: , empty: }
agents: {a1: {pool: used, host: h, port: 1, token: secret:env:T}}
"""


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty home and a working directory of its own."""
    home = tmp_path / "home"
    work = tmp_path / "work"
    home.mkdir()
    work.mkdir()
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.delenv("FLEET_TUI_FLEET", raising=False)
    monkeypatch.chdir(work)
    return home


def run(command: click.Command, *arguments: str) -> Result:
    return CliRunner().invoke(command, list(arguments))


def test_check_says_what_a_fleet_is() -> None:
    demo = str(bundled.sample_fleet("demo"))
    result = run(check_command, demo)
    assert result.exit_code == ExitCode.OK
    assert result.output == f"{demo}: ok: fleet prod, 20 agents in 3 pools on 7 hosts, 80 slots\n"


def test_check_lists_what_runs_on_this_machine() -> None:
    result = run(check_command, str(bundled.sample_fleet("local")))
    assert "echo runs on this machine, as you: cat" in result.output


def test_check_looks_at_the_fleet_file_here() -> None:
    assert run(check_command).exit_code == ExitCode.INVALID_CONFIG
    Path("fleet.yaml").write_text(WRONG)
    result = run(check_command)
    assert result.exit_code == ExitCode.INVALID_CONFIG
    assert "fleet.yaml:3:30: error: agents.a1.port: expected a whole number" in result.output
    assert result.output.endswith("1 error. Nothing was started.\n")


def test_warnings_fail_only_when_asked_to() -> None:
    Path("fleet.yaml").write_text(DOUBTFUL)
    assert run(check_command).exit_code == ExitCode.OK
    strict = run(check_command, "--strict")
    assert strict.exit_code == ExitCode.INVALID_CONFIG
    assert "pools.empty: no agent is in this pool" in strict.output


@pytest.mark.parametrize("arguments", [("--json",), ("--format", "json")])
def test_check_for_programs(arguments: tuple[str, ...]) -> None:
    Path("fleet.yaml").write_text(DOUBTFUL)
    document = json.loads(run(check_command, *arguments).stdout)
    assert document["schema"] == "fleet-tui/check/1"
    assert document["ok"] is True
    assert document["fleet"]["agents"] == 1
    (problem,) = document["problems"]
    assert (problem["severity"], problem["line"], problem["path"]) == ("warning", 3, "pools.empty")
    Path("fleet.yaml").write_text(WRONG)
    document = json.loads(run(check_command, *arguments).stdout)
    assert (document["ok"], document["fleet"]) == (False, None)


def test_check_for_pull_requests() -> None:
    Path("fleet.yaml").write_text(WRONG)
    output = run(check_command, "--format", "github").output
    assert output == (
        '::error file=fleet.yaml,line=3,col=30::agents.a1.port: expected a whole number, got "x"\n'
    )


def test_check_warns_of_ssh_options_that_are_not_followed(home: Path) -> None:
    (home / ".ssh").mkdir()
    (home / ".ssh" / "config").write_text("Host h\n  StrictHostKeyChecking no\n")
    Path("fleet.yaml").write_text(DOUBTFUL.replace(", empty: ", ""))
    output = run(check_command).output
    assert "config:2:1: warning: stricthostkeychecking no is not followed for h" in output


def test_check_needs_no_ssh_and_no_screen() -> None:
    code = (
        "import sys\n"
        "from fleet_tui.cli import fleet_file, import_\n"
        "print(sorted({'asyncssh', 'textual', 'rich', 'aiosqlite', 'asyncio'} & set(sys.modules)))"
    )
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ran.stdout == "[]\n"


def test_init_writes_a_start_that_passes() -> None:
    assert run(init_command).exit_code == ExitCode.OK
    assert run(check_command, "--strict").exit_code == ExitCode.OK
    assert [file.name for file in Path().iterdir()] == ["fleet.yaml"]


def test_init_never_replaces_a_file_by_accident() -> None:
    Path("fleet.yaml").write_text("mine")
    refused = run(init_command)
    assert isinstance(refused.exception, CommandRefused)
    assert "--force" in refused.exception.hint
    assert Path("fleet.yaml").read_text() == "mine"
    assert run(init_command, "--force").exit_code == ExitCode.OK
    assert Path("fleet.yaml").read_text() != "mine"
    nowhere = run(init_command, "-o", "no/such/place.yaml")
    assert isinstance(nowhere.exception, FleetError)


def test_the_schema_knows_every_key() -> None:
    document = json.loads(run(schema_command).stdout)
    assert document["$schema"] == "https://json-schema.org/draft/2020-12/schema"
    assert set(document["properties"]) == set(FleetFile.model_fields)
    assert document["additionalProperties"] is False
    assert set(document["required"]) == {"version", "fleet", "agents"}
    for model in (AgentEntry, Defaults):
        described = document["$defs"][model.__name__]
        assert set(described["properties"]) == set(model.model_fields)
        assert described["additionalProperties"] is False
    assert document["$defs"]["AgentEntry"]["properties"]["isolate"]["description"]
    assert {"type": "null"} in document["properties"]["pools"]["anyOf"]
    assert {"type": "array", "maxItems": 0} in document["properties"]["agents"]["anyOf"]


def test_the_schema_goes_to_a_file() -> None:
    assert run(schema_command, "--write", "s.json").exit_code == ExitCode.OK
    assert json.loads(Path("s.json").read_text())["title"] == "fleet.yaml, version 1"


def test_import_prints_a_fleet_that_passes(home: Path) -> None:
    (home / ".ssh").mkdir()
    (home / ".ssh" / "config").write_text("Host gw-1 gw-2 other *.x\n  ProxyJump b\n")
    result = run(import_command, "ssh-config", "--match", "gw-*", "--fleet", "mine")
    assert result.exit_code == ExitCode.OK
    Path("fleet.yaml").write_text(result.stdout)
    assert "fleet mine, 2 agents" in run(check_command, "--strict").output
    assert "2 agents in 1 pool\n" in result.stderr


def test_import_writes_a_file_and_says_what_it_left_out() -> None:
    Path("hosts").write_text("h1\nbad host\n")
    given = ["hosts", "hosts", "-o", "f.yaml", "--pool", "p"]
    result = CliRunner().invoke(import_command, given, standalone_mode=False)
    assert result.return_value == ExitCode.PARTIAL
    assert result.stdout == ""
    assert 'not carried over: line 2: "bad host"' in result.stderr
    assert run(check_command, "f.yaml").exit_code == ExitCode.OK
    again = run(import_command, "hosts", "hosts", "-o", "f.yaml")
    assert isinstance(again.exception, CommandRefused)
    forced = run(import_command, "hosts", "hosts", "-o", "f.yaml", "--force")
    assert forced.exit_code == ExitCode.OK


def test_import_reads_standard_input() -> None:
    runner = CliRunner()
    given = b"bob@[::1]:2222\nh2\n"
    result = runner.invoke(import_command, ["hosts", "-"], standalone_mode=False, input=given)
    assert result.return_value == ExitCode.OK
    assert 'address: "::1", port: 2222, user: bob' in result.stdout
    assert "from standard input." in result.stdout
    bad = runner.invoke(import_command, ["hosts", "-"], standalone_mode=False, input=b"\xff")
    assert isinstance(bad.exception, InvalidConfig)


def test_import_of_nothing_fails() -> None:
    Path("hosts").write_text("# nobody\n")
    result = run(import_command, "hosts", "hosts")
    assert isinstance(result.exception, FleetError)
    assert "no hosts were found" in result.exception.message
    assert run(import_command, "hosts", "hosts", "--fleet", "A B").exit_code == ExitCode.USAGE


def test_check_says_of_a_file_that_it_cannot_read_what_it_says_of_every_other(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    Path("fleet.yaml").write_text(DOUBTFUL)

    def refuse(*_: object) -> int:
        raise PermissionError(errno.EACCES, "Permission denied")

    monkeypatch.setattr(os, "access", lambda *_, **__: False)  # also for root, who may read all
    monkeypatch.setattr(os, "open", refuse)
    result = run(check_command, "fleet.yaml")
    assert result.exit_code == ExitCode.INVALID_CONFIG
    assert "fleet.yaml: error: Permission denied" in result.output
