"""The wrapper killed at each of its steps on the host: no run starts twice, none is said never to
have started that did, and the next question finds a definite answer."""

import re
import shutil
import stat
from collections import Counter
from pathlib import Path

import pytest

from fleet_tui.core.tasks.evidence import Definite, Died, Finished, NotStarted, Started
from fleet_tui.wire.programs import local
from fleet_tui.wire.programs.local import LocalPort
from tests.support.needs import missing, not_allowed
from tests.support.programs import executions, order, settled
from tests.support.wrapped import MakePort, make_port

__all__ = ["make_port"]

pytestmark = pytest.mark.slow

CALLS = ("mkdir", "linkat", "rename,renameat2", "write")
"""What makes a step of the wrapper last. A call counts for each process on its own."""
SH = Path("/bin/sh")


class Traced:
    """A shell under strace, which kills it and what it starts at a chosen call."""

    def __init__(self, directory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.script = directory / "traced-sh"
        self.log = directory / "trace"
        self._monkeypatch = monkeypatch

    def arm(self, calls: str, *options: str) -> None:
        """From now on every question goes through strace."""
        every = f"trace={calls}"
        words = ["strace", "-f", "-qq", "-o", str(self.log), "-e", every, *options, str(SH)]
        self.script.write_text("#!/bin/sh\nexec " + " ".join(words) + ' "$@"\n')
        self.script.chmod(self.script.stat().st_mode | stat.S_IXUSR)
        self._monkeypatch.setattr(local, "SH", str(self.script))

    def disarm(self) -> None:
        """The plain shell again."""
        self._monkeypatch.setattr(local, "SH", str(SH))

    def most(self, calls: str) -> int:
        """How often one process made such a call since it was armed."""
        names = "|".join(calls.split(","))
        made = re.findall(rf"^(\d+) +(?:{names})\(", self.log.read_text(), re.MULTILINE)
        return max(Counter(made).values(), default=0)


@pytest.fixture
def traced(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Traced:
    if shutil.which("strace") is None:
        missing("no strace on PATH")
    return Traced(tmp_path, monkeypatch)


def worker(make_port: MakePort, book: Path) -> LocalPort:
    """An agent that notes which task it got."""
    return make_port("sh", "-c", f"read -r which; echo $which >> {book}")


async def ask(port: LocalPort, verb: str, attempt: int) -> object:
    what = order(f"{attempt}\n", attempt)
    return await (port.start(what) if verb == "start" else port.inspect(what))


async def stands(port: LocalPort, attempt: int) -> object:
    """The final word about a run; it must be one that stays."""
    what = order(f"{attempt}\n", attempt)
    while True:
        found = await settled(port, what)
        assert isinstance(found, Definite)
        if isinstance(found.value, Finished | Died | NotStarted):
            return found.value


@pytest.mark.parametrize("verb", ["start", "inspect"])
async def test_killed_at_any_step_a_run_is_whole_or_fenced(
    make_port: MakePort, traced: Traced, tmp_path: Path, verb: str
) -> None:
    book = tmp_path / "book"
    await worker(make_port, book).probe()
    points: list[tuple[str, int]] = []
    for attempt, calls in enumerate(CALLS, start=100):
        traced.arm(calls)
        await ask(worker(make_port, book), verb, attempt)
        if not traced.log.exists():
            not_allowed("strace may not trace here")
        points += [(calls, n) for n in range(1, traced.most(calls) + 1)]
    assert len(points) > len(CALLS)
    told: dict[str, type[object]] = {}
    for attempt, (calls, n) in enumerate(points, start=1):
        at = f"{calls} {n}"
        traced.arm(calls, "-e", f"inject={calls}:signal=KILL:when={n}")
        heard = await ask(worker(make_port, book), verb, attempt)
        traced.disarm()
        # Whoever asks next knows nothing of the one before, as after a crash of the engine.
        found = await stands(worker(make_port, book), attempt)
        again = await ask(worker(make_port, book), "start", attempt)
        assert await stands(worker(make_port, book), attempt) == found, at
        ran = book.read_text().split().count(str(attempt)) if book.exists() else 0
        assert ran <= 1, at
        told[at] = type(found)
        match found:
            case NotStarted():
                assert ran == 0, at
                assert not (isinstance(heard, Definite) and isinstance(heard.value, Started)), at
                assert isinstance(again, Definite), at
                assert isinstance(again.value, NotStarted), at
            case Finished():
                assert (found.ok, ran) == (True, 1), at
            case _:
                pass
    if verb == "start":
        assert {NotStarted, Finished} <= set(told.values()), told
    else:
        assert set(told.values()) == {NotStarted}, told
        assert executions(book) == 0
