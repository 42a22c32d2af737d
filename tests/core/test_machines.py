"""Which hosts are one machine once ssh_config was asked, and where it was not or said nothing."""

import msgspec
import pytest
from msgspec.structs import replace

from fleet_tui.core.fleet import CommandAgent, FleetSpec, HostSpec, OpenClawAgent
from fleet_tui.core.ids import HostName
from fleet_tui.core.routing.requirement import Roster
from fleet_tui.core.ssh.config import Complaint, ConfigRefusal, Resolved
from fleet_tui.core.ssh.machines import hosts_to_ask, machine_of, same_machines
from tests.support.fleets import agent, fleet

A, B, C, JUMP = map(HostName, ("a", "b", "c", "jump"))
REFUSED = ConfigRefusal((Complaint("Bad configuration option: nonsense"),))


def host(name: HostName, address: str = "", **more: object) -> HostSpec:
    return HostSpec(name=name, address=address or name, **more)  # type: ignore[arg-type]  # a plain bag of fields


def at(address: str, port: int = 22, **said: str) -> Resolved:
    """What ssh says of a name that leads there."""
    ways: dict[str, tuple[str, ...]] = {keyword: (value,) for keyword, value in said.items()}
    return Resolved(original="any", hostname=address, port=port, user=None, said=ways)


def gateways(*hosts: HostSpec, port: int = 1) -> FleetSpec:
    """A fleet with a gateway on each host."""
    kind = OpenClawAgent(port=port, token="secret:env:T")
    agents = (replace(agent(f"on-{each.name}"), kind=kind, host=each.name) for each in hosts)
    return replace(fleet(*agents), hosts={each.name: each for each in hosts})


ABC = gateways(host(A), host(B), host(C))


def test_two_names_that_ssh_config_leads_to_one_machine_are_one() -> None:
    answers = {A: at("192.0.2.1"), B: at("192.0.2.2"), C: at("192.0.2.1")}
    assert same_machines(ABC, answers) == {C: A}
    known = replace(ABC, same={C: A})
    assert known.machine(C) == known.machine(A) != known.machine(B)
    assert set(Roster(known).sharing.values()) == {("on-a", "on-c")}
    assert Roster(ABC).sharing == {}


@pytest.mark.parametrize(
    "other",
    [
        at("192.0.2.2"),
        at("192.0.2.1", 2222),
        at("192.0.2.1", proxyjump="bastion"),
        at("192.0.2.1", proxycommand="nc %h %p"),
        REFUSED,
    ],
)
def test_another_address_port_or_way_is_another_machine(other: Resolved | ConfigRefusal) -> None:
    assert same_machines(ABC, {A: at("192.0.2.1"), B: other}) == {}


def test_case_makes_no_difference() -> None:
    assert same_machines(ABC, {A: at("web.example"), B: at("Web.Example")}) == {B: A}


def test_what_the_file_says_itself_is_not_recorded() -> None:
    spec = gateways(host(A, "192.0.2.1"), host(B, "192.0.2.1"), host(C))
    one = at("192.0.2.1")
    assert same_machines(spec, {A: one, B: one}) == {}
    assert same_machines(spec, {A: one, B: one, C: one}) == {C: A}


def test_hosts_behind_two_names_of_one_jump_host_are_one() -> None:
    spec = gateways(
        host(JUMP), host(C), host(A, "192.0.2.1", jump=JUMP), host(B, "192.0.2.1", jump=C)
    )
    there, gate = at("192.0.2.1"), at("gate.example")
    answers = {JUMP: gate, C: gate, A: there, B: there}
    same = same_machines(spec, answers)
    assert same == {C: JUMP, B: A}
    known = replace(spec, same=same)
    assert known.machine(A) == known.machine(B) == (spec.hosts[A].place, spec.hosts[JUMP].place)
    assert same_machines(spec, {**answers, C: at("other.example")}) == {}


def test_the_files_own_jump_host_stands_for_any_way_of_ssh_config() -> None:
    spec = gateways(host(JUMP), host(A, jump=JUMP), host(B, jump=JUMP), host(C))
    through = at("192.0.2.1", proxyjump="elsewhere")
    answers = {JUMP: at("gate"), A: through, B: at("192.0.2.1"), C: through}
    assert same_machines(spec, answers) == {B: A}
    assert machine_of(spec, A, answers) == (("192.0.2.1", 22, None), ("gate", 22, None))
    assert machine_of(spec, C, answers) == (("192.0.2.1", 22, "elsewhere"),)


def test_a_jump_host_of_which_ssh_says_nothing_is_where_the_file_has_it() -> None:
    spec = gateways(host(JUMP, "Gate", port=2), host(A, jump=JUMP))
    answers: dict[HostName, Resolved | ConfigRefusal] = {JUMP: REFUSED, A: at("192.0.2.1")}
    assert machine_of(spec, A, answers) == (("192.0.2.1", 22, None), ("gate", 2, False))
    assert machine_of(spec, JUMP, answers) is None
    assert machine_of(spec, B, answers) is None


def test_what_was_found_out_before_has_no_say_in_what_ssh_says_now() -> None:
    before = replace(ABC, same={C: A})
    answers = {A: at("192.0.2.1"), B: at("192.0.2.2"), C: at("192.0.2.2")}
    assert machine_of(before, C, answers) == (("192.0.2.2", 22, None),)
    assert same_machines(before, answers) == {C: B}
    assert same_machines(before, {**answers, C: at("192.0.2.3")}) == {}


def test_a_host_that_ssh_refuses_stays_what_it_was_found_to_be() -> None:
    before = replace(ABC, same={C: A})
    one = at("192.0.2.1")
    assert same_machines(before, {A: one, B: one, C: REFUSED}) == {B: A, C: A}
    assert same_machines(before, {A: REFUSED, B: one, C: REFUSED}) == {C: A}
    assert same_machines(before, {A: REFUSED, B: REFUSED, C: one}) == {}
    # The host that stood for both follows the one before it.
    before = replace(ABC, same={C: B})
    assert same_machines(before, {A: one, B: one, C: REFUSED}) == {B: A, C: A}


@pytest.mark.parametrize("refused", [A, B])
def test_a_host_that_ssh_refuses_is_where_a_host_of_its_address_is(refused: HostName) -> None:
    spec = gateways(host(A, "web"), host(B, "web", user="other"), host(C))
    one = at("192.0.2.1")
    same = same_machines(spec, {A: one, B: one, C: one, refused: REFUSED})
    assert same == {C: A}
    known = replace(spec, same=same)
    assert known.machine(A) == known.machine(B) == known.machine(C)


def test_only_gateways_on_equal_ports_are_asked_about_and_hosts_on_the_way_to_them() -> None:
    jump, program = host(JUMP), host(HostName("program"))
    spec = gateways(host(A, jump=JUMP), host(B))
    alone = gateways(host(C), port=2)
    command = replace(agent("program"), kind=CommandAgent(command=("cat",)), host=program.name)
    spec = replace(
        spec,
        hosts={**spec.hosts, **alone.hosts, JUMP: jump, program.name: program},
        agents={**spec.agents, **alone.agents, command.name: command},
    )
    assert hosts_to_ask(spec) == (spec.hosts[A], jump, spec.hosts[B])
    assert hosts_to_ask(replace(spec, same={B: A})) == hosts_to_ask(spec)
    assert hosts_to_ask(alone) == ()


def test_two_gateways_of_one_host_need_nobody_asked() -> None:
    spec = gateways(host(A))
    second = replace(agent("second"), kind=OpenClawAgent(port=1, token="secret:env:T"), host=A)
    assert hosts_to_ask(replace(spec, agents={**spec.agents, second.name: second})) == ()


def test_another_file_keeps_what_was_found_out_of_hosts_of_which_it_says_the_same() -> None:
    before = replace(ABC, same={C: A})
    assert ABC.with_machines_of(before).same == {C: A}
    assert gateways(host(A), host(C)).with_machines_of(before).same == {C: A}
    for changed in (host(A, "else"), host(C, user="other")):
        spec = replace(ABC, hosts={**ABC.hosts, changed.name: changed})
        assert spec.with_machines_of(before) is spec
    assert gateways(host(B), host(C)).with_machines_of(before).same == {}
    assert ABC.with_machines_of(ABC) is ABC


def test_a_ledger_that_knows_nothing_of_it_goes_by_the_file() -> None:
    spec = gateways(host(A, "192.0.2.1"), host(B, "192.0.2.1"), host(C))
    body = msgspec.to_builtins(spec)
    del body["same"]
    old = msgspec.convert(body, FleetSpec)
    assert old == spec
    assert set(Roster(old).sharing.values()) == {("on-a", "on-b")}
