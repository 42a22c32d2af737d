"""The data of a simulated gateway that survives its process: sessions, transcripts, task ledger,
log.

Field names in :meth:`Session.row` and :meth:`TaskRow.row` are those of OpenClaw 2026.9.6.
"""

import msgspec

from fleet_tui.sim.demo.behaviour import Model, Tokens
from fleet_tui.sim.demo.loglines import LogFile

MAX_SESSIONS = 2_000
MAX_TASK_ROWS = 4_000
"""The oldest settled ones go first."""

MAX_TITLE_CHARS = 80
MAX_ACTIVITY_CHARS = 120

Json = dict[str, object]


class Message(msgspec.Struct, frozen=True, kw_only=True):
    """One entry of a transcript."""

    id: str
    role: str
    text: str
    at_ms: int
    run_id: str
    tokens: Tokens | None = None
    cost_usd: float = 0.0
    stop_reason: str | None = None
    aborted: bool = False


class Session(msgspec.Struct, kw_only=True):
    """One conversation. ``status`` is running, done, failed, timeout or killed."""

    given_up: bool = False
    """Its turn was interrupted and not continued."""

    key: str
    session_id: str
    agent_id: str
    model: Model
    created_at_ms: int
    updated_at_ms: int
    status: str | None = None
    started_at_ms: int | None = None
    ended_at_ms: int | None = None
    last_run_id: str | None = None
    tokens: Tokens = Tokens()
    cost_usd: float = 0.0
    messages: list[Message] = []

    def row(self, active_runs: list[str]) -> Json:
        """The session as ``sessions.list`` and ``sessions.describe`` show it."""
        row: Json = {
            "key": self.key,
            "visibility": "shared",
            "kind": "direct",
            "classification": "custom",
            "agentId": self.agent_id,
            "isMain": False,
            "isBackground": False,
            "displayName": self.key.removeprefix(f"agent:{self.agent_id}:"),
            "createdAt": self.created_at_ms,
            "updatedAt": self.updated_at_ms,
            "archived": False,
            "sessionId": self.session_id,
            "abortedLastRun": self.status == "killed" or self.given_up,
            "totalTokensFresh": self.status == "done",
            "modelProvider": self.model.provider,
            "model": self.model.name,
            "contextTokens": self.model.context_tokens,
            "hasActiveRun": bool(active_runs),
            "activeRunIds": list(active_runs),
        }
        optional: Json = {
            "status": self.status,
            "startedAt": self.started_at_ms,
            "endedAt": self.ended_at_ms,
            "lastRunId": self.last_run_id,
        }
        if self.started_at_ms is not None and self.ended_at_ms is not None:
            optional["runtimeMs"] = self.ended_at_ms - self.started_at_ms
        if self.tokens.total:
            optional["inputTokens"] = self.tokens.input
            optional["outputTokens"] = self.tokens.output
            optional["totalTokens"] = self.tokens.total
            optional["estimatedCostUsd"] = self.cost_usd
        return row | {name: value for name, value in optional.items() if value is not None}

    def entry(self, message: Message, seq: int) -> Json:
        """One transcript entry as ``chat.history`` shows it."""
        marks: Json = {"id": message.id, "recordTimestampMs": message.at_ms, "seq": seq}
        if message.role == "user":
            key = f"{message.run_id}:user"
            return {
                "role": "user",
                "content": message.text,
                "timestamp": message.at_ms,
                "idempotencyKey": key,
                "__openclaw": marks | {"senderIsOwner": True, "idempotencyKey": key},
            }
        entry: Json = {
            "role": "assistant",
            "content": [{"type": "text", "text": message.text}],
            "api": "openai-completions",
            "provider": self.model.provider,
            "model": "gateway-injected" if message.aborted else self.model.name,
            "usage": usage_with_costs(message.tokens or Tokens(), message.cost_usd, self.model),
            "stopReason": message.stop_reason,
            "timestamp": message.at_ms,
            "__openclaw": marks | {"runId": message.run_id},
        }
        if message.aborted:
            entry["openclawAbort"] = {"aborted": True, "origin": "rpc", "runId": message.run_id}
        return entry


class TaskRow(msgspec.Struct, kw_only=True):
    """One run in the ledger; ``status`` is running, completed, failed, timed_out or cancelled."""

    task_id: str
    run_id: str
    session_key: str
    agent_id: str
    title: str
    created_at_ms: int
    updated_at_ms: int
    status: str = "running"
    execution: str = "unknown"
    started_at_ms: int | None = None
    ended_at_ms: int | None = None
    last_activity: str = ""
    last_activity_at_ms: int | None = None
    summary: str = ""
    error: str = ""

    @property
    def is_settled(self) -> bool:
        """Whether nothing more will happen to it."""
        return self.status != "running"

    def settle(self, status: str, at_ms: int, *, summary: str, error: str = "") -> None:
        """Write the end of the run."""
        self.status = status
        self.execution = "finished"
        self.updated_at_ms = self.ended_at_ms = at_ms
        self.summary = summary
        self.error = error

    def row(self) -> Json:
        """The run as ``tasks.list`` shows it."""
        execution: Json = {"state": self.execution}
        if self.last_activity_at_ms is not None and not self.is_settled:
            execution["lastActivityAt"] = self.last_activity_at_ms
        row: Json = {
            "id": self.task_id,
            "taskId": self.task_id,
            "kind": "cli",
            "runtime": "cli",
            "status": self.status,
            "execution": execution,
            "title": self.title,
            "agentId": self.agent_id,
            "sessionKey": self.session_key,
            "childSessionKey": self.session_key,
            "hasTranscript": True,
            "ownerKey": self.session_key,
            "runId": self.run_id,
            "sourceId": self.run_id,
            "createdAt": self.created_at_ms,
            "updatedAt": self.updated_at_ms,
            "startedAt": self.started_at_ms or self.created_at_ms,
            "deliveryStatus": "not_applicable",
        }
        optional: Json = {
            "endedAt": self.ended_at_ms,
            "lastActivity": None if self.is_settled else self.last_activity or None,
            "terminalSummary": self.summary or None,
            "error": self.error or None,
        }
        return row | {name: value for name, value in optional.items() if value is not None}


class Disk:
    """Everything that is still there when the process is gone."""

    def __init__(self) -> None:
        self.log = LogFile()
        self.sessions: dict[str, Session] = {}
        self.tasks: dict[str, TaskRow] = {}
        """By run id, oldest first."""

    def add_session(self, session: Session) -> None:
        """Keep a new session; an old settled one may go."""
        self.sessions[session.key] = session
        if len(self.sessions) > MAX_SESSIONS:
            settled = (key for key, old in self.sessions.items() if old.status != "running")
            self.sessions.pop(next(settled, session.key))

    def add_task(self, row: TaskRow) -> None:
        """Keep a new ledger row; an old settled one may go."""
        self.tasks[row.run_id] = row
        if len(self.tasks) > MAX_TASK_ROWS:
            settled = (run_id for run_id, old in self.tasks.items() if old.is_settled)
            self.tasks.pop(next(settled, row.run_id))

    def tokens(self) -> tuple[Tokens, float]:
        """Tokens and dollars of all sessions."""
        kept = list(self.sessions.values())
        total = Tokens(
            input=sum(session.tokens.input for session in kept),
            output=sum(session.tokens.output for session in kept),
            cache_read=sum(session.tokens.cache_read for session in kept),
        )
        return total, sum(session.cost_usd for session in kept)


def usage_with_costs(tokens: Tokens, cost_usd: float, model: Model) -> Json:
    """Tokens with their cost by kind, as a transcript keeps them."""
    return {
        "input": tokens.input,
        "output": tokens.output,
        "totalTokens": tokens.total,
        "cacheRead": tokens.cache_read,
        "cacheWrite": 0,
        "cost": {
            "input": tokens.input * model.input_usd / 1e6,
            "output": tokens.output * model.output_usd / 1e6,
            "cacheRead": tokens.cache_read * model.cache_read_usd / 1e6,
            "cacheWrite": 0,
            "total": cost_usd,
        },
    }
