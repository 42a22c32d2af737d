"""Hosts are one machine if ssh_config leads them to one place, and where it says nothing, if the
fleet file does."""

from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from fleet_tui.core.fleet import FleetSpec, HostSpec
from fleet_tui.core.ids import HostName
from fleet_tui.core.ssh.config import Complaint, ConfigRefusal, Resolved
from fleet_tui.core.ssh.machines import machine_of, same_machines

NAMES = [HostName(f"h{number}") for number in range(6)]
REFUSED = ConfigRefusal((Complaint("no"),))

answers = st.dictionaries(
    st.sampled_from(NAMES),
    st.one_of(
        st.just(REFUSED),
        st.builds(
            Resolved,
            original=st.just("any"),
            hostname=st.sampled_from(["x", "X", "y"]),
            port=st.sampled_from([22, 2222]),
            user=st.none(),
            said=st.sampled_from([{}, {"proxyjump": ("j",)}]),
        ),
    ),
)


@st.composite
def fleets(draw: st.DrawFn, addresses: st.SearchStrategy[str] | None = None) -> FleetSpec:
    """Hosts that may go through one another, also round in a circle."""
    hosts = {
        name: HostSpec(
            name=name,
            address=name if addresses is None else draw(addresses),
            jump=draw(st.none() | st.sampled_from(NAMES)),
        )
        for name in NAMES
    }
    return FleetSpec(name="f", hosts=hosts)


def known(spec: FleetSpec, told: dict[HostName, Resolved | ConfigRefusal]) -> FleetSpec:
    return replace(spec, same=same_machines(spec, told))


@given(fleets(), answers)
def test_names_of_one_machine_are_one_and_nothing_else_is(
    spec: FleetSpec, told: dict[HostName, Resolved | ConfigRefusal]
) -> None:
    after = known(spec, told)
    for one in NAMES:
        for other in NAMES:
            where = machine_of(spec, one, told)
            is_one = one == other or (where is not None and where == machine_of(spec, other, told))
            assert (after.machine(one) == after.machine(other)) is is_one


@given(fleets(st.sampled_from(["p", "P", "q"])), answers)
def test_what_is_found_out_is_flat_and_found_again(
    spec: FleetSpec, told: dict[HostName, Resolved | ConfigRefusal]
) -> None:
    after = known(spec, told)
    assert not after.same.keys() & set(after.same.values())
    for host, first in after.same.items():
        assert NAMES.index(first) < NAMES.index(host)
        assert after.machine(host) == after.machine(first)
    assert same_machines(after, told) == after.same
    assert after.with_machines_of(after).same == after.same


@given(fleets(st.sampled_from(["p", "P", "q"])))
def test_where_ssh_says_nothing_the_file_does(spec: FleetSpec) -> None:
    assert same_machines(spec, {}) == {}
    assert same_machines(spec, dict.fromkeys(NAMES, REFUSED)) == {}
