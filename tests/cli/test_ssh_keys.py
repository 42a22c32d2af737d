"""What check and doctor say of key files that ssh_config or nobody named."""

from pathlib import Path

import pytest

from fleet_tui.base.errors import ExitCode
from fleet_tui.cli.doctor import doctor_command
from fleet_tui.cli.fleet_file import check_command
from fleet_tui.wire.ssh import identities
from tests.support.checked import HEAD, fleet, found, run
from tests.support.ssh_home import SshHome, new_key, security_key

pytestmark = [pytest.mark.sshd, pytest.mark.usefixtures("own_process")]


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> SshHome:
    """An empty home and a working directory of its own."""
    work = tmp_path / "work"
    work.mkdir()
    monkeypatch.chdir(work)
    monkeypatch.delenv("FLEET_TUI_FLEET", raising=False)
    return SshHome(tmp_path / "home", monkeypatch)


def test_a_key_that_is_passed_over_is_a_warning_at_its_line(home: SshHome) -> None:
    new_key(home.ssh / "good")
    (home.ssh / "old.ppk").write_text("PuTTY-User-Key-File-3: ssh-ed25519\n")
    home.config(
        "Host web-1 web-2\n  IdentityFile ~/.ssh/good\n  IdentityFile ~/.ssh/old.ppk\n"
        "  IdentityFile %d/.ssh/absent\n"
    )
    fleet("web-1", "web-2")
    assert found() == [
        ("warning", 3, f"identityfile for web-1, web-2: {home.ssh}/old.ppk is passed over: "
         "Invalid private key"),
    ]  # fmt: skip
    assert f"{home.ssh}/config:3:1: warning" in run(check_command).output
    assert (
        "Invalid private key" not in run(doctor_command, "fleet.yaml").output.partition("fail")[2]
    )


def test_a_default_key_that_is_passed_over_is_named(
    home: SshHome, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(identities, "sk_available", False)
    new_key(home.ssh / "id_ed25519")
    (home.ssh / "id_rsa").write_text("")
    security_key(home.ssh / "id_ed25519_sk")
    fleet("web-1")
    (rsa, hardware) = found()
    assert rsa == (
        "warning", None,
        f"identityfile for web-1: {home.ssh}/id_rsa is passed over: Invalid private key",
    )  # fmt: skip
    assert "id_ed25519_sk is passed over: a security key" in hardware[2]
    assert f"{home.ssh / 'id_rsa'}: warning" in run(check_command).output


@pytest.mark.parametrize("only", ["yes", "no"])
def test_bad_keys_and_no_other_are_an_error_at_their_line(home: SshHome, only: str) -> None:
    (home.ssh / "old.ppk").write_text("PuTTY-User-Key-File-3: ssh-ed25519\n")
    home.config(f"Host web-1\n  IdentitiesOnly {only}\n  IdentityFile ~/.ssh/old.ppk\n")
    fleet("web-1")
    assert found() == [
        ("error", 3, f"identityfile: no usable private key: {home.ssh}/old.ppk: Invalid private "
         "key, so web-1 cannot be connected to"),
    ]  # fmt: skip


@pytest.mark.parametrize("passphrase", ["secret", None])
def test_a_key_that_is_not_here_or_locked_is_a_warning(
    home: SshHome, passphrase: str | None
) -> None:
    """The engine may find the key, or an ssh-agent with it, where it runs."""
    if passphrase is not None:
        new_key(home.ssh / "mine", passphrase)
        (home.ssh / "mine.pub").unlink()
    home.config("Host web-1\n  IdentitiesOnly yes\n  IdentityFile ~/.ssh/mine\n")
    fleet("web-1")
    [(severity, line, message)] = found()
    assert (severity, line) == ("warning", 3)
    assert message.startswith("identityfile for web-1: ")
    assert f"{home.ssh}/mine" in message
    # A long name of the key leaves no room for more of the sentence.
    assert ("an encrypted key" in message) == (passphrase is not None)
    assert run(check_command).exit_code == ExitCode.OK


def test_a_certificate_that_is_none_is_an_error_at_its_line(home: SshHome) -> None:
    new_key(home.ssh / "id_ed25519")
    (home.ssh / "bad-cert.pub").write_text("nonsense\n")
    home.config("Host web-1\n  CertificateFile ~/.ssh/bad-cert.pub\n")
    fleet("web-1")
    [(severity, line, message)] = found()
    assert (severity, line) == ("error", 2)
    assert message.startswith(f"certificatefile: cannot read the certificate {home.ssh}/bad-cert")


def test_a_key_of_the_fleet_file_that_is_none_is_named(home: SshHome) -> None:
    key = home.ssh / "old.ppk"
    key.write_text("PuTTY-User-Key-File-3: ssh-ed25519\n")
    key.chmod(0o600)
    fleet("web-1", head=f"{HEAD}hosts: {{web-1: {{identity: {key}}}}}\n")
    [(severity, line, message)] = found()
    assert (severity, line) == ("warning", None)
    assert message.startswith(
        f"identity for web-1: no usable private key: {key}: Invalid private key"
    )
    key.unlink()
    [(_, _, message)] = found()
    assert "no such file on this machine" in message
