from typing import get_args

import msgspec
import pytest

from fleet_tui.console.text.document import Pen, Section, Target, plain
from fleet_tui.console.views.agents.detail import (
    MAX_PROBES,
    about_agent,
    agent_sections,
    definition_lines,
    health_changes,
    tasks_of,
)
from fleet_tui.core.agents.breaker import Breaker, Probation
from fleet_tui.core.agents.events import (
    AgentCordoned,
    AgentIdentified,
    AgentTripped,
    AgentTrusted,
    AgentUncordoned,
    CanaryEnded,
    CanaryStarted,
    HealthChanged,
)
from fleet_tui.core.agents.model import AgentState, CordonRecord, Health
from fleet_tui.core.agents.troubles import cure_of, next_trial
from fleet_tui.core.agents.vitals import FailureKind, ProbeFailure, ProbeResult, VitalsReading
from fleet_tui.core.fleet import CommandAgent, HostSpec
from fleet_tui.core.ids import AgentName, Epoch, HostName, RunId, Seq
from fleet_tui.core.ledger.events import Event, KnownEvent, Recorded
from fleet_tui.core.logs import Level, LogLine
from fleet_tui.core.notes.events import NoteAdded
from fleet_tui.core.tasks.events import AboutTask
from fleet_tui.core.text.untrusted import Untrusted
from tests.support import payloads
from tests.support.scene import NOW_MS, agent_name, seeded_looks, seeded_state, task_id

STATE = seeded_state()
LOST = agent_name(14)
PEN = Pen()


def sections_of(
    agent: AgentState,
    probes: tuple[ProbeResult, ...] = (),
    changes: tuple[Recorded, ...] | None = (),
    lines: tuple[LogLine, ...] | None = (),
) -> list[Section]:
    return agent_sections(agent, STATE, probes, changes, lines, PEN, NOW_MS)


def shown(*args: object, **kwargs: object) -> str:
    return "\n".join(plain(sections_of(*args, **kwargs)))  # type: ignore[arg-type]  # passed on as they came


def test_health_since_why_and_what_was_heard() -> None:
    agent = msgspec.structs.replace(
        STATE.agents[LOST], detail=Untrusted("connect timed out\x1b[31m"), since_ms=NOW_MS - 184_000
    )
    text = shown(agent)
    assert text.splitlines()[0] == " gpu > agent-14   ✗ unreachable 3m04s"
    assert "failure its host is unreachable over SSH" in text
    assert "heard connect timed out␛[31m" in text


def test_a_failure_that_trying_again_cannot_help_says_so() -> None:
    agent = msgspec.structs.replace(STATE.agents[LOST], failure=FailureKind.SSH_HOST_KEY)
    assert "an operator must fix this: `fleet-tui trust` shows the host's key" in shown(agent)
    assert "an operator must fix this" not in shown(STATE.agents[LOST])


def test_what_can_be_done_about_an_agent_that_takes_no_work_is_said() -> None:
    lost = STATE.agents[LOST]
    assert f" to do {cure_of(lost)}" in shown(lost)
    assert " to do " not in shown(STATE.agents[agent_name(1)])
    breaker = Breaker(since_ms=0, until_ms=NOW_MS + 5_000, harmless=True, reason="3 runs failed")
    failing = msgspec.structs.replace(
        lost, health=Health.SUSPECT, failure=None, breaker=breaker, reason=breaker.reason
    )
    trial = next_trial(failing, STATE.fleet.agents[LOST], NOW_MS)
    assert f" to do {cure_of(failing)}; {trial}" in shown(failing)


def test_one_that_only_a_canary_run_speaks_for_is_said_to_be_on_probation() -> None:
    back = msgspec.structs.replace(STATE.agents[agent_name(1)], reason="a canary run succeeded")
    assert "On probation" not in shown(back)
    probation = Probation(since_ms=NOW_MS - 1, harmless=True)
    text = shown(msgspec.structs.replace(back, probation=probation))
    assert "On probation: until a task succeeds, one failure takes it out of routing again." in text


def test_what_was_heard_of_a_gateway_that_is_not_ready_is_said() -> None:
    look = VitalsReading(
        agent=LOST,
        observed_at_ms=NOW_MS,
        latency_ms=9,
        ready=False,
        note="requests fail",
        said=Untrusted("no such method\x1b[31m"),
    )
    assert "not ready: requests fail\n heard no such method␛[31m" in shown(
        STATE.agents[LOST], probes=(look,)
    )


def test_who_cordoned_it_and_why_stands_in_the_first_line() -> None:
    cordon = CordonRecord(by="ann", reason="disk swap", since_ms=NOW_MS - 60_000)
    agent = msgspec.structs.replace(STATE.agents[agent_name(1)], cordon=cordon)
    assert "◌ cordoned by ann: disk swap 1m00s" in shown(agent).splitlines()[0]


def test_the_way_to_its_host_with_jump_and_user() -> None:
    fleet = STATE.fleet
    host = HostSpec(name=HostName("host-14"), address="gpu4", user="ops", port=2222,
                    jump=HostName("bastion"), use_ssh_config=False)  # fmt: skip
    hosts = {**fleet.hosts, host.name: host}
    state = msgspec.structs.replace(STATE, fleet=msgspec.structs.replace(fleet, hosts=hosts))
    made = agent_sections(STATE.agents[LOST], state, (), (), (), PEN, NOW_MS)
    assert "host host-14 (ops@gpu4:2222, jump bastion, ssh_config off)" in "\n".join(plain(made))


def test_the_strip_shows_looks_oldest_first_and_the_last_good_one() -> None:
    good = VitalsReading(agent=LOST, observed_at_ms=NOW_MS - 60_000, latency_ms=12)
    starting = VitalsReading(agent=LOST, observed_at_ms=NOW_MS - 55_000, latency_ms=9, ready=False)
    bad = ProbeFailure(agent=LOST, observed_at_ms=NOW_MS - 3_000, kind=FailureKind.TIMEOUT)
    text = shown(STATE.agents[LOST], probes=(good, starting, bad))
    assert " probes ●▲✗   last ok 12:03:36" in text
    assert "last probe 3s ago   failed timeout" in text
    many = (good,) * (MAX_PROBES + 20)
    assert shown(STATE.agents[LOST], probes=many).count("●") == MAX_PROBES


def test_only_what_the_agent_tells_is_shown() -> None:
    look = seeded_looks()[agent_name(1)]
    assert isinstance(look, VitalsReading)
    assert "cpu 42%" in shown(STATE.agents[agent_name(1)], probes=(look,))
    silent = msgspec.structs.replace(look, cpu_percent=None)
    assert "cpu" not in shown(STATE.agents[agent_name(1)], probes=(silent,))
    assert "Not probed yet." in shown(STATE.agents[agent_name(1)])


def test_its_work_says_what_became_of_it_and_leads_there() -> None:
    text = shown(STATE.agents[LOST])
    assert "t-48100  P2  once  given-up" in text
    assert "task needs-operator: agent-14 was lost while it ran" in text
    work = next(s for s in sections_of(STATE.agents[LOST]) if s.title.startswith("Work"))
    assert work.title == "Work - 0 running, 1 earlier"
    assert work.lines[0].target == Target(task=task_id(48_100))


def test_running_work_comes_first() -> None:
    found = tasks_of(agent_name(4), STATE)
    open_first = [attempt.phase.is_open for _, attempt in found]
    assert open_first == sorted(open_first, reverse=True)
    assert sum(open_first) == 3


def at(seq: int, event: Event) -> Recorded:
    return Recorded(Seq(seq), NOW_MS - 10_000 + seq, Epoch(1), event)


def test_its_timeline_holds_its_own_changes_only_newest_first() -> None:
    events = [
        at(1, HealthChanged(agent=LOST, health=Health.DOWN, was=Health.UP, reason="3 misses")),
        at(2, HealthChanged(agent=agent_name(1), health=Health.DOWN, was=Health.UP, reason="x")),
        at(3, NoteAdded(by="ops", text=Untrusted("hm"))),
        at(4, AgentCordoned(agent=LOST, by="ann", reason="look into it")),
    ]
    changes = health_changes(events, LOST)
    assert [r.seq for r in changes] == [1, 4]
    text = shown(STATE.agents[LOST], changes=tuple(changes))
    assert text.index("cordoned by ann") < text.index("up -> down: 3 misses")


def test_its_timeline_tells_when_failed_tasks_took_it_out_and_when_it_came_back() -> None:
    events = [
        at(1, AgentTripped(agent=LOST, reason="3 tasks failed at once", until_ms=NOW_MS)),
        at(2, AgentTripped(agent=agent_name(1), reason="not its own", until_ms=NOW_MS)),
        at(3, AgentTrusted(agent=LOST, reason="a trial succeeded")),
        at(4, AgentTrusted(agent=agent_name(1), reason="not its own")),
    ]
    changes = health_changes(events, LOST)
    assert [r.seq for r in changes] == [1, 3]
    text = shown(STATE.agents[LOST], changes=tuple(changes))
    assert text.index("a trial succeeded") < text.index("3 tasks failed at once")


def test_every_kind_of_event_about_an_agent_alone_is_in_its_timeline() -> None:
    made: list[Event] = [
        HealthChanged(agent=LOST, health=Health.DOWN, was=Health.UP, reason="x"),
        AgentIdentified(agent=LOST, version="1", boot_id="b"),
        AgentCordoned(agent=LOST, by="ann"),
        AgentUncordoned(agent=LOST, by="ann"),
        AgentTripped(agent=LOST, reason="x", until_ms=NOW_MS),
        AgentTrusted(agent=LOST, reason="x"),
        CanaryStarted(agent=LOST, run=RunId("canary-x.1")),
        CanaryEnded(agent=LOST, run=RunId("canary-x.1"), ok=True),
    ]
    assert {type(event) for event in made} == {
        kind
        for kind in get_args(KnownEvent)
        if "agent" in kind.__struct_fields__ and not issubclass(kind, AboutTask)
    }
    assert all(about_agent(event, LOST) for event in made)
    assert not any(about_agent(event, agent_name(1)) for event in made)


def test_its_last_lines_are_safe_and_wrapped_under_their_text() -> None:
    lines = (
        LogLine(received_at_ms=NOW_MS, source=LOST, level=Level.ERROR, text=Untrusted("a\x07b")),
    )
    assert " 12:04:31 ERROR a␇b" in shown(STATE.agents[LOST], lines=lines)
    assert "Reading the log store…" in shown(STATE.agents[LOST], lines=None)
    assert "log_file" in shown(STATE.agents[LOST], lines=())


def test_the_definition_reads_like_the_fleet_file_and_hides_values_of_the_environment() -> None:
    spec = msgspec.structs.replace(
        STATE.fleet.agents[LOST],
        kind=CommandAgent(command=("run", "--fast", "a\x1bb"), env={"KEY": "sk-secret"}),
    )
    text = "\n".join(definition_lines(spec, STATE.fleet))
    assert 'name: "agent-14"' in text
    assert '  command:\n    - "run"\n    - "--fast"' in text
    assert "KEY: (not shown)" in text
    assert "sk-secret" not in text
    assert "\x1b" not in text
    assert 'capabilities:\n  - "gpu"\n  - "text"' in text


def test_a_secret_in_a_command_is_not_shown() -> None:
    token = "glpat-" + "Ab3dEf6hIj9lMn2pQr5t"
    spec = msgspec.structs.replace(
        STATE.fleet.agents[LOST], kind=CommandAgent(command=("run", token))
    )
    text = "\n".join(definition_lines(spec, STATE.fleet))
    assert '- "run"' in text
    assert token not in text


@pytest.mark.parametrize("payload", payloads.ALL)
def test_a_definition_may_hold_any_text(payload: str) -> None:
    spec = msgspec.structs.replace(STATE.fleet.agents[LOST], region=payload)
    (shown,) = (x for x in definition_lines(spec, STATE.fleet) if x.startswith("region"))
    assert shown.isprintable()


def test_an_agent_that_left_the_fleet_file_still_has_a_page() -> None:
    gone = AgentState(name=AgentName("old"), health=Health.RETIRED)
    assert "No longer in the fleet file." in shown(gone)


def test_long_ids_of_boots_are_shown_by_their_beginning() -> None:
    agent = msgspec.structs.replace(
        STATE.agents[LOST], boot_id="0d5cf1a2-77b1-4a8e", version="2026.9.6"
    )
    text = shown(agent)
    assert "boot 0d5cf1a2" in text
    assert "0d5cf1a2-" not in text
