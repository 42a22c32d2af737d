"""What a simulated gateway answers about runs and about itself, in OpenClaw 2026.9.6's shapes.

Pure functions from what is known to JSON. Long parts that no client needs (prompt reports, skill
lists) are left out; every field that is here has the type of the real one.
"""

import hashlib

import msgspec

from fleet_tui.sim.demo.behaviour import Model
from fleet_tui.sim.demo.world import CPU_COUNT, DISK_BYTES, MEMORY_BYTES, HostVitals
from fleet_tui.sim.gateway.disk import Json
from fleet_tui.sim.gateway.releases import NEWEST
from fleet_tui.sim.gateway.run_table import TIMED_OUT_TEXT, End, Run

VERSION = NEWEST.version
BUILD_ID = "2026.9.6-release-simulated"
PROTOCOL = 4
MAX_PAYLOAD_BYTES = 26_214_400
TICK_S = 30
DEGRADED_DELAY_MS = 200
"""Event loop delay from which a gateway calls itself degraded."""


class ErrorAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """An error answer; ``payload`` only for runs that ended badly."""

    code: str
    message: str
    details: Json | None = None
    retry_after_ms: int | None = None
    payload: Json | None = None

    def body(self) -> Json:
        """The ``error`` of the frame."""
        body: Json = {"code": self.code, "message": self.message}
        if self.retry_after_ms is not None:
            body |= {"retryable": True, "retryAfterMs": self.retry_after_ms}
        if self.details is not None:
            body["details"] = self.details
        return body


def response(request_id: str, answer: Json | ErrorAnswer) -> Json:
    """The frame that answers a request."""
    frame: Json = {"type": "res", "id": request_id, "ok": not isinstance(answer, ErrorAnswer)}
    if not isinstance(answer, ErrorAnswer):
        return frame | {"payload": answer}
    if answer.payload is not None:
        frame["payload"] = answer.payload
    return frame | {"error": answer.body()}


def final_answer(run: Run) -> Json | ErrorAnswer:
    """The second answer of ``agent``."""
    if run.end is End.DONE:
        return _ended(run, {"status": "ok", "summary": "completed"}, run.plan.answer)
    if run.end is End.TIMED_OUT:
        late: Json = {"status": "timeout", "summary": "aborted"}
        late |= {"timeoutPhase": "provider", "providerStarted": True, **_stop_reason(run)}
        return _ended(run, late, TIMED_OUT_TEXT)
    if run.end is End.ABORTED:
        return {"runId": run.id, "status": "timeout", "summary": "aborted", "stopReason": "rpc"}
    text = run.plan.error or ""
    failed: Json = {"runId": run.id, "status": "error", "summary": text}
    return ErrorAnswer(code="UNAVAILABLE", message=text, payload=failed)


def _stop_reason(run: Run) -> Json:
    """Of a run that ran into its limit: up to 2026.7 that of an abort, later none."""
    return {"stopReason": "rpc"} if run.release.limit_looks_aborted else {}


def _ended(run: Run, head: Json, text: str) -> Json:
    payload: Json = {"text": text, "mediaUrl": None}
    started_at_ms = run.row.started_at_ms or run.ended_at_ms
    done = run.end is End.DONE
    if not done:
        payload["isError"] = True
    meta: Json = {
        "durationMs": run.ended_at_ms - started_at_ms,
        "agentMeta": _agent_meta(run, with_usage=done),
        "aborted": False,
        "finalPromptText": run.request.message,
        "finalAssistantVisibleText": text if done else run.spoken,
        "replayInvalid": not done,
        "livenessState": "working" if done else "paused",
    }
    if done:
        meta["stopReason"] = "stop"
    else:
        meta |= {"timeoutPhase": "provider", "providerStarted": True}
        meta["error"] = {"kind": "incomplete_turn", "message": text, "fallbackSafe": False}
    result: Json = {"payloads": [payload], "meta": meta, "sourceReplyDeliveryState": "missing"}
    return {"runId": run.id, **head, "result": result}


def _agent_meta(run: Run, *, with_usage: bool) -> Json:
    plan = run.plan
    model, tokens = plan.model, plan.tokens
    meta: Json = {
        "sessionId": run.session.session_id,
        "sessionFile": run.request.session_key,
        "provider": model.provider,
        "model": model.name,
        "contextTokens": model.context_tokens,
        "agentHarnessId": "openclaw",
        "assistantTurns": max(1, len(plan.steps) - 1),
        "terminalReceipt": receipt(run),
    }
    if with_usage:
        usage: Json = {
            "input": tokens.input,
            "output": tokens.output,
            "cacheRead": tokens.cache_read,
            "cacheWrite": 0,
            "total": tokens.total,
            "cost": {"total": plan.cost_usd},
        }
        meta |= {"usage": usage, "lastCallUsage": usage, "costUsd": plan.cost_usd}
        meta["promptTokens"] = tokens.input + tokens.cache_read
    return meta


def receipt(run: Run) -> Json:
    """Which model really answered."""
    chosen: Json = {"provider": run.plan.model.provider, "model": run.plan.model.name}
    return {
        "runId": run.id,
        "sessionId": run.session.session_id,
        "turnId": run.id,
        "requested": chosen,
        "effective": chosen | {"responseModel": run.plan.model.name},
        "successfulToolNames": [],
        "rerouted": False,
    }


def waited_answer(run_id: str, run: Run | None) -> Json:
    """The answer of ``agent.wait``: the same for a run that works and one that is not known."""
    if run is None or run.end is None:
        return {"runId": run_id, "status": "timeout"}
    answer: Json = {"runId": run_id, "status": "ok", "endedAt": run.ended_at_ms}
    match run.end:
        case End.ABORTED:
            return answer | {"status": "error", "stopReason": "rpc"}
        case End.FAILED:
            return answer | {"status": "error", "error": run.plan.error}
        case End.TIMED_OUT:
            answer |= {"status": "timeout", "error": TIMED_OUT_TEXT, "livenessState": "paused"}
            answer |= {"timeoutPhase": "provider", "providerStarted": True, **_stop_reason(run)}
            answer["terminalReceipt"] = receipt(run) | {"terminalDisposition": "not-visible"}
            return answer | {"terminalReply": {"disposition": "empty"}}
        case End.DONE:
            answer |= {"stopReason": "stop", "livenessState": "working"}
            if run.row.started_at_ms is not None:
                answer["startedAt"] = run.row.started_at_ms
            answer["terminalReceipt"] = receipt(run) | {"terminalDisposition": "visible"}
            reply: Json = {"disposition": "visible", "text": run.plan.answer}
            return answer | {"terminalReply": reply}


def event_loop(vitals: HostVitals, slowness: float, active: int) -> Json:
    """How the gateway's event loop feels: worse when the agent is slowed down."""
    delay_ms = round(20.0 + 0.6 * active + 180 * max(0.0, slowness - 1), 1)
    degraded = delay_ms >= DEGRADED_DELAY_MS
    own = min(0.9, 0.01 + 0.04 * active)
    return {
        "degraded": degraded,
        "degradedSinceMs": 10_000 if degraded else None,
        "reasons": ["event_loop_delay"] if degraded else [],
        "intervalMs": 1_004.5,
        "delayP99Ms": delay_ms,
        "delayMaxMs": round(delay_ms * 1.2, 1),
        "utilization": round(own * 0.8, 3),
        "cpuCoreRatio": round(own, 3),
        "cpuBreakdown": {
            "mainThreadCoreRatio": round(own * 0.8, 3),
            "hostUtilization": round(vitals.cpu_percent / 100, 3),
            "hostCpuCount": CPU_COUNT,
            "workerCoreRatio": 0,
            "otherThreadsCoreRatio": 0,
        },
    }


def process_memory(rss_bytes: int) -> Json:
    """Memory of the gateway's main process."""
    return {
        "rssBytes": rss_bytes,
        "heapUsedBytes": rss_bytes // 3,
        "heapTotalBytes": rss_bytes * 3 // 8,
        "externalBytes": 6_884_247,
        "arrayBuffersBytes": 2_529_798,
    }


def system_info(
    *, host: str, port: int, pid: int, boot_id: str, uptime_ms: int, vitals: HostVitals
) -> Json:
    """``system.info`` without the parts that event loop and memory fill in."""
    return {
        "machineName": host,
        "hostname": host,
        "platform": "linux",
        "release": "6.1.0-32-amd64",
        "arch": "x64",
        "osLabel": "Linux 6.1.0-32-amd64",
        "port": port,
        "nodeVersion": "v24.21.0",
        "pid": pid,
        "processInstanceId": boot_id,
        "uptimeMs": uptime_ms,
        "cpuCount": CPU_COUNT,
        "cpuModel": "Simulated",
        "loadAverage": list(vitals.load_average),
        "memoryTotalBytes": MEMORY_BYTES,
        "memoryFreeBytes": vitals.memory_free_bytes,
        "disks": [
            {"path": "/", "totalBytes": DISK_BYTES, "availableBytes": vitals.disk_free_bytes}
        ],
        "diskTotalBytes": DISK_BYTES,
        "diskAvailableBytes": vitals.disk_free_bytes,
        "diskPath": "/srv/openclaw",
    }


def lanes(now_ms: int, *, queued: int, active: int, limit: int, draining: bool) -> Json:
    """``diagnostics.lanes``: the lane of the agents among the ones that are always idle here."""
    others = {"active-memory": 8, "background": 3, "cron": 8, "nested": 1, "subagent": 8}
    rows: list[Json] = [
        _lane(name, queued=0, active=0, limit=size, draining=False) for name, size in others.items()
    ]
    rows.append(_lane("main", queued=queued, active=active, limit=limit, draining=draining))
    rows.sort(key=lambda row: str(row["lane"]))
    dynamic = {
        "laneCount": queued + active,
        "activeCount": queued + active,
        "queuedCount": 0,
        "queuedLaneCount": 0,
    }
    return {"ts": now_ms, "lanes": rows, "dynamic": dynamic}


def _lane(name: str, *, queued: int, active: int, limit: int, draining: bool) -> Json:
    return {
        "lane": name,
        "queuedCount": queued,
        "activeCount": active,
        "maxConcurrent": limit,
        "draining": draining,
        "generation": 2,
        "blockedBy": "lane" if queued else None,
    }


def health(now_ms: int, agent_id: str, sessions: int) -> Json:
    """``health`` without the event loop."""
    kept: Json = {"path": "/srv/openclaw/openclaw-agent.sqlite", "count": sessions, "recent": []}
    beat: Json = {"enabled": False, "every": "disabled", "everyMs": None, "target": "owner"}
    agent: Json = {"agentId": agent_id, "isDefault": True, "heartbeat": beat, "sessions": kept}
    return {
        "ok": True,
        "ts": now_ms,
        "durationMs": 2,
        "plugins": {"loaded": ["anthropic", "browser"], "errors": [], "unavailable": []},
        "configReload": {"hotReloadStatus": "active"},
        "channels": {},
        "channelOrder": [],
        "channelLabels": {},
        "heartbeatSeconds": 0,
        "defaultAgentId": agent_id,
        "agents": [agent],
        "sessions": kept,
        "modelRuntime": {"degraded": False, "pendingAgents": []},
    }


def status(*, pid: int, counts: dict[str, int], sessions: int, model: Model) -> Json:
    """``status`` without event loop and memory; ``counts`` is ledger rows by their status."""
    by_status = {
        "queued": 0,
        "running": counts.get("running", 0),
        "succeeded": counts.get("completed", 0),
        "failed": counts.get("failed", 0),
        "timed_out": counts.get("timed_out", 0),
        "cancelled": counts.get("cancelled", 0),
        "lost": 0,
    }
    total = sum(by_status.values())
    running = by_status["running"]
    defaults: Json = {"model": model.name, "contextTokens": model.context_tokens}
    return {
        "runtimeVersion": VERSION,
        "channelSummary": [],
        "queuedSystemEvents": [],
        "degradedSecretOwners": [],
        "degradedPlugins": [],
        "tasks": {
            "total": total,
            "active": running,
            "terminal": total - running,
            "failures": by_status["failed"] + by_status["timed_out"],
            "byStatus": by_status,
            "byRuntime": {"subagent": 0, "acp": 0, "cli": total, "cron": 0},
        },
        "taskAudit": {"total": 0, "warnings": 0, "errors": 0, "byCode": {}},
        "sessions": {"paths": [], "count": sessions, "defaults": defaults, "recent": []},
        "modelRuntime": {"degraded": False, "pendingAgents": []},
        "workerPools": {},
        "pid": pid,
        "shutdownBudget": {
            "timeoutMs": 325_000,
            "reserveMs": 10_000,
            "nativeStopBudget": False,
            "activeWork": {"rootRequests": running, "cronRuns": 0},
            "writeCustody": [],
        },
    }


def config(*, port: int, model: Model, max_concurrent: int) -> Json:
    """``config.get``: a small configuration with its secrets taken out."""
    content: Json = {
        "gateway": {
            "mode": "local",
            "port": port,
            "bind": "loopback",
            "auth": {"mode": "token", "token": "__OPENCLAW_REDACTED__"},
        },
        "agents": {
            "defaults": {
                "model": {"primary": f"{model.provider}/{model.name}"},
                "maxConcurrent": max_concurrent,
                "heartbeat": {"every": "0m"},
            }
        },
        "logging": {"level": "info", "file": "/srv/openclaw/gateway.log"},
    }
    raw = msgspec.json.format(msgspec.json.encode(content), indent=2).decode()
    return {
        "path": "/srv/openclaw/openclaw.json",
        "includedPaths": [],
        "exists": True,
        "raw": raw,
        "parsed": content,
        "valid": True,
        "config": content,
        "hash": config_hash(raw),
        "issues": [],
        "warnings": [],
        "legacyIssues": [],
        "configRevisionHash": config_hash(raw),
        "appliedConfigHash": config_hash(raw),
    }


def config_hash(raw: str) -> str:
    """A name for one content of the configuration file."""
    return f"hmac-sha256:v1:{hashlib.sha256(raw.encode()).hexdigest()[:43]}"
