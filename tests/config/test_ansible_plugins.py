"""Variables of Ansible's connection plugins: what each says of the way to a host."""

import json
from collections.abc import Mapping

import pytest

from fleet_tui.config.importers.ansible import findings_of
from fleet_tui.config.importers.found import Findings


@pytest.mark.parametrize(
    ("connection", "plugin"),
    [
        ("paramiko_ssh", "paramiko"),
        ("ansible.builtin.paramiko_ssh", "paramiko"),
        ("paramiko", "paramiko"),
        ("ansible.netcommon.libssh", "libssh"),
    ],
)
def test_a_connection_plugins_own_variables_say_how_a_host_is_reached(
    connection: str, plugin: str
) -> None:
    said = {
        "ansible_connection": connection,
        f"ansible_{plugin}_host": "192.0.2.7",
        "ansible_host": "192.0.2.1",
        f"ansible_{plugin}_port": 2225,
        "ansible_port": 22,
        f"ansible_{plugin}_user": "bob",
        f"ansible_{plugin}_private_key_file": "/k",
    }
    [host] = listed(said).hosts
    assert (host.address, host.port, host.user, host.identity) == ("192.0.2.7", "2225", "bob", "/k")
    assert listed(said).ignored == []


def test_variables_of_another_connection_change_nothing() -> None:
    said = {"ansible_port": 2222, "ansible_paramiko_port": 2225}
    found = listed(said)
    assert [host.port for host in found.hosts] == ["2222"]
    assert found.ignored == ['"ansible_paramiko_port" (1x)']


def test_what_a_plugins_own_variable_says_wrongly_is_named() -> None:
    found = listed({"ansible_connection": "paramiko_ssh", "ansible_paramiko_port": 99_999})
    assert len(found.missed) == 1
    assert '"h": ansible_paramiko_port' in found.missed[0]


def listed(variables: Mapping[str, object]) -> Findings:
    """What is found of one host with some variables."""
    whole = {"g": {"hosts": ["h"]}, "_meta": {"hostvars": {"h": variables}}}
    return findings_of(json.dumps(whole).encode(), {})
