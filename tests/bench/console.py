"""The console in a real terminal at 120x40: when it is there, and what it costs at rest.

Its peers in the same run: a Textual app that shows one word, and ``top`` at its usual pace.
"""

import shutil
import statistics
from collections.abc import Iterator

from tests.bench.frame import Row, Unavailable, at_most
from tests.support.pty_harness import PtyProgram, python

ROUNDS = 3
WARM_UP_S = 6.0
WATCHED_S = 15.0
LINES_PER_S = 5
READY_WITHIN_S = 60.0
TOP_EVERY_S = "1"

BLANK = """
from textual.app import App
from textual.widgets import Static
class Blank(App):
    def compose(self):
        yield Static("painted")
Blank().run()
"""
DEMO = python("-m", "fleet_tui", "demo", "--seed", "1")
SCENE = python("-m", "tests.support.console_runner", "--live", "--lines", str(LINES_PER_S))


def first_paint() -> Iterator[Row]:
    """From the command to a fleet on the screen: its agents, its queue, its log."""
    demo = [paint(DEMO, "agent-01", "Queue", "Logs") for _ in range(ROUNDS)]
    blank = [paint(python("-c", BLANK), "painted") for _ in range(ROUNDS)]
    for name, place, target in (("wall", 0, at_most(0.9)), ("CPU of the console", 1, None)):
        yield Row(
            name=f"first paint of the demo, {name}",
            figure=statistics.median(sample[place] for sample in demo),
            unit="s",
            peer_name="a Textual app of one word",
            peer=statistics.median(sample[place] for sample in blank),
            target=target,
        )


def idle() -> Iterator[Row]:
    """Twenty agents, five log lines a second, nobody types."""
    if shutil.which("top") is None:
        raise Unavailable("no top on PATH to compare with")
    cpu, bytes_per_s = at_rest(SCENE, "agent-01")
    top_cpu, top_bytes_per_s = at_rest(["top", "-d", TOP_EVERY_S], "PID")
    peer = f"top, every {TOP_EVERY_S} s"
    yield Row(
        name="idle console, CPU of a core",
        figure=cpu,
        unit="%",
        peer_name=peer,
        peer=top_cpu,
        target=at_most(2),
    )
    yield Row(
        name="idle console, to the terminal",
        figure=bytes_per_s,
        unit="B/s",
        peer_name=peer,
        peer=top_bytes_per_s,
        target=at_most(4_096),
    )


def demo_idle() -> Iterator[Row]:
    """The demo's console while its story is told: more moves than in a quiet fleet."""
    cpu, bytes_per_s = at_rest(DEMO, "agent-01", "Logs")
    scene_cpu, scene_bytes_per_s = at_rest(SCENE, "agent-01")
    peer = "the quiet scene of the tests"
    for name, unit, figure, other in (
        ("demo's console, CPU of a core", "%", cpu, scene_cpu),
        ("demo's console, to the terminal", "B/s", bytes_per_s, scene_bytes_per_s),
    ):
        yield Row(name=name, figure=figure, unit=unit, peer_name=peer, peer=other)


def paint(arguments: list[str], *words: str) -> tuple[float, float]:
    """Seconds until the words are on the screen, and the program's own CPU until then."""
    with PtyProgram(arguments) as program:
        wall_s = program.wait_for(*words, within_s=READY_WITHIN_S)
        return wall_s, program.cpu_s()


def at_rest(arguments: list[str], *words: str) -> tuple[float, float]:
    """Percent of a core and bytes a second, once it has been painted and has settled."""
    with PtyProgram(arguments) as program:
        program.wait_for(*words, within_s=READY_WITHIN_S)
        program.watch(WARM_UP_S)
        before_s = program.cpu_s()
        count = program.watch(WATCHED_S)
        return 100 * (program.cpu_s() - before_s) / WATCHED_S, count / WATCHED_S
