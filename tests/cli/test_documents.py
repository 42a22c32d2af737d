"""The shape of every document that ``--json`` prints: under the name of a schema it never changes.

``documents.json`` holds what each object of each document is made of. A key that is gone or has
another name breaks programs that read it: the number at the end of the schema's name goes up then.
A new key does not; it is added there.
"""

import ast
import json
from collections.abc import Iterator

import pytest

from fleet_tui.base.errors import ExitCode
from fleet_tui.core.tasks.model import AttemptPhase, Task
from fleet_tui.verbs.table import VERBS
from tests.cli.conftest import Shop, opened
from tests.hygiene.sources import modules
from tests.support.documents import assert_known, golden, schema_of

FLEET = """
pools: {quick: , slow: }
agents:
  echo: {kind: local, command: [cat], pool: quick}
  hang: {kind: local, command: [sh, -c, "cat; sleep 600"], pool: slow, capabilities: [fate]}
  doomed: {kind: local, command: [sh, -c, "exit 3"], pool: slow, capabilities: [doom]}
"""

LINES = b'{"text": "four", "pool": "quick", "client": "acme"}\n{"txt": "five"}\n'

ELSEWHERE = {"trust", "demo"}
"""Printed by commands that need more than a fleet here, whose own tests look at the shape."""

OF_LUCK = {"resolved", "acknowledged"}
"""They need a task that nobody can judge, and an alert."""


def runs(task: Task) -> bool:
    return task.open_attempt is not None and task.open_attempt.phase is AttemptPhase.RUNNING


def of_work(shop: Shop) -> Iterator[object]:
    """Submitting, and looking at what became of it."""
    limits = [f"--{name}=1h" for name in ("schedule-to-start", "start-to-close", "total")]
    yield shop.document("submit", "one", "--pool", "quick", "--label", "a=b", *limits, "--wait")
    yield shop.document("submit", "two", "--need", "doom", "--client", "acme")
    shop.wait_until(lambda: bool(shop.state().dead_letters), "one has failed")
    shop.give("three", "--need", "doom", "--need", "fate")
    (shop.base / "lines").write_bytes(LINES)
    lines = ("submit", "--lines", "--skip-bad", "--file", "lines")
    yield shop.document(*lines, code=ExitCode.PARTIAL)
    yield shop.document("dead")
    yield shop.document("edit", "t-2", "--text", "again")
    assert shop.call("hold", "t-3", "--reason", "later")[0] == ExitCode.OK
    shop.give("six", "--agent", "hang")
    shop.wait_until(lambda: len(shop.state().open_tasks) == 2, "three have ended")
    shop.wait_until(lambda: any(map(runs, shop.tasks())), "one runs")
    looks = ("tasks", "status", "agents", "routes", "why t-3", "why t-2", "logs", "diff 1h")
    for words in looks:
        yield shop.document(*words.split())


def of_acts(shop: Shop) -> Iterator[object]:
    """What is done to tasks, agents and the fleet, and taken back. Of ``t-3``, which waits, and
    ``t-2``, which failed."""
    yield shop.document("release", "t-3")
    yield shop.document("hold", "t-3", "t-1", code=ExitCode.PARTIAL)
    yield shop.document("undo", "--yes")
    yield shop.document("expedite", "t-3")
    yield shop.document("priority", "P0", "t-3")
    yield shop.document("requeue", "t-2", "--yes", "--dry-run")
    yield shop.document("drop", "t-2", "--yes", "--reason", "enough")
    yield shop.document("cancel", "t-3")
    for words in ("cordon echo", "uncordon echo", "probe echo", "freeze", "thaw", "note hello"):
        yield shop.document(*words.split())


def of_the_ledger(shop: Shop) -> Iterator[object]:
    """What is written elsewhere, proved, and put back."""
    file, kept = str(shop.file), str(shop.base / "kept")
    yield shop.document("export", "-o", str(shop.base / "x.fleetrec"))
    yield shop.document("backup", "--to", kept)
    yield shop.document("stop", "--reason", "over")
    assert shop.process is not None
    shop.process.wait()
    for words in (("verify", file), ("restore", file, kept), ("doctor", file), ("check", file)):
        yield json.loads(shop.cli(*words, "--json").stdout)
    yield json.loads(shop.cli("keys", "--json").stdout)
    yield json.loads(shop.cli("import", "hosts", "-", "--json", text=b"h1\n").stdout)


def schemas() -> Iterator[str]:
    """The names that stand in calls of ``emit_json``, and what verbs are called when done."""
    yield from (verb.done for verb in VERBS.values())
    for source in modules("fleet_tui/cli"):
        for node in ast.walk(source.tree):
            if not isinstance(node, ast.Call) or ast.unparse(node.func) != "emit_json":
                continue
            if isinstance(node.args[0], ast.Constant):
                yield str(node.args[0].value).partition("/")[0]


@pytest.mark.timeout(300)  # some forty commands one after the other, each a process of its own
def test_every_document_has_the_shape_it_always_had() -> None:
    with opened(FLEET) as shop:
        documents = [*of_work(shop), *of_acts(shop)]
        shop.stop_runs()
        documents += of_the_ledger(shop)
    assert_known(*documents)
    assert {schema_of(document).partition("/")[0] for document in documents} | ELSEWHERE == {
        schema.partition("/")[0] for schema in golden()
    }


def test_every_schema_has_a_shape() -> None:
    known = {schema.partition("/")[0] for schema in golden()}
    assert set(schemas()) - OF_LUCK - known == set()


def test_a_key_more_or_less_is_another_shape() -> None:
    document = {"schema": "fleet-tui/keys/1", "keys": []}
    assert_known(document)
    for other in ({**document, "more": 1}, {"schema": "fleet-tui/keys/1"}):
        with pytest.raises(AssertionError, match="is not as in"):
            assert_known(other)
