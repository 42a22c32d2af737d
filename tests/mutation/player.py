"""Plays mutants inside one pytest session.

mutmut starts pytest anew for each mutant, which takes longer than the few tests that most mutants
need. Here tests are collected once; then each mutant has a forked child, which runs the tests that
call the mutated function, quick ones first, and ends at the first that fails.
"""

import os
import resource
import signal
import sys
import time
from collections import defaultdict
from collections.abc import Callable, Sequence
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec, SourceFileLoader
from importlib.util import spec_from_file_location
from types import CodeType, ModuleType
from typing import NoReturn

import pytest
from mutmut.mutation import trampoline
from mutmut.state import state

from tests.mutation.declared import CACHES
from tests.mutation.mutants import CORE, Made, Mutant
from tests.mutation.record import Outcome

LEAST_CPU_S = 3
CPU_TIMES = 8
"""A mutant may use this many times the processor time of its tests, and never less than
LEAST_CPU_S, before it counts as a loop without end."""
MEMORY_BYTES = 4 << 30
"""Address space of a child: a mutant that never stops collecting ends here."""

KILLED, SURVIVED = 1, 0

Told = Callable[[Mutant, Outcome], None]


class Mutated(MetaPathFinder):
    """Imports modules with their mutants inside, instead of the files."""

    def __init__(self, modules: Sequence[Made]) -> None:
        self._modules = {f"{CORE}.{made.module}": made for made in modules}

    def find_spec(
        self, name: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        made = self._modules.get(name)
        if made is None:
            return None
        assert name not in sys.modules, f"{name} was imported too early"
        return spec_from_file_location(name, made.file, loader=_Loader(name, made))


class _Loader(SourceFileLoader):
    def __init__(self, name: str, made: Made) -> None:
        super().__init__(name, str(made.file))
        self._made = made

    def get_code(self, fullname: str) -> CodeType:
        return compile(self._made.code, self.path, "exec", dont_inherit=True)


class Player:
    """A pytest plugin that replaces the loop over tests by one over mutants."""

    def __init__(self, mutants: Sequence[Mutant], jobs: int, until: float, told: Told) -> None:
        self._mutants = mutants
        self._jobs = jobs
        self._until = until
        self._told = told
        self._failed: list[str] = []
        self._cost_s: dict[str, float] = {}
        self._callers: dict[str, list[pytest.Item]] = defaultdict(list)
        self._in_child = False
        self._children: dict[int, Mutant] = {}

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """A failure ends a mutant; of the program as it is, it ends everything."""
        if report.failed:
            if self._in_child:
                os._exit(KILLED)
            self._failed.append(report.nodeid)

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtestloop(self, session: pytest.Session) -> bool:
        """All tests once without a mutant, then the mutants."""
        assert session.testsfailed == 0, "tests could not be collected"
        session.config.pluginmanager.unregister(name="terminalreporter")
        self._learn(session.items)
        if self._failed:
            _end(f"these fail without any mutant: {', '.join(self._failed)}")
        _, status = os.waitpid(self._fork("", session.items), 0)
        if os.waitstatus_to_exitcode(status) != SURVIVED:
            _end("a child without any mutant fails, so that failures prove nothing")
        try:
            self._play()
        finally:
            for child in self._children:
                os.kill(child, signal.SIGKILL)
        return True

    def _play(self) -> None:
        for mutant in self._mutants:
            tests = self._callers.get(mutant.function)
            if not tests:
                self._told(mutant, Outcome.UNTESTED)
                continue
            while len(self._children) >= self._jobs:
                self._reap()
            if time.monotonic() > self._until:
                break
            self._children[self._fork(mutant.name, tests)] = mutant
        while self._children:
            self._reap()

    def _learn(self, items: list[pytest.Item]) -> None:
        """Which tests call which function, and what each takes."""
        _activate("stats")
        hits = state()._stats
        for item in items:
            _forget()
            hits.clear()
            before = time.process_time()
            item.ihook.pytest_runtest_protocol(item=item, nextitem=None)
            self._cost_s[item.nodeid] = time.process_time() - before
            for function in hits:
                self._callers[str(function)].append(item)
        for tests in self._callers.values():
            tests.sort(key=lambda item: self._cost_s[item.nodeid])
        _activate("")

    def _fork(self, name: str, tests: list[pytest.Item]) -> int:
        """Start a child that runs tests with a mutant; its process id."""
        sys.stdout.flush()
        child = os.fork()
        if child:
            return child
        try:
            self._in_child = True
            _bound(sum(self._cost_s[test.nodeid] for test in tests))
            _activate(name)
            for test in tests:
                _forget()
                test.ihook.pytest_runtest_protocol(item=test, nextitem=None)
        except (
            BaseException
        ):  # whatever it is, the mutant made it, and it must not reach the parent
            os._exit(KILLED)
        os._exit(SURVIVED)

    def _reap(self) -> None:
        child, status = os.waitpid(-1, 0)
        mutant = self._children.pop(child)
        survived = os.waitstatus_to_exitcode(status) == SURVIVED
        self._told(mutant, Outcome.SURVIVED if survived else Outcome.KILLED)


def _end(why: str) -> NoReturn:
    print(why, file=sys.stderr)  # pytest's own reporter is silent by now
    pytest.exit(why, returncode=3)


def _bound(cost_s: float) -> None:
    silence = os.open(os.devnull, os.O_RDWR)
    for descriptor in (0, 1, 2):
        os.dup2(silence, descriptor)
    cpu_s = max(LEAST_CPU_S, int(CPU_TIMES * cost_s))
    resource.setrlimit(resource.RLIMIT_CPU, (cpu_s, cpu_s + 1))
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES, MEMORY_BYTES))


def _forget() -> None:
    """Empty what the core keeps between two calls: it would hide a mutant from the next test."""
    for module, name in CACHES:
        getattr(sys.modules[f"{CORE}.{module}"], name).clear()


def _activate(name: str) -> None:
    """The mutant that every call goes to from now on. mutmut looks it up in the environment at each
    call, which costs more than most of the functions called."""
    trampoline.get_mutant_under_test = lambda: name
