"""Runs on this machine, through every shell that is installed here."""

import asyncio
import hashlib
import json
import os
import shutil
import signal
from pathlib import Path

import psutil
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fleet_tui.config.values import failure_kind
from fleet_tui.core.ids import Epoch
from fleet_tui.core.tasks.codes import FAILURE_KINDS, FailedCode
from fleet_tui.core.tasks.evidence import (
    MAX_ANSWER_CHARS,
    Answer,
    Definite,
    Died,
    Finished,
    LostReason,
    NotStarted,
    Running,
    Started,
    Stopped,
    Unknown,
    Usage,
)
from fleet_tui.core.text.untrusted import Untrusted
from fleet_tui.wire.programs import wrapper
from fleet_tui.wire.programs.local import LocalShell
from fleet_tui.wire.programs.wrapper import (
    COMMAND,
    PROTOCOL,
    SCRIPT,
    Program,
    RunDirectory,
    RunWrapper,
    WrapperReply,
    failure_word,
    inspection_of,
    quoted_command,
    read_reply,
    read_usage,
)
from fleet_tui.wire.shell import Completed
from tests.support.programs import executions, finished, order, over, settled, until, wall_ms
from tests.support.wrapped import (
    AWKWARD,
    FENCED,
    MakePort,
    Meddler,
    kill_all_of,
    make_port,
    owner_of,
    run_directory,
    sh,
    working_directory,
)

__all__ = ["make_port", "sh"]


@pytest.mark.usefixtures("sh")
async def test_a_payload_arrives_byte_for_byte(make_port: MakePort) -> None:
    port, what = make_port("cat"), order(AWKWARD)
    assert isinstance(await port.start(what), Definite)
    found = await finished(port, what)
    assert found.ok
    assert found.answer == Answer(
        text=Untrusted(AWKWARD),
        size_bytes=len(AWKWARD.encode()),
        sha256=hashlib.sha256(AWKWARD.encode()).hexdigest(),
    )
    assert found.duration_ms is not None


@pytest.mark.usefixtures("sh")
async def test_a_large_answer_is_cut_and_its_size_and_hash_are_kept(make_port: MakePort) -> None:
    payload = "".join(chr(0x21 + at % 90) for at in range(1_000_000))
    port, what = make_port("cat"), order(payload)
    await port.start(what)
    found = await finished(port, what)
    assert found.answer.truncated
    assert found.answer.text.raw == payload[:MAX_ANSWER_CHARS]
    assert found.answer.size_bytes == 1_000_000
    assert found.answer.sha256 == hashlib.sha256(payload.encode()).hexdigest()


@pytest.mark.usefixtures("sh")
async def test_a_program_gets_its_arguments_and_environment_unchanged(
    make_port: MakePort, tmp_path: Path
) -> None:
    script = 'printf "%s|" "$@" "$GREETING" "$FLEET_TUI_TASK" "$FLEET_TUI_ATTEMPT" "$PWD"'
    port = make_port("sh", "-c", script, "x", "a b", "$HOME", "it's", env={"GREETING": "a'b $c"})
    what = order()
    await port.start(what)
    found = await finished(port, what)
    working = str(working_directory(tmp_path))
    expected = ["a b", "$HOME", "it's", "a'b $c", "t-42", "1", working, ""]
    assert found.answer.text.raw.split("|") == expected


@pytest.mark.usefixtures("sh")
async def test_a_failure_has_a_stable_word_and_the_last_words_of_stderr(
    make_port: MakePort,
) -> None:
    port, what = make_port("sh", "-c", "echo half; echo token=abcdefgh123 >&2; exit 3"), order()
    await port.start(what)
    found = await finished(port, what)
    assert not found.ok
    assert found.failure == "exit-3"
    assert found.answer.text.raw == "half\n"
    assert "abcdefgh123" not in found.detail.raw
    assert "token=" in found.detail.raw


@pytest.mark.usefixtures("sh")
async def test_a_second_start_finds_the_first(make_port: MakePort, tmp_path: Path) -> None:
    ledger = tmp_path / "ledger"
    port, what = make_port("sh", "-c", f"echo ran >> {ledger}"), order()
    first = await port.start(what)
    assert isinstance(first, Definite)
    assert isinstance(first.value, Started)
    assert not first.value.already
    assert first.value.boot_id
    await finished(port, what)
    again = await port.start(what)
    assert isinstance(again, Definite)
    assert isinstance(again.value, Started)
    assert again.value.already
    assert executions(ledger) == 1


@pytest.mark.usefixtures("sh")
async def test_starts_at_the_same_moment_run_once(make_port: MakePort, tmp_path: Path) -> None:
    ledger = tmp_path / "ledger"
    port, what = make_port("sh", "-c", f"echo ran >> {ledger}"), order()
    found = await asyncio.gather(*(port.start(what) for _ in range(5)))
    # Those that came too late may have found the claim before its process: never a second run.
    assert all(isinstance(one, Definite) for one in found)
    await settled(port, what)
    assert executions(ledger) <= 1


@pytest.mark.usefixtures("sh")
async def test_a_late_start_loses_against_the_tombstone(
    make_port: MakePort, tmp_path: Path
) -> None:
    ledger = tmp_path / "ledger"
    port, what = make_port("sh", "-c", f"echo ran >> {ledger}"), order()
    assert await port.inspect(what) == FENCED
    assert await port.start(what) == FENCED
    assert await port.follow(what) == FENCED
    assert executions(ledger) == 0


@pytest.mark.usefixtures("sh")
async def test_a_claim_that_nobody_followed_up_is_fenced(
    make_port: MakePort, tmp_path: Path
) -> None:
    run_directory(tmp_path).mkdir(parents=True)
    assert await make_port("cat").inspect(order()) == FENCED


@pytest.mark.usefixtures("sh")
async def test_cancel_ends_everything_the_run_started(make_port: MakePort, tmp_path: Path) -> None:
    pids = tmp_path / "pids"
    port = make_port("sh", "-c", f"sleep 300 & echo $! > {pids}; sleep 300")
    what = order()
    await port.start(what)
    await until(lambda: pids.exists() and pids.read_text() != "")
    found = await port.cancel(what)
    assert found == Definite(Stopped())
    await until(lambda: not psutil.pid_exists(int(pids.read_text())))
    assert await port.inspect(what) == Definite(Stopped())
    assert await port.follow(what) == Definite(Stopped())


async def test_a_program_that_ignores_term_is_killed(
    make_port: MakePort, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(wrapper, "CANCEL_GRACE_S", 1)
    ready = tmp_path / "ready"
    script = f"trap '' TERM; touch {ready}; while :; do sleep 0.1; done"
    port, what = make_port("sh", "-c", script), order()
    await port.start(what)
    await until(ready.exists)
    assert await port.cancel(what) == Definite(Stopped())


async def test_a_program_that_finishes_its_work_on_term_has_finished(
    make_port: MakePort, tmp_path: Path
) -> None:
    ready = tmp_path / "ready"
    script = f"trap 'echo saved; exit 0' TERM; touch {ready}; while :; do sleep 0.05; done"
    port, what = make_port("sh", "-c", script), order()
    await port.start(what)
    await until(ready.exists)
    found = await port.cancel(what)
    assert isinstance(found, Definite)
    assert isinstance(found.value, Finished)
    assert found.value.answer.text.raw == "saved\n"


async def test_fencing_work_that_was_reassigned_stops_it(
    make_port: MakePort, tmp_path: Path
) -> None:
    ready = tmp_path / "ready"
    port, what = make_port("sh", "-c", f"touch {ready}; sleep 300"), order()
    await port.start(what)
    await until(ready.exists)
    assert await port.fence(what) == Definite(Stopped())
    assert await port.fence(order(attempt=2)) == FENCED


@pytest.mark.usefixtures("sh")
async def test_a_run_whose_processes_are_all_gone_has_died(
    make_port: MakePort, tmp_path: Path
) -> None:
    port, what = make_port("sh", "-c", "sleep 300"), order()
    await port.start(what)
    kill_all_of(int(owner_of(tmp_path)[1]))
    assert await over(port, what) == Definite(Died(reason="process-gone"))


@pytest.mark.usefixtures("sh")
async def test_a_program_that_outlives_its_wrapper_still_runs(
    make_port: MakePort, tmp_path: Path
) -> None:
    ready = tmp_path / "ready"
    port, what = make_port("sh", "-c", f"touch {ready}; sleep 300"), order()
    await port.start(what)
    await until(ready.exists)
    wrapper = psutil.Process(int(owner_of(tmp_path)[1]))
    wrapper.kill()
    await until(lambda: not wrapper.is_running() or wrapper.status() == psutil.STATUS_ZOMBIE)
    found = await port.inspect(what)
    assert isinstance(found, Definite)
    assert isinstance(found.value, Running)
    assert await port.cancel(what) == Definite(Stopped())


@pytest.mark.usefixtures("sh")
async def test_a_rebooted_host_and_a_reused_pid_are_seen_through(
    make_port: MakePort, tmp_path: Path
) -> None:
    port = make_port("cat")
    for attempt, change, reason in ((1, 3, "host-rebooted"), (2, 2, "process-gone")):
        what = order(attempt=attempt)
        run = run_directory(tmp_path, attempt)
        await port.start(what)
        await finished(port, what)
        (run / "rc").unlink()
        words = (run / "owner").read_text().split()
        words[1] = str(os.getpid())  # a process that lives and is not the run
        words[change] = "12345"
        (run / "owner").write_text(" ".join(words) + "\n")
        assert await port.inspect(what) == Definite(Died(reason=reason))


async def test_a_wiped_run_directory_proves_nothing(make_port: MakePort, tmp_path: Path) -> None:
    ready = tmp_path / "ready"
    port, what = make_port("sh", "-c", f"touch {ready}; sleep 300"), order()
    await port.start(what)
    await until(ready.exists)
    pid = int(owner_of(tmp_path)[1])
    os.kill(pid, signal.SIGKILL)  # it would be known by its arguments
    shutil.rmtree(tmp_path / "runs")
    for _ in range(2):
        found = await port.inspect(what)
        assert isinstance(found, Unknown)
        assert found.reason is LostReason.NO_TRACE
    kill_all_of(pid)


@pytest.mark.usefixtures("sh")
async def test_an_owner_without_a_word_is_no_proof_that_nothing_ran(
    make_port: MakePort, tmp_path: Path
) -> None:
    """As a power cut leaves it: the name is on the disk, what was in it is not."""
    port, what = make_port("cat"), order()
    await port.start(what)
    await finished(port, what)
    run = run_directory(tmp_path)
    (run / "rc").unlink()
    (run / "owner").write_text("")
    found = await make_port("cat", epoch=2).inspect(what)
    assert isinstance(found, Unknown)
    assert found.reason is LostReason.NO_TRACE


@pytest.mark.usefixtures("sh")
async def test_an_older_engine_may_not_touch_the_runs(make_port: MakePort) -> None:
    new, old = make_port("cat", epoch=7), make_port("cat", epoch=6)
    await new.start(order())
    assert await old.start(order(attempt=2)) == Definite(NotStarted(reason="stale-epoch"))
    found = await old.inspect(order())
    assert isinstance(found, Unknown)
    assert found.reason is LostReason.REFUSED


@pytest.mark.usefixtures("sh")
async def test_a_question_cut_anywhere_never_starts_a_run(
    make_port: MakePort, tmp_path: Path
) -> None:
    ledger = tmp_path / "ledger"
    command = ("sh", "-c", f"echo ran >> {ledger}")
    await make_port("cat").probe()  # so that the start is the first question that is cut
    # From somewhere inside the script to the last byte of the payload.
    for attempt, cut in enumerate((1, 30, 700, 1_000, 1_100, 1_150, 1_180, 1_300, 4_000), start=1):
        shell = Meddler(lambda data, cut=cut: data[:-cut])  # type: ignore[misc]  # its own cut
        port, what = make_port(*command, shell=shell), order("x" * 600, attempt)
        found = await port.start(what)
        assert isinstance(found, Unknown) or isinstance(found.value, NotStarted), (cut, found)
        assert await make_port(*command).inspect(what) == FENCED
    assert executions(ledger) == 0


async def test_a_damaged_payload_never_starts(make_port: MakePort) -> None:
    await make_port("cat").probe()  # so that the start is the first question that is damaged
    port = make_port("cat", shell=Meddler(lambda data: data[:-1] + b"?"))
    assert await port.start(order()) == Definite(NotStarted(reason="damaged", fenced=True))


async def test_a_full_disk_takes_no_work(
    make_port: MakePort, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(wrapper, "LEAST_FREE_KB", 10**15)
    port = make_port("cat")
    assert await port.start(order()) == Definite(NotStarted(reason="disk-full", fenced=True))
    assert await port.inspect(order()) == FENCED


async def test_a_run_directory_that_cannot_be_made(make_port: MakePort, tmp_path: Path) -> None:
    (tmp_path / "runs").write_text("a file is in the way")
    assert await make_port("cat").start(order()) == Definite(NotStarted(reason="no-run-dir"))


async def test_too_much_to_send_is_refused_before_anything_is_sent(make_port: MakePort) -> None:
    found = await make_port("cat").start(order("x" * (wrapper.MAX_PAYLOAD_BYTES + 1)))
    assert isinstance(found, Definite)
    assert isinstance(found.value, NotStarted)
    assert not found.value.retryable


async def test_usage_that_the_program_left_is_taken(make_port: MakePort) -> None:
    told = json.dumps({"input_tokens": 12, "output_tokens": 3, "cost_usd": 0.0425, "model": "m-1"})
    port, what = make_port("sh", "-c", f"echo '{told}' > $FLEET_TUI_RUN_DIR/usage.json"), order()
    await port.start(what)
    found = await finished(port, what)
    assert found.usage == Usage(input_tokens=12, output_tokens=3, cost_microusd=42_500, model="m-1")


@pytest.mark.parametrize(
    "text",
    [
        '{"cost_usd": 1, "cost_usd": 2}',
        '{"cost_usd": 1, "cost_usd": null}',
        '{"input_tokens": 1, "input_tokens": 2}',
        '{"cost_usd": -0.0}',
    ],
)
def test_usage_that_says_two_things_or_no_amount_is_unusable(text: str) -> None:
    assert read_usage(text.encode()) == Usage(unusable=True)


@pytest.mark.parametrize(
    ("text", "microusd"),
    [("1e-9", 1), ("0.0000014", 1), ("0.000002", 2), ("0", 0), ("0.0", 0)],
)
def test_what_cost_something_is_not_told_as_free(text: str, microusd: int) -> None:
    assert read_usage(f'{{"cost_usd": {text}}}'.encode()).cost_microusd == microusd
    assert read_usage(f'{{"cost_usd": {text}, "cost_usd": {text}}}'.encode()).cost_microusd == (
        microusd
    )


@pytest.mark.parametrize(
    "text",
    [
        "",
        "nonsense",
        "[]",
        '{"input_tokens": -1}',
        '{"cost_usd": 1e9}',
        '{"input_tokens": 1e30}',
        f'{{"output_tokens": {2**64}}}',
    ],
)
def test_usage_that_makes_no_sense_is_none(text: str) -> None:
    unknown = Usage(unusable=bool(text.strip()))
    assert read_usage(text.encode()) == unknown, "it is no word on the cost, and not none"


@pytest.mark.usefixtures("sh")
async def test_only_what_has_ended_is_collected(make_port: MakePort, tmp_path: Path) -> None:
    port = make_port("cat")
    await port.start(order())
    await finished(port, order())
    await port.inspect(order(attempt=2))
    program = Program(command=("cat",), run_dir=str(tmp_path / "runs"))
    wanted = [order().run_id, order(attempt=2).run_id, "../../etc"]
    gone = await RunWrapper(program, RunDirectory(Epoch(1)), lambda: 0).collect(
        LocalShell(), wanted
    )
    assert gone == (order().run_id,)
    assert not run_directory(tmp_path).exists()
    assert run_directory(tmp_path, 2).exists()


async def test_nobody_else_can_read_a_run(make_port: MakePort, tmp_path: Path) -> None:
    port = make_port("cat")
    await port.start(order())
    await finished(port, order())
    run = run_directory(tmp_path)
    assert all(path.stat().st_mode & 0o077 == 0 for path in (run, *run.iterdir()))


def reply(text: bytes) -> WrapperReply | Unknown:
    return read_reply(Definite(Completed(exit_status=0, stdout=text)))


DIGEST = hashlib.sha256(b"a\nb").hexdigest()
GOOD = PROTOCOL + (
    f"boot b\nstate done 0 5 3 {DIGEST}\nended exit\nblob out 3\na\nb\nend\n".encode()
)


def test_noise_before_the_answer_is_skipped() -> None:
    found = reply(b"Welcome!\nstate done 1 1 1 x\nend\n" * 100 + GOOD)
    assert isinstance(found, WrapperReply)
    assert found.blobs == {"out": b"a\nb"}


@pytest.mark.parametrize("said", [b"Bye\n", b"\x1b[0m", b"\n\n", b"The end of it\n" * 1_000])
def test_noise_after_the_answer_is_skipped(said: bytes) -> None:
    assert reply(GOOD + said) == reply(GOOD)


def test_more_noise_than_can_be_is_said_to_be_that() -> None:
    found = reply(b"Welcome to this machine!\n" * 5_000 + GOOD)
    assert isinstance(found, Unknown)
    assert found.detail.raw == "its host's login files print more than 64 KiB before the answer"
    assert isinstance(reply(GOOD + b"Bye\n" * 20_000), Unknown)


@pytest.mark.usefixtures("sh")
@pytest.mark.parametrize("perl", [True, False], ids=["perl", "no-perl"])
async def test_a_program_has_the_locale_and_the_umask_of_its_account(
    make_port: MakePort, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, perl: bool
) -> None:
    """The wrapper reads bytes and writes what is private; a program may be about text, and for
    others."""
    if not perl:
        (tmp_path / "bin" / "perl").write_text("#!/bin/sh\nexit 1\n")
        (tmp_path / "bin" / "perl").chmod(0o755)
    for attempt, locale in enumerate(("C.UTF-8", None), 1):
        monkeypatch.delenv("LC_ALL", raising=False)
        if locale is not None:
            monkeypatch.setenv("LC_ALL", locale)
        before = os.umask(0o027)
        try:
            port = make_port("sh", "-c", 'echo "${LC_ALL-none}"; umask')
            await port.start(order(attempt=attempt))
            said = (await finished(port, order(attempt=attempt))).answer.text.raw
        finally:
            os.umask(before)
        assert said.split() == [locale or "none", "0027"]
        run = run_directory(tmp_path, attempt)
        assert all(path.stat().st_mode & 0o077 == 0 for path in (run, *run.iterdir()))
    assert isinstance(reply(b"x" * 70_000 + b"\n" + GOOD), Unknown)


@pytest.mark.parametrize("length", range(len(GOOD)))
def test_half_an_answer_is_no_answer(length: int) -> None:
    assert isinstance(reply(GOOD[:length]), Unknown)


@given(st.binary(max_size=200))
def test_nonsense_is_unknown_and_never_an_error(noise: bytes) -> None:
    found = reply(PROTOCOL + noise)
    assert isinstance(found, Unknown) or isinstance(inspection_of(found), Definite | Unknown)


def test_a_hosts_words_cannot_steer_a_terminal() -> None:
    found = reply(PROTOCOL + b"state dead \x1b]0;mine\x07\xe2\x80\xae\nend\n")
    assert isinstance(found, Unknown)
    assert "state dead ?]0;mine????" in found.detail.raw


def test_numbers_too_large_to_be_true_prove_nothing() -> None:
    assert isinstance(reply(PROTOCOL + f"state running {2**80}\nend\n".encode()), Unknown)


@pytest.mark.parametrize(
    ("status", "word"),
    [(0, ""), (1, "exit-1"), (126, "command-not-executable"), (127, "command-missing"),
     (128, "exit-128"), (129, "signal-1"), (137, "signal-9"), (192, "signal-64"),
     (193, "exit-193"), (200, "exit-200"), (255, "exit-255")],
)  # fmt: skip
def test_exit_statuses_have_words(status: int, word: str) -> None:
    assert failure_word(status) == word


def test_an_exit_status_that_is_known_to_be_one_is_never_called_a_signal() -> None:
    ends = {failure_word(status, "exit") for status in range(1, 256)}
    assert not any(word.startswith("signal-") for word in ends)
    assert failure_word(143, "exit") == "exit-143"
    assert failure_word(143, "signal") == "signal-15"


def test_every_failure_can_be_named_in_a_fleet_file() -> None:
    ends = {failure_word(n, how) for n in range(1, 256) for how in ("exit", "signal", "unsure")}
    turns = {
        FailedCode.MODEL_ERROR,
        FailedCode.TIMEOUT,
        FailedCode.AGENT_ERROR,
        FailedCode.TEXT_LOST,
    }
    assert {failure_kind(word) for word in ends | turns} == ends | turns
    # Whatever a file may name can happen, also under the name that the shell has for it.
    assert {failure_kind(f"exit-{n}") for n in range(1, 256)} <= ends
    assert {failure_kind(f"signal-{n}") for n in range(1, 65)} <= ends
    assert {word for word in ends if "-" in word} | turns >= set(FAILURE_KINDS)


def test_the_home_directory_of_a_program_is_the_hosts() -> None:
    assert quoted_command(("~/bin/my agent", "~/x")) == "\"$HOME\"/'bin/my agent' '~/x'"


def test_the_command_line_is_constant_and_plain() -> None:
    assert COMMAND.isascii()
    assert not set(COMMAND) & set("!\n\0")
    assert len(COMMAND) < 200
    assert SCRIPT.endswith(b"\n#end\n")
    assert SCRIPT.count(b"#end\n") == 1


@given(st.integers(0, 10**7), st.integers(-(10**10), 10**10))
def test_no_clock_that_is_set_makes_a_run_of_this_engine_older_or_younger(
    passed_s: int, set_ms: int
) -> None:
    elapsed_s = 5.0
    directory = RunDirectory(Epoch(1), lambda: elapsed_s)
    began_ms = wall_ms()
    directory.plan(order().run_id)
    elapsed_s += passed_s
    age_ms = directory.age_ms(order(), began_ms + set_ms)
    assert 0.999 * passed_s * 1_000 <= age_ms <= passed_s * 1_000


def test_a_run_of_an_engine_before_is_as_old_as_the_ledger_says() -> None:
    directory = RunDirectory(Epoch(2), lambda: 5.0)
    assert directory.age_ms(order(planned_at_ms=10_000), 70_000) == 60_000 - 60
    assert directory.age_ms(order(planned_at_ms=10_000), 9_000) == 0
    assert directory.age_ms(order(), 70_000) == 0
