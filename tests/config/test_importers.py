"""Inventories of others become fleet files that load, without any secret of theirs."""

import json

import pytest

from fleet_tui.config.importers.ansible import findings_of
from fleet_tui.config.importers.found import Findings, FoundHost, fleet_file
from fleet_tui.config.importers.hosts_file import read_hosts
from fleet_tui.config.load import load_text
from fleet_tui.core.fleet import FleetSpec
from fleet_tui.core.ids import HostName


def spec_of(findings: Findings) -> FleetSpec:
    return load_text(fleet_file(findings, fleet="f", origin="test")).spec


def reached(spec: FleetSpec) -> dict[str, tuple[str, int | None, str | None, str]]:
    """Each agent's address, port, user and pool."""
    found = {}
    for name, agent in spec.agents.items():
        assert agent.host is not None
        host = spec.hosts[agent.host]
        found[str(name)] = (host.address, host.port, host.user, str(agent.pool))
    return found


def test_a_list_of_hosts() -> None:
    findings = read_hosts(
        "h1\nbob@h2:2200 # a comment\n[::1]:22\nfe80::1\n\nbad host\n;id\nh1\n-oX\nh3:99999\n"
    )
    assert reached(spec_of(findings)) == {
        "h1": ("h1", None, None, "general"),
        "h2": ("h2", 2200, "bob", "general"),
        "ip6-1": ("::1", 22, None, "general"),
        "fe80-1": ("fe80::1", None, None, "general"),
    }
    assert len(findings.missed) == 4
    assert findings.ignored == ['"h1": the same machine as one before it']


def test_a_list_of_hosts_with_brackets_schemes_and_a_byte_order_mark() -> None:
    findings = read_hosts(
        "\ufeffbob@[::1]:22\n[fe80::2]\neve@fe80::3\nssh://al@h4:23/\n10.0.0.300\n"
    )
    assert reached(spec_of(findings)) == {
        "ip6-1": ("::1", 22, "bob", "general"),
        "fe80-2": ("fe80::2", None, None, "general"),
        "fe80-3": ("fe80::3", None, "eve", "general"),
        "h4": ("h4", 23, "al", "general"),
    }
    assert findings.missed == ['line 5: "10.0.0.300": "10.0.0.300" is not an IP address']


@pytest.mark.parametrize(
    ("line", "address", "port", "user"),
    [
        ("CORP\\ann@h", "h", None, "CORP\\ann"),
        ("ann@corp.example@h:2200", "h", 2200, "ann@corp.example"),
        ("CORP+ann@[::1]:22", "::1", 22, "CORP+ann"),
        ("ann@corp.example@fe80::3", "fe80::3", None, "ann@corp.example"),
        ("10234@h", "h", None, "10234"),
        ("[web.example]:2222", "web.example", 2222, None),
        ("\th \t# a comment", "h", None, None),
    ],
)
def test_a_line_as_people_write_it(
    line: str, address: str, port: int | None, user: str | None
) -> None:
    findings = read_hosts(line)
    [found] = reached(spec_of(findings)).values()
    assert found[:3] == (address, port, user)
    assert findings.missed == []


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ("web#1", 'line 2: "web#1"'),
        ("a#b@h", 'line 2: "a#b@h": expected a login name'),
        ("h:0", 'line 2: "h:0": expected 1 to 65,535, got "0"'),
        ("fe80::1%eth0", "has a zone"),
        ("[fe80::1%eth0]:22", "has a zone"),
        ("CORP\\@h", "expected a login name"),
        ("-l@h", "expected a login name"),
        ("bob:hunter2@h", "line 2: a password stands in it"),
        ("bob:hun/ter2@h", "line 2: a password stands in it"),
        ("bob:hunter2@h two", "line 2: a password stands in it"),
        ("ssh://bob:hunter2@h/path", "line 2: a password stands in it"),
        ("bob:hunter2@fe80::1", "line 2: a password stands in it"),
        ("bob:hunter2", 'line 2: "bob:..." is not'),
        ("ssh://bob:hunter2", 'line 2: "bob:..." is not'),
        ("h:22:33", 'line 2: "h:22:33" is not'),
        ("@h", 'line 2: "@h" is not'),
        ("[bob@h]", "line 2: "),
        ("bob@", 'line 2: "bob@" is not'),
        (":" * 200_000 + "!", 'line 2: ":...'),
        ("@" * 200_000 + "!", "line 2: "),
    ],
)
def test_a_line_that_is_no_host_is_told_with_its_number(line: str, says: str) -> None:
    findings = read_hosts(f"fine\n{line}\n")
    assert list(spec_of(findings).agents) == ["fine"]
    [missed] = findings.missed
    assert says in missed
    assert "ter2" not in missed


@pytest.mark.parametrize(
    ("host", "variables"),
    [
        ("h", {"ansible_host": "bob:hunter2@h"}),
        ("h", {"ansible_user": "bob:hunter2"}),
        ("h", {"ansible_ssh_common_args": "-J bob:hunter2@jump"}),
        ("h", {"ansible_ssh_common_args": "-J a,bob:hunter2@jump"}),
        ("h", {"ansible_ssh_common_args": "-J bob:h,hunter2@jump"}),
        ("h", {"ansible_ssh_common_args": "-o ProxyJump=bob:hunter2@jump"}),
        ("h", {"ansible_ssh_common_args": "-o HostName=bob:hunter2@jump"}),
        ("h", {"ansible_ssh_common_args": "-o User=bob:hunter2"}),
        ("h", {"ansible_ssh_common_args": "-l bob:hunter2"}),
        ("h", {"ansible_ssh_common_args": "bob:hunter2@jump"}),
        ("h", {"ansible_ssh_common_args": "-o ProxyCommand='ssh -W %h:%p bob:hunter2@jump'"}),
        ("bob:hunter2@h", {}),
    ],
)
def test_no_password_of_an_inventory_is_told(host: str, variables: dict[str, str]) -> None:
    said = {"all": {"hosts": [host]}, "_meta": {"hostvars": {host: variables}}}
    findings = findings_of(json.dumps(said).encode(), {})
    [missed] = findings.missed
    assert "hunter2" not in missed
    assert "hunter2" not in fleet_file(findings, fleet="f", origin="test")


def test_another_user_of_one_machine_is_told_for_a_gateway_is_one_agent() -> None:
    findings = read_hosts("a\nbob@a\nbob@a:22\neve@b\nb\na:2200\n")
    spec = spec_of(findings)
    assert sorted((h.address, h.port or 22) for h in spec.hosts.values()) == [
        ("a", 22),
        ("a", 2200),
        ("b", 22),
    ]
    assert findings.missed == [
        '"a": the same machine as "a", with another user or key',
        '"a": the same machine as "a", with another user or key',
    ]
    assert findings.ignored == ['"b": the same machine as one before it']


def test_names_that_collide_or_mean_something_to_yaml_stay_apart() -> None:
    hosts = [
        FoundHost(alias=alias, pool="Null") for alias in ("null", "NO", "no", "A_b", "a.b", "007")
    ]
    spec = spec_of(Findings(hosts))
    assert list(spec.agents) == ["null", "no-2", "no", "a_b", "a.b", "007"]
    addresses = [said[0] for said in reached(spec).values()]
    assert addresses == ["null", "NO", "no", "A_b", "a.b", "007"]
    assert list(spec.pools) == ["null"]


def test_names_that_look_alike_get_a_number() -> None:
    hosts = [FoundHost(alias=alias, pool=f"p{alias}") for alias in ("web1", "webl", "WEBI", "web0")]
    spec = spec_of(Findings(hosts))
    assert list(spec.agents) == ["web1", "webl-2", "webi", "web0"]
    assert [spec.hosts[HostName(each)].address for each in ("web1", "webl-2")] == ["web1", "webl"]
    assert list(spec.pools) == ["pweb1", "pwebl-2", "pwebi", "pweb0"]


def test_a_name_never_has_what_a_host_of_that_name_could_not() -> None:
    found = FoundHost(alias="w..1[4]...x", address="10.0.0.1")
    text = fleet_file(Findings([found]), fleet="f", origin="x")
    assert [str(host) for host in load_text(text).spec.hosts] == ["w-1-4-x"]


def test_a_host_keeps_its_name_and_every_other_name_is_told() -> None:
    aliases = ("X_y", "x_y", "a b", "\u00dcber-1", "W", "w-2", "w", "\u65e5")
    found = [FoundHost(alias=a, address=f"10.0.0.{at}") for at, a in enumerate(aliases)]
    findings = Findings(found)
    spec = spec_of(findings)
    assert {str(name): spec.hosts[HostName(name)].address[-1] for name in spec.agents} == {
        "x_y-2": "0",
        "x_y": "1",
        "a-b": "2",
        "ber-1": "3",
        "w-3": "4",
        "w-2": "5",
        "w": "6",
        "host": "7",
    }
    assert findings.renamed == [
        '"a b": is called a-b',
        '"\u00dcber-1": is called ber-1',
        '"\u65e5": is called host',
    ]
    assert findings.missed == [
        '"X_y": its name: it is called x_y-2, because another host is called x_y',
        '"W": its name: it is called w-3, because another host is called w',
    ]


def test_a_name_is_free_again_where_its_host_is_left_out() -> None:
    findings = Findings([FoundHost(alias="X", address="h"), FoundHost(alias="x", address="h")])
    assert list(spec_of(findings).agents) == ["x"]
    assert findings.renamed == ['"X": is called x']


def test_another_port_of_one_address_takes_no_name_away() -> None:
    findings = read_hosts("h\nh:2200\n")
    assert list(spec_of(findings).agents) == ["h", "h-2"]
    assert findings.renamed == ['"h": is called h-2']
    assert findings.missed == []
