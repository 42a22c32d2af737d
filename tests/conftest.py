"""What the whole suite shares: empty surroundings, what tests may need, expensive fixtures.

PYTHONHASHSEED is left alone on purpose: nothing may depend on the order of a set of strings, so
every run tries another one. The report's header names it, for a run to be repeated exactly.
"""

import gc
import os
import signal
from collections.abc import Generator, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings

from tests.support import leaks, surroundings, survivors
from tests.support.needs import NEEDS, RIGHTS, missing, not_allowed
from tests.support.openclaw_lab import openclaw_lab

__all__ = ["openclaw_lab"]

settings.register_profile(
    "ci", derandomize=True, deadline=None, max_examples=100, stateful_step_count=40
)
settings.register_profile("search", deadline=None, max_examples=5_000)
settings.register_profile(
    "mutation", derandomize=True, deadline=None, max_examples=20, stateful_step_count=30
)
settings.load_profile("ci")

MAX_ID = 60
"""Characters of a parameter that may stand in a test's name."""

GC_THRESHOLDS = (20_000, 10, 10)
"""New objects to a round of the collector. A console is a million objects that live as long as a
test; with Python's own 700, a quarter of the time of its tests went into looking at them."""

_surroundings = pytest.StashKey[Path]()
_before = pytest.StashKey[dict[str, Any]]()


def pytest_configure(config: pytest.Config) -> None:
    """Before any test module is imported."""
    # A shell ignores SIGINT for what it starts in the background, and that is inherited: programs
    # under test must be interruptible all the same.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    # So it is with SIGHUP and nohup; the console puts back the default when it ends.
    signal.signal(signal.SIGHUP, signal.SIG_DFL)
    config.stash[_surroundings] = surroundings.isolate()


def pytest_unconfigure(config: pytest.Config) -> None:
    """After the last test."""
    surroundings.remove(config.stash[_surroundings])


def pytest_report_header() -> str:
    """What a run that fails must be repeated with."""
    seed = os.environ.get("PYTHONHASHSEED", "random")
    return f"PYTHONHASHSEED={seed}; properties: --hypothesis-profile=search looks further"


def pytest_make_parametrize_id(val: object, argname: str) -> str | None:
    """Long or binary values are no names; and workers must agree on the name of a value that was
    made just now, with the time in it."""
    if isinstance(val, (bytes, str)) and (len(val) > MAX_ID or not val.isascii()):
        return argname
    return None


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Keep the gateways on one worker: each takes 1 GiB and ten seconds to start."""
    for item in items:
        if item.get_closest_marker("openclaw"):
            item.add_marker(pytest.mark.xdist_group("openclaw"))


def pytest_collection_finish() -> None:
    """Ten thousand tests and all that they import stay to the end: the collector passes them by."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(*GC_THRESHOLDS)


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_protocol(item: pytest.Item) -> None:
    """Look at the process before any fixture of the test does anything."""
    item.stash[_before] = leaks.look()


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_teardown(item: pytest.Item) -> Generator[None]:
    """A test that leaves the process otherwise than it found it is told here, not where the next
    one stumbles."""
    try:
        yield
    finally:
        left = leaks.put_back(item.stash[_before])
    if left:
        pytest.fail("this test did not put back: " + "; ".join(left), pytrace=False)


def pytest_runtest_setup(item: pytest.Item) -> None:
    """End a test whose mark this machine cannot meet."""
    for marks, left_out in ((NEEDS, missing), (RIGHTS, not_allowed)):
        for mark, reason in marks.items():
            if item.get_closest_marker(mark) and (lacking := reason()) is not None:
                left_out(lacking)


@pytest.fixture(scope="session", autouse=True)
def nothing_left(
    pytestconfig: pytest.Config, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[None]:
    """Ends last of all fixtures."""
    yield
    left = survivors.end([pytestconfig.stash[_surroundings], tmp_path_factory.getbasetemp()])
    if left:
        pytest.fail("these programs still ran: " + "; ".join(left), pytrace=False)


@pytest.fixture
def own_process() -> Iterator[None]:
    """For a test that runs a command in this process. A command takes the process for its own:
    files for their owner alone, bugs told in a line, no debugger."""
    before = leaks.look()
    yield
    leaks.put_back(before)


@pytest.fixture
def short_dir() -> Iterator[Path]:
    """A directory of one's own with a path short enough for Unix sockets."""
    directory = surroundings.short_dir()
    yield directory
    surroundings.remove(directory)
