"""What a task asks of an agent: who is left of a fleet, and what each rule says of the others."""

from collections.abc import Iterable

import pytest
from msgspec.structs import replace

from fleet_tui.core.fleet import AgentSpec, CommandAgent, HostSpec, OpenClawAgent, ResidencyRule
from fleet_tui.core.ids import AgentName, Capability, ClientName, HostName, PoolName, Region
from fleet_tui.core.routing.decision import MAX_NAMED_PER_RULE, Rejection, Rule
from fleet_tui.core.routing.requirement import (
    MAX_REMEMBERED,
    Requirement,
    Roster,
    requirement_of,
)
from tests.support.fleets import agent, fleet, work


def asks(
    *,
    needs: Iterable[str] = (),
    pool: str | None = None,
    agent: str | None = None,
    client: str | None = None,
    project: str | None = None,
    regions: Iterable[str] | None = None,
    goes_on: bool = False,
) -> Requirement:
    return Requirement(
        needs=frozenset(map(Capability, needs)),
        pool=PoolName(pool) if pool is not None else None,
        agent=AgentName(agent) if agent is not None else None,
        client=ClientName(client) if client is not None else None,
        project=project,
        regions=frozenset(map(Region, regions)) if regions is not None else None,
        goes_on=goes_on,
    )


def gateway(name: str, port: int = 1, host: str | None = None) -> AgentSpec:
    spec = replace(agent(name), kind=OpenClawAgent(port=port, token="secret:env:T"))
    return spec if host is None else replace(spec, host=HostName(host))


def names(specs: Iterable[AgentSpec]) -> list[str]:
    return [spec.name for spec in specs]


PLAIN = agent("plain")
EQUIPPED = agent("equipped", capabilities=["gpu", "browser"])
NORTH = agent("north", region="eu-n1")
OURS = agent("ours", clients=["acme", "globex"])
OF_PROJECT = replace(agent("of-project"), projects=("apollo", "gemini"))
ELSEWHERE = agent("elsewhere", pool="other")


@pytest.mark.parametrize(
    ("specs", "asked", "left", "rule", "wanted", "example"),
    [
        ([PLAIN, NORTH], asks(agent="north"), ["north"], Rule.PIN, "north", "plain is not north"),
        (
            [ELSEWHERE, PLAIN],
            asks(pool="general"),
            ["plain"],
            Rule.POOL,
            "general",
            "elsewhere is in other",
        ),
        (
            [PLAIN, EQUIPPED],
            asks(needs=["gpu", "browser"]),
            ["equipped"],
            Rule.CAPABILITY,
            "browser, gpu",
            "plain has no browser, gpu",
        ),
        (
            [gateway("claw"), EQUIPPED],
            asks(needs=["gpu"], goes_on=True),
            ["equipped"],
            Rule.CAPABILITY,
            "gpu, checkpoint support",
            "claw has no gpu",
        ),
        (
            [gateway("claw"), PLAIN],
            asks(goes_on=True),
            ["plain"],
            Rule.CAPABILITY,
            "checkpoint support",
            "claw cannot resume from a checkpoint",
        ),
        (
            [PLAIN, NORTH],
            asks(regions=["eu-n1", "eu-a1"]),
            ["north"],
            Rule.RESIDENCY,
            "eu-a1, eu-n1",
            "plain is in no region",
        ),
        (
            [NORTH],
            asks(regions=[]),
            [],
            Rule.RESIDENCY,
            "no region at all",
            "north is in eu-n1",
        ),
        (
            [OURS, PLAIN],
            asks(client="third"),
            ["plain"],
            Rule.ISOLATION,
            "third",
            "ours is reserved for acme, globex",
        ),
        (
            [OURS, PLAIN],
            asks(project="apollo"),
            ["plain"],
            Rule.ISOLATION,
            "apollo",
            "ours is reserved for acme, globex",
        ),
        (
            [OURS, PLAIN],
            asks(),
            ["plain"],
            Rule.ISOLATION,
            "no client",
            "ours is reserved for acme, globex",
        ),
        (
            [OURS, PLAIN],
            asks(client="acme"),
            ["ours"],
            Rule.ISOLATION,
            "acme",
            "plain is shared and acme is isolated",
        ),
        (
            [OF_PROJECT, PLAIN],
            asks(client="acme", project="mercury"),
            ["plain"],
            Rule.ISOLATION,
            "acme",
            "of-project is reserved for project apollo, gemini",
        ),
        (
            [ELSEWHERE, EQUIPPED],
            asks(),
            ["elsewhere"],
            Rule.HOME,
            "other",
            "equipped is in general, which takes no overflow",
        ),
    ],
)
def test_a_rule_names_what_it_wanted_and_the_first_agent_without_it(
    specs: list[AgentSpec],
    asked: Requirement,
    left: list[str],
    rule: Rule,
    wanted: str,
    example: str,
) -> None:
    found = Roster(fleet(*specs)).eligible(asked)
    removed = tuple(spec.name for spec in specs if spec.name not in left)
    assert names(found.agents) == left
    assert found.considered == len(specs)
    assert found.rejections == (
        Rejection(
            rule=rule,
            wanted=wanted,
            count=len(removed),
            left=len(left),
            agents=removed,
            example=example,
        ),
    )


@pytest.mark.parametrize(
    ("spec", "asked"),
    [
        (PLAIN, asks()),
        (PLAIN, asks(agent="plain", pool="general", client="acme", project="apollo")),
        (EQUIPPED, asks(needs=["gpu"], goes_on=True)),
        (NORTH, asks(regions=["eu-n1"])),
        (gateway("claw"), asks()),
        (OURS, asks(client="globex")),
        (OF_PROJECT, asks(project="gemini")),
    ],
)
def test_no_rule_removes_an_agent_that_has_what_is_asked(
    spec: AgentSpec, asked: Requirement
) -> None:
    found = Roster(fleet(spec)).eligible(asked)
    assert (names(found.agents), found.rejections) == ([spec.name], ())
    assert found.pools == (spec.pool,)


@pytest.mark.parametrize("rule", [Rule.CAPABILITY, Rule.HOME])
def test_a_rule_counts_all_that_it_removed_and_names_a_bounded_number(rule: Rule) -> None:
    many = [f"a{n:02d}" for n in range(MAX_NAMED_PER_RULE + 1)]
    extra = ["spare"] if rule is Rule.HOME else []
    crowd = [agent(name, pool="crowd", capabilities=["x", *extra]) for name in many]
    home = agent("home", capabilities=["gpu", "x"] if rule is Rule.CAPABILITY else ["x"])
    asked = asks(needs=["gpu"] if rule is Rule.CAPABILITY else [])
    found = Roster(fleet(*crowd, home)).eligible(asked)
    (rejection,) = found.rejections
    assert (rejection.rule, rejection.count, rejection.left) == (rule, len(many), 1)
    assert list(rejection.agents) == many[:MAX_NAMED_PER_RULE]
    assert rejection.example.startswith("a00 ")


def test_the_home_is_the_pool_with_the_least_to_spare_on_its_leanest_agent() -> None:
    specs = [
        agent("r1", pool="rich", capabilities=["gpu", "x", "y"]),
        agent("l1", pool="lean", capabilities=["gpu", "x"]),
        agent("m1", pool="mixed", capabilities=["gpu", "x", "y", "z"]),
        agent("m2", pool="mixed", capabilities=["gpu"]),
        agent("m3", pool="mixed", capabilities=["gpu", "x", "y"]),
    ]
    asked = asks(needs=["gpu"])
    assert Roster(fleet(*specs)).eligible(asked).pools == ("mixed",)
    for overflow, pools in (
        (["rich"], ("mixed", "rich")),
        (["lean", "rich"], ("mixed", "lean", "rich")),
    ):
        found = Roster(fleet(*specs, overflow=overflow)).eligible(asked)
        assert found.pools == pools
        assert {spec.pool for spec in found.agents} == set(pools)


def test_a_client_that_the_file_isolates_shares_with_nobody() -> None:
    spec = fleet(PLAIN, OURS, isolated=["lonely"])
    for client, left in (
        ("lonely", []),
        ("acme", ["ours"]),
        ("globex", ["ours"]),
        ("other", ["plain"]),
    ):
        assert names(Roster(spec).eligible(asks(client=client)).agents) == left


def test_an_answer_is_remembered_and_the_memory_is_bounded() -> None:
    roster = Roster(fleet(PLAIN))
    first = roster.eligible(asks(project="p0"))
    for n in range(1, MAX_REMEMBERED):
        roster.eligible(asks(project=f"p{n}"))
    assert roster.eligible(asks(project="p0")) is first
    roster.eligible(asks(project="one more"))
    again = roster.eligible(asks(project="p0"))
    assert again is not first
    assert again == first


EU, US = Region("eu"), Region("us")


@pytest.mark.parametrize(
    ("client", "project", "wish", "regions"),
    [
        (None, None, (), None),
        (None, None, ("us",), {"us"}),
        ("acme", None, (), {"eu", "us"}),
        ("acme", None, ("us", "ap"), {"us"}),
        ("acme", "apollo", (), {"eu"}),
        ("acme", "apollo", ("us",), set()),
        ("other", "apollo", (), {"eu", "ap"}),
        ("other", "gemini", (), None),
    ],
)
def test_every_residency_rule_that_matches_narrows_the_regions(
    client: str | None, project: str | None, wish: tuple[str, ...], regions: set[str] | None
) -> None:
    spec = fleet(
        PLAIN,
        residency=[
            ResidencyRule(regions=(EU, US), client=ClientName("acme")),
            ResidencyRule(regions=(EU, Region("ap")), project="apollo"),
            ResidencyRule(regions=(US,), client=ClientName("nobody"), project="apollo"),
        ],
    )
    asked = replace(work(client=client, regions=wish), project=project)
    assert requirement_of(spec, asked).regions == regions


@pytest.mark.parametrize("goes_on", [True, False])
def test_everything_that_routing_looks_at_comes_from_the_task(goes_on: bool) -> None:
    spec = replace(
        work(needs=["gpu"], pool="general", client="acme", regions=["eu"]),
        agent=AgentName("a1"),
        project="apollo",
    )
    assert requirement_of(fleet(PLAIN), spec, goes_on=goes_on) == asks(
        needs=["gpu"],
        pool="general",
        agent="a1",
        client="acme",
        project="apollo",
        regions=["eu"],
        goes_on=goes_on,
    )
    assert not requirement_of(fleet(PLAIN), spec).goes_on


def test_agents_share_a_gateway_when_host_and_port_are_the_same() -> None:
    spec = fleet(
        gateway("a", 1),
        gateway("b", 1),
        gateway("c", 2),
        gateway("d", 1, host="h2"),
        gateway("e", 1, host="h2"),
        gateway("f", 1, host="h2"),
        replace(agent("program"), kind=CommandAgent(command=("cat",))),
    )
    assert Roster(spec).sharing == {
        "a": ("a", "b"),
        "b": ("a", "b"),
        "d": ("d", "e", "f"),
        "e": ("d", "e", "f"),
        "f": ("d", "e", "f"),
    }


def test_hosts_of_one_machine_share_its_gateway() -> None:
    hosts = (
        HostSpec(name=HostName("m1"), address="192.0.2.1"),
        HostSpec(name=HostName("m1-too"), address="192.0.2.1", port=22, user="other"),
        HostSpec(name=HostName("named"), address="Web.example.org"),
        HostSpec(name=HostName("web.example.org"), address="web.example.org"),
        HostSpec(name=HostName("m1-mapped"), address="192.0.2.1", port=2222),
        HostSpec(name=HostName("m1-behind"), address="192.0.2.1", jump=HostName("m1")),
        HostSpec(name=HostName("m1-there"), address="192.0.2.1", jump=HostName("m1-too")),
        HostSpec(name=HostName("m1-else"), address="192.0.2.1", jump=HostName("named")),
        HostSpec(name=HostName("m1-direct"), address="192.0.2.1", direct=True),
    )
    spec = replace(
        fleet(*(gateway(f"on-{host.name}", host=host.name) for host in hosts)),
        hosts={host.name: host for host in hosts},
    )
    sharing = Roster(spec).sharing
    assert set(sharing.values()) == {
        ("on-m1", "on-m1-too"),
        ("on-named", "on-web.example.org"),
        ("on-m1-behind", "on-m1-there"),
    }
    assert spec.machine(HostName("named")) == (("web.example.org", 22, False),)


def test_a_way_that_leads_round_in_a_circle_ends() -> None:
    hosts = {
        HostName(name): HostSpec(name=HostName(name), address=name, jump=HostName(jump))
        for name, jump in (("there", "back"), ("back", "there"))
    }
    spec = replace(fleet(), hosts=hosts)
    assert len(spec.machine(HostName("there"))) == len(hosts) + 1
