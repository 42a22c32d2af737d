"""Where things are kept, for users who have a home and for those who have none."""

import getpass
import os
import pwd
from pathlib import Path

import pytest

from fleet_tui.base import paths

NEEDING = (paths.state_root, paths.sessions_dir, paths.backups_dir, paths.cache_dir)


@pytest.fixture
def nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    """A uid that no password file knows, as in a container, with nothing in its environment."""

    def unknown(uid: int) -> pwd.struct_passwd:
        raise KeyError(uid)

    monkeypatch.setattr(pwd, "getpwuid", unknown)
    names = ("HOME", "LOGNAME", "USER", "LNAME", "USERNAME")
    for name in (*names, "XDG_STATE_HOME", "XDG_DATA_HOME", "XDG_CACHE_HOME"):
        monkeypatch.setenv(name, "put back afterwards")
        monkeypatch.delenv(name)
    monkeypatch.delenv(paths.STATE_VARIABLE)


@pytest.mark.usefixtures("nobody")
@pytest.mark.parametrize("home", [None, "", "here", "~"])
def test_without_a_home_nothing_is_kept_anywhere(
    home: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    if home is not None:
        monkeypatch.setenv("HOME", home)
    paths.settle_home()
    assert not paths.has_home()
    assert os.path.expanduser("~") == paths.NO_HOME
    for where in NEEDING:
        with pytest.raises(paths.NoHome, match="no home directory") as refused:
            where()
        assert "set HOME" in refused.value.hint


@pytest.mark.usefixtures("nobody")
def test_a_state_directory_of_its_own_needs_no_home(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(paths.STATE_VARIABLE, str(tmp_path))
    paths.settle_home()
    assert paths.state_root() == tmp_path


@pytest.mark.usefixtures("nobody")
@pytest.mark.parametrize("home", [None, "/app"])
@pytest.mark.parametrize("name", [None, "LOGNAME", "USER"])
def test_nobody_has_a_name_with_a_home_or_without(
    home: str | None, name: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Libraries stop in ways of their own where there is none."""
    if home is not None:
        monkeypatch.setenv("HOME", home)
    if name is not None:
        monkeypatch.setenv(name, "app")
    paths.settle_home()
    assert os.environ["HOME"] == (home or paths.NO_HOME)
    assert getpass.getuser() == ("app" if name else f"uid-{os.getuid()}")


@pytest.mark.parametrize("home", [None, "", "here"])
def test_the_password_file_knows_the_home(
    home: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    (monkeypatch.delenv("HOME") if home is None else monkeypatch.setenv("HOME", home))
    paths.settle_home()
    assert os.environ["HOME"] == pwd.getpwuid(os.getuid()).pw_dir
