"""Programs of others are started without the secrets of this process, wherever one is started."""

import os
import re
import signal
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from fleet_tui.base import children
from fleet_tui.base.errors import FleetError
from fleet_tui.cli.common import Fleet
from fleet_tui.cli.demo import _playing
from fleet_tui.cli.open import start_engine
from fleet_tui.config.importers import ansible_run
from fleet_tui.config.load import load_fleet
from fleet_tui.console.shell import export
from fleet_tui.core.fleet import HostSpec, LocalAgent
from fleet_tui.core.ids import AgentName, Epoch, HostName
from fleet_tui.core.tasks.evidence import Definite, NotStarted
from fleet_tui.wire.programs.local import LocalPort
from fleet_tui.wire.programs.wrapper import RunDirectory
from fleet_tui.wire.ssh import proxy_command
from fleet_tui.wire.ssh.resolver import SshResolver
from tests.support.programs import finished, order, until, wall_ms
from tests.support.secret_shapes import CANARY as CREDENTIAL
from tests.support.secret_shapes import HEX, SHAPES

CANARY = "C4n4ryQz7Qz7Qz7Qz7"

SECRETS = (
    "NAMED_BY_THE_FLEET",
    "OPENCLAW_GATEWAY_TOKEN",
    "GITHUB_TOKEN",
    "db_password",
    "ANTHROPIC_API_KEY",
    "AWS_SECRET_ACCESS_KEY",
    "AWS_SESSION_TOKEN",
    "MYSQL_PWD",
    "SMTP_PASS",
    "CLIENT_SECRET",
    "PGPASSWORD",
    "API_KEY_2",
    "DB_PASSWORD_PROD",
    "API_KEYS",
    "SECRET_STRIPE",
    "DBPASS",
    "FLEET_TUI_FLEET",
)
"""Variables that stay in this process, by name."""

WHAT_THEY_ARE = {
    "INNOCENT": f"ghp_{CANARY}",
    "DATABASE_URL": f"postgres://bob:{CANARY}@db/x",
    "BROKER": f"amqp://bob:{CANARY}@mq:5672/",
    "ALL_PROXY": f"socks5://bob:{CANARY}@proxy:1080",
    "JAVA_TOOL_OPTIONS": f"-Xmx1g -Ddb.password={CANARY}",
    "EXTRA_HEADERS": f"Authorization: Bearer {CANARY}",
    "SETTINGS": f'{{"apiKeys": ["{CANARY}"]}}',
    "PEM": f"-----BEGIN PRIVATE KEY-----\n{CANARY}\n-----END PRIVATE KEY-----",
}
"""Stay because of what they hold."""

OF_COOKIES = {"session", "sid"}
"""What a header before them makes secret: sessions of other kinds are no secret."""

ASSIGNED = {
    spelt: value
    for shape in SHAPES.values()
    for name, value in re.findall(rf"(?<!\S)([^\W\d]\w*)=((?:{CREDENTIAL}|{HEX})\w*)", shape)
    if name not in OF_COOKIES
    for spelt in (name, name.upper())
}
"""Every assignment that would be taken out of a text, as a variable; its name in capitals too."""

NEEDED = {
    "SSH_AUTH_SOCK": "/tmp/ssh-4cBmPyq3sRzT/agent.4711",
    "SSH_ASKPASS": "/usr/lib/ssh/x11-ssh-askpass",
    "SSH_CONNECTION": "198.51.100.7 50422 198.51.100.8 22",
    "AWS_PROFILE": "prod-2",
    "AWS_ACCESS_KEY_ID": "needed",
    "ANSIBLE_VAULT_PASSWORD_FILE": "/home/bob/.vault-4711",
    "ANSIBLE_PRIVATE_KEY_FILE": "/home/bob/.ssh/id_ed25519",
    "HTTPS_PROXY": "http://proxy.example.org:3128",
    "LANG": "C.UTF-8",
    "TMUX": "/tmp/tmux-1000/default,4711,0",
    "XDG_RUNTIME_DIR": "/run/user/1000",
    "XDG_SESSION_ID": "c2",
    "TERM_SESSION_ID": "w0t0p0:7F9C2B1E-2B1E-4B1E-8B1E-7F9C2B1E7F9C",
    "DBUS_SESSION_BUS_ADDRESS": "unix:path=/run/user/1000/bus,guid=4cb9a1c47ad3e8f2f0a9",
    "KRB5CCNAME": "FILE:/tmp/krb5cc_1000_Ab3dEf",
    "PWD": "/home/bob/Work4711",
    "PASSAGE": "needed",
    "KEYBOARD": "us-intl-2",
    "AUTH": "basic",
    "KEY": "/etc/tls/x1.pem",
}
"""Variables that programs work with."""

FILE = """
version: 1
fleet: f
agents:
  one: {kind: local, command: [cat], env: {GIVEN: "secret:env:NAMED_BY_THE_FLEET"}}
"""


@pytest.fixture(autouse=True)
def _surrounded(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(children, "_named", set())
    for number, name in enumerate(SECRETS):
        monkeypatch.setenv(name, f"{CANARY}{number}")
    for name, value in WHAT_THEY_ARE.items():
        monkeypatch.setenv(name, value)
    for name, value in NEEDED.items():
        monkeypatch.setenv(name, value)
    file = tmp_path / "fleet.yaml"
    file.write_text(FILE)
    load_fleet(file, {})


def without_secrets(text: str) -> None:
    """What a child printed of its environment has all but the secrets."""
    names = {line.partition("=")[0] for line in text.splitlines()}
    assert "PATH" in names
    assert CANARY not in text
    assert set(NEEDED) <= names


def printer(path: Path, out: Path, then: str = "exit 1") -> Path:
    """A program that writes its environment down."""
    path.parent.mkdir(exist_ok=True)
    path.write_text(f"#!/bin/sh\nenv >{out}.new; mv {out}.new {out}\n{then}\n")
    path.chmod(stat.S_IRWXU)
    return path


def local(tmp_path: Path, **env: str) -> LocalPort:
    return LocalPort(
        AgentName("here"),
        LocalAgent(command=("env",), run_dir=str(tmp_path / "runs"), env=env),
        directory=RunDirectory(Epoch(1)),
        probe_timeout_ms=4_000,
        now_ms=wall_ms,
    )


def test_only_what_is_secret_is_left_out() -> None:
    given = {"GITHUB_TOKEN": "its own", "FLEET_TUI_X": "1"}
    found = children.environment(given)
    assert {n: found[n] for n in given} == given
    assert set(NEEDED) <= set(found)
    assert not {n for n, v in found.items() if CANARY in v}


def test_what_is_taken_out_of_an_assignment_is_no_variable_of_a_child(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert {"pass", "PASS", "pw", "AUTH", "KEY", "SALT", "license", "seed"} <= set(ASSIGNED)
    for name, value in ASSIGNED.items():
        monkeypatch.setenv(name, value)
    found = children.environment()
    assert {n: found[n] for n in found if found[n] == ASSIGNED.get(n)} == {}


def test_a_name_that_no_fleet_file_has_is_left(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(children, "_named", set())
    assert "NAMED_BY_THE_FLEET" in children.environment()


def test_a_library_that_starts_programs_sees_no_secret_either() -> None:
    before = dict(os.environ)
    with children.hidden():
        done = subprocess.run(["env"], capture_output=True, check=True, text=True)
    without_secrets(done.stdout)
    assert dict(os.environ) == before


async def test_a_local_agent_gets_what_its_fleet_file_gives(tmp_path: Path) -> None:
    port = local(tmp_path, GIVEN="secret:env:NAMED_BY_THE_FLEET", API_TOKEN="written out")
    assert isinstance(await port.start(order()), Definite)
    found = (await finished(port, order())).answer.text.raw
    lines = found.splitlines()
    # Known to this process by now, so taken out of what it said; the program had it.
    assert "GIVEN=[redacted:token]" in lines
    assert any(line.startswith("API_TOKEN=") for line in lines)
    without_secrets(found)
    kept = [f for f in (tmp_path / "runs").rglob("*") if f.is_file()]
    assert {f.name for f in kept if CANARY.encode() in f.read_bytes()} == {"out"}, "as it printed"


async def test_a_local_agent_without_its_secret_starts_nothing(tmp_path: Path) -> None:
    port = local(tmp_path, GIVEN="secret:env:NOBODY_SET_THIS")
    found = await port.start(order())
    assert isinstance(found, Definite)
    assert isinstance(found.value, NotStarted)
    assert found.value.reason == "secret-missing"
    assert not (tmp_path / "runs").exists()


async def test_a_proxy_command(tmp_path: Path) -> None:
    out = tmp_path / "out"
    proxy = await proxy_command.start_proxy(str(printer(tmp_path / "proxy", out)))
    try:
        await until(out.exists)
    finally:
        await proxy.end()
    without_secrets(out.read_text())


async def test_ssh_g(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    out = tmp_path / "out"
    program = printer(tmp_path / "bin" / "ssh", out)
    monkeypatch.setattr("fleet_tui.wire.ssh.resolver.shutil.which", lambda *_: str(program))
    config = tmp_path / "config"
    config.write_text("Host *\n")
    await SshResolver(config=config).resolve(HostSpec(name=HostName("h"), address="h"))
    without_secrets(out.read_text())


def test_ansible_inventory(tmp_path: Path) -> None:
    out = tmp_path / "out"
    program = printer(tmp_path / "bin" / ansible_run.PROGRAM, out, "echo '{}'")
    ansible_run.list_inventory(str(program), tmp_path, os.environ)
    without_secrets(out.read_text())
    assert "ANSIBLE_ASK_VAULT_PASS=0" in out.read_text()


def test_tmux(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    out = tmp_path / "out"
    program = printer(tmp_path / "bin" / "tmux", out, "exit 0")
    monkeypatch.setattr("fleet_tui.console.shell.export.shutil.which", lambda _: str(program))
    assert export._tmux("text")
    without_secrets(out.read_text())


def test_the_demo_gets_our_settings_and_no_secret(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "out"
    monkeypatch.setattr(sys, "executable", str(printer(tmp_path / "python", out)))
    with pytest.raises(FleetError), _playing(1, 1.0, "calm"):
        pass
    text = "".join(
        line for line in out.read_text().splitlines(True) if not line.startswith(children.OURS)
    )
    without_secrets(text)
    assert "FLEET_TUI_FLEET=" in out.read_text()


def test_an_engine_gets_everything(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    out = tmp_path / "out"
    monkeypatch.setattr(sys, "executable", str(printer(tmp_path / "python", out)))
    with pytest.raises(FleetError, match="did not start"):
        start_engine(Fleet("f", tmp_path / "fleet.yaml", tmp_path / "state"))
    assert set(SECRETS) <= {line.partition("=")[0] for line in out.read_text().splitlines()}


@pytest.mark.parametrize("number", children.ENDING)
def test_a_signal_that_comes_while_a_program_is_started_waits_until_it_is_known(
    number: signal.Signals,
) -> None:
    heard: list[int] = []
    before = signal.signal(number, lambda number, _: heard.append(number))
    try:
        birth = children.Birth()
        signal.raise_signal(number)
        assert heard == []
        birth.known()
        assert heard == [number]
        signal.raise_signal(number)
        assert heard == [number, number], "and is heard at once from then on"
    finally:
        signal.signal(number, before)


def test_a_signal_that_is_ignored_stays_ignored() -> None:
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        birth = children.Birth()
        assert signal.getsignal(signal.SIGHUP) is signal.SIG_IGN
        birth.known()
        assert signal.getsignal(signal.SIGHUP) is signal.SIG_IGN
    finally:
        signal.signal(signal.SIGHUP, before)
