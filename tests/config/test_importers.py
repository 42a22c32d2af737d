"""Inventories of others become fleet files that load, without any secret of theirs."""

import json
from pathlib import Path

import pytest

from fleet_tui.config.importers.ansible import read_inventory
from fleet_tui.config.importers.found import Findings, FoundHost, fleet_file
from fleet_tui.config.importers.hosts_file import read_hosts
from fleet_tui.config.load import load_text
from fleet_tui.core.fleet import FleetSpec
from fleet_tui.errors import FleetError, InvalidConfig

INI = """\
lonely ansible_host=10.0.0.1
[web]
web[01:03].example.com ansible_user=deploy
gpu ansible_port=2222 ansible_password=hunter2 ansible_ssh_private_key_file=/k api_token=x
[db]
web01.example.com
DB_one ansible_host=10.1.1.1  # a comment
[prod:children]
web
db
[prod:vars]
ansible_user=ops
[all:vars]
ansible_user=admin
http_port=80
[odd:thing]
x
"""
YAML = """\
all:
  vars: {ansible_user: admin, ansible_ssh_pass: hunter2}
  hosts:
    lonely: {ansible_host: 10.0.0.1}
  children:
    prod:
      vars: {ansible_user: ops}
      children:
        web:
          hosts:
            web[01:03].example.com: {ansible_user: deploy}
            gpu: {ansible_port: 2222}
        db:
          hosts:
            web01.example.com:
            DB_one: {ansible_host: 10.1.1.1}
"""
LIST = {
    "_meta": {
        "hostvars": {
            "lonely": {"ansible_host": "10.0.0.1", "ansible_user": "admin"},
            "web01.example.com": {"ansible_user": "deploy", "ansible_become_password": "hunter2"},
            "gpu": {"ansible_port": 2222, "ansible_user": "ops", "nested": {"a": 1}},
        }
    },
    "all": {"children": ["ungrouped", "prod"]},
    "prod": {"children": ["web"]},
    "web": {"hosts": ["web01.example.com", "gpu"]},
    "ungrouped": {"hosts": ["lonely"]},
}


def spec_of(findings: Findings) -> FleetSpec:
    return load_text(fleet_file(findings, fleet="f", origin="test")).spec


def without_ansible(name: str) -> None:
    return None


def reached(spec: FleetSpec) -> dict[str, tuple[str, int | None, str | None, str]]:
    """Each agent's address, port, user and pool."""
    found = {}
    for name, agent in spec.agents.items():
        assert agent.host is not None
        host = spec.hosts[agent.host]
        found[str(name)] = (host.address, host.port, host.user, str(agent.pool))
    return found


EXPECTED = {
    "lonely": ("10.0.0.1", None, "admin", "general"),
    "web01.example.com": ("web01.example.com", None, "deploy", "web"),
    "web02.example.com": ("web02.example.com", None, "deploy", "web"),
    "web03.example.com": ("web03.example.com", None, "deploy", "web"),
    "gpu": ("gpu", 2222, "ops", "web"),
    "db_one": ("10.1.1.1", None, "ops", "db"),
}


@pytest.mark.parametrize(("name", "text"), [("inventory", INI), ("inventory.yml", YAML)])
def test_inventories_are_read_without_ansible(tmp_path: Path, name: str, text: str) -> None:
    path = tmp_path / name
    path.write_text(text)
    findings = read_inventory(path, {}, which=without_ansible)
    spec = spec_of(findings)
    assert reached(spec) == EXPECTED
    assert {str(k): dict(a.labels) for k, a in spec.agents.items()}["web01.example.com"] == {
        "prod": "member",
        "db": "member",
    }
    written = fleet_file(findings, fleet="f", origin="test")
    assert "hunter2" not in written
    assert "/k" not in written
    assert any("pass" in reason for reason in findings.ignored)


def test_only_named_groups_are_taken_into_their_pools(tmp_path: Path) -> None:
    path = tmp_path / "inventory"
    path.write_text(INI)
    findings = read_inventory(path, {"db": "data", "nope": "x"}, which=without_ansible)
    assert {name: said[3] for name, said in reached(spec_of(findings)).items()} == {
        "web01.example.com": "data",
        "db_one": "data",
    }
    assert 'there is no group "nope"' in findings.ignored


def fake_ansible(tmp_path: Path, body: str) -> Path:
    program = tmp_path / "ansible-inventory"
    program.write_text(f"#!/bin/sh\n{body}\n")
    program.chmod(0o755)
    return program


def test_ansible_inventory_is_asked_if_it_is_there(tmp_path: Path) -> None:
    (tmp_path / "list.json").write_text(json.dumps(LIST))
    program = fake_ansible(
        tmp_path, f'[ "$1" = --list ] && [ "$2" = -i ] && cat {tmp_path}/list.json'
    )
    findings = read_inventory(tmp_path / "anything", {}, which=lambda name: str(program))
    assert reached(spec_of(findings)) == {
        name: EXPECTED[name] for name in ("web01.example.com", "gpu", "lonely")
    }
    assert findings.ignored == ['"ansible_become_password" (1x)']


@pytest.mark.parametrize(
    ("body", "says"),
    [
        ("echo 'no such inventory' >&2; exit 1", 'ansible-inventory failed: "no such inventory"'),
        ("echo nonsense", "did not print JSON"),
    ],
)
def test_ansible_inventory_may_fail(tmp_path: Path, body: str, says: str) -> None:
    program = fake_ansible(tmp_path, body)
    with pytest.raises(FleetError, match=says):
        read_inventory(tmp_path, {}, which=lambda name: str(program))


@pytest.mark.parametrize(
    ("name", "text", "says"),
    [
        ("i.yml", "all: {hosts: {a: {ansible_password: !vault x}}}", "tags are not allowed"),
        ("i.yml", "all: [", "not valid YAML"),
        ("i", "\0", "cannot be read|nothing"),
    ],
)
def test_what_cannot_be_read_here_says_who_could(
    tmp_path: Path, name: str, text: str, says: str
) -> None:
    path = tmp_path / name
    path.write_text(text)
    if name == "i":
        assert spec_names(read_inventory(path, {}, which=without_ansible)) == []
        return
    with pytest.raises(InvalidConfig, match=says) as caught:
        read_inventory(path, {}, which=without_ansible)
    assert "ansible-inventory" in caught.value.hint


def spec_names(findings: Findings) -> list[str]:
    return [host.alias for host in findings.hosts if host.alias.isprintable()]


def test_patterns_that_only_ansible_knows_are_said(tmp_path: Path) -> None:
    path = tmp_path / "i"
    path.write_text("a[x:z]\nb[1:999999]\nc[1:2]d[3:4]\n[broken:sort]\n'open\nfine\n")
    findings = read_inventory(path, {}, which=without_ansible)
    assert findings.hosts == []  # the last lines stand in a section that is left out
    assert sum("the pattern" in reason for reason in findings.ignored) == 3


def test_a_list_of_hosts() -> None:
    findings = read_hosts(
        "h1\nbob@h2:2200 # a comment\n[::1]:22\nfe80::1\n\nbad host\n;id\nh1\n-oX\nh3:99999\n"
    )
    assert reached(spec_of(findings)) == {
        "h1": ("h1", None, None, "general"),
        "h2": ("h2", 2200, "bob", "general"),
        "1": ("::1", 22, None, "general"),
        "fe80-1": ("fe80::1", None, None, "general"),
    }
    assert len(findings.ignored) == 5


def test_names_that_collide_or_mean_something_to_yaml_stay_apart() -> None:
    hosts = [
        FoundHost(alias=alias, pool="Null") for alias in ("null", "NO", "no", "A_b", "a.b", "007")
    ]
    spec = spec_of(Findings(hosts))
    assert list(spec.agents) == ["null", "no", "no-2", "a_b", "a.b", "007"]
    addresses = [said[0] for said in reached(spec).values()]
    assert addresses == ["null", "NO", "no", "A_b", "a.b", "007"]
    assert list(spec.pools) == ["null"]


def test_ranges_stand_for_no_more_hosts_than_a_fleet_may_have(tmp_path: Path) -> None:
    path = tmp_path / "hosts.ini"
    path.write_text("[web]\n" + "".join(f"w{n}x[1:1000]\n" for n in range(12)))
    findings = read_inventory(path, {}, which=without_ansible)
    assert len(findings.hosts) == 10_000
    assert findings.ignored == [
        'the pattern "w10x[1:1000]": more than 10,000 hosts',
        'the pattern "w11x[1:1000]": more than 10,000 hosts',
    ]


def test_a_name_never_has_what_a_host_of_that_name_could_not() -> None:
    found = FoundHost(alias="w..1[4]...x", address="10.0.0.1")
    text = fleet_file(Findings([found]), fleet="f", origin="x")
    assert [str(host) for host in load_text(text).spec.hosts] == ["w-1-4-x"]
