"""Tests wait for conditions, not for time: a sleep may stand in a loop that asks, nowhere else."""

import ast

from tests.hygiene.sources import Source, full_name, imported_names, modules

MOMENTS = {
    "tests/journal/test_kill.py": "a process is killed at random moments",
    "tests/simulation/test_virtual_loop.py": "its time is virtual and passes at once",
    "tests/wire/test_command.py": "connections are cut at random moments",
    "tests/acceptance/chaos.py": "blows fall at random moments",
    "tests/support/stub_model.py": "plays a slow model",
    "tests/support/console_runner.py": "paces lines for a measurement",
}
"""Where a moment in time is the subject."""


def sleeps(source: Source) -> list[str]:
    """Sleeps outside any ``while``, and those that would hold up the event loop;
    ``asyncio.sleep(0)`` only lets others run."""
    imported = imported_names(source.tree)
    found: list[str] = []

    def below(node: ast.AST, asking: bool, in_loop: bool) -> None:
        if isinstance(node, ast.Call):
            name = full_name(node.func, imported)
            first = node.args[0] if node.args else None
            lets_run = isinstance(first, ast.Constant) and first.value == 0
            wrong = (name == "asyncio.sleep" and not asking and not lets_run) or (
                name == "time.sleep" and (in_loop or not asking)
            )
            if wrong and source.path not in MOMENTS:
                found.append(source.at(node))
        asking = asking or isinstance(node, ast.While)
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            in_loop = isinstance(node, ast.AsyncFunctionDef)
        for child in ast.iter_child_nodes(node):
            below(child, asking, in_loop)

    below(source.tree, asking=False, in_loop=False)
    return found


def test_no_test_sleeps() -> None:
    assert [where for source in modules("tests") for where in sleeps(source)] == []


def test_the_scan_sees() -> None:
    for line, seen in (
        ("import time\ntime.sleep(1)", True),
        ("import time\nwhile not x(): time.sleep(1)", False),
        ("import time\nasync def f():\n  while not x(): time.sleep(1)", True),
        ("from asyncio import sleep\nasync def f(): await sleep(0.5)", True),
        ("import asyncio\nasync def f():\n  for _ in x: await asyncio.sleep(delay)", True),
        ("import asyncio\nasync def f():\n  while not x(): await asyncio.sleep(0.5)", False),
        ("import asyncio\nasync def f(): await asyncio.sleep(0)", False),
    ):
        assert bool(sleeps(Source("example.py", line, ast.parse(line)))) is seen, line
