"""Runs whose model fails and is retried by the gateway itself, from the events that it pushes.

OpenClaw 2026.9.6 tries a model up to ten times over two minutes and more, and reports each new try
as an ``agent`` event of stream ``run_status``: ``{"phase":"retrying","attempt":4,"maxAttempts":10,
"reason":"rate_limit"}``. 2026.8.2 tries up to four times and reports no number: a failed try is a
``lifecycle`` event ``{"phase":"finishing","error":"…"}``, and the next one begins with ``start``.
The run counts as running all the while. Output of the model, or the run's end, ends the trouble.
"""

from collections import OrderedDict

import msgspec

from fleet_tui.core.agents.model_trouble import MAX_REASON_CHARS
from fleet_tui.core.agents.vitals import ModelTrouble
from fleet_tui.core.ids import RunId
from fleet_tui.wire.numbers import count
from fleet_tui.wire.openclaw.frames import GatewayFrame, Malformed, decode
from fleet_tui.wire.words import beginning

MAX_RUNS = 1_024
"""Runs in trouble that are remembered; the oldest are forgotten first."""


class _AgentEvent(msgspec.Struct, frozen=True, rename="camel"):
    run_id: str = ""
    stream: str = ""
    data: msgspec.Raw = msgspec.Raw(b"{}")


class _RunStatus(msgspec.Struct, frozen=True, rename="camel"):
    phase: str = ""
    attempt: float | None = None
    max_attempts: float | None = None
    reason: str = ""


class _Said(msgspec.Struct, frozen=True):
    text: str = ""
    phase: str = ""
    error: str = ""


class _Tries(msgspec.Struct):
    """The known tries of a run."""

    trouble: ModelTrouble | None = None
    failed: int = 0
    """Tries that ended with an error."""
    error: str = ""
    is_numbered: bool = False
    """Whether the gateway numbers them itself."""


class Retries:
    """The gateway's reports of its own retries. Fed with every event of its connection."""

    def __init__(self) -> None:
        self._runs: OrderedDict[RunId, _Tries] = OrderedDict()

    def now(self) -> dict[RunId, ModelTrouble]:
        """The runs whose model fails now."""
        return {run: t.trouble for run, t in self._runs.items() if t.trouble is not None}

    def clear(self) -> None:
        """Forget everything: the connection that reported it is gone."""
        self._runs.clear()

    def hear(self, frame: GatewayFrame) -> None:
        """Process an event; unrelated ones are ignored."""
        if frame.event != "agent":
            return
        told = decode(frame.payload, _AgentEvent)
        if isinstance(told, Malformed) or not told.run_id:
            return
        run = RunId(told.run_id)
        if told.stream == "run_status":
            trouble = _trouble(told.data)
            if trouble is not None:
                tries = self._tries(run)
                tries.trouble, tries.is_numbered = trouble, True
            return
        said = decode(told.data, _Said)
        if isinstance(said, Malformed):
            return
        if told.stream == "lifecycle" and said.phase == "finishing" and said.error:
            tries = self._tries(run)
            tries.failed, tries.error = tries.failed + 1, _word(said.error)
        elif run in self._runs:
            self._go_on(run, told.stream, said)

    def _go_on(self, run: RunId, stream: str, said: _Said) -> None:
        tries = self._runs[run]
        match stream, said.phase:
            case "lifecycle", "start" if tries.failed and not tries.is_numbered:
                tries.trouble = ModelTrouble(reason=tries.error, attempt=tries.failed + 1)
            case ("lifecycle", "end" | "error") | ("tool", _):
                del self._runs[run]
            case "assistant", _ if said.text:
                del self._runs[run]
            case _:  # other streams and phases, now or in later releases
                return

    def _tries(self, run: RunId) -> _Tries:
        tries = self._runs.setdefault(run, _Tries())
        self._runs.move_to_end(run)
        while len(self._runs) > MAX_RUNS:
            self._runs.popitem(last=False)
        return tries


def _trouble(data: msgspec.Raw) -> ModelTrouble | None:
    status = decode(data, _RunStatus)
    if isinstance(status, Malformed) or status.phase != "retrying":
        return None
    attempt = count(status.attempt)
    if not attempt:
        return None
    return ModelTrouble(
        reason=_word(status.reason), attempt=attempt, of=count(status.max_attempts) or None
    )


def _word(reason: str) -> str:
    """A gateway's term for the trouble, in letters and spaces that are safe to show. An older
    release puts a whole sentence there, which may contain a key."""
    start = beginning(reason, 4 * MAX_REASON_CHARS)
    kept = "".join(c if c.isascii() and c.isalnum() else " " for c in start)
    words = " ".join(kept.split()).lower()
    if len(words) > MAX_REASON_CHARS:
        words = words[:MAX_REASON_CHARS].rsplit(" ", 1)[0]
    return words or "it does not say why"
