"""What becomes a task, which task a key stands for, and where there is no room."""

import pytest
from msgspec.structs import replace

from fleet_tui.core.fleet import FleetSpec, Priority, QueueLimits, ResidencyRule
from fleet_tui.core.ids import AgentName, Capability, ClientName, KeyMark, Region, TaskId
from fleet_tui.core.ledger.decided import Decided
from fleet_tui.core.ledger.refusals import RefusalCode
from fleet_tui.core.ledger.replies import Refused
from fleet_tui.core.ledger.state import EMPTY_STATE, FleetState
from fleet_tui.core.tasks.commands import Submit
from fleet_tui.core.tasks.events import TaskSubmitted
from fleet_tui.core.tasks.keys import key_mark
from fleet_tui.core.tasks.model import TaskSpec
from fleet_tui.core.tasks.submission import (
    MAX_OPEN_TASKS,
    MAX_PAYLOAD_BYTES,
    MAX_SHOWN_NAME_CHARS,
    RoomWanted,
    bad_spec,
    no_room,
    payload_sha256,
    submit,
)
from tests.support.fleets import agent, fleet, work
from tests.support.midway import BEFORE, SPEC, TOTALS, WAITING, WAITS

NEW = TaskId("NEW")
AGAIN = "Submit again when some have finished, or raise {} in the fleet file."


def asked(
    spec: TaskSpec, state: FleetState = BEFORE, key: str = "k", task: TaskId = NEW
) -> Decided | Refused:
    return submit(state, "you", Submit(task=task, key=key, spec=spec))


def refused(code: RefusalCode, text: str, hint: str = "") -> Refused:
    return Refused(code=code, text=text, hint=hint)


def test_new_work_gets_the_next_number() -> None:
    spec = work("pay")
    assert asked(spec) == Decided(
        events=(
            TaskSubmitted(
                task=NEW,
                number=TOTALS.submitted + 1,
                key="k",
                spec=spec,
                by="you",
                payload_sha256="9350872d712a127c494d7dc35e46b0bc9e62e288239708e581dfc3a1400154a4",
            ),
        ),
        task=NEW,
        number=TOTALS.submitted + 1,
    )


def test_an_id_that_is_in_use_is_not_taken_for_other_work() -> None:
    said = refused(RefusalCode.ID_TAKEN, "Task id WAITS is already in use.")
    assert asked(work("pay"), task=WAITS) == said


# Keys


def with_key(spec: TaskSpec, task: TaskId) -> FleetState:
    return replace(BEFORE, keys={"k": key_mark(task, spec, payload_sha256(spec))})


def test_a_key_that_is_known_stands_for_its_task_whatever_has_changed_since() -> None:
    state = with_key(WAITING.spec, WAITS)
    known = Decided(task=WAITS, number=WAITING.number, duplicate=True)
    assert asked(WAITING.spec, state) == known
    full = replace(state, fleet=replace(SPEC, limits=QueueLimits(open=1)))
    assert asked(WAITING.spec, full) == known
    pinned = replace(WAITING.spec, agent=AgentName("left"))
    waits = replace(WAITING, spec=pinned)
    state = replace(with_key(pinned, WAITS), open_tasks={WAITS: waits})
    assert asked(pinned, state) == known, "the place may be gone"
    edited = replace(WAITING, spec=work("other"), asked=WAITING.spec)
    state = replace(with_key(WAITING.spec, WAITS), open_tasks={WAITS: edited})
    assert asked(WAITING.spec, state) == known
    assert isinstance(asked(work("other"), state), Refused), "it stands for what was asked first"


def test_a_key_does_not_stand_for_other_work() -> None:
    hint = "Use a new key for a new task."
    assert asked(work("other"), with_key(WAITING.spec, WAITS)) == refused(
        RefusalCode.KEY_CONFLICT, "Key k belongs to t-1, which has other contents.", hint
    )
    gone = with_key(WAITING.spec, TaskId("GONE"))
    assert asked(WAITING.spec, gone) == Decided(task=TaskId("GONE"), number=None, duplicate=True)
    assert asked(work("other"), gone) == refused(
        RefusalCode.KEY_CONFLICT,
        "Key k belongs to a task that ended long ago, GONE, which has other contents.",
        hint,
    )
    bare = replace(BEFORE, keys={"k": KeyMark("GONE")})
    assert asked(work("anything"), bare) == Decided(
        task=TaskId("GONE"), number=None, duplicate=True
    )


def test_what_could_never_be_work_is_refused_before_its_key_is_looked_at() -> None:
    assert asked(work(" "), with_key(WAITING.spec, WAITS)) == refused(
        RefusalCode.EMPTY, "The task has no text."
    )


# Payloads


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", refused(RefusalCode.EMPTY, "The task has no text.")),
        ("\n \t", refused(RefusalCode.EMPTY, "The task has no text.")),
        (
            "a\ud800b",
            refused(RefusalCode.NOT_UTF8, "The task is not valid text: character 2."),
        ),
        (
            "é" * (MAX_PAYLOAD_BYTES // 2) + "x",
            refused(
                RefusalCode.TOO_LARGE,
                "The task has 4,194,305 bytes; at most 4,194,304 are allowed.",
            ),
        ),
        ("\x00a", refused(RefusalCode.NUL, "The task has a NUL character at position 1.")),
        ("ab\x00c\x00", refused(RefusalCode.NUL, "The task has a NUL character at position 3.")),
        ("é" * (MAX_PAYLOAD_BYTES // 2), None),
        (" x ", None),
    ],
    ids=["empty", "blank", "surrogate", "large", "nul-first", "nul", "largest", "text"],
)
def test_which_text_is_no_work(text: str, said: Refused | None) -> None:
    assert bad_spec(BEFORE, work(text)) == said
    answer = asked(work(text))
    assert answer == said if said is not None else isinstance(answer, Decided)


# Names


def spec_of(**named: object) -> TaskSpec:
    return replace(work("pay"), **named)


@pytest.mark.parametrize(
    ("spec", "what"),
    [
        (spec_of(client=ClientName("ac  me")), "client"),
        (spec_of(project="ac  me"), "project"),
        (spec_of(needs=frozenset({Capability("ac  me")})), "capability"),
        (spec_of(regions=(Region("ac  me"),)), "region"),
        (spec_of(labels={"team": "x", "ac  me": "x"}), "label"),
        (spec_of(labels={"empty": "", "team": "ac  me"}), "label value"),
    ],
)
def test_a_name_with_a_flaw_is_named_with_what_it_is_of(spec: TaskSpec, what: str) -> None:
    said = refused(RefusalCode.BAD_NAME, f'The {what} "ac  me" has two blanks in a row.')
    assert bad_spec(BEFORE, spec) == said
    assert asked(spec) == said


def test_a_long_name_is_shown_in_part() -> None:
    said = bad_spec(BEFORE, spec_of(project="a  " + "b" * 200))
    assert said is not None
    shown = said.text.partition('"')[2].rpartition('"')[0]
    assert shown.startswith("a  bbb")
    assert len(shown) <= MAX_SHOWN_NAME_CHARS
    twin = bad_spec(
        replace(BEFORE, open_by_client={ClientName("a" * 200): 1}),
        spec_of(client=ClientName("A" * 200)),
    )
    assert twin is not None
    shown = twin.text.partition('"')[2].rpartition('"')[0]
    assert shown.startswith("AAA")
    assert len(shown) <= MAX_SHOWN_NAME_CHARS


def names_acme(where: str) -> FleetState:
    """A state in which ``acme`` is a client in one place alone; anybody may be one."""
    acme = ClientName("acme")
    limits = QueueLimits(per_client=10, clients={acme: 5} if where == "limits" else {})
    agents = [agent("a1", clients=["acme"] if where == "agent" else [])]
    rules = [
        ResidencyRule(regions=(Region("eu"),), project="p"),
        ResidencyRule(regions=(Region("eu"),), client=acme if where == "residency" else None),
    ]
    spec = replace(
        fleet(*agents, limits=limits, residency=rules),
        isolated=frozenset({acme} if where == "isolated" else ()),
        clients=frozenset({acme} if where == "clients" else ()),
    )
    return replace(
        EMPTY_STATE, fleet=spec, open_by_client={acme: 1} if where == "open tasks" else {}
    )


@pytest.mark.parametrize(
    "where", ["limits", "agent", "residency", "isolated", "clients", "open tasks"]
)
def test_a_client_that_looks_like_another_one_is_refused(where: str) -> None:
    state = names_acme(where)
    assert bad_spec(state, spec_of(client=ClientName("Acme"))) == refused(
        RefusalCode.LOOKS_LIKE,
        'The client "Acme" looks like acme, and would be a different client.',
        "Write acme, or a name that cannot be confused with it.",
    )
    assert bad_spec(state, spec_of(client=ClientName("acme"))) is None
    assert bad_spec(state, spec_of(client=ClientName("other"))) is None
    assert bad_spec(state, work("pay")) is None


def test_a_client_that_has_open_tasks_is_known_whatever_it_looks_like() -> None:
    state = names_acme("limits")
    both = replace(state, open_by_client={ClientName("Acme"): 1})
    assert bad_spec(both, spec_of(client=ClientName("Acme"))) is None


def test_a_name_that_the_fleet_does_not_define_is_refused() -> None:
    said = bad_spec(BEFORE, work(pool="gqu"))
    assert said is not None
    assert said.code is RefusalCode.UNKNOWN_POOL
    assert asked(work(pool="gqu")) == said


# Room


def limited(**limits: object) -> FleetState:
    """Two tasks of P2 are open, one of them acme's."""
    spec: FleetSpec = replace(SPEC, limits=replace(QueueLimits(), **limits))
    return replace(BEFORE, fleet=spec, open_by_client={ClientName("acme"): 1})


def wanted(*specs: TaskSpec) -> RoomWanted:
    found = RoomWanted()
    for spec in specs:
        found.add(spec)
    return found


ACME, OTHER = work(client="acme"), work(client="other")


@pytest.mark.parametrize(
    ("limits", "specs", "said"),
    [
        ({"open": 3}, [work()], None),
        ({"open": 2}, [], None),
        (
            {"open": 2},
            [work()],
            refused(
                RefusalCode.QUEUE_FULL,
                "The queue is full: 2 of at most 2 tasks are open.",
                AGAIN.format("limits.open"),
            ),
        ),
        (
            {"open": 1},
            [work()],
            refused(
                RefusalCode.QUEUE_FULL,
                "The queue is full: 2 of at most 1 tasks are open.",
                AGAIN.format("limits.open"),
            ),
        ),
        (
            {"open": 1_003},
            [work()] * 1_002,
            refused(
                RefusalCode.QUEUE_FULL,
                "The queue has room for 1,001 of 1,002 tasks: 1,003 may be open.",
                AGAIN.format("limits.open"),
            ),
        ),
        ({"lanes": {Priority.P2: 3}}, [work()], None),
        ({"lanes": {Priority.P2: 2}}, [work(priority=Priority.P0)], None),
        ({"lanes": {Priority.P0: 1}}, [work(priority=Priority.P0)], None),
        (
            {"lanes": {Priority.P2: 2}},
            [work()],
            refused(
                RefusalCode.LANE_FULL,
                "Lane P2 is full: 2 of at most 2 tasks are open.",
                AGAIN.format("limits.lanes.P2"),
            ),
        ),
        (
            {"lanes": {Priority.P0: 1}},
            [work(), *[work(priority=Priority.P0)] * 2],
            refused(
                RefusalCode.LANE_FULL,
                "Lane P0 has room for 1 of 2 tasks: 1 may be open.",
                AGAIN.format("limits.lanes.P0"),
            ),
        ),
        ({"clients": {ClientName("acme"): 2}}, [ACME, OTHER, OTHER, work()], None),
        ({"clients": {ClientName("other"): 1}}, [OTHER], None),
        (
            {"clients": {ClientName("acme"): 2}},
            [ACME, OTHER, ACME],
            refused(
                RefusalCode.CLIENT_FULL,
                "Client acme has room for 1 of 2 tasks: 2 may be open.",
                AGAIN.format("limits.clients.acme"),
            ),
        ),
        (
            {"per_client": 1},
            [OTHER, ACME],
            refused(
                RefusalCode.CLIENT_FULL,
                "Client acme is full: 1 of at most 1 tasks are open.",
                AGAIN.format("limits.clients.acme"),
            ),
        ),
        (
            {"per_client": 1},
            [OTHER, OTHER],
            refused(
                RefusalCode.CLIENT_FULL,
                "Client other has room for 1 of 2 tasks: 1 may be open.",
                AGAIN.format("limits.clients.other"),
            ),
        ),
    ],
)
def test_the_first_limit_that_leaves_no_room_is_named(
    limits: dict[str, object], specs: list[TaskSpec], said: Refused | None
) -> None:
    assert no_room(limited(**limits), wanted(*specs)) == said
    if len(specs) == 1:
        answer = asked(specs[0], limited(**limits))
        assert answer == said if said is not None else isinstance(answer, Decided)


def test_no_file_allows_more_than_the_engine_bears() -> None:
    state = limited(open=MAX_OPEN_TASKS + 5)
    assert no_room(state, wanted(*[work()] * (MAX_OPEN_TASKS - 2))) is None
    said = no_room(state, wanted(*[work()] * (MAX_OPEN_TASKS - 1)))
    assert said is not None
    assert said.text == "The queue has room for 99,998 of 99,999 tasks: 100,000 may be open."
