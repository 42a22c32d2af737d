"""Keeping a ledger: backup, restore, verify and doctor, as an operator types them."""

import json
import shutil
import signal
from pathlib import Path

from fleet_tui.base.errors import ExitCode
from fleet_tui.core.tasks.model import AttemptPhase, TaskPhase
from tests.acceptance.rig import MakeRig, Rig
from tests.acceptance.test_modes import LOCAL, change_an_event, document, stop, works

GATED = """
agents:
  slow:
    {kind: local, run_dir: %s/runs, probe: {every: 200ms, timeout: 5s}, slots: 2, command: [sh, -c,
    'cat; echo "$FLEET_RUN_ID" >> %s/executions; while [ -d %s/runs ] && [ ! -e %s/gate ]; do sleep
    0.1; done']}
"""


def ok(rig: Rig, *words: str) -> str:
    done = rig.cli(*words)
    assert done.returncode == 0, done.stderr.decode()
    return done.stdout.decode()


def runs_of(base: Path) -> int:
    ledger = base / "executions"
    return len(ledger.read_text().splitlines()) if ledger.exists() else 0


async def test_a_restored_ledger_finds_open_runs_again_and_sends_none(
    make_rig: MakeRig, short_dir: Path
) -> None:
    rig = make_rig(GATED % ((short_dir,) * 4))
    rig.start()
    rig.submit("one")
    await rig.until(lambda: runs_of(short_dir) == 1, 60, "the first runs")
    backup = short_dir / "backup"
    said = ok(rig, "backup", str(rig.file), "--to", str(backup))
    assert "every event was verified" in said
    rig.submit("two")
    await rig.until(lambda: runs_of(short_dir) == 2, 60, "the second runs")
    refused = rig.cli("restore", str(rig.file), str(backup))
    assert refused.returncode == ExitCode.REFUSED
    assert f"pid {rig.process.pid if rig.process else 0}" in refused.stderr.decode()
    stop(rig)

    said = ok(rig, "restore", str(rig.file), str(backup))
    assert "more than the backup; those events are gone" in said
    assert "1 open run: looked up at the agents, not sent again" in said
    assert "frozen" in said
    (aside,) = rig.directory.parent.glob("*.before-restore-*")
    assert json.loads(ok(rig, "verify", str(aside), "--json"))["intact"]
    fresh = make_rig_like(rig)
    fresh.start()
    (short_dir / "gate").touch()
    await fresh.until(lambda: bool(fresh.tasks()), 60, "the first is known")
    await fresh.until(lambda: not fresh.state().open_tasks, 60, "the first ends")
    (task,) = fresh.tasks()
    assert task.phase is TaskPhase.SUCCEEDED
    assert [a.phase for a in task.attempts] == [AttemptPhase.SUCCEEDED]
    assert runs_of(short_dir) == 2
    _, status = document(fresh, "status", str(fresh.file))
    assert isinstance(status["engine"], dict)
    assert status["engine"]["mode"] == "hold"
    ok(fresh, "thaw", str(fresh.file))
    ok(fresh, "verify", str(fresh.file))
    fresh.close()


def make_rig_like(rig: Rig) -> Rig:
    """The same fleet, looked at from the beginning."""
    text = rig.file.read_text().split("\n", 2)[2]
    return Rig(rig.base, text)


async def test_a_ledger_restored_onto_a_new_machine_starts_nothing_before_a_thaw(
    make_rig: MakeRig, short_dir: Path
) -> None:
    rig = make_rig(GATED % ((short_dir,) * 4))
    rig.start()
    ok(rig, "freeze", str(rig.file))
    rig.submit("one")
    await rig.until(lambda: bool(rig.tasks()), 60, "the first is known")
    backup = short_dir / "backup"
    ok(rig, "backup", str(rig.file), "--to", str(backup))
    ok(rig, "thaw", str(rig.file))
    await rig.until(lambda: runs_of(short_dir) == 1, 60, "the first runs")
    stop(rig)
    shutil.rmtree(rig.directory)
    said = ok(rig, "restore", str(rig.file), str(backup))
    assert "there was no ledger here" in said
    assert "1 waiting task: may have run since" in said
    assert "frozen" in said
    _, report = document(rig, "restore", str(rig.file), str(backup), "--json")
    assert (report["behind"], report["mode"], report["waiting"]) == (True, "hold", 1)


async def test_verify_names_the_exact_range(make_rig: MakeRig, short_dir: Path) -> None:
    rig = make_rig(LOCAL % (short_dir / "runs"))
    rig.start()
    await works(rig, "one")
    code, proof = document(rig, "verify", str(rig.file))
    assert (code, proof["intact"], proof["kind"]) == (0, True, "ledger")
    recording = short_dir / "x.fleetrec"
    ok(rig, "export", str(rig.file), "-o", str(recording))
    _, proof = document(rig, "verify", str(recording))
    assert (proof["kind"], proof["intact"]) == ("recording", True)
    stop(rig)
    change_an_event(rig.directory, 5)
    code, proof = document(rig, "verify", str(rig.file))
    assert code == ExitCode.FAILED
    last = proof["last_bad"]
    assert isinstance(last, int)
    assert (proof["intact"], proof["first_bad"]) == (False, 5)
    text = rig.cli("verify", str(rig.file)).stdout.decode()
    assert f"events 5 to {last} cannot be trusted; 4 before are sound" in text
    backup = rig.cli("backup", str(rig.file), "--to", str(short_dir / "no"))
    assert backup.returncode == ExitCode.FAILED
    assert f"events 5 to {last}" in backup.stderr.decode()
    assert not (short_dir / "no").exists()
    content = recording.read_bytes()
    recording.write_bytes(content[: len(content) // 2])
    code, proof = document(rig, "verify", str(recording))
    assert (code, proof["intact"]) == (ExitCode.FAILED, False)


def doctor(rig: Rig) -> tuple[int, dict[str, tuple[str, str]]]:
    code, report = document(rig, "doctor", str(rig.file))
    findings = report["findings"]
    assert isinstance(findings, list)
    for finding in findings:
        assert (finding["standing"] == "ok") is (finding["todo"] == ""), finding
    assert report["ok"] is (code == 0)
    return code, {f["about"]: (f["standing"], f["text"]) for f in findings}


async def test_doctor_looks_at_everything_and_says_what_to_do(
    make_rig: MakeRig, short_dir: Path
) -> None:
    rig = make_rig(LOCAL % (short_dir / "runs"))
    rig.start()
    await works(rig, "one")
    code, found = doctor(rig)
    assert code == 0
    assert {"versions", "state", "disk", "ballast", "journal", "clock", "engine"} <= set(found)
    assert found["journal"][0] == found["engine"][0] == "ok"
    assert rig.process is not None
    assert f"pid {rig.process.pid} works" in found["engine"][1]

    ok(rig, "freeze", str(rig.file))
    code, found = doctor(rig)
    assert code == ExitCode.FAILED
    assert found["engine"][0] == "fail"
    assert "FROZEN" in found["engine"][1]

    rig.process.send_signal(signal.SIGSTOP)
    code, found = doctor(rig)
    assert found["engine"][0] == "fail"
    assert "does not answer" in found["engine"][1]
    rig.process.send_signal(signal.SIGCONT)
    stop(rig)

    rig.directory.chmod(0o755)
    code, found = doctor(rig)
    assert (code, found["state"][0]) == (ExitCode.FAILED, "fail")
    assert "0755" in found["state"][1]
    rig.directory.chmod(0o700)
    change_an_event(rig.directory, 5)
    code, found = doctor(rig)
    assert found["engine"] == ("ok", "none runs")
    assert found["journal"][0] == "fail"
    assert "events 5 to" in found["journal"][1]


def test_doctor_looks_at_hosts_and_secrets_without_contacting_anybody(
    make_rig: MakeRig, short_dir: Path
) -> None:
    rig = make_rig(
        "hosts:\n  far: {address: far.example, known_hosts: %s}\n"
        "agents:\n"
        "  one: {kind: openclaw, host: far, port: 18789, token: 'secret:env:LAB_TOKEN'}\n"
        "  two: {kind: openclaw, host: far, port: 18790, token: 'secret:host:~/t'}\n"
        % (short_dir / "known_hosts")
    )
    code, found = doctor(rig)
    assert code == ExitCode.FAILED
    assert found["host far"][0] == "fail"
    assert "far.example:22" in found["host far"][1]
    assert found["token of one"] == (
        "fail",
        "the variable LAB_TOKEN is not set where the engine runs",
    )
    assert found["token of two"][0] == "ok"
    rig.env["LAB_TOKEN"] = "canary-7f3a"
    text = rig.cli("doctor", str(rig.file)).stdout.decode()
    assert "ok   token of one: is available" in text
    assert "canary" not in text
    assert "fleet-tui trust far" in text


async def test_doctor_asks_the_engine_how_its_agents_are(
    make_rig: MakeRig, short_dir: Path
) -> None:
    rig = make_rig(
        f"defaults: {{probe: {{every: 200ms, timeout: 1s, down_after: 1, up_after: 1}}}}\n"
        "agents:\n"
        f"  well: {{kind: local, command: [cat], run_dir: {short_dir / 'runs'}}}\n"
        f"  gone: {{kind: local, command: [no-such-program], run_dir: {short_dir / 'more'}}}\n"
    )
    rig.start()
    await rig.until(lambda: rig.agent("gone").failure is not None, 60, "it is missed")
    await rig.until(lambda: rig.agent("well").in_service, 60, "the other is up")
    code, found = doctor(rig)
    assert code == ExitCode.FAILED
    assert found["agent gone"][0] == "fail"
    assert "its program cannot be executed" in found["agent gone"][1]
    assert "agent well" not in found
    assert found["agents"] == ("ok", "1 of 2 agents in service")
    stop(rig)
    code, found = doctor(rig)
    assert "agent gone" not in found, "nobody knows"
