"""Programs behind a real sshd while engines are killed and connections cut and stopped, and a book
of their own that says what really ran. ``tests/acceptance/chaos.py`` runs longer campaigns."""

import random
from pathlib import Path

import pytest

from tests.acceptance.chaos import Blow, campaign, fleet_text
from tests.acceptance.rig import MakeRig
from tests.support.sshd import Sshd, sshd

__all__ = ["sshd"]

pytestmark = [pytest.mark.sshd, pytest.mark.slow]

BLOWS = 60


@pytest.mark.timeout(300)
async def test_sixty_blows_lose_nothing_and_run_nothing_twice(
    make_rig: MakeRig, sshd: Sshd, short_dir: Path
) -> None:
    seed = random.SystemRandom().randrange(10**6)
    print(f"seed {seed}")
    rig = make_rig(fleet_text(sshd, short_dir))
    run = await campaign(rig, sshd, short_dir, seed=seed, blows=BLOWS)
    print(run.told())
    assert run.wrongs() == []
    assert not (short_dir / "pwned").exists()
    # Every blow fell while programs ran, and each kind fell.
    assert len(run.at_work) == BLOWS
    assert min(run.at_work) > 0
    assert set(run.fell) == set(Blow)
    assert len(run.taken) >= BLOWS
    assert rig.state().engine.epoch == run.fell[Blow.ENGINE] + 1
