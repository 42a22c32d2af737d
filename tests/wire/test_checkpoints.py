"""Checkpoints between a program, its host and the ledger, through every shell."""

import hashlib
from pathlib import Path

import pytest

from fleet_tui.core.tasks.evidence import (
    MAX_CHECKPOINT_CHARS,
    Checkpoint,
    Definite,
    Died,
    Running,
    Stopped,
)
from fleet_tui.core.text.untrusted import Untrusted
from fleet_tui.wire.programs import wrapper
from tests.support.programs import finished, order, until
from tests.support.wrapped import (
    AWKWARD,
    MakePort,
    kill_all_of,
    make_port,
    owner_of,
    run_directory,
    sh,
    working_directory,
)

__all__ = ["make_port", "sh"]


HARD_TO_CARRY = (
    "".join(map(chr, range(1, 0x100))) + AWKWARD + "\u0081\u0088\u2028\ufeff\U0001f99e'" + "\\" * 9
)
"""Every ASCII and Latin-1 character but NUL, what shells use inside themselves, and more."""


def mark(text: str) -> Checkpoint:
    return Checkpoint(text=Untrusted(text), sha256=hashlib.sha256(text.encode()).hexdigest())


LEAVE = 'cat > "$FLEET_TUI_CHECKPOINT.new"; mv "$FLEET_TUI_CHECKPOINT.new" "$FLEET_TUI_CHECKPOINT"'
"""Leaves its task as its checkpoint."""


@pytest.mark.usefixtures("sh")
@pytest.mark.parametrize("text", [HARD_TO_CARRY, "é" * MAX_CHECKPOINT_CHARS], ids=["hard", "long"])
async def test_a_checkpoint_arrives_byte_for_byte(make_port: MakePort, text: str) -> None:
    leaving = make_port("sh", "-c", LEAVE + "; exit 3")
    await leaving.start(order(text))
    left = (await finished(leaving, order(text))).checkpoint
    assert left == mark(text)
    continuing = make_port("sh", "-c", 'cat "$FLEET_TUI_RESUME_FROM"')
    again = order("go on", attempt=2, checkpoint=left)
    await continuing.start(again)
    found = await finished(continuing, again)
    assert found.answer.text.raw == text
    assert found.checkpoint is None


@pytest.mark.usefixtures("sh")
async def test_a_fresh_start_has_nothing_to_continue_from(
    make_port: MakePort, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FLEET_TUI_RESUME_FROM", "/etc/passwd")
    port = make_port("sh", "-c", 'echo "${FLEET_TUI_RESUME_FROM-nothing}"')
    await port.start(order())
    assert (await finished(port, order())).answer.text.raw == "nothing\n"


@pytest.mark.usefixtures("sh")
async def test_the_checkpoint_is_told_while_the_run_runs_and_when_it_is_over(
    make_port: MakePort, tmp_path: Path
) -> None:
    port = make_port("sh", "-c", LEAVE + "; sleep 300")
    for attempt in (1, 2, 3):
        await port.start(order("page 7", attempt))
        await until((working_directory(tmp_path, attempt) / "checkpoint").exists)
    running = await port.inspect(order(attempt=1))
    assert running == Definite(Running(output_bytes=0, checkpoint=mark("page 7")))
    assert await port.cancel(order(attempt=1)) == Definite(Stopped(checkpoint=mark("page 7")))
    kill_all_of(int(owner_of(tmp_path, 2)[1]))
    died = Definite(Died(reason="process-gone", checkpoint=mark("page 7")))
    assert await port.follow(order(attempt=2)) == died
    kill_all_of(int(owner_of(tmp_path, 3)[1]))
    reboot(run_directory(tmp_path, 3))
    rebooted = Definite(Died(reason="host-rebooted", checkpoint=mark("page 7")))
    assert await port.follow(order(attempt=3)) == rebooted


def reboot(run: Path) -> None:
    """Make the host look as if it had booted since."""
    words = (run / "owner").read_text().split()
    words[3] = "another-boot"
    (run / "owner").write_text(" ".join(words) + "\n")


@pytest.mark.usefixtures("sh")
@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"a\0b",
        b"half \xc3",
        b"x" * (MAX_CHECKPOINT_CHARS + 1),
        b"x" * (wrapper.TEXT_BYTES + 1),
    ],
    ids=["empty", "nul", "not-utf8", "too-long", "much-too-long"],
)
async def test_what_is_no_whole_text_is_no_checkpoint(
    make_port: MakePort, tmp_path: Path, content: bytes
) -> None:
    (tmp_path / "content").write_bytes(content)
    script = f'cp {tmp_path}/content "$FLEET_TUI_CHECKPOINT"; exit 1'
    port = make_port("sh", "-c", script)
    await port.start(order())
    assert (await finished(port, order())).checkpoint is None


@pytest.mark.usefixtures("sh")
async def test_a_checkpoint_that_is_a_pipe_or_a_directory_holds_nobody_up(
    make_port: MakePort,
) -> None:
    for attempt, how in enumerate(("mkfifo", "mkdir", "ln -s /dev/zero", "ln -s nowhere"), start=1):
        port, what = make_port("sh", "-c", f"{how} checkpoint; exit 1"), order(attempt=attempt)
        await port.start(what)
        assert (await finished(port, what)).checkpoint is None


@pytest.mark.usefixtures("sh")
async def test_a_checkpoint_replaced_all_the_time_is_always_whole(make_port: MakePort) -> None:
    script = (
        "n=0; while :; do n=$((n + 1)); i=0; "
        'while [ $i -lt 400 ]; do echo "$n"; i=$((i + 1)); done > "$FLEET_TUI_CHECKPOINT.new"; '
        'mv "$FLEET_TUI_CHECKPOINT.new" "$FLEET_TUI_CHECKPOINT"; done'
    )
    port = make_port("sh", "-c", script)
    await port.start(order())
    seen = 0
    while seen < 20:
        found = await port.inspect(order())
        assert isinstance(found, Definite)
        assert isinstance(found.value, Running)
        if found.value.checkpoint is not None:
            lines = found.value.checkpoint.text.raw.splitlines()
            assert len(lines) == 400
            assert len(set(lines)) == 1
            seen += 1
    await port.cancel(order())


@pytest.mark.usefixtures("sh")
async def test_a_checkpoint_written_in_place_is_never_half(make_port: MakePort) -> None:
    script = (
        'while :; do head -c 60000 /dev/zero | tr "\\0" x > "$FLEET_TUI_CHECKPOINT"; '
        ': > "$FLEET_TUI_CHECKPOINT"; done'
    )
    port = make_port("sh", "-c", script)
    await port.start(order())
    for _ in range(20):
        found = await port.inspect(order())
        assert isinstance(found, Definite), "the answer itself stays whole"
        assert isinstance(found.value, Running)
    await port.cancel(order())
