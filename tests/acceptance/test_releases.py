"""Real gateways of the oldest, the pinned and the newest OpenClaw release do what the README says.
The other rows of its table are tried by ``python -m tests.acceptance.releases``."""

from pathlib import Path

import pytest

from tests.support.openclaw_lab import (
    NOT_ASKED,
    OLDEST_VERSION,
    OPENCLAW_VERSION,
    boot,
    newest_version,
)
from tests.support.readme import README
from tests.support.release_rows import difference, recorded
from tests.support.release_trials import TRIALS, failures, has_failed, try_release

pytestmark = [
    pytest.mark.openclaw,
    pytest.mark.sshd,
    pytest.mark.slow,
    pytest.mark.timeout(1_500),
    pytest.mark.xdist_group("openclaw"),
]


@pytest.mark.parametrize("version", [OLDEST_VERSION, OPENCLAW_VERSION])
async def test_a_release_does_what_the_table_says(version: str, tmp_path: Path) -> None:
    await does_what_the_table_says(version, tmp_path)


async def test_the_newest_release_does_what_the_table_says(tmp_path: Path) -> None:
    version = newest_version()
    if version is None:
        pytest.skip(NOT_ASKED)
    if version in recorded():
        if version not in (OLDEST_VERSION, OPENCLAW_VERSION):
            await does_what_the_table_says(version, tmp_path)
        return
    row = await tried(version, tmp_path)
    assert not failures(row)
    pytest.skip(f"it does all of it, and {difference(row)}")


async def does_what_the_table_says(version: str, directory: Path) -> None:
    """Try a release, and hold what it did against its row."""
    row = await tried(version, directory)
    assert not failures(row)
    assert not difference(row)


async def tried(version: str, directory: Path) -> dict[str, str]:
    """The row of a release."""
    with boot(directory, version, 1) as lab:
        return await try_release(lab)


def test_the_table_goes_back_to_the_oldest_release_and_has_the_pinned_one() -> None:
    rows = recorded()
    assert list(rows)[-1] == OLDEST_VERSION
    assert f"every OpenClaw release from {OLDEST_VERSION} on" in README.read_text()
    assert OPENCLAW_VERSION in rows
    for name, row in rows.items():
        assert row["release"] == name
        assert set(row) == {"release", "limits", *TRIALS}
        assert not has_failed(row)
