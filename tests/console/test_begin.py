"""The first time: without a fleet a card with ways to begin, in a real terminal."""

from pathlib import Path

import pytest

from fleet_tui.cli import main
from tests.support.pty_harness import PtyProgram, python

NOWHERE = {"FLEET_TUI_FLEET": ""}


def program(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> PtyProgram:
    """``fleet-tui`` alone, in an empty directory and home."""
    monkeypatch.chdir(tmp_path)
    env = {**NOWHERE, "HOME": str(tmp_path), "XDG_STATE_HOME": str(tmp_path / "state")}
    return PtyProgram(python("-m", "fleet_tui"), columns=80, rows=24, env=env)


@pytest.mark.parametrize("key", ["q", "\x1b"])
def test_the_card_can_be_left(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, key: str) -> None:
    with program(tmp_path, monkeypatch) as card:
        card.wait_for("No fleet yet", "see it with a simulated fleet", "take hosts from ssh_config")
        card.press(key)
        assert card.wait_for_end() == 0


def test_an_example_is_written_and_what_to_do_next_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with program(tmp_path, monkeypatch) as card:
        card.wait_for("write an example fleet.yaml")
        card.press("e")
        assert card.wait_for_end() == 0
        assert "wrote fleet.yaml" in card.text()
        assert "fleet-tui check" in card.text()
    assert (tmp_path / "fleet.yaml").read_text().strip()


def test_hosts_are_taken_from_ssh_config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / ".ssh").mkdir()
    (tmp_path / ".ssh" / "config").write_text("Host gpu1\n  HostName 127.0.0.1\n")
    with program(tmp_path, monkeypatch) as card:
        card.wait_for("take hosts from ssh_config")
        card.press("s")
        assert card.wait_for_end() == 0
        assert "fleet-tui check" in card.text()
    assert "gpu1" in (tmp_path / "fleet.yaml").read_text()


def test_what_cannot_be_done_is_told_after_the_card(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with program(tmp_path, monkeypatch) as card:
        card.wait_for("take hosts from ssh_config")
        card.press("s")
        assert card.wait_for_end() != 0
        assert "fleet-tui: " in card.text()
        assert "Traceback" not in card.text()


def test_off_a_terminal_it_stays_an_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main.run([]) != 0
    assert "needs a terminal" in capsys.readouterr().err
