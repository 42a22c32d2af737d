"""Nothing of an OpenClaw gateway is changed but sessions of our own."""

import ast

from fleet_tui.wire.openclaw import host_vitals, sessions
from tests.hygiene.sources import modules

WATCHING = {
    "agent.wait",
    "agents.list",
    "chat.history",
    "logs.tail",
    "tasks.list",
    sessions.LIST,
    host_vitals.LANES,
    host_vitals.SYSTEM,
}
OUR_SESSIONS = {"agent", "sessions.create", "sessions.abort", "sessions.delete"}
"""Each is called with the key of the attempt's own session."""


def methods_called(tree: ast.Module) -> list[str]:
    """First arguments of calls on a gateway's connection; a name stands for itself."""
    return [
        str(first.value) if isinstance(first, ast.Constant) else ast.unparse(first)
        for node in ast.walk(tree)
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and node.func.attr in ("call", "call_for_result")
        for first in node.args[:1]
    ]


def test_only_our_own_sessions_are_touched() -> None:
    called = {
        method
        for source in modules("fleet_tui")
        if source.path.startswith("fleet_tui/wire/openclaw/")
        for method in methods_called(source.tree)
    }
    names = {"LANES": host_vitals.LANES, "SYSTEM": host_vitals.SYSTEM, "LIST": sessions.LIST}
    assert {names.get(method, method) for method in called} == WATCHING | OUR_SESSIONS


def test_the_scan_sees() -> None:
    tree = ast.parse("await c.call('config.set', {})\nawait c.call(NAME, {})")
    assert methods_called(tree) == ["config.set", "NAME"]
