"""check, doctor and import over the operator's ssh_config, as OpenSSH itself resolves it."""

import json
import pwd
from pathlib import Path

import pytest
from click.testing import CliRunner

from fleet_tui.base.errors import ExitCode
from fleet_tui.cli.doctor import doctor_command
from fleet_tui.cli.fleet_file import check_command
from fleet_tui.cli.import_ import import_command
from tests.support.checked import HEAD, fleet, found, run
from tests.support.ssh_home import SshHome, keygen

pytestmark = [pytest.mark.sshd, pytest.mark.usefixtures("own_process")]

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


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> SshHome:
    """An empty home and a working directory of its own."""
    work = tmp_path / "work"
    work.mkdir()
    monkeypatch.chdir(work)
    monkeypatch.delenv("FLEET_TUI_FLEET", raising=False)
    return SshHome(tmp_path / "home", monkeypatch)


# --- what ssh refuses ----------------------------------------------------------------------


def test_what_ssh_refuses_is_an_error_at_its_line(home: SshHome) -> None:
    home.config(
        "Host web-1\n  HostName 127.0.0.1\n  Port twentytwo\nHost web-2\n"
        "  HostName 127.0.0.2\n  LocalCommand echo it's\n"
    )
    fleet("web-1", "web-2")
    result = run(check_command)
    assert result.exit_code == ExitCode.INVALID_CONFIG
    assert [(severity, line) for severity, line, _ in found()] == [("error", 3), ("error", 6)]
    assert all("web-1, web-2 cannot be connected to" in message for _, _, message in found())
    assert f"{home.ssh / 'config'}:3:1: error: ssh refuses this: Bad port" in result.output
    assert "not ok (2 errors)" in result.output
    document = json.loads(run(check_command, "--json").stdout)
    assert document["ok"] is False


def test_one_bad_line_for_one_host_is_told_with_its_place(home: SshHome) -> None:
    (home.ssh / "extra").write_text("Hots x\n")
    home.config("Include extra\n")
    fleet("web-1")
    assert found() == [
        ("error", 1, "ssh refuses this: Bad configuration option: hots, so web-1 cannot be "
         "connected to"),
    ]  # fmt: skip
    assert str(home.ssh / "extra") in run(check_command).output


def test_what_ssh_refuses_is_told_with_what_is_wrong_in_the_fleet_file(home: SshHome) -> None:
    home.config("Host web-1 web-2\n  Port twentytwo\n")
    hosts = "hosts: {web-1: {}, web-2: {address: 10.0.0.300}, web-3: {prot: 1}}\n"
    Path("fleet.yaml").write_text(f"{HEAD}{hosts}agents: {{a: {{host: web-1, pool: q}}}}\n")
    told = found()
    assert [severity for severity, *_ in told] == ["error"] * 4
    assert 'there is no pool "q"' in " ".join(message for *_, message in told)
    assert told[-1][1:] == (
        2, "ssh refuses this: Bad port 'twentytwo', so web-1 cannot be connected to"
    ), "and nothing of a host that was not read to its end"  # fmt: skip
    result = run(check_command)
    assert result.exit_code == ExitCode.INVALID_CONFIG
    assert "4 errors. Nothing was started." in result.output


@pytest.mark.parametrize("wrong", ["defaults: {usre: x}", "hosts: [x]", "pools: {p: 1"])
def test_hosts_of_which_too_little_could_be_read_are_not_asked_about(
    home: SshHome, wrong: str
) -> None:
    home.config("Port twentytwo\n")
    Path("fleet.yaml").write_text(
        f"version: 1\nfleet: f\n{wrong}\nagents: {{a: {{host: x, port: 1, token: secret:env:T}}}}"
    )
    told = found()
    assert told
    assert "ssh refuses" not in str(told)


def test_programs_of_ssh_config_get_no_token_of_a_fleet_file_that_is_refused(
    home: SshHome, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GATES", "open sesame")
    home.config(f'Match exec "echo $GATES $THERE > {home.ssh}/seen"\n  ForwardAgent yes\n')
    monkeypatch.setenv("THERE", "there")
    fleet("web-1", head=HEAD.replace(":T}", ":GATES, pool: q}"))
    assert 'there is no pool "q"' in found()[0][2]
    assert (home.ssh / "seen").read_text() == "there\n"


def test_hosts_that_do_without_the_file_are_fine(home: SshHome) -> None:
    home.config("Hots x\n")
    fleet("web-1", head=HEAD.replace("{port", "{ssh_config: off, port"))
    assert run(check_command).exit_code == ExitCode.OK


def test_a_refusal_cannot_steer_the_terminal(home: SshHome) -> None:
    (home.ssh / "config").write_bytes(b"Port \x1b]0;owned\x07\xff\n")
    fleet("web-1")
    result = run(check_command)
    assert result.exit_code == ExitCode.INVALID_CONFIG
    assert "\x1b" not in result.output
    assert "\x07" not in result.output


def test_a_config_that_others_may_write(home: SshHome) -> None:
    home.config("Host a\n")
    (home.ssh / "config").chmod(0o622)
    fleet("a")
    [(severity, _, message)] = found()
    assert severity == "error"
    assert "Bad owner or permissions" in message


# --- what fleet-tui cannot do --------------------------------------------------------------


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("KexAlgorithms sntrup761x25519-sha512@openssh.com", "fleet-tui has none of sntrup761"),
        ("IdentityFile ~/${NOBODY_SET_THIS}", "NOBODY_SET_THIS"),
        ("CertificateFile /%z", "unknown token %z"),
        ("ProxyCommand nc %z", "unknown token %z"),
        ("PubkeyAuthentication no", "turns off public keys"),
        ("PreferredAuthentications password,keyboard-interactive", "publickey is all"),
        ("ProxyUseFdpass yes\n  ProxyCommand nc %h %p", "ProxyUseFdpass is not supported"),
    ],
)
def test_what_fleet_tui_cannot_do_is_an_error_at_its_line(
    home: SshHome, line: str, words: str
) -> None:
    home.config(f"Host other\n  Port 1\nHost web-1\n  {line}\n")
    fleet("web-1", "other")
    told = found()
    if not told and line.startswith("Kex"):
        pytest.skip("the SSH library has it here")
    [(severity, number, message)] = told
    assert (severity, number) == ("error", 4 + line.count("\n"))
    assert words in message
    assert message.endswith("so web-1 cannot be connected to")
    assert run(check_command).exit_code == ExitCode.INVALID_CONFIG


@pytest.mark.parametrize(
    "line",
    [
        "StrictHostKeyChecking accept-new",
        "ControlMaster auto",
        "LocalForward 8080 localhost:80",
        "ForwardAgent yes",
        "RemoteCommand htop",
        "ForkAfterAuthentication yes",
        "RequestTTY force",
        "Tunnel yes",
        "PKCS11Provider /usr/lib/p11.so",
        "SecurityKeyProvider /usr/lib/sk.so",
        "KnownHostsCommand /bin/true",
        "GSSAPIAuthentication yes",
        "HostbasedAuthentication yes",
        "NoHostAuthenticationForLocalhost yes",
        "VerifyHostKeyDNS yes",
    ],
)
def test_what_is_not_followed_is_a_warning_at_its_line(home: SshHome, line: str) -> None:
    home.config(f"Host other\n  Port 1\nHost web-1\n  {line}\n")
    fleet("web-1", "other")
    [(severity, number, message)] = found()
    assert (severity, number) == ("warning", 4)
    assert line.partition(" ")[0].lower() in message
    assert "is not followed for web-1: " in message
    assert run(check_command).exit_code == ExitCode.OK


def test_a_fleet_is_warned_once_for_each_line(home: SshHome) -> None:
    home.config(CONFIG)
    (home.ssh / "extra").mkdir()
    (home.ssh / "extra" / "a").write_text("Host inner *.wild\n  RemoteCommand htop\n")
    fleet("gw-1", "gw-2", "free", head=HEAD + "hosts: {free: {address: gw-5, ssh_config: off}}\n")
    assert found() == [
        ("warning", 4, "stricthostkeychecking no is not followed for gw-1, gw-2: "
            "host keys are always checked strictly"),
        ("warning", 7, "controlmaster auto is not followed for gw-1: connections are shared "
            "already"),
        ("warning", 10, "forwardagent yes is not followed for gw-1, gw-2: the SSH agent is never "
            "forwarded"),
        ("warning", 13, "localforward 8080 localhost:80 is not followed for gw-1, gw-2: "
            "only the agents' own ports are forwarded"),
        ("note", 9, "ssh runs this command whenever the file is read, so fleet-tui does too"),
    ]  # fmt: skip


def test_the_first_value_counts_as_it_does_for_ssh(home: SshHome) -> None:
    home.config("Host a\n ForwardAgent no\nHost *\n ForwardAgent yes\n")
    fleet("a", "b")
    assert [(line, message.partition(":")[0]) for _, line, message in found()] == [
        (4, "forwardagent yes is not followed for b")
    ]


def test_jump_hosts_are_looked_at_too(home: SshHome) -> None:
    home.config("Host web-1\n  ProxyJump bastion\nHost bastion\n  PubkeyAuthentication no\n")
    fleet("web-1")
    [(severity, line, message)] = found()
    assert (severity, line) == ("error", 4)
    assert "the jump host bastion cannot be connected to" in message


def test_jump_hosts_that_lead_back_to_themselves(home: SshHome) -> None:
    home.config("Host a\n  ProxyJump b\nHost b\n  ProxyJump c\nHost c\n  ProxyJump b\nHost d\n")
    fleet("a", "d")
    told = found()
    assert {severity for severity, _, _ in told} == {"error"}
    assert "a cannot be connected to" in " ".join(message for _, _, message in told)
    assert "proxyjump leads back to itself" in told[0][2]


def test_jump_hosts_that_never_end(home: SshHome) -> None:
    """Every jump host is another name that has a jump host, so none of them comes back."""
    home.config("Host *.example\n  ProxyJump gw.%h\n")
    fleet("web.example")
    [(severity, number, message)] = found()
    assert (severity, number) == ("error", 2)
    assert message == (
        "proxyjump leads through more than 8 hosts, so web.example cannot be connected to"
    )


def test_names_are_not_looked_up_by_check(home: SshHome) -> None:
    home.config(
        "CanonicalizeHostname yes\nCanonicalDomains example.invalid\nCanonicalizeFallbackLocal no\n"
    )
    fleet("web-1")
    [(severity, line, message)] = found()
    assert (severity, line) == ("note", 1)
    assert "names are looked up in DNS when the engine connects" in message


def test_a_network_that_this_ssh_cannot_compare_is_told_at_its_line(home: SshHome) -> None:
    home.config("Host x\nMatch localnetwork 255.255.255.255/32\n  ProxyJump none\nHost web-1\n")
    fleet("web-1")
    told = found()
    if not told:
        pytest.skip("this ssh knows Match localnetwork")
    [(severity, line, message)] = told
    assert (severity, line) == ("warning", 2)
    assert "fleet-tui compares the networks itself" in message
    assert run(check_command).exit_code == ExitCode.OK


def test_without_ssh_asyncssh_reads_the_file_and_check_says_so(
    home: SshHome, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    home.config("Host a\n  HostName 10.0.0.1\nHost b\n  HostName 10.0.0.1\n")
    fleet("a", "b")
    told = found()
    assert told[0][0] == "warning"
    assert "there is no ssh program here" in told[0][2]
    assert "is the same agent as a" in told[1][2]
    (home.ssh / "config").write_bytes(b"# M\xfcller\n")
    assert "not UTF-8 text" in found()[1][2]
    (home.ssh / "config").unlink()
    fleet("a")
    assert found() == []


def test_without_an_account_asyncssh_reads_the_file_and_check_says_so(
    home: SshHome, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As in a container with a uid of its own: ssh is there and serves nobody without an entry."""
    monkeypatch.setattr(pwd, "getpwuid", unknown)
    monkeypatch.setenv("LOGNAME", "uid-1")
    fleet("a")
    assert found() == []
    home.config("Host a\n  HostName 10.0.0.1\n")
    [(severity, _, message)] = found()
    assert severity == "warning"
    assert "ssh serves no user without an entry in the password file, so asyncssh reads" in message
    assert "ok   ssh config: read by asyncssh" in run(doctor_command, "fleet.yaml").output
    (home.ssh / "config").write_bytes(b"# M\xfcller\n")
    assert "asyncssh refuses this: " in found()[1][2]
    assert "`ssh -G" not in run(check_command).output
    assert "`ssh -G" not in run(doctor_command, "fleet.yaml").output


def unknown(uid: int) -> pwd.struct_passwd:
    """No password file knows anybody."""
    raise KeyError(uid)


def test_without_an_account_and_a_config_doctor_says_of_nobody_that_he_reads_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(pwd, "getpwuid", unknown)
    monkeypatch.setenv("LOGNAME", "uid-1")
    fleet("a")
    assert "read by" not in run(doctor_command, "fleet.yaml").output


# --- one machine with many names -----------------------------------------------------------


def test_two_names_of_one_machine_are_the_same_agent(home: SshHome) -> None:
    home.config("Host crow crow.example.net 192.0.2.9\n  HostName 192.0.2.9\n")
    fleet("crow", "other", "crow.example.net")
    assert found() == [
        ("error", 7, "is the same agent as a: crow and crow.example.net are both 192.0.2.9, "
         "port 1 and agent_id main are equal"),
    ]  # fmt: skip
    assert run(check_command).exit_code == ExitCode.INVALID_CONFIG


def test_entries_with_one_address_are_the_same_agent() -> None:
    hosts = "hosts: {x: {address: 10.0.0.1}, y: {address: 10.0.0.1, user: other}}\n"
    fleet("x", "y", head=HEAD + hosts)
    assert "is the same agent as a" in found()[0][2]


def test_the_files_own_jump_hosts_may_have_two_names_too(home: SshHome) -> None:
    home.config(
        "Host gate door\n  HostName 192.0.2.1\n"
        "Host crow jay\n  HostName 192.0.2.9\nHost jay\n  ProxyJump elsewhere\n"
    )
    jumps = "crow: {jump: gate}, jay: {jump: door}, other: {jump: gate}"
    hosts = f"hosts: {{gate: {{}}, door: {{}}, {jumps}}}\n"
    fleet("crow", "jay", "other", head=HEAD + hosts)
    assert [message for _, _, message in found()] == [
        "is the same agent as a: crow and jay are both 192.0.2.9, port 1 and agent_id main are "
        "equal"
    ]


@pytest.mark.parametrize(
    "text",
    [
        "Host a\n  HostName 10.0.0.1\n  Port 1\nHost b\n  HostName 10.0.0.1\n  Port 2\n",
        "Host a\n  HostName 10.0.0.1\n  ProxyJump x\nHost b\n  HostName 10.0.0.1\n",
        "Host a b\n  User x\n",
        "Host a b\n  HostName %h.example.net\n",
    ],
)
def test_other_ports_ways_and_names_are_other_machines(home: SshHome, text: str) -> None:
    home.config(text)
    fleet("a", "b")
    assert found() == []
    result = run(import_command, "ssh-config", "--match", "[ab]")
    assert "2 agents in 1 pool" in result.stderr


def test_import_makes_one_agent_of_one_machine(home: SshHome) -> None:
    home.config(
        "Host crow crow.example.net 192.0.2.9\n  HostName 192.0.2.9\n"
        "Host crow-as-root\n  HostName 192.0.2.9\n  User root\n"
        "Host jay jay.example.net\n  User x\n"
    )
    result = run(import_command, "ssh-config", "-o", "f.yaml")
    assert "2 agents in 1 pool" in result.stderr
    for name in ("crow.example.net", "192.0.2.9", "crow-as-root"):
        assert f"ignored: {name}: another name of crow\n" in result.stderr
    assert "ignored: jay.example.net: another name of jay\n" in result.stderr
    assert "  crow: {pool: general, host: crow}\n" in Path("f.yaml").read_text()
    assert run(check_command, "f.yaml").exit_code == ExitCode.OK


def test_import_follows_includes_as_ssh_does(home: SshHome) -> None:
    more = home.ssh / "work hosts"
    more.mkdir()
    (more / "more.conf").write_text("Host web-2\n  HostName 192.0.2.2\n  ForwardAgent yes\n")
    home.config('Include "~/.ssh/work hosts/*.conf"\nHost web-1 *.x !no\n  HostName 127.0.0.1\n')
    result = run(import_command, "ssh-config", "-o", "f.yaml")
    assert "2 agents in 1 pool" in result.stderr
    assert found("f.yaml") == [
        ("warning", 3, "forwardagent yes is not followed for web-2: the SSH agent is never "
         "forwarded"),
    ]  # fmt: skip


def test_import_takes_the_first_name_that_a_fleet_file_can_hold(home: SshHome) -> None:
    home.config(
        'Host caf\u00e9 git@web web\n  HostName 192.0.2.1\nHost "two words"\n  HostName 192.0.2.2\n'
        "Host na\u00efve\n  HostName 192.0.2.3\n"
    )
    result = CliRunner().invoke(import_command, ["ssh-config"], standalone_mode=False)
    assert result.return_value == ExitCode.PARTIAL
    assert "  web: {pool: general, host: web}\n" in result.stdout
    said = [line for line in result.stderr.splitlines() if line.startswith(("ign", "not"))]
    assert said == [
        "ignored: caf\u00e9: another name of web",
        "ignored: git@web: another name of web",
        'ignored: "two words": expected a host name or an IP address, got "two words"',
        'ignored: "na\u00efve": expected a host name or an IP address, got "na\u00efve"',
        'not carried over: ssh refuses "two words": hostname contains invalid characters',
    ]


def test_import_says_what_ssh_refuses(home: SshHome) -> None:
    home.config("Host a\n  Port x\nHost\tb\n")
    result = CliRunner().invoke(import_command, ["ssh-config"], standalone_mode=False)
    assert result.return_value == ExitCode.PARTIAL
    assert "2 agents in 1 pool" in result.stderr
    refused = f"ssh refuses {home.ssh / 'config'} line 2: Bad port 'x'"
    assert f"not carried over: {refused}" in result.stderr


def test_import_says_who_reads_the_file_where_there_is_no_ssh(
    home: SshHome, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    home.config("Host a\n  HostName 10.0.0.1\n")
    result = run(import_command, "ssh-config")
    assert "  a: {pool: general, host: a}\n" in result.stdout
    said = "there is no ssh program here, so asyncssh reads ssh_config: it understands less"
    assert f"ignored: {said} of it than OpenSSH\n" in result.stderr
    assert result.exit_code == ExitCode.OK
    (home.ssh / "config").unlink()
    assert said not in run(import_command, "ssh-config").stderr


def test_import_of_another_file(home: SshHome) -> None:
    Path("other").write_text("Host =a\nHost=b\n  HostName 10.0.0.1\nHost\tc\n  HostName 10.0.0.1\n")
    home.config("Host nobody\n")
    result = run(import_command, "ssh-config", "--config", "other")
    assert "2 agents in 1 pool" in result.stderr
    assert "c: another name of b" in result.stderr


def test_files_that_include_each_other_end(home: SshHome) -> None:
    home.config("Include config\nHost here\n")
    result = run(import_command, "ssh-config")
    assert "host: here" in result.stdout
    assert "too many files include each other" in result.stderr


# --- doctor --------------------------------------------------------------------------------


def test_doctor_says_the_same(home: SshHome, tmp_path: Path) -> None:
    home.config("Host web-1\n  HostName 10.0.0.7\n  Port 2222\n  User ops\n  ForwardAgent yes\n")
    fleet("web-1")
    result = run(doctor_command, "fleet.yaml")
    assert "warn ssh config: " in result.output
    assert "forwardagent yes is not followed for web-1" in result.output
    assert "ok   ssh config: read by ssh" in result.output
    assert "fail host web-1: ops@10.0.0.7:2222, its key is in neither of" in result.output
    home.config("Host web-1\n  Port x\n")
    result = run(doctor_command, "fleet.yaml")
    assert "fail ssh config: " in result.output
    assert "fail host web-1: ssh_config: " in result.output


# --- known_hosts ---------------------------------------------------------------------------


def test_lines_of_known_hosts_that_are_passed_over_are_told_once(home: SshHome) -> None:
    home.known("=======\n", "# fine\n", "|1|abc|def ssh-ed25519 AAAA\n")
    fleet("a", "b")
    assert found() == [
        ("warning", 1, "it is no host with a key: the line is passed over, as ssh does, and "
         "vouches for no host"),
        ("warning", 3, "its hashed host name is damaged: the line is passed over, as ssh does, "
         "and vouches for no host"),
    ]  # fmt: skip
    result = run(check_command)
    assert f"{home.ssh / 'known_hosts'}:1:1: warning: it is no host with a key" in result.output
    assert result.exit_code == ExitCode.OK


def test_a_damaged_revocation_is_an_error_for_whoever_reads_the_file(home: SshHome) -> None:
    (home.ssh / "other").write_text("@revoked * ssh-ed25519 AAAA\n")
    home.config("Host b\n  UserKnownHostsFile ~/.ssh/other\n")
    fleet("a", "b")
    assert found() == [
        ("error", 1, "its key is not of the kind that it says, so b cannot be connected to")
    ]
    assert f"{home.ssh / 'other'}:1:1: error" in run(check_command).output


def test_revoked_keys_that_cannot_be_used_are_told_at_their_line(home: SshHome) -> None:
    keygen("-t", "ed25519", "-N", "", "-f", home.ssh / "key")
    keygen("-k", "-f", home.ssh / "krl", home.ssh / "key.pub")
    home.config("Host a\n  RevokedHostKeys ~/.ssh/krl\nHost b\n  RevokedHostKeys ~/nothing\n")
    fleet("a", "b")
    (krl, nothing) = found()
    assert krl[:2] == ("error", 2)
    assert krl[2].startswith(
        "revokedhostkeys: it is a key revocation list (KRL); fleet-tui needs one public key a "
        "line, in /"
    )
    assert krl[2].endswith(", so a cannot be connected to")
    assert nothing[:2] == ("error", 4)
    assert nothing[2].startswith("revokedhostkeys: it cannot be read: No such file or directory")


def test_a_limit_for_rsa_keys_is_told_as_not_followed(home: SshHome) -> None:
    home.config("Host a\n  RequiredRSASize 4096\n")
    fleet("a")
    assert found() == [
        ("warning", 2, "requiredrsasize 4096 is not followed for a: RSA keys of any length are "
         "taken"),
    ]  # fmt: skip
