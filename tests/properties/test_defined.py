"""Names are defined or refused: in fleet files, and in tasks by the engine's own decision."""

import inspect
import string
from collections.abc import Callable
from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from fleet_tui.config import models
from fleet_tui.config.load import InvalidFleet, load_text
from fleet_tui.console.views.submit.typed import check, typed_of
from fleet_tui.core.engine.events import FleetLoaded
from fleet_tui.core.fleet import FleetSpec, QueueLimits
from fleet_tui.core.ids import AgentName, Capability, ClientName, PoolName, Region, TaskId
from fleet_tui.core.ledger.decide import decide
from fleet_tui.core.ledger.decided import Decided
from fleet_tui.core.ledger.replies import Refused
from fleet_tui.core.tasks.commands import Edit, Requeue, Submit
from fleet_tui.core.tasks.defined import names_of
from fleet_tui.core.tasks.events import TaskEnded
from fleet_tui.core.tasks.model import TaskPhase, TaskSpec
from fleet_tui.core.text.untrusted import Untrusted
from tests.support.ledger import Story

FILE = """\
version: 1
fleet: f
defaults: {token: secret:env:T, port: 1, jump: %(default_jump)s, pool: %(default_pool)s}
hosts: {outer: {jump: none}, bastion: {jump: %(jump)s}, box-1: {}, box-2: {jump: none}}
pools: {general: , graphics: }
agents:
  one: {host: box-1, pool: %(pool)s, region: eu-w1, capabilities: [browser, gpu]}
  two: {host: box-2, pool: graphics, region: us-e1, isolate: acme, projects: claims}
routing: {residency: [{client: globex, regions: [%(region)s]}], clients: [initech]}
limits: {clients: {hooli: 5}}
"""
FILE_NAMES = {
    "default_jump": ("bastion", "defaults.jump", "HostSettings.jump"),
    "jump": ("outer", "hosts.bastion.jump", "HostSettings.jump"),
    "default_pool": ("general", "defaults.pool", "Defaults.pool"),
    "pool": ("general", "agents.one.pool", "AgentEntry.pool"),
    "region": ("eu-w1", "routing.residency[0].regions[0]", "ResidencyEntry.regions"),
}
"""What stands for a name that is defined elsewhere in the file: the name, its path, its field."""

DEFINED_BY_BEING_SAID = {
    "FleetFile.fleet": "the fleet's own name",
    "FleetFile.hosts": "defines hosts",
    "FleetFile.pools": "defines pools",
    "FleetFile.agents": "defines agents",
    "AgentSettings.host": "may be a name of ssh_config or DNS; one near an entry is warned about",
    "AgentSettings.agent_id": "the gateway's own name, which is asked for it",
    "AgentSettings.region": "defines regions",
    "AgentSettings.capabilities": "defines capabilities",
    "AgentSettings.isolate": "defines clients, as all below do; a slip is warned about",
    "AgentSettings.projects": "defines projects, as all below do; a slip is warned about",
    "AgentSettings.labels": "free words",
    "HostEntry.address": "a name of ssh_config or DNS",
    "ResidencyEntry.client": "defines a client",
    "ResidencyEntry.project": "defines a project",
    "RoutingEntry.isolated": "defines clients; who has no agent is warned about",
    "RoutingEntry.clients": "defines clients",
    "RoutingEntry.projects": "defines projects",
    "LimitsEntry.clients": "defines clients",
}
"""Fields with names that need not stand elsewhere in the file, and why."""

TASK = TaskSpec(
    payload=Untrusted("do it"),
    needs=frozenset({Capability("browser"), Capability("gpu")}),
    pool=PoolName("general"),
    agent=AgentName("one"),
    client=ClientName("globex"),
    project="claims",
    regions=(Region("eu-w1"), Region("us-e1")),
)


def written(**names: str) -> str:
    return FILE % ({key: name for key, (name, *_) in FILE_NAMES.items()} | names)


FLEET = load_text(written()).spec


@st.composite
def mutated(draw: st.DrawFn, name: str) -> str:
    """The name with a letter changed, added, left out, or two of them swapped."""
    at = draw(st.integers(0, len(name) - 1))
    letter = draw(st.sampled_from(string.ascii_lowercase))
    kind = draw(st.sampled_from(["change", "add", "leave out", "swap"]))
    match kind:
        case "change":
            said = name[:at] + letter + name[at + 1 :]
        case "add":
            said = name[:at] + letter + name[at:]
        case "leave out":
            said = name[:at] + name[at + 1 :]
        case _:
            said = name[:at] + name[at : at + 2][::-1] + name[at + 2 :]
    return said if said and said[0].isalnum() else name + letter


@pytest.mark.parametrize("place", FILE_NAMES)
@given(data=st.data())
def test_a_name_of_a_fleet_file_is_defined_or_refused(place: str, data: st.DataObject) -> None:
    name, path, _ = FILE_NAMES[place]
    known = {"outer", "bastion", "box-1", "box-2", "none", "general", "graphics", "eu-w1", "us-e1"}
    wrong = data.draw(mutated(name).filter(lambda said: said not in known))
    with pytest.raises(InvalidFleet) as caught:
        load_text(written(**{place: wrong}))
    (problem,) = [each for each in caught.value.problems if each.path == path]
    assert f'"{wrong}"' in problem.message
    assert problem.line is not None


def has_names(grammar: object) -> bool:
    """Whether a field's grammar is one of names, or has one of those in it."""
    named = (models.Name, models.Word, models.Words, models.Address)
    return grammar in named or any(map(has_names, get_args(grammar)))


def test_every_field_with_names_is_tried_or_says_why_it_is_not() -> None:
    named = {
        f"{section.__name__}.{field}"
        for section in vars(models).values()
        if inspect.isclass(section) and issubclass(section, models.Section)
        for field, grammar in inspect.get_annotations(section).items()
        if has_names(grammar)
    }
    tried = {field for _, _, field in FILE_NAMES.values()}
    assert not tried & set(DEFINED_BY_BEING_SAID)
    assert tried | set(DEFINED_BY_BEING_SAID) == named


def asking(spec: TaskSpec, fleet: FleetSpec = FLEET) -> Decided | Refused:
    """What the engine decides about a submit."""
    state = Story(fleet).state
    return decide(state, "al", Submit(task=TaskId("T" * 26), key="k", spec=spec), 0)


FIELDS: dict[str, Callable[[str], dict[str, object]]] = {
    "needs": lambda said: {"needs": frozenset({Capability("gpu"), Capability(said)})},
    "pool": lambda said: {"pool": PoolName(said)},
    "agent": lambda said: {"agent": AgentName(said)},
    "client": lambda said: {"client": ClientName(said)},
    "project": lambda said: {"project": said},
    "regions": lambda said: {"regions": (Region("eu-w1"), Region(said))},
}
WORDS = {"needs": "browser", "pool": "general", "agent": "one", "client": "globex",
         "project": "claims", "regions": "us-e1"}  # fmt: skip


@pytest.mark.parametrize("field", FIELDS)
@given(data=st.data())
def test_a_name_of_a_task_is_defined_or_refused(field: str, data: st.DataObject) -> None:
    names = names_of(FLEET)
    known = {*FLEET.pools, *FLEET.agents, *names.capabilities, *names.regions}
    known |= {*(names.clients or ()), *(names.projects or ())}
    wrong = data.draw(mutated(WORDS[field]).filter(lambda said: said not in known))
    spec = replace(TASK, **FIELDS[field](wrong))
    refused = asking(spec)
    assert isinstance(refused, Refused)
    assert refused.code.startswith("unknown-")
    assert repr(wrong) in refused.text
    problems = check(typed_of(spec), FLEET)
    assert isinstance(problems, tuple)
    assert [problem.field for problem in problems] == [field]


def test_what_the_fleet_defines_is_taken() -> None:
    assert isinstance(asking(TASK), Decided)
    for client in ("acme", "globex", "initech", "hooli"):
        assert isinstance(asking(replace(TASK, client=ClientName(client))), Decided)


def test_clients_and_projects_are_free_where_the_file_names_none_or_has_room_for_all() -> None:
    anybody = replace(TASK, client=ClientName("anybody"), project="anything")
    bare = replace(
        FLEET,
        residency=(),
        clients=frozenset(),
        limits=QueueLimits(),
        agents={name: replace(a, clients=(), projects=()) for name, a in FLEET.agents.items()},
    )
    assert isinstance(asking(anybody, bare), Decided)
    roomy = replace(FLEET, limits=QueueLimits(per_client=3))
    assert isinstance(asking(replace(anybody, project="claims"), roomy), Decided)
    refused = asking(anybody, roomy)
    assert isinstance(refused, Refused)
    assert refused.code == "unknown-project"


def test_the_nearest_names_are_offered() -> None:
    refused = asking(replace(TASK, needs=frozenset({Capability("brwoser")})))
    assert isinstance(refused, Refused)
    assert (refused.code, refused.hint) == ("unknown-capability", "Did you mean browser?")


def test_names_that_left_the_fleet_are_refused_when_work_is_edited_or_requeued() -> None:
    told = Story(FLEET)
    task = told.submit(TASK)
    told.add(TaskEnded(task=task, phase=TaskPhase.FAILED, reason="exit-3"))
    agents = {n: replace(a, capabilities=frozenset()) for n, a in FLEET.agents.items()}
    told.add(FleetLoaded(spec=replace(FLEET, agents=agents)))
    again = decide(told.state, "al", Requeue(tasks=(task,)), told.now_ms)
    assert isinstance(again, Refused)
    assert again.code == "unknown-capability"
    spec = replace(TASK, needs=frozenset(), client=ClientName("glbex"))
    edited = decide(told.state, "al", Edit(task=task, spec=spec), told.now_ms)
    assert isinstance(edited, Refused)
    assert edited.hint == "Did you mean globex?"
