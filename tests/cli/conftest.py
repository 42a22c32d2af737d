"""One running engine for all commands that talk to one."""

import re
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec
import pytest

from tests.acceptance.rig import Rig
from tests.support import surroundings

FLEET = """
defaults: {probe: {every: 300ms, timeout: 2s, down_after: 3, up_after: 1}}
pools: {quick: , slow: }
agents:
  echo: {kind: local, command: [cat], slots: 8, pool: quick}
  hang: {kind: local, command: [sh, -c, "cat; sleep 600"], slots: 8, pool: slow}
  spare: {kind: local, command: [cat], pool: quick, capabilities: [spare]}
"""
WITHIN_S = 60.0
POLL_S = 0.05


class Shop(Rig):
    """A fleet with its engine, and the program's commands against it."""

    def call(self, *words: str, text: bytes = b"") -> tuple[int, str, str]:
        """A command's exit code, output and complaints."""
        verb, *rest = words
        done = self.cli(verb, "-f", str(self.file), *rest, text=text)
        out, err = done.stdout.decode(), done.stderr.decode()
        assert "Traceback" not in out + err, err
        return done.returncode, out, err

    def document(self, *words: str, code: int = 0, text: bytes = b"") -> dict[str, object]:
        """What a command prints with --json: one document."""
        found, out, err = self.call(*words, "--json", text=text)
        assert found == code, err
        return msgspec.json.decode(out, type=dict[str, object])

    def wait_until(self, holds: Callable[[], bool], what: str) -> None:
        """Wait for the fleet to be so."""
        deadline = time.monotonic() + WITHIN_S
        while not holds():
            assert time.monotonic() < deadline, f"never: {what}\n{self.summary()}"
            time.sleep(POLL_S)

    def give(self, text: str, *words: str) -> str:
        """Submit a task; its label."""
        code, out, err = self.call("submit", text, *words)
        assert code == 0, err
        assert re.fullmatch(r"t-\d+\n", out)
        return out.strip()

    def is_up(self) -> bool:
        """Whether every agent answers."""
        return all(a.health.takes_work for a in self.state().agents.values())

    def stop_runs(self) -> None:
        """End the programs of tasks: they outlive an engine."""
        self.call("freeze")  # else the next would start in their place

        def running() -> list[str]:
            return [task.label for task in self.tasks() if task.open_attempt is not None]

        if labels := running():
            self.call("cancel", *labels)
        self.wait_until(lambda: not running(), "nothing runs any more")


@contextmanager
def opened(fleet: str) -> Iterator[Shop]:
    """A fleet of that file with its engine running and every agent up."""
    base = surroundings.short_dir()
    shop = Shop(base, fleet)
    try:
        shop.start()
        shop.wait_until(shop.is_up, "every agent is up")
        yield shop
        if shop.answers():
            shop.stop_runs()
    finally:
        shop.close()
        surroundings.remove(base)


@pytest.fixture(scope="module")
def shop() -> Iterator[Shop]:
    """A running engine of three agents on this machine, of the module's own."""
    with opened(FLEET) as shop:
        yield shop


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty working directory, and no fleet anywhere."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("FLEET_TUI_STATE_DIR", str(tmp_path / "fleets"))
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    monkeypatch.delenv("FLEET_TUI_FLEET", raising=False)
    return tmp_path
