"""The agents that could take tasks of one requirement now, best first.

A round of routing places many tasks with equal requirements. A candidate set is computed once a
round and then only updated with the slots that the round assigns, so that each further decision,
with its explanation, costs as little among a thousand agents as among ten.
"""

from bisect import bisect_left, insort
from collections.abc import Callable, Iterator, Mapping
from itertools import islice

from fleet_tui.core.agents.model import AgentState
from fleet_tui.core.agents.troubles import trouble_of
from fleet_tui.core.agents.vitals import ProbeResult, VitalsReading
from fleet_tui.core.fleet import PoolSpec, Strategy
from fleet_tui.core.ids import AgentName, Capability, PoolName
from fleet_tui.core.routing.decision import MAX_NAMED_PER_RULE, Candidate, Rejection, Rule
from fleet_tui.core.routing.requirement import Requirement, Roster
from fleet_tui.core.routing.scores import (
    TRIAL_TERM,
    TRIED_TERM,
    FreeAgent,
    Term,
    candidate,
    terms,
    total,
    turn_term,
)

Key = tuple[int, int, AgentName]
"""Sorts best first: the negative score, then the place in the pool."""


MAX_EXAMPLE_CHARS = 120
"""Of the trouble of an agent that a rejection names."""


class PoolRanking:
    """The agents of one pool with a free slot, best first."""

    def __init__(
        self, pool: PoolSpec, order: Mapping[AgentName, int], needs: frozenset[Capability]
    ) -> None:
        self.pool = pool
        self._order = order
        self._needs = needs
        self._keys: list[Key] = []
        self._free: dict[AgentName, tuple[Key, FreeAgent, list[Term]]] = {}
        self._shown: dict[AgentName, Candidate] = {}
        self._trials: dict[AgentName, FreeAgent] = {}
        """Those whose breaker is open, and that may get one task as a trial."""

    def __len__(self) -> int:
        return len(self._keys) + len(self._trials)

    def put_on_trial(self, free: FreeAgent) -> None:
        """Add an agent that may get one task as a trial."""
        self._trials[free.spec.name] = free

    def put(self, free: FreeAgent) -> None:
        """Add an agent, or update it."""
        name = free.spec.name
        self.drop(name)
        found = terms(self.pool.strategy, free, self._needs)
        key = (-total(found), self._order[name], name)
        self._free[name] = (key, free, found)
        insort(self._keys, key)

    def drop(self, name: AgentName) -> None:
        """It has no free slot left."""
        self._trials.pop(name, None)
        known = self._free.pop(name, None)
        if known is not None:
            del self._keys[bisect_left(self._keys, known[0])]
            self._shown.pop(name, None)

    def best(
        self,
        limit: int,
        tried: frozenset[AgentName],
        last_turn: AgentName | None,
    ) -> tuple[Candidate, ...]:
        """The best ``limit`` candidates for a task that was ``tried`` on some agents before. None
        of them is put on trial with it again, unless there is no other agent."""
        if not self._trials:
            return self._trusted(limit, tried, last_turn)
        trials = [
            candidate(free, [TRIAL_TERM, *terms(self.pool.strategy, free, self._needs)])
            for name, free in self._trials.items()
            if not self._keys or name not in tried
        ]
        trials.sort(key=lambda c: (-c.score, self._order[c.agent]))
        found = (*trials, *self._trusted(limit, tried, last_turn))
        return found[:limit]

    def _trusted(
        self, limit: int, tried: frozenset[AgentName], last_turn: AgentName | None
    ) -> tuple[Candidate, ...]:
        if self.pool.strategy is Strategy.ROUND_ROBIN:
            return self._by_turn(limit, tried, last_turn)
        if not tried.isdisjoint(self._free):
            return self._ranked(limit, tried, lambda _: None)
        return tuple(self._candidate(name) for _, _, name in islice(self._keys, limit))

    def _candidate(self, name: AgentName) -> Candidate:
        shown = self._shown.get(name)
        if shown is None:
            _, free, found = self._free[name]
            shown = self._shown[name] = candidate(free, found)
        return shown

    def _by_turn(
        self, limit: int, tried: frozenset[AgentName], last_turn: AgentName | None
    ) -> tuple[Candidate, ...]:
        after = self._order.get(last_turn, -1) if last_turn is not None else -1
        size = len(self._order)
        if not tried.isdisjoint(self._free):
            return self._ranked(
                limit, tried, lambda name: turn_term(self._order[name], after, size)
            )
        # All scores are zero here, so the keys stand in the pool's order.
        start = bisect_left(self._keys, (0, after + 1, ""))
        names = [name for _, _, name in islice(self._keys, start, start + limit)]
        names += [name for _, _, name in islice(self._keys, min(start, limit - len(names)))]
        return tuple(
            candidate(self._free[n][1], [turn_term(self._order[n], after, size)]) for n in names
        )

    def _ranked(
        self,
        limit: int,
        tried: frozenset[AgentName],
        turn: Callable[[AgentName], Term | None],
    ) -> tuple[Candidate, ...]:
        """The slow path, for the few tasks that were tried before."""
        found = []
        for name, (_, free, base) in self._free.items():
            own = list(base)
            turned = turn(name)
            if turned is not None:
                own.append(turned)
            if name in tried:
                own.append(TRIED_TERM)
            found.append((-total(own), self._order[name], candidate(free, own)))
        found.sort()  # no two stand at one place, so candidates are never compared
        return tuple(c for _, _, c in found[:limit])


class CandidateSet:
    """The pools for one requirement, and what the moment removed."""

    def __init__(
        self,
        wanted: Requirement,
        roster: Roster,
        rankings: dict[PoolName, PoolRanking],
        agents: Mapping[AgentName, AgentState],
        probes: Mapping[AgentName, ProbeResult],
        given: dict[AgentName, int],
        now_ms: int,
    ) -> None:
        """``given`` are the slots that the round has assigned so far; :meth:`follow` adds more."""
        eligible = roster.eligible(wanted)
        self.seen = 0
        """How many of the round's placements this set has followed."""
        self._eligible = eligible
        self._rankings = rankings
        self._agents = agents
        self._probes = probes
        self._given = given
        self._now_ms = now_ms
        self._roster = roster
        self._may_run_again = wanted.may_run_again
        self._specs = {spec.name: spec for spec in eligible.agents}
        self._places = {name: place for place, name in enumerate(self._specs)}
        out: list[tuple[AgentName, str]] = []
        distrusted: list[tuple[AgentName, str]] = []
        cordoned: list[tuple[AgentName, str]] = []
        self._full: dict[AgentName, str] = {}
        self._full_places: list[int] = []
        """Their places in the fleet file: the order in which a round filled them does not
        matter."""
        self._explained: tuple[Rejection, ...] | None = None
        for spec in eligible.agents:
            agent = agents.get(spec.name)
            tried = agent is not None and agent.only_fails and not agent.is_tried_by_canary(spec)
            if agent is not None and tried and not self._suits_trials(agent):
                distrusted.append((spec.name, trouble_of(agent) or "suspect"))
            elif agent is not None and tried and agent.may_be_tried(now_ms):
                self._admit_on_trial(spec.name)
            elif agent is None or not agent.health.takes_work:
                why = trouble_of(agent) if agent is not None else None
                out.append((spec.name, why or "unknown"))
            elif agent.cordon is not None:
                cordoned.append((spec.name, f"cordoned by {agent.cordon.by}"))
            else:
                self._admit(spec.name)
        self._left = len(eligible.agents)
        self._fixed: list[Rejection] = []
        for rule, asked, removed in (
            (Rule.STATE, "up", out),
            (Rule.TRIAL, "trusted with it", distrusted),
            (Rule.CORDON, "not cordoned", cordoned),
        ):
            if removed:
                self._left -= len(removed)
                example = f"{removed[0][0]} is {removed[0][1][:MAX_EXAMPLE_CHARS]}"
                names = [name for name, _ in removed]
                self._fixed.append(_rejection(rule, asked, names, example, self._left))

    def follow(self, name: AgentName, given: int) -> None:
        """This many slots of an agent were assigned in this round."""
        self._given[name] = given
        for each in self._roster.sharing.get(name, (name,)):
            agent = self._agents.get(each)
            if each not in self._specs or agent is None:
                continue
            if agent.in_service:
                self._admit(each)
            elif (
                agent.may_be_tried(self._now_ms)
                and not agent.is_tried_by_canary(self._specs[each])
                and self._suits_trials(agent)
            ):
                self._admit_on_trial(each)

    def home(self) -> PoolRanking | None:
        """The pool to place in: the home, or an overflow pool when the home is full. None when no
        pool could ever take it."""
        pools = self._eligible.pools
        return next(self.free_rankings(), self._rankings[pools[0]] if pools else None)

    def free_rankings(self) -> Iterator[PoolRanking]:
        """The pools that are not full, the home first."""
        return (ranking for name in self._eligible.pools if len(ranking := self._rankings[name]))

    def has_others(self, avoided: frozenset[AgentName]) -> bool:
        """Whether agents beside these take work, now or once they have a free slot."""
        return bool(avoided) and any(
            (agent := self._agents.get(name)) is not None and agent.in_service
            for name in self._specs
            if name not in avoided
        )

    def rejections(self) -> tuple[Rejection, ...]:
        """Everything that was removed, in the order of the rules."""
        if self._explained is None:
            moment = list(self._fixed)
            if self._full:
                names = [self._eligible.agents[place].name for place in self._full_places]
                example = f"{names[0]} {self._full[names[0]]}"
                left = self._left - len(names)
                moment.append(_rejection(Rule.SLOTS, "a free slot", names, example, left))
            self._explained = (*self._eligible.rejections, *moment)
        return self._explained

    @property
    def considered(self) -> int:
        """All agents of the fleet."""
        return self._eligible.considered

    def _suits_trials(self, agent: AgentState) -> bool:
        return agent.suits_trials(may_run_again=self._may_run_again)

    def _admit_on_trial(self, name: AgentName) -> None:
        """One task at a time, beside what it still runs."""
        spec, agent = self._specs[name], self._agents[name]
        in_use = len(agent.runs)
        if self._given.get(name):
            self._leave_out(name, "is on trial with another task")
        elif in_use >= spec.slots:
            self._leave_out(name, "has no free slot")
        elif (full := self._lane(name)) is not None:
            self._leave_out(name, full)
        else:
            trial = FreeAgent(spec, agent, in_use, self._probes.get(name))
            self._rankings[spec.pool].put_on_trial(trial)

    def _admit(self, name: AgentName) -> None:
        spec, agent = self._specs[name], self._agents[name]
        in_use = len(agent.runs) + self._given.get(name, 0)
        ranking = self._rankings[spec.pool]
        is_full = in_use >= spec.slots
        full = f"has {in_use}/{spec.slots} slots in use" if is_full else self._lane(name)
        if full is not None:
            self._leave_out(name, full)
        else:
            ranking.put(FreeAgent(spec, agent, in_use, self._probes.get(name)))

    def _leave_out(self, name: AgentName, why: str) -> None:
        """It has no free slot left in this round."""
        self._rankings[self._specs[name].pool].drop(name)
        if name not in self._full:
            insort(self._full_places, self._places[name])
        self._full[name] = why
        self._explained = None

    def _lane(self, name: AgentName) -> str | None:
        """The objection that the lane which an agent shares with others of its gateway is full;
        None when it is not, or when the agent has a lane to itself."""
        names = self._roster.sharing.get(name)
        if names is None:
            return None
        probes = (self._probes.get(each) for each in names)
        told = [each.capacity for each in probes if isinstance(each, VitalsReading)]
        widths = [capacity for capacity in told if capacity is not None]
        width = max(min(widths, default=self._roster.slots_of_widest(names)), 1)
        known = (self._agents.get(each) for each in names)
        in_use = sum(len(agent.runs) for agent in known if agent is not None)
        in_use += sum(self._given.get(each, 0) for each in names)
        if in_use < width:
            return None
        return f"shares its gateway's lane, {in_use}/{width} in use"


def _rejection(
    rule: Rule, wanted: str, names: list[AgentName], example: str, left: int
) -> Rejection:
    return Rejection(
        rule=rule,
        wanted=wanted,
        count=len(names),
        left=left,
        agents=tuple(names[:MAX_NAMED_PER_RULE]),
        example=example,
    )
