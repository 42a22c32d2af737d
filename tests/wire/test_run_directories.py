"""What a run directory proves about runs after it was deleted or restored."""

import shutil
from pathlib import Path

import pytest

from fleet_tui.core.tasks.evidence import LostReason, Unknown
from tests.support.programs import order
from tests.support.wrapped import FENCED, MakePort, Meddler, make_port, sh

__all__ = ["make_port", "sh"]


def lost_trace(found: object) -> bool:
    return isinstance(found, Unknown) and found.reason is LostReason.NO_TRACE


@pytest.mark.usefixtures("sh")
async def test_a_run_directory_that_was_deleted_proves_nothing_about_its_runs(
    make_port: MakePort, tmp_path: Path
) -> None:
    port = make_port("cat")
    await port.probe()
    shutil.rmtree(tmp_path / "runs")
    for _ in range(2):
        assert lost_trace(await port.inspect(order()))
    # Nor does the next engine trust it, not even after it has looked at the place.
    later = make_port("cat", epoch=2)
    await later.probe()
    assert lost_trace(await later.inspect(order(attempt=2, epoch=1)))
    # What is new there is trusted again.
    for wary in (port, later):
        await wary.probe()
    assert await later.inspect(order(attempt=3, epoch=2)) == FENCED


@pytest.mark.usefixtures("sh")
async def test_a_run_directory_deleted_between_two_engines_proves_nothing(
    make_port: MakePort, tmp_path: Path
) -> None:
    await make_port("cat", epoch=4).probe()
    shutil.rmtree(tmp_path / "runs")
    later = make_port("cat", epoch=5)
    await later.probe()
    assert lost_trace(await later.inspect(order(epoch=4)))
    assert lost_trace(await later.start(order(epoch=4)))
    assert await later.inspect(order(attempt=2, epoch=5)) == FENCED


@pytest.mark.usefixtures("sh")
async def test_a_run_directory_put_back_from_an_older_copy_proves_nothing(
    make_port: MakePort, tmp_path: Path
) -> None:
    await make_port("cat", epoch=1).probe()
    shutil.copytree(tmp_path / "runs", tmp_path / "copy")
    arrives = True
    port = make_port("cat", epoch=2, shell=Meddler(lambda data: data if arrives else b""))
    await port.probe()
    shutil.rmtree(tmp_path / "runs")
    (tmp_path / "copy").rename(tmp_path / "runs")
    assert lost_trace(await port.inspect(order(epoch=2)))
    # A run that was asked for since cannot have been lost with the rest.
    arrives = False
    assert isinstance(await port.start(order(attempt=2, epoch=2)), Unknown)
    arrives = True
    assert await port.inspect(order(attempt=2, epoch=2)) == FENCED


@pytest.mark.usefixtures("sh")
async def test_a_restarted_engine_trusts_a_directory_that_stayed(make_port: MakePort) -> None:
    await make_port("cat", epoch=1).probe()
    later = make_port("cat", epoch=3)
    await later.probe()
    assert await later.inspect(order(epoch=1)) == FENCED
    assert await later.inspect(order(attempt=2, epoch=2)) == FENCED
