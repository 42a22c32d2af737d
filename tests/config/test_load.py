"""A fleet file that is right: what it means once every default is applied."""

import hashlib
from pathlib import Path

import pytest

from fleet_tui.base import bundled
from fleet_tui.config.load import InvalidFleet, load_fleet, load_text
from fleet_tui.config.peek import fleet_name
from fleet_tui.config.problems import ProblemSeverity
from fleet_tui.core.fleet import (
    CommandAgent,
    Deadlines,
    FleetSpec,
    LocalAgent,
    OpenClawAgent,
    Prices,
    Priority,
    ProbeSpec,
    QueueLimits,
    RetryBudget,
    RetryPolicy,
    Strategy,
    TaskClass,
)
from fleet_tui.core.ids import AgentName, ClientName, HostName, PoolName, Region

ONE_AGENT = """\
version: 1
fleet: one
agents:
  a1: {host: h1, port: 18789, token: secret:env:TOKEN}
"""


def spec_of(text: str, **env: str) -> FleetSpec:
    return load_text(text, env=env).spec


def test_the_least_a_fleet_can_say_gets_every_default() -> None:
    spec = spec_of(ONE_AGENT)
    agent = spec.agents[AgentName("a1")]
    assert agent.kind == OpenClawAgent(port=18789, token="secret:env:TOKEN")
    assert (agent.pool, agent.host, agent.region, agent.slots) == ("default", "h1", None, 1)
    assert list(spec.pools) == ["default"]
    assert spec.hosts[HostName("h1")].address == "h1"
    assert spec.hosts[HostName("h1")].use_ssh_config
    assert spec.deadlines == Deadlines()
    assert (spec.limits, spec.retry_budget) == (QueueLimits(), RetryBudget())
    assert spec.retry_policy(TaskClass.ONCE) == RetryPolicy()
    assert spec.lost_after_ms == FleetSpec(name="").lost_after_ms


CASCADE = """\
version: 1
fleet: cascade
defaults:
  slots: 2
  region: eu-w1
  token: secret:env:FLEET
  labels: {team: ops, tier: plain}
  capabilities: [text]
  probe: {every: 5s, timeout: 2s}
  prices: {per_hour: 0.10, input_per_mtok: 3}
pools:
  gpu:
    slots: 4
    labels: {tier: gold}
    capabilities: [gpu, text]
    probe: {every: 10s}
    prices: {per_hour: 2.50}
  plain:
agents:
  near: {host: h, pool: gpu, port: 1, slots: 8, region: us-e1, labels: {box: big},
         capabilities: [vision], probe: {up_after: 1}}
  middle: {host: h, pool: gpu, port: 2}
  far: {host: h, pool: plain, port: 3}
"""


def test_the_nearest_level_wins_and_maps_merge() -> None:
    spec = spec_of(CASCADE)
    near, middle, far = spec.agents.values()
    assert [agent.slots for agent in (near, middle, far)] == [8, 4, 2]
    assert [agent.region for agent in (near, middle, far)] == ["us-e1", "eu-w1", "eu-w1"]
    assert near.labels == {"team": "ops", "tier": "gold", "box": "big"}
    assert far.labels == {"team": "ops", "tier": "plain"}
    assert near.capabilities == {"vision"}
    assert middle.capabilities == {"gpu", "text"}
    assert far.capabilities == {"text"}
    assert near.probe == ProbeSpec(every_ms=10_000, timeout_ms=2_000, up_after=1)
    assert middle.prices == Prices(per_hour_microusd=2_500_000, input_microusd_per_mtok=3_000_000)
    assert far.prices == Prices(per_hour_microusd=100_000, input_microusd_per_mtok=3_000_000)


def test_hosts_are_entries_aliases_or_addresses() -> None:
    spec = spec_of(
        """\
version: 1
fleet: hosts
defaults: {user: ops, jump: bastion, port: 18789, token: secret:env:T, connect_timeout: 20s}
hosts:
  bastion: {address: b.example.net, port: 2222, user: jump}
  named: {address: 10.0.0.9, ssh_config: off, connect_timeout: 3s}
agents:
  one: {host: named}
  two: {host: some-Alias}
  three: {host: "fd00::1"}
"""
    )
    assert [agent.host for agent in spec.agents.values()] == ["named", "some-Alias", "fd00::1"]
    bastion, named, alias = (
        spec.hosts[HostName(name)] for name in ("bastion", "named", "some-Alias")
    )
    assert (bastion.address, bastion.port, bastion.user, bastion.jump) == (
        "b.example.net",
        2222,
        "jump",
        None,
    )
    assert (named.user, named.jump, named.use_ssh_config, named.connect_timeout_ms) == (
        "ops",
        "bastion",
        False,
        3_000,
    )
    assert (alias.address, alias.jump, alias.connect_timeout_ms) == (
        "some-Alias",
        "bastion",
        20_000,
    )


def test_a_jump_may_go_through_another_jump_without_going_through_itself() -> None:
    spec = spec_of(
        """\
version: 1
fleet: jumps
defaults: {jump: inner, port: 18789, token: secret:env:T}
hosts: {inner: {jump: outer}, outer: }
agents: {a: {host: target}}
"""
    )
    jumps = {name: host.jump for name, host in spec.hosts.items()}
    assert jumps == {"inner": "outer", "outer": None, "target": "inner"}


def test_key_files_start_at_the_fleet_file_and_only_they_expand_the_home_directory() -> None:
    text = """\
version: 1
fleet: keys
defaults: {kind: command, command: [cat], run_dir: ~/runs, env: {WHERE: $HOME}}
hosts:
  a: {identity: ~/.ssh/id_a, known_hosts: ./known}
agents: {one: {host: a}}
"""
    spec = load_text(text, name="/etc/fleets/fleet.yaml", env={"HOME": "/home/op"}).spec
    host = spec.hosts[HostName("a")]
    assert host.identity == "/home/op/.ssh/id_a"
    assert host.known_hosts == "/etc/fleets/known"
    agent = spec.agents[AgentName("one")].kind
    assert isinstance(agent, CommandAgent)
    assert (agent.run_dir, agent.env) == ("~/runs", {"WHERE": "$HOME"})


def test_the_policies_of_the_whole_fleet() -> None:
    spec = spec_of(
        ONE_AGENT.replace("h1,", "h1, region: eu-w1,")
        + """\
protected: true
routing:
  strategy: round-robin
  residency:
    - {client: globex, regions: [eu-w1]}
    - project: claims
      regions: eu-w1
  isolated: [acme]
retry:
  once: {max_attempts: 1}
  idempotent: {max_attempts: 5, backoff: 2s..1m30s, factor: 1.5, non_retryable: [exit-2, timeout]}
retry_budget: {percent: 10%, floor: 0}
limits: {open: 5000, lanes: {P0: 100, P3: 0}, clients: {acme: 20}, per_client: 10}
deadlines: {start_to_close: none, heartbeat: 3s, total: 2h}
lost_after: never
"""
    )
    assert spec.protected
    assert spec.pools[PoolName("default")].strategy is Strategy.ROUND_ROBIN
    first, second = spec.residency
    assert (first.client, first.regions, first.line) == (ClientName("globex"), ("eu-w1",), 9)
    assert (second.project, second.regions, second.line) == ("claims", (Region("eu-w1"),), 10)
    assert spec.isolated == {ClientName("acme")}
    assert spec.retry_policy(TaskClass.ONCE).max_attempts == 1
    assert spec.retry_policy(TaskClass.IDEMPOTENT) == RetryPolicy(
        max_attempts=5,
        backoff_base_ms=2_000,
        backoff_cap_ms=90_000,
        factor=1.5,
        non_retryable=("exit-2", "timeout"),
    )
    assert spec.retry_budget == RetryBudget(percent=10, floor=0)
    assert spec.limits == QueueLimits(
        open=5_000,
        lanes={Priority.P0: 100, Priority.P3: 0},
        clients={ClientName("acme"): 20},
        per_client=10,
    )
    assert spec.retry_policy(TaskClass.RESUMABLE) == RetryPolicy()
    assert spec.deadlines == Deadlines(
        start_to_close_ms=None, heartbeat_ms=3_000, total_ms=7_200_000
    )
    assert spec.lost_after_ms is None


def test_isolation_and_local_agents() -> None:
    spec = spec_of(
        """\
version: 1
fleet: kinds
defaults: {host: shared}
agents:
  here: {kind: local, command: [cat], isolate: acme, projects: [a, b]}
  there: {kind: command, command: [sh, -c, 'echo $PATH $$HOME'], isolate: [acme, globex]}
"""
    )
    here, there = spec.agents.values()
    assert isinstance(here.kind, LocalAgent)
    assert here.host is None
    assert (here.clients, here.projects) == (("acme",), ("a", "b"))
    assert isinstance(there.kind, CommandAgent)
    assert there.kind.command == ("sh", "-c", "echo $PATH $HOME")
    assert there.clients == ("acme", "globex")


def test_variables_are_filled_in_values() -> None:
    text = """\
version: 1
fleet: ${FLEET:-dev}
agents:
  a1: {host: "${HOST:?name the host}", port: "${PORT}", token: secret:env:TOKEN}
"""
    spec = spec_of(text, HOST="h9", PORT="4000")
    assert spec.name == "dev"
    agent = spec.agents[AgentName("a1")]
    assert (agent.host, agent.kind) == ("h9", OpenClawAgent(port=4000, token="secret:env:TOKEN"))


def test_an_empty_fleet_can_be_meant() -> None:
    assert spec_of("version: 1\nfleet: later\nagents: []\n").agents == {}


def test_a_file_is_read_with_its_digest_and_a_byte_order_mark_is_noted(tmp_path: Path) -> None:
    data = b"\xef\xbb\xbf" + ONE_AGENT.encode()
    path = tmp_path / "fleet.yaml"
    path.write_bytes(data)
    loaded = load_fleet(path, {})
    assert loaded.spec.digest == hashlib.sha256(data).hexdigest()
    assert loaded.spec.source == str(path)
    assert [note.severity for note in loaded.warnings] == [ProblemSeverity.NOTE]


@pytest.mark.parametrize(
    "file", sorted(bundled.sample_fleets().glob("*.yaml")), ids=lambda f: f.stem
)
def test_every_sample_fleet_loads_without_a_word(file: Path) -> None:
    loaded = load_fleet(file, {"HOME": "/home/op"})
    assert loaded.warnings == ()
    assert loaded.spec.agents


def test_there_are_the_sample_fleets_that_are_promised() -> None:
    names = {file.stem for file in bundled.sample_fleets().glob("*.yaml")}
    assert names >= {
        "demo",
        "small",
        "command-agents",
        "two-regions-residency",
        "bastion",
        "local",
    }
    demo = load_fleet(bundled.sample_fleet("demo"), {}).spec
    assert len(demo.agents) == 20
    assert set(demo.pools) == {"general", "gpu", "browse"}
    assert {agent.region for agent in demo.agents.values()} == {"eu-w1", "us-e1"}
    assert sum(agent.slots for agent in demo.agents.values()) == 80


def test_a_file_that_is_not_there_says_so(tmp_path: Path) -> None:
    with pytest.raises(InvalidFleet, match="no such file"):
        load_fleet(tmp_path / "fleet.yaml", {})


def test_the_name_alone_follows_the_same_rules(tmp_path: Path) -> None:
    path = tmp_path / "fleet.yaml"
    path.write_text("version: 1\nfleet: ${FLEET:-dev}\nagents: nonsense\n")
    assert fleet_name(path, {}) == "dev"
    assert fleet_name(path, {"FLEET": "prod"}) == "prod"
    for wrong in ("../../etc", "${", "Ä"):
        path.write_text(f"version: 1\nfleet: '{wrong}'\nagents: []\n")
        with pytest.raises(InvalidFleet, match="fleet"):
            fleet_name(path, {})
    with pytest.raises(InvalidFleet, match="no such file"):
        fleet_name(tmp_path / "none.yaml", {})
