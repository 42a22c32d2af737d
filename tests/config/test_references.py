"""Names in fleet files that lead nowhere, or back: told with everything else, in one run."""

import pytest

from fleet_tui.config.load import InvalidFleet, load_text
from fleet_tui.core.ids import HostName
from tests.config.bad_files import HEAD, agents, only, problems_of


@pytest.mark.parametrize("said", ["10.0.0.300", "10.0.0", "1.2.3.4.5", "010.0.0.1", "1.2"])
def test_numbers_with_dots_that_are_no_address(said: str) -> None:
    problem = only(agents("a1: {port: 1}") + f"hosts: {{h: {{address: '{said}'}}}}\n")
    assert (problem.path, problem.message) == (
        "hosts.h.address",
        f'"{said}" is not an IP address',
    )


def test_a_jump_cannot_lead_back() -> None:
    problems = problems_of(agents("a1: {port: 1}") + "hosts: {h: {jump: i}, i: {jump: h}}\n")
    assert [problem.path for problem in problems] == ["hosts.h.jump", "hosts.i.jump"]
    assert "h -> i -> h" in problems[0].message


BOTH_WAYS = """\
version: 1
fleet: f
defaults: {jump: b, token: secret:env:T}
hosts: {b: {jump: a}, a: %s}
agents: {x: {host: a, port: 1}}
"""


def test_a_default_jump_cannot_lead_back_to_a_host_with_agents() -> None:
    problem = only(BOTH_WAYS % "")
    assert (problem.path, problem.message) == ("defaults.jump", "leads back to a: a -> b -> a")
    assert problem.hint == "write jump: none under hosts.a if it is reached directly"
    spec = load_text(BOTH_WAYS % "{jump: none}").spec
    assert {str(name): host.jump for name, host in spec.hosts.items()} == {"b": "a", "a": None}


@pytest.mark.parametrize(
    "wrong",
    [
        "retry: {once: {non_retryable: [exit-300, exit-3]}}",
        "routing: {residency: [{regions: [eu]}]}",
        "routing: {residency: [{client: a, regions: [eu]}, 7]}",
        "routing: {residency: 7}",
        "limits: {open: many}",
        "deadlines: [1]",
        "lost_after: {a: 1}",
        "retry: {once: {max_attempts: 0, backoff: 1, non_retryable: {a: b}}}",
    ],
)
def test_names_are_looked_up_whatever_value_is_wrong(wrong: str) -> None:
    text = HEAD + f"{wrong}\nagents: {{a1: {{pool: nowhere, port: 1, token: secret:env:T}}}}\n"
    found = problems_of(text)
    assert "agents.a1.pool" in {problem.path for problem in found}
    assert any(str(problem.path).startswith(wrong.partition(":")[0]) for problem in found)


def test_no_jump_is_another_thing_than_nothing_said_of_one() -> None:
    spec = load_text(BOTH_WAYS % "{jump: none}").spec
    assert {str(name): host.direct for name, host in spec.hosts.items()} == {"b": False, "a": True}
    everywhere = load_text(BOTH_WAYS.replace("jump: b", "jump: none") % "").spec
    assert everywhere.hosts[HostName("a")].direct


def test_default_jumps_in_a_circle_are_told() -> None:
    circle = BOTH_WAYS % "{jump: b}"
    assert [problem.path for problem in problems_of(circle)] == ["hosts.b.jump", "hosts.a.jump"]
    itself = only((BOTH_WAYS % "").replace("jump: a", "jump: b"))
    assert (itself.path, itself.message) == ("hosts.b.jump", "goes through itself: b -> b")


def test_every_kind_of_problem_is_told_in_one_run() -> None:
    text = """\
version: 1
fleet: f
colour: red
defaults: {token: secret:env:T, port: 1, jump: bastoin}
hosts:
  bastion: {jump: none}
  h1: {address: 10.0.0.300, jump: nobody}
  h2: {jump: h3}
  h3: {jump: h2}
pools: {gpu: }
agents:
  a1: {host: h1, pool: gpuu, region: eu}
  a2: {pool: gpu, slots: many}
  a3: {host: h2}
routing: {residency: [{client: c, regions: [ue]}]}
"""
    assert {(each.path, each.message.split(" - ")[0]) for each in problems_of(text)} == {
        ("", 'unknown key "colour"'),
        ("defaults.jump", 'there is no host "bastoin"'),
        ("hosts.h1.address", '"10.0.0.300" is not an IP address'),
        ("hosts.h1.jump", 'there is no host "nobody"'),
        ("hosts.h2.jump", "goes through itself: h2 -> h3 -> h2"),
        ("hosts.h3.jump", "goes through itself: h3 -> h2 -> h3"),
        ("agents.a1.pool", 'there is no pool "gpuu"'),
        ("agents.a2.slots", 'expected a whole number, got "many"'),
        ("agents.a2", "says no host"),
        ("agents.a3", "says no pool"),
        ("routing.residency[0].regions[0]", 'no agent is in region "ue"'),
    }


def test_what_was_written_wrongly_is_not_told_to_be_missing_too() -> None:
    text = HEAD.replace("host: h", "host: 'a b', region: 'x y'") + (
        "pools: {p: {port: x}, q: {kindd: local}}\n"
        "agents: {a1: {pool: p}, a2: {pool: q}, a3: {pool: [z]}, a4: {pool: p, kind: olaf}}\n"
        "routing: {residency: [{client: c, regions: [eu]}]}\n"
    )
    assert {each.path for each in problems_of(text)} == {
        "defaults.host",
        "defaults.region",
        "pools.p.port",
        "pools.q",
        "agents.a3.pool",
        "agents.a4.kind",
        "routing.residency[0].regions[0]",
    }


def test_a_host_is_sound_whatever_is_wrong_with_one_whose_name_goes_on_with_a_dot() -> None:
    text = """
version: 1
fleet: mine
pools: {general: {}}
hosts:
  web: {address: 127.0.0.1}
  web.eu: {address: 127.0.0.2, port: nonsense}
agents:
  a: {pool: general, host: web, port: 18789, token: "secret:env:X"}
"""
    with pytest.raises(InvalidFleet) as caught:
        load_text(text)
    assert [host.name for host in caught.value.hosts] == ["web"]
