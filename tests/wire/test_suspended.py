"""Programs that are stopped on their host (SIGSTOP): told from those that work. Through every
shell."""

import os
import signal
from pathlib import Path

import pytest

from fleet_tui.core.tasks.evidence import Definite, Died, Finished, Running, Stopped
from tests.support.programs import finished, order, over, settled, until
from tests.support.wrapped import MakePort, make_port, sh

__all__ = ["make_port", "sh"]

STOPPED = Definite(Running(output_bytes=0, suspended=True))
GOES_ON = Definite(Running(output_bytes=0))

STOPS = {
    "itself": "echo $$ > {pids}; kill -STOP $$",
    "all of its group": "echo $$ > {pids}; kill -STOP 0",
    "what it waits for": "sh -c 'echo $$ > {pids}; kill -STOP $$' & wait",
    "itself, and not what it started": "sleep 300 & echo $! $$ > {pids}; kill -STOP $$; kill $!",
    "itself, where who waits for it is gone": "kill -KILL $PPID; echo $$ > {pids}; kill -STOP $$",
}


def let_go_on(pids: Path) -> None:
    for pid in pids.read_text().split():
        os.kill(int(pid), signal.SIGCONT)


@pytest.mark.usefixtures("sh")
@pytest.mark.parametrize("what", STOPS)
async def test_a_program_that_is_stopped_is_told_from_one_that_works(
    make_port: MakePort, tmp_path: Path, what: str
) -> None:
    pids, go = tmp_path / "pids", tmp_path / "go"
    waits = f"until [ -e {go} ]; do sleep 0.05; done; echo done"
    port = make_port("sh", "-c", f"{STOPS[what].format(pids=pids)}; {waits}")
    await port.start(order())
    assert await port.follow(order()) == STOPPED
    assert await port.inspect(order()) == STOPPED
    let_go_on(pids)
    assert await port.follow(order()) == GOES_ON
    assert await port.inspect(order()) == GOES_ON
    go.touch()
    if "gone" in what:
        assert await over(port, order()) == Definite(Died(reason="process-gone"))
    else:
        assert (await finished(port, order())).answer.text.raw == "done\n"


PARTS = {
    "a child of what works": "exec sleep 300",
    "one of two": "sleep 300 & wait",
}


@pytest.mark.usefixtures("sh")
@pytest.mark.parametrize("what", PARTS)
async def test_a_program_of_which_only_a_part_is_stopped_works(
    make_port: MakePort, tmp_path: Path, what: str
) -> None:
    ready = tmp_path / "ready"
    seen = "until grep -q '^State:.T' /proc/$!/status; do :; done"
    part = f"sh -c 'kill -STOP $$; :' & {seen}; touch {ready}"
    port = make_port("sh", "-c", f"{part}; {PARTS[what]}")
    await port.start(order())
    await until(ready.exists)
    assert await port.inspect(order()) == GOES_ON
    assert await port.cancel(order()) == Definite(Stopped())


@pytest.mark.usefixtures("sh")
async def test_another_engine_hears_at_once_that_a_program_is_stopped_or_goes_on(
    make_port: MakePort, tmp_path: Path
) -> None:
    """What the one before it was told does not count."""
    pids = tmp_path / "pids"
    port = make_port("sh", "-c", f"echo $$ > {pids}; kill -STOP $$; echo done")
    await port.start(order())
    assert await port.follow(order()) == STOPPED
    after = make_port("cat", epoch=2)
    assert await settled(after, order()) == STOPPED
    let_go_on(pids)
    found = await after.follow(order())
    while isinstance(found, Definite) and isinstance(found.value, Running):
        assert not found.value.suspended
        found = await after.follow(order())
    assert isinstance(found, Definite)
    assert isinstance(found.value, Finished)
    assert found.value.answer.text.raw == "done\n"


@pytest.mark.usefixtures("sh")
async def test_a_program_that_is_stopped_hears_that_it_is_cancelled(
    make_port: MakePort, tmp_path: Path
) -> None:
    heard = tmp_path / "heard"
    port = make_port("sh", "-c", f"trap 'touch {heard}; exit 1' TERM; kill -STOP $$")
    await port.start(order())
    assert await port.follow(order()) == STOPPED
    found = await port.cancel(order())
    assert isinstance(found, Definite)
    assert isinstance(found.value, Stopped)
    assert heard.exists()
