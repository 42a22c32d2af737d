"""Real gateways of the oldest, the pinned and the newest OpenClaw release do what the README says.
The other rows of its table are tried by ``python -m tests.acceptance.releases``."""

from pathlib import Path

import pytest

from tests.support.openclaw_lab import OLDEST_VERSION, OPENCLAW_VERSION, boot, versions_to_boot
from tests.support.release_rows import recorded
from tests.support.release_trials import TRIALS, has_failed, try_release

pytestmark = [
    pytest.mark.openclaw,
    pytest.mark.sshd,
    pytest.mark.slow,
    pytest.mark.timeout(1_500),
    pytest.mark.xdist_group("openclaw"),
]


@pytest.mark.parametrize("place", ["oldest", "pinned", "newest"])
async def test_a_release_does_what_the_table_says(place: str, tmp_path: Path) -> None:
    versions = {"oldest": OLDEST_VERSION, "pinned": OPENCLAW_VERSION}
    version = versions.get(place) or versions_to_boot()[-1]
    if place == "newest" and version in versions.values():
        assert version in recorded()
        return  # it was tried under that name
    with boot(tmp_path, version, 1) as lab:
        row = await try_release(lab)
    assert not has_failed(row), row
    assert row == recorded().get(version, row)


def test_the_table_has_a_row_for_the_oldest_and_the_pinned_release() -> None:
    rows = recorded()
    assert {OLDEST_VERSION, OPENCLAW_VERSION} <= set(rows)
    for name, row in rows.items():
        assert row["release"] == name
        assert set(row) == {"release", "limits", *TRIALS}
        assert not has_failed(row)
