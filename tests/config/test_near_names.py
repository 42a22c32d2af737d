"""Slips of the pen in names that may be anything: warned about, with the name that was meant."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fleet_tui.config.load import load_fleet
from fleet_tui.config.near_names import is_slip

FILE = """\
version: 1
fleet: f
defaults: {token: secret:env:T, host: gateway, pool: general, region: eu}
hosts: {gateway: {address: 10.0.0.1}, middle: {address: 10.0.0.2}}
pools: {general: {host: gateway}, special: }
agents:
  anna: {port: 1, host: middle, isolate: [acme], projects: [apollo]}
  bert: {port: 2, host: gateway}
  carl: {port: 3, pool: special}
  eve: {port: 5}
  dora: {port: 4, host: middle, isolate: [acme], projects: [apollo]}
routing:
  residency: [{client: acme, project: apollo, regions: [eu]}]
  isolated: [acme]
  clients: [acme, other]
  projects: [apollo, zephyr]
limits: {clients: {acme: 3}}
"""

PLACES = {
    "agents.bert.host": ("port: 2, host: gateway", "port: 2, host: gatewya", "gateway"),
    "pools.general.host": ("general: {host: gateway", "general: {host: gatway", "gateway"),
    "defaults.host": ("env:T, host: gateway", "env:T, host: gatewayy", "gateway"),
    "agents.anna.isolate": ("middle, isolate: [acme]", "middle, isolate: [acmee]", "acme"),
    "agents.anna.projects": ("projects: [apollo]", "projects: [apolo]", "apollo"),
    "routing.residency[0].client": ("{client: acme", "{client: amce", "acme"),
    "routing.residency[0].project": ("project: apollo", "project: apololo", "apollo"),
    "routing.isolated": ("isolated: [acme]", "isolated: [acmme]", "acme"),
    "routing.clients": ("clients: [acme", "clients: [akme", "acme"),
    "routing.projects": ("projects: [apollo, z", "projects: [apoollo, z", "apollo"),
    "limits.clients.acmes": ("clients: {acme", "clients: {acmes", "acme"),
}


def warnings(text: str, path: Path) -> dict[str, str]:
    path.write_text(text)
    return {each.path: each.message for each in load_fleet(path, {}).warnings}


def test_the_file_as_it_is_meant_has_none(tmp_path: Path) -> None:
    assert warnings(FILE, tmp_path / "f.yaml") == {}


@pytest.mark.parametrize("place", PLACES)
def test_a_slip_in_any_place_is_told_with_what_was_meant(place: str, tmp_path: Path) -> None:
    right, wrong, meant = PLACES[place]
    said = warnings(FILE.replace(right, wrong, 1), tmp_path / "f.yaml")
    told = [text for path, text in said.items() if path == place and "did you mean" in text]
    assert [f'did you mean "{meant}"?' in text for text in told] == [True]


@pytest.mark.parametrize(
    ("name", "other"),
    [
        *(("web1", "web2"), ("web-01", "web-10"), ("node-1", "node-11"), ("host-a", "host-b")),
        *(("web", "wed"), ("eu-west", "us-west"), ("acme", "acme"), ("acme", "apex")),
    ],
)
def test_other_names_are_no_slips(name: str, other: str) -> None:
    assert not is_slip(name, other)
    assert not is_slip(other, name)


@given(st.text("abcdef", min_size=5, max_size=12), st.data())
def test_a_letter_doubled_or_left_out_is_a_slip_in_both_directions(
    name: str, data: st.DataObject
) -> None:
    at = data.draw(st.integers(0, len(name) - 1))
    for slip in (name[:at] + name[at] + name[at:], name[:at] + name[at + 1 :]):
        assert is_slip(name, slip)
        assert is_slip(slip, name)
