"""What people ask a fleet to do: a seeded stream of tasks with believable texts.

Nearly every task fits some agent of the fleet; a few fit none, because that is what an operator
must be able to see and understand.
"""

import random
from collections.abc import AsyncIterator
from typing import TypeVar

import msgspec

from fleet_tui.core.fleet import Deadlines, FleetSpec, Priority, TaskClass
from fleet_tui.core.ids import Capability, ClientName
from fleet_tui.core.routing.requirement import Roster, requirement_of
from fleet_tui.core.tasks.model import TaskSpec
from fleet_tui.core.text.untrusted import Untrusted
from fleet_tui.sim.demo.world import Pace

TASKS_PER_MINUTE = 40.0
IMPOSSIBLE_SHARE = 0.007
"""Tasks that no agent may take. They give up waiting after IMPOSSIBLE_WAIT_MS."""
IMPOSSIBLE_WAIT_MS = 300_000
CLIENT_SHARE = 0.5
"""Tasks that belong to a client; the others are our own."""
PROJECT_SHARE = 0.05


class Skill(msgspec.Struct, frozen=True, kw_only=True):
    """A kind of work: how often it comes, what it needs, how it is asked for."""

    name: str
    weight: int
    requests: tuple[str, ...]
    needs: tuple[str, ...] = ()


SKILLS = (
    Skill(
        name="summary",
        weight=30,
        requests=(
            "Summarise the {n} support tickets about {topic} that came in since Monday.",
            "Write a one-page summary of the {topic} report for the board.",
            "Condense the meeting notes on {topic} into decisions and open questions.",
        ),
    ),
    Skill(
        name="triage",
        weight=25,
        requests=(
            "Sort these {n} incoming mails on {topic} by urgency and draft short replies.",
            "Label the {n} new issues about {topic} and point out duplicates.",
            "Read the error report on {topic} and name the most likely cause.",
        ),
    ),
    Skill(
        name="review",
        weight=15,
        requests=(
            "Review the pull request that changes {topic}; list risks first.",
            "Check the contract draft on {topic} against our standard clauses.",
            "Compare the two versions of the {topic} handbook and list what changed.",
        ),
    ),
    Skill(
        name="web-research",
        weight=20,
        needs=("browser",),
        requests=(
            "Look up the current list prices of {n} suppliers of {topic} and make a table.",
            "Find {n} recent articles about {topic} and tell me where they disagree.",
            "Fill in the renewal form for {topic} on the partner portal, but do not send it.",
        ),
    ),
    Skill(
        name="media",
        weight=10,
        needs=("gpu",),
        requests=(
            "Transcribe the recording on {topic} and mark who speaks ({n} minutes).",
            "Embed the {n} documents about {topic} and update the search index.",
            "Render the {topic} animation again with the corrected colours.",
        ),
    ),
)

TOPICS = (
    "invoice matching",
    "returns in the spring sale",
    "the storage migration",
    "onboarding",
    "delivery delays",
    "password resets",
    "the pension scheme",
    "packaging waste",
    "the mobile release",
    "claims handling",
    "warehouse robots",
    "energy use",
)

_PRIORITIES = (
    (Priority.P0, 2),
    (Priority.P1, 18),
    (Priority.P2, 60),
    (Priority.P3, 20),
)
_CLASSES = ((TaskClass.IDEMPOTENT, 60), (TaskClass.ONCE, 30), (TaskClass.RESUMABLE, 10))


class Workload:
    """An endless stream of tasks for one fleet."""

    def __init__(
        self,
        fleet: FleetSpec,
        *,
        rng: random.Random,
        pace: Pace,
        per_minute: float = TASKS_PER_MINUTE,
    ) -> None:
        """``rng`` draws everything; ``per_minute`` counts simulated minutes."""
        self.surge = 1.0
        """How many times more than usual comes in; can be changed at any time."""
        self._fleet = fleet
        self._roster = Roster(fleet)
        self._rng = rng
        self._pace = pace
        self._per_minute = per_minute
        agents = fleet.agents.values()
        names = [name for agent in agents for name in agent.clients]
        names += [rule.client for rule in fleet.residency if rule.client is not None]
        self._clients = tuple(dict.fromkeys(names))
        self._projects = tuple(rule.project for rule in fleet.residency if rule.project is not None)
        self._capabilities = sorted({name for agent in agents for name in agent.capabilities})
        self._impossible = self._find_impossible()

    async def arrivals(self) -> AsyncIterator[TaskSpec]:
        """Tasks as they come: on average ``per_minute``, times ``surge``, evenly by chance."""
        while True:
            rate_per_s = max(1e-6, self._per_minute * self.surge / 60)
            await self._pace.sleep(self._rng.expovariate(rate_per_s))
            yield self.draw()

    def draw(self) -> TaskSpec:
        """The next task."""
        rng = self._rng
        if self._impossible and rng.random() < IMPOSSIBLE_SHARE:
            whose, capability = rng.choice(self._impossible)
            spec = self._spec(SKILLS[-1], client=whose, project=None)
            waits = Deadlines(schedule_to_start_ms=IMPOSSIBLE_WAIT_MS)
            needs = frozenset((capability,))
            return msgspec.structs.replace(spec, needs=needs, deadlines=waits)
        skill = rng.choices(SKILLS, [skill.weight for skill in SKILLS])[0]
        client = rng.choice(self._clients) if self._flip(CLIENT_SHARE, self._clients) else None
        project = rng.choice(self._projects) if self._flip(PROJECT_SHARE, self._projects) else None
        spec = self._spec(skill, client=client, project=project)
        if self._fits_nobody(spec):
            spec = msgspec.structs.replace(spec, needs=frozenset())
        return spec

    def _flip(self, share: float, choices: tuple[str, ...]) -> bool:
        return self._rng.random() < share and bool(choices)

    def _spec(self, skill: Skill, *, client: ClientName | None, project: str | None) -> TaskSpec:
        rng = self._rng
        text = rng.choice(skill.requests).format(n=rng.randint(3, 60), topic=rng.choice(TOPICS))
        known = [Capability(name) for name in skill.needs if name in self._capabilities]
        return TaskSpec(
            payload=Untrusted(text),
            needs=frozenset(known),
            client=client,
            project=project,
            priority=_weighted(rng, _PRIORITIES),
            task_class=_weighted(rng, _CLASSES),
            labels={"skill": skill.name},
        )

    def _fits_nobody(self, spec: TaskSpec) -> bool:
        return not self._roster.eligible(requirement_of(self._fleet, spec)).agents

    def _find_impossible(self) -> list[tuple[ClientName, Capability]]:
        """Pairs of client and capability that the fleet cannot bring together."""
        return [
            (client, capability)
            for client in self._clients
            for capability in self._capabilities
            if self._fits_nobody(
                TaskSpec(payload=Untrusted(""), client=client, needs=frozenset((capability,)))
            )
        ]


T = TypeVar("T")


def _weighted(rng: random.Random, choices: tuple[tuple[T, int], ...]) -> T:
    return rng.choices([choice for choice, _ in choices], [weight for _, weight in choices])[0]
