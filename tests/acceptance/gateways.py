"""A fleet of real gateways as an operator has it, and the model's own books about their work."""

import re
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from fleet_tui.core.ids import RunId, TaskId, run_id, split_run_id
from fleet_tui.core.tasks.model import Task
from tests.acceptance.rig import MakeRig, Rig
from tests.support.openclaw_lab import Gateway, OpenClawLab
from tests.support.stub_model import StubModel

ALIAS = "bastion-of-the-lab"


def fleet_of(
    make_rig: MakeRig, lab: OpenClawLab, gateways: Sequence[Gateway], directory: Path, *, every: str
) -> Rig:
    """The gateways on a host that only ssh_config knows. ``every`` is the pause between two looks
    at one. A gateway that is named again has another agent there, SECOND, which the fleet calls
    :func:`second`."""
    text = (
        f"defaults:\n  host: {ALIAS}\n  slots: 3\n"
        f"  probe: {{every: {every}, timeout: 4s, down_after: 2, up_after: 2}}\n"
        "agents:\n"
    )
    for nth, gateway in enumerate(gateways):
        name, more = gateway.name, ""
        if gateway in gateways[:nth]:
            name, more = second(gateway), f", agent_id: {SECOND}"
        token = _place_of_token(nth, gateway, directory)
        text += f"  {name}: {{port: {gateway.port}, token: '{token}'{more}}}\n"
    rig = make_rig(text, TOKEN_OF_FIRST=gateways[0].token)
    spec = lab.sshd.spec()
    ssh = rig.home / ".ssh"
    ssh.mkdir(mode=0o700)
    (ssh / "config").write_text(
        f"Host {ALIAS}\n  HostName {spec.address}\n  Port {spec.port}\n  User {spec.user}\n"
        f"  IdentityFile {spec.identity}\n  UserKnownHostsFile {spec.known_hosts}\n"
    )
    return rig


def _place_of_token(nth: int, gateway: Gateway, directory: Path) -> str:
    """Where the file says that a gateway's token is: another kind of place for each of three."""
    match nth:
        case 0:
            return "secret:env:TOKEN_OF_FIRST"
        case 1:
            file = directory / "token"
            file.write_text(gateway.token + "\n")
            file.chmod(0o600)
            return f"secret:file:{file}"
        case _:
            return f"secret:host:{gateway.directory}/openclaw.json#gateway.auth.token"


SECOND = "second"


def second(gateway: Gateway) -> str:
    """The name of the second agent of a gateway."""
    return f"{gateway.name}-second"


_SESSION = re.compile(r"session=agent:[\w-]+:fleet:([0-9a-z]+):(\d+)")


def run_of(said: str) -> RunId:
    """Whose turn a request is: the gateway names the session, also when it goes on after a crash
    with words of its own."""
    found = _SESSION.search(said)
    assert found is not None, said
    return run_id(TaskId(found[1].upper()), int(found[2]))


def by_task(runs: Counter[RunId]) -> Counter[TaskId]:
    """The same, of all the runs of a task."""
    tasks: Counter[TaskId] = Counter()
    for run, times in runs.items():
        tasks[split_run_id(run)[0]] += times
    return tasks


class Books:
    """What the model was asked, and which answers it gave in full, by task."""

    def __init__(self, model: StubModel) -> None:
        self._model = model
        self._begun, self._answered = len(model.begun), len(model.answered)

    def asked(self) -> list[str]:
        return self._model.begun[self._begun :]

    def begun(self) -> Counter[TaskId]:
        return by_task(Counter(map(run_of, self.asked())))

    def answered(self) -> Counter[TaskId]:
        return by_task(self.answered_runs())

    def answered_runs(self) -> Counter[RunId]:
        return Counter(map(run_of, self._model.answered[self._answered :]))

    def at_the_model(self, task: Task) -> bool:
        """Whether the model works on this task's answer now."""
        return self.begun()[task.id] > self.answered()[task.id]
