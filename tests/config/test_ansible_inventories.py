"""Inventories mean what ansible-inventory says: the real program reads every one of them here."""

import os
import stat
import sys
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from fleet_tui.base import crash
from fleet_tui.base.errors import ExitCode, FleetError, InvalidConfig, Unreachable
from fleet_tui.cli.import_ import import_command
from fleet_tui.config.importers import ansible_run
from fleet_tui.config.importers.ansible import findings_of, read_inventory
from fleet_tui.config.importers.ansible_run import connection_settings, find_program
from fleet_tui.config.importers.found import Findings, fleet_file
from fleet_tui.config.load import load_text
from fleet_tui.core.fleet import FleetSpec

VAULTED = "!vault |\n        $ANSIBLE_VAULT;1.1;AES256\n        61626364656667\n"
ENCRYPTED = "$ANSIBLE_VAULT;1.1;AES256\n61626364656667\n"
PRINTS = '#!/bin/sh\necho \'{"web": {"hosts": ["w1"]}, "_meta": {"hostvars": {"w1": %s}}}\'\n'


@pytest.fixture(autouse=True)
def inside(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(crash, "install", lambda: None)  # hooks of the whole process
    monkeypatch.setattr(crash, "quiet_stderr", lambda: None)
    monkeypatch.delenv("ANSIBLE_CONFIG", raising=False)
    return tmp_path


def write(files: dict[str, str]) -> Path:
    """Write an inventory; its first file is where it is read from. Programs are executable."""
    for name, content in files.items():
        path = Path(name)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content.encode("latin-1"))
        if content.startswith("#!"):
            path.chmod(0o755)
    first = Path(next(iter(files)))
    return first if first.parent == Path() else Path(first.parts[0])


def found(files: dict[str, str], groups: dict[str, str] | None = None) -> Findings:
    return read_inventory(write(files), groups or {}, os.environ)


@pytest.mark.parametrize("first", ["#!/usr/bin/env python3", "#! /bin/sh", "#!/bin/sh\r"])
def test_no_host_is_made_up_from_a_program_that_may_not_be_executed(first: str) -> None:
    path = write({"in v.sh": f"{first}\ndate\n"})
    path.chmod(0o644)
    with pytest.raises(InvalidConfig, match=r"in v\.sh is a program .* may not be executed") as why:
        read_inventory(path, {}, os.environ)
    assert why.value.hint == "chmod +x 'in v.sh', and ansible-inventory runs it"


@pytest.mark.parametrize("name", ["d/b", "d/b.sh", "d/sub/b", "d/sub/sub/b.py"])
def test_nor_from_one_in_a_directory(name: str) -> None:
    path = write({"d/a.ini": "[web]\nw1\n", name: "#!/bin/sh\ndate\n"})
    Path(name).chmod(0o644)
    with pytest.raises(InvalidConfig, match=f"^{name} is a program .* may not be executed"):
        read_inventory(path, {}, os.environ)


def test_what_ansible_passes_over_in_a_directory_may_be_no_program() -> None:
    program = "#!/bin/sh\ndate\n"
    passed_over = {f"d/{name}": program for name in (".b", "b.bak", "b~", "b.md", "b.orig")}
    path = write({"d/a.ini": "[web]\nw1\n", **passed_over, "d/group_vars/web/b": "#!\n{}\n"})
    for file in Path("d").rglob("*"):
        file.chmod(0o755 if file.is_dir() else 0o644)
    assert told(spec_of(read_inventory(path, {}, os.environ))) == {"w1": {"pool": "web"}}


def spec_of(findings: Findings) -> FleetSpec:
    return load_text(fleet_file(findings, fleet="f", origin="test")).spec


def told(spec: FleetSpec) -> dict[str, dict[str, Any]]:
    """What is said of each agent, without what is not."""
    hosts = {}
    for name, agent in spec.agents.items():
        assert agent.host is not None
        host = spec.hosts[agent.host]
        said = {
            "address": host.address if host.address != name else None,
            "port": host.port,
            "user": host.user,
            "key": host.identity,
            "known hosts": host.known_hosts,
            "jump": "none" if host.direct else host.jump,
            "pool": agent.pool if agent.pool != "general" else None,
            "labels": " ".join(sorted(agent.labels)) or None,
        }
        hosts[str(name)] = {key: str(value) for key, value in said.items() if value is not None}
    return hosts


MEANINGS: dict[str, tuple[dict[str, str], dict[str, dict[str, str]]]] = {
    "a comment after a section's name": (
        {"i.ini": "[batch]\nb ansible_host=192.0.2.11\n[payroll]   # for one client\np\n"},
        {"b": {"address": "192.0.2.11", "pool": "batch"}, "p": {"pool": "payroll"}},
    ),
    "every parent counts, at any depth": (
        {
            "i.ini": "[edge]\ne ansible_host=192.0.2.31\n[site_a:children]\nedge\n"
            "[site_a:vars]\nansible_user=ops\nansible_port=2222\n[patched:children]\nedge\n"
            "[europe:children]\nsite_a\n"
        },
        {
            "e": {
                "address": "192.0.2.31",
                "user": "ops",
                "port": "2222",
                "pool": "edge",
                "labels": "europe patched site_a",
            }
        },
    ),
    "the old names of variables, and the new one before the old": (
        {
            "i.ini": "[web]\na ansible_ssh_host=192.0.2.41 ansible_ssh_user=deploy\n"
            "b ansible_ssh_port=2200 ansible_port=2201 ansible_user=new\n"
            "[all:vars]\nansible_ssh_user=centos\n"
        },
        {
            "a": {"address": "192.0.2.41", "user": "deploy", "pool": "web"},
            "b": {"port": "2201", "user": "new", "pool": "web"},
        },
    ),
    "group_vars and host_vars, files and directories": (
        {
            "hosts": "[web]\nw1\nw2\n",
            "group_vars/web.yml": "ansible_user: ops\nansible_port: 2222\n",
            "group_vars/all/first.yml": "ansible_user: nobody\n",
            "group_vars/all/more.json": '{"ansible_ssh_private_key_file": "~/.ssh/ops"}',
            "host_vars/w2/way": "ansible_host: 192.0.2.52\n",
        },
        {
            "w1": {"user": "ops", "port": "2222", "key": "~/.ssh/ops", "pool": "web"},
            "w2": {
                "address": "192.0.2.52",
                "user": "ops",
                "port": "2222",
                "key": "~/.ssh/ops",
                "pool": "web",
            },
        },
    ),
    "groups of one depth, the last by name wins": (
        {
            "i.ini": "[zeta]\nb\n[alpha]\nb\n[zeta:vars]\nansible_user=zed\n"
            "[alpha:vars]\nansible_user=al\n"
        },
        {"b": {"user": "zed", "pool": "zeta", "labels": "alpha"}},
    ),
    "a group's priority": (
        {
            "i.ini": "[zeta]\nb\n[alpha]\nb\n[zeta:vars]\nansible_user=zed\n"
            "[alpha:vars]\nansible_user=al\nansible_group_priority=10\n"
        },
        {"b": {"user": "al", "pool": "zeta", "labels": "alpha"}},
    ),
    "a port after the name, and ranges": (
        {"i.ini": "[web]\nw1.example.net:2222\nw[08:12:2]:2223 ansible_user=ops\ndb-[a:b]\n"},
        {
            "w1.example.net": {"port": "2222", "pool": "web"},
            **{
                name: {"port": "2223", "user": "ops", "pool": "web"}
                for name in ("w08", "w10", "w12")
            },
            "db-a": {"pool": "web"},
            "db-b": {"pool": "web"},
        },
    ),
    "names as ssh reads them: a user before an address, and backslashes": (
        {
            "i.ini": "[web]\nops@192.0.2.1\nb ansible_host=ann@192.0.2.2\n"
            "c ansible_host=ann@192.0.2.3 ansible_user=bob\n"
            "[dom]\nd\n[dom:vars]\nansible_user=CORP\\\\ann\n[um]\ne\n[um:vars]\n"
            "ansible_user=CORP\\ann\nansible_ssh_private_key_file=none\n"
        },
        {
            "ops-192.0.2.1": {"address": "192.0.2.1", "user": "ops", "pool": "web"},
            "b": {"address": "192.0.2.2", "user": "ann", "pool": "web"},
            "c": {"address": "192.0.2.3", "user": "bob", "pool": "web"},
            "d": {"user": "CORP\\ann", "pool": "dom"},
            "e": {"user": "CORP\\ann", "pool": "um"},
        },
    ),
    "an empty value is a word against ansible.cfg": (
        {
            "i.ini": "plain\nnobody ansible_user=''\nkeyless ansible_ssh_private_key_file=''\n"
            "straight ansible_ssh_common_args=''\n",
            "ansible.cfg": "[defaults]\nremote_user = ops\nprivate_key_file = /k\n"
            "[ssh_connection]\nssh_common_args = -J gate\n",
        },
        {
            "plain": {"user": "ops", "key": "/k", "jump": "gate"},
            "nobody": {"key": "/k", "jump": "gate"},
            "keyless": {"user": "ops", "jump": "gate"},
            "straight": {"user": "ops", "key": "/k"},
        },
    ),
    "a comment after a value": (
        {"i.ini": "[web]\nw1\n[web:vars]\nansible_port=2222 # behind the firewall\n"},
        {"w1": {"port": "2222", "pool": "web"}},
    ),
    "YAML with encrypted and unsafe values": (
        {
            "i.yml": "all:\n  hosts:\n    w1:\n      ansible_host: 192.0.2.81\n"
            f"      ansible_user: !unsafe deploy\n      ansible_become_pass: {VAULTED}"
        },
        {"w1": {"address": "192.0.2.81", "user": "deploy"}},
    ),
    "TOML": (
        {"i.toml": '[web.hosts.w1]\nansible_host = "192.0.2.1"\n[web.vars]\nansible_port = 2222\n'},
        {"w1": {"address": "192.0.2.1", "port": "2222", "pool": "web"}},
    ),
    "a program": (
        {"i.sh": PRINTS % '{"ansible_host": "192.0.2.7", "ansible_port": "22022"}'},
        {"w1": {"address": "192.0.2.7", "port": "22022", "pool": "web"}},
    ),
    "a directory, with a program and a plugin in it": (
        {
            "d/1.ini": "[shop]\nw1 role=db\nw2 role=app\n",
            "d/2.sh": PRINTS % '{"ansible_port": 2222}',
            "d/3.yml": "plugin: constructed\nkeyed_groups: [{key: role, prefix: is}]\n"
            "compose: {ansible_user: \"role + '-admin'\"}\n",
            "d/group_vars/is_app.yml": "ansible_host: 192.0.2.2\n",
        },
        {
            "w1": {"port": "2222", "user": "db-admin", "pool": "shop", "labels": "is_db web"},
            "w2": {
                "address": "192.0.2.2",
                "user": "app-admin",
                "pool": "shop",
                "labels": "is_app",
            },
        },
    ),
    "a file of host keys in ssh's arguments": (
        {
            "i.ini": "[in]\na\nb ansible_ssh_extra_args='-o UserKnownHostsFile=/dev/null'\n"
            "[in:vars]\nansible_ssh_common_args='-o UserKnownHostsFile=/etc/keys -q'\n"
            "[un]\nc ansible_ssh_args=-oUserKnownHostsFile=none\n"
        },
        {
            "a": {"known hosts": "/etc/keys", "pool": "in"},
            "b": {"known hosts": "/etc/keys", "pool": "in"},
            "c": {"pool": "un"},
        },
    ),
    "jump hosts in ssh's arguments": (
        {
            "i.ini": "[in]\na\nb ansible_ssh_extra_args='-J one'\nc ansible_host=10.0.0.3\n"
            "[in:vars]\n"
            "ansible_ssh_common_args='-o ProxyCommand=\"ssh -W %h:%p -q -p 2200 me@gw\"'\n"
            "[direct]\nc\n[direct:vars]\nansible_ssh_common_args=-o ProxyJump=none\n"
        },
        {
            "a": {"jump": "gw", "pool": "in"},
            "b": {"jump": "gw", "pool": "in"},
            "c": {"address": "10.0.0.3", "jump": "gw", "pool": "in", "labels": "direct"},
        },
    ),
    "no jump host, whatever ssh_config says": (
        {
            "i.ini": "a ansible_ssh_common_args='-o ProxyJump=none'\n"
            "b ansible_ssh_common_args='-o ProxyCommand=none'\nc\n"
        },
        {"a": {"jump": "none"}, "b": {"jump": "none"}, "c": {}},
    ),
}


@pytest.mark.parametrize("case", MEANINGS)
def test_an_inventory_means_what_ansible_says(case: str) -> None:
    files, expected = MEANINGS[case]
    findings = found(files)
    assert told(spec_of(findings)) == expected
    assert findings.missed == []


MISSED = {
    "ansible_host='{{ inventory_hostname }}.x'": (None, "template"),
    "ansible_host=10.0.0.300": (None, "ansible_host: "),
    "ansible_connection=winrm": (None, '"winrm" is not SSH'),
    "ansible_connection=community.docker.docker": (None, "is not SSH"),
    "ansible_connection=local": (None, '"local" is not SSH'),
    "ansible_user='{{ me }}'": ({}, "ansible_user: is a template"),
    "ansible_user='CORP me' ansible_port=2222": ({"port": "2222"}, "expected a login name"),
    "ansible_port=ssh": ({}, "ansible_port: expected a whole number"),
    "ansible_ssh_common_args='-o ProxyCommand=\"nc -x proxy %h %p\"'": ({}, "ProxyCommand"),
    "ansible_ssh_common_args='-J {{ bastion }}'": ({}, "ansible_ssh_common_args: is a template"),
    "ansible_ssh_extra_args='-o CertificateFile=/c -i /k'": ({"key": "/k"}, "CertificateFile"),
    "ansible_ssh_args='-o UserKnownHostsFile=\"/a /b\"'": ({}, "a host has one file"),
    "ansible_ssh_executable=/opt/ssh": ({}, "ansible_ssh_executable"),
    "ansible_ssh_private_key_file=/k/%r": ({}, "% and $ signs"),
    "ansible_host='ann b@192.0.2.1'": ({"address": "192.0.2.1"}, "expected a login name"),
}


@pytest.mark.parametrize("variables", MISSED)
def test_what_a_fleet_file_cannot_say_is_named_and_makes_exit_5(variables: str) -> None:
    kept, why = MISSED[variables]
    Path("i.ini").write_text(f"[web]\nodd {variables}\nplain\n")
    result = run("i.ini", "-o", "f.yaml")
    assert result.return_value == ExitCode.PARTIAL
    (said,) = [line for line in result.stderr.splitlines() if line.startswith("not carried over")]
    assert said.startswith('not carried over: "odd": ansible_')
    assert why in said
    hosts = told(load_text(Path("f.yaml").read_text()).spec)
    assert hosts.pop("plain") == {"pool": "web"}
    assert hosts == ({} if kept is None else {"odd": {**kept, "pool": "web"}})


def run(*arguments: str) -> Result:
    return CliRunner().invoke(import_command, ["ansible", *arguments], standalone_mode=False)


def test_passwords_stay_behind_and_are_counted() -> None:
    files = {
        "i.yml": "web:\n  hosts:\n    w1: {ansible_password: hunter2, api_token: x}\n"
        f"    w2:\n      ansible_ssh_pass: {VAULTED}"
    }
    findings = found(files)
    assert findings.ignored == [
        '"ansible_password" (1x)',
        '"ansible_ssh_pass" (1x)',
        '"api_token" (1x)',
    ]
    written = fleet_file(findings, fleet="f", origin="x")
    assert "hunter2" not in written
    assert "VAULT" not in written


def test_only_named_groups_are_taken_into_their_pools() -> None:
    findings = found(
        {"i.ini": "[web]\nw1\n[db]\nd1\n[prod:children]\ndb\n"}, {"prod": "p", "dbb": "x"}
    )
    assert told(spec_of(findings)) == {"d1": {"pool": "p", "labels": "db"}}
    assert findings.missed == ['there is no group "dbb" - did you mean "db"?']


def test_a_relative_key_file_starts_where_ansible_would_run(inside: Path) -> None:
    findings = found({"i.ini": "w1 ansible_ssh_private_key_file=keys/id\n"})
    assert told(spec_of(findings)) == {"w1": {"key": str(inside / "keys/id")}}


def test_a_host_that_others_go_through_is_one_host() -> None:
    findings = found(
        {
            "i.ini": "bastion ansible_host=192.0.2.1 ansible_user=jump\n"
            "a ansible_host=10.0.0.1 ansible_ssh_common_args='-J jump@192.0.2.1'\n"
            "b ansible_host=10.0.0.1 ansible_ssh_common_args='-J jump@192.0.2.1,in@10.9.9.9'\n"
        }
    )
    spec = spec_of(findings)
    assert told(spec) == {
        "bastion": {"address": "192.0.2.1", "user": "jump"},
        "a": {"address": "10.0.0.1", "jump": "bastion"},
        "b": {"address": "10.0.0.1", "jump": "10.9.9.9"},
    }
    assert [(str(name), host.jump) for name, host in spec.hosts.items()][-1] == (
        "10.9.9.9",
        "bastion",
    )


@pytest.mark.parametrize(
    ("files", "says"),
    [
        ({"i.ini": "[web\nx y z\n"}, "Failed to parse inventory"),
        ({"i.yml": "all: [\n"}, "YAML parsing failed"),
        ({"i.py": "import json\nprint(json.dumps({}))\n"}, "Failed to parse inventory"),
        ({"i.sh": "#!/bin/sh\necho wrong \x1b[31m >&2\nexit 3\n"}, "wrong ␛[31m"),
        ({"i": "[web]\nw1\n", "group_vars/web.yml": ENCRYPTED}, "no vault secrets"),
    ],
)
def test_what_ansible_cannot_read_is_told_in_its_words(files: dict[str, str], says: str) -> None:
    path = write(files)
    result = run(str(path), "-o", "f.yaml")
    error = result.exception
    assert isinstance(error, InvalidConfig)
    assert says in error.message
    assert all(char.isprintable() or char == "\n" for char in error.message)
    assert not Path("f.yaml").exists()
    assert ("ANSIBLE_VAULT_PASSWORD_FILE" in error.hint) is ("group_vars/web.yml" in files)


def test_what_a_vault_password_file_opens_counts(
    inside: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The file is `ansible_user: opened`, encrypted under the password `pw`."""
    write({"i": "[web]\nw1\n", "group_vars/web.yml": _encrypted(inside, "ansible_user: opened\n")})
    monkeypatch.setenv("ANSIBLE_VAULT_PASSWORD_FILE", str(inside / "pw"))
    findings = read_inventory(Path("i"), {}, os.environ)
    assert told(spec_of(findings)) == {"w1": {"user": "opened", "pool": "web"}}


def _encrypted(inside: Path, text: str) -> str:
    import subprocess

    (inside / "pw").write_text("pw\n")
    vault = Path(find_program()).with_name("ansible-vault")
    env = {**os.environ, "LC_ALL": "C.UTF-8"}
    ran = subprocess.run(
        [vault, "encrypt", "--vault-password-file", inside / "pw"],
        input=text.encode(), capture_output=True, check=True, env=env,
    )  # fmt: skip
    return ran.stdout.decode()


def test_a_part_of_a_directory_that_cannot_be_read_makes_exit_5() -> None:
    write({"d/a.ini": "[web]\nw1\n", "d/b.yml": "all: [\n"})
    result = run("d")
    assert result.return_value == ExitCode.PARTIAL
    assert "not carried over: part of the inventory: " in result.stderr
    assert "d/b.yml" in result.stderr
    assert "w1: {pool: web" in result.stdout


def test_names_that_are_not_utf8_are_left_out_by_name() -> None:
    findings = found({"i.ini": "[web]\nw\xe9\nfine ansible_user=\xe9\n"})
    assert told(spec_of(findings)) == {"fine": {"pool": "web"}}
    assert len(findings.missed) == 2


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("LC_ALL", "C"),
        ("ANSIBLE_VERBOSITY", "4"),
        ("ANSIBLE_DEBUG", "1"),
        ("ANSIBLE_FORCE_COLOR", "1"),
        ("ANSIBLE_INVENTORY_EXPORT", "1"),
        ("ANSIBLE_ASK_VAULT_PASS", "1"),
    ],
)
def test_settings_that_would_spoil_the_answer_do_not(
    name: str, value: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(name, value)
    findings = found({"i.ini": "[web]\nw1\n[web:vars]\nansible_user=ops\n"})
    assert told(spec_of(findings)) == {"w1": {"user": "ops", "pool": "web"}}


def test_the_operators_own_settings_hold(monkeypatch: pytest.MonkeyPatch) -> None:
    Path("own.cfg").write_text("[inventory]\nenable_plugins = yaml\n")
    monkeypatch.setenv("ANSIBLE_CONFIG", "own.cfg")
    with pytest.raises(InvalidConfig):
        found({"i.ini": "[web]\nw1\n"})


# The program itself


def test_without_ansible_both_ways_to_get_it_are_told_and_nothing_is_written(
    monkeypatch: pytest.MonkeyPatch, inside: Path
) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    monkeypatch.setattr(sys, "executable", str(inside / "python"))
    Path("i.ini").write_text("[web]\nw1\n")
    error = run("i.ini", "-o", "f.yaml").exception
    assert isinstance(error, Unreachable)
    assert error.exit_code == ExitCode.UNREACHABLE
    assert "install Ansible" in error.message
    assert "pip install 'fleet-tui[ansible]'" in error.message
    assert not Path("f.yaml").exists()


def test_the_one_on_path_comes_before_the_one_beside_the_interpreter(
    monkeypatch: pytest.MonkeyPatch, inside: Path
) -> None:
    beside = fake(inside / "venv", "exit 0")
    monkeypatch.setattr(sys, "executable", str(inside / "venv" / "python"))
    monkeypatch.setenv("PATH", "/nowhere")
    assert find_program() == str(beside)
    first = fake(inside / "bin", "exit 0")
    monkeypatch.setenv("PATH", str(inside / "bin"))
    assert find_program() == str(first)


CFG = """[defaults]
remote_user = deploy
remote_port = 2222
private_key_file = ~/.ssh/of_all
[ssh_connection]
ssh_common_args = -J bastion
"""


def test_settings_beside_the_inventory_hold_for_hosts_that_say_nothing_else() -> None:
    findings = found(
        {
            "i.ini": "[web]\nplain\nown ansible_ssh_user=ann ansible_port=22 "
            "ansible_ssh_private_key_file=~/k ansible_ssh_common_args='-J other'\n",
            "ansible.cfg": CFG,
        }
    )
    assert findings.missed == []
    plain, own = findings.hosts
    assert (plain.user, plain.port, plain.identity) == ("deploy", "2222", "~/.ssh/of_all")
    assert [hop.address for hop in plain.via] == ["bastion"]
    assert (own.user, own.port, own.identity) == ("ann", "22", "~/k")
    assert [hop.address for hop in own.via] == ["other"]


def test_settings_of_the_environment_hold_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ANSIBLE_REMOTE_USER", "envy")
    monkeypatch.setenv("ANSIBLE_SSH_COMMON_ARGS", "-J gate")
    (host,) = found({"i.ini": "h1\n"}).hosts
    assert host.user == "envy"
    assert [hop.address for hop in host.via] == ["gate"]


def test_a_transport_that_is_not_ssh_leaves_hosts_out_and_says_where_it_is_set() -> None:
    findings = found(
        {
            "i.ini": "here\nthere ansible_connection=ssh\n",
            "ansible.cfg": "[defaults]\ntransport = local\n",
        }
    )
    assert [host.alias for host in findings.hosts] == ["there"]
    (line,) = findings.missed
    assert "here" in line
    assert "local" in line


def test_a_setting_that_cannot_be_carried_over_is_named_with_its_place() -> None:
    findings = found(
        {
            "i.ini": "h1\n",
            "ansible.cfg": "[defaults]\nremote_user = {{ who }}\n[ssh_connection]\n"
            "ssh_executable = /opt/ssh\n",
        }
    )
    user, program = sorted(findings.missed, reverse=True)
    assert "remote_user" in user
    assert "ansible.cfg" in user
    assert "ssh_executable" in program


def test_settings_that_cannot_be_asked_for_end_the_import(inside: Path) -> None:
    program = fake(inside, "echo '{}'")
    with pytest.raises(FleetError, match="ansible-config cannot be run"):
        connection_settings(str(program), os.environ)
    beside = program.with_name(ansible_run.CONFIG_PROGRAM)
    for body, words in (
        ("echo no >&2; exit 3", "ansible-config failed: no"),
        ("echo what", "did not print JSON"),
    ):
        beside.write_text(f"#!/bin/sh\n{body}\n")
        beside.chmod(0o755)
        with pytest.raises(FleetError, match=words):
            connection_settings(str(program), os.environ)
    beside.write_text('#!/bin/sh\necho \'[1, {"CONNECTION_PLUGINS": 3}, {"name": []}]\'\n')
    assert connection_settings(str(program), os.environ) == ()


def fake(directory: Path, body: str) -> Path:
    directory.mkdir(exist_ok=True)
    program = directory / ansible_run.PROGRAM
    program.write_text(f"#!/bin/sh\n{body}\n")
    program.chmod(stat.S_IRWXU)
    return program


@pytest.mark.parametrize("document", [b"", b"nonsense", b"[" * 100_000, b"\xff", b"[]", b"1"])
def test_what_is_no_inventory_is_refused(document: bytes) -> None:
    with pytest.raises(FleetError):
        findings_of(document, {})


@pytest.mark.parametrize(
    "document",
    [
        b"{}",
        b'{"_meta": 1, "a": [], "b": {"hosts": "x", "children": {"y": 1}}, "c": {"hosts": [1]}}',
        b'{"a": {"children": ["b"]}, "b": {"children": ["a"], "hosts": ["h"]}}',
        b'{"a": {"hosts": ["h"]}, "_meta": {"hostvars": {"h": {"ansible_port": true, '
        b'"ansible_user": {"x": 1}, "ansible_ssh_args": [1], "ansible_host": null}}}}',
    ],
)
def test_any_json_object_is_taken_for_what_it_says(document: bytes) -> None:
    findings = findings_of(document, {})
    assert {host.alias for host in findings.hosts} <= {"h"}
    fleet_file(findings, fleet="f", origin="x")
