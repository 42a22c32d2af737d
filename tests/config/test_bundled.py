"""The data that comes with the program is found, or its absence is said."""

from pathlib import Path

import pytest

from fleet_tui.base import bundled
from fleet_tui.base.errors import FleetError


def test_sample_fleets_are_found_by_name() -> None:
    assert bundled.sample_fleet("demo").is_file()
    with pytest.raises(FleetError) as caught:
        bundled.sample_fleet("nope")
    assert "demo" in caught.value.hint


def test_a_wheel_carries_the_data_inside_the_package(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    inside = tmp_path / "fleet_tui" / "_data" / "themes"
    inside.mkdir(parents=True)
    monkeypatch.setattr(bundled, "_PACKAGE", tmp_path / "fleet_tui")
    assert bundled.themes() == inside


def test_a_missing_folder_is_said() -> None:
    with pytest.raises(FleetError, match="no nothing/ directory"):
        bundled.folder("nothing")
