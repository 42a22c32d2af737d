"""The reader of ~/.ssh/config: which aliases there are and which options change nothing."""

from pathlib import Path

from fleet_tui.config.importers.ssh_aliases import read_aliases
from fleet_tui.config.load import load_text
from fleet_tui.config.ssh_config import SshConfig, read_ssh_config
from fleet_tui.config.ssh_warnings import ssh_config_warnings

CONFIG = """\
# top
User everyone
Host gw-* !gw-9
    StrictHostKeyChecking no
Host gw-1 gw-9 "quoted"
    HostName=10.0.0.1
    ControlMaster auto
Include extra/*
Match exec "true"
    ForwardAgent yes
Match all
    StrictHostKeyChecking yes
    LocalForward 8080 localhost:80
"""


def home_with(tmp_path: Path, config: str = CONFIG) -> Path:
    ssh = tmp_path / ".ssh"
    (ssh / "extra").mkdir(parents=True)
    (ssh / "config").write_text(config)
    (ssh / "extra" / "a").write_text("Host inner *.wild\n  RemoteCommand htop\n")
    return tmp_path


def config_of(home: Path) -> SshConfig:
    return read_ssh_config(home / ".ssh" / "config", home)


def test_aliases_are_concrete_hosts_of_every_file(tmp_path: Path) -> None:
    config = config_of(home_with(tmp_path))
    assert config.aliases == ("gw-1", "gw-9", "quoted", "inner")
    assert config.unread == ()


def names(config: SshConfig, address: str) -> list[str]:
    return [f"{option.name} {option.value}" for option in config.ignored_for(address)]


def test_what_is_not_followed_for_an_address(tmp_path: Path) -> None:
    config = config_of(home_with(tmp_path))
    forward = "localforward 8080 localhost:80"
    assert names(config, "gw-1") == ["stricthostkeychecking no", "controlmaster auto", forward]
    assert names(config, "gw-9") == ["controlmaster auto", forward]
    assert names(config, "elsewhere") == [forward]
    assert names(config, "inner") == ["remotecommand htop", forward]


def test_the_first_value_counts_as_it_does_for_ssh(tmp_path: Path) -> None:
    home = home_with(tmp_path, "Host a\n ForwardAgent no\nHost *\n ForwardAgent yes\n")
    assert names(config_of(home), "a") == []
    assert names(config_of(home), "b") == ["forwardagent yes"]


def test_files_that_include_each_other_end(tmp_path: Path) -> None:
    home = home_with(tmp_path, "Include config\nHost here\n")
    config = config_of(home)
    assert "here" in config.aliases
    assert any("too many files" in reason for reason in config.unread)


def test_what_cannot_be_read_is_said(tmp_path: Path) -> None:
    home = home_with(tmp_path, 'Host a\n  User "open\nInclude extra\n\xff\n')
    config = config_of(home)
    assert config.aliases == ("a",)
    assert [reason.rsplit(": ", 1)[1] for reason in config.unread] == [
        "a quote is not closed",
        "not a regular file",
    ]
    assert read_ssh_config(tmp_path / "none", tmp_path).aliases == ()


def test_a_fleet_is_warned_once_for_each_line(tmp_path: Path) -> None:
    home = home_with(tmp_path)
    spec = load_text(
        """\
version: 1
fleet: f
defaults: {port: 1, token: secret:env:T}
hosts: {free: {address: gw-5, ssh_config: off}}
agents: {a: {host: gw-1}, b: {host: gw-2}, c: {host: free}}
"""
    ).spec
    found = ssh_config_warnings(spec, home)
    assert [(each.line, each.message) for each in found] == [
        (4, "stricthostkeychecking no is not followed for gw-1, gw-2: "
            "host keys are always checked strictly"),
        (7, "controlmaster auto is not followed for gw-1: connections are shared already"),
        (13, "localforward 8080 localhost:80 is not followed for gw-1, gw-2: "
             "only the agents' own ports are forwarded"),
    ]  # fmt: skip


def test_aliases_are_found_by_glob(tmp_path: Path) -> None:
    home = home_with(tmp_path)
    found = read_aliases(home / ".ssh" / "config", home, match="gw-*")
    assert [host.alias for host in found.hosts] == ["gw-1", "gw-9"]
    assert all((host.address, host.user, host.port) == (None, None, None) for host in found.hosts)


def test_a_keyword_ends_at_a_space_a_tab_or_an_equals_sign(tmp_path: Path) -> None:
    home = home_with(tmp_path, "Host\ta\nHost =b\nHost\t=\tc\nHost=d\nForwardAgent\tyes\n")
    config = config_of(home)
    assert config.aliases == ("a", "b", "c", "d")
    assert names(config, "d") == ["forwardagent yes"]


def test_an_include_that_no_file_can_be_called_is_passed_over(tmp_path: Path) -> None:
    home = home_with(tmp_path, "Include a\0b/* extra/a\nHost last\n")
    assert config_of(home).aliases == ("inner", "last")
