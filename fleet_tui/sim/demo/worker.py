"""A stand-in for the program of a command agent: reads a task, takes its time, answers.

Run as ``python -m fleet_tui.sim.demo.worker SETTINGS.json`` by the real run wrapper, with the task
on standard input. It writes its log beside the settings and its usage into its run directory.
"""

import os
import sys
import time
from pathlib import Path

import msgspec

from fleet_tui.sim.demo.behaviour import Profile, plan_run


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """What the sandbox tells a stand-in."""

    profile: Profile
    seed: int
    speed: float
    log_file: str


def main(settings_file: str) -> int:
    """Do one task; the exit status."""
    settings = msgspec.json.decode(Path(settings_file).read_bytes(), type=Settings)
    message = sys.stdin.read()
    run_id = os.environ.get("FLEET_TUI_RUN_ID", "run")
    plan = plan_run(settings.profile, settings.seed, run_id, message)
    with Path(settings.log_file).open("a", encoding="utf-8") as log:
        for step in plan.steps:
            time.sleep(step.after_s / settings.speed)
            log.write(f"{step.level} {run_id} {step.message}\n")
            log.flush()
    time.sleep(plan.tail_s / settings.speed)
    if plan.error is not None:
        sys.stderr.write(plan.error + "\n")
        return 1
    usage = {
        "input_tokens": plan.tokens.input,
        "output_tokens": plan.tokens.output,
        "cache_read_tokens": plan.tokens.cache_read,
        "cost_usd": plan.cost_usd,
        "model": plan.model.name,
    }
    place = Path(os.environ.get("FLEET_TUI_RUN_DIR", "."))
    (place / "usage.json").write_bytes(msgspec.json.encode(usage))
    sys.stdout.write(plan.answer + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
