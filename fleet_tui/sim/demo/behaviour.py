"""How simulated agents behave: how long work takes, what it costs, how it fails, what they say.

A run's whole course is drawn from the seed, the agent and the run id, so it is the same whatever
else happens around it.
"""

import hashlib
import math
import random
from collections.abc import Callable

import msgspec

from fleet_tui.core.fleet import AgentSpec

MAX_DURATION_FACTOR = 8.0
"""The longest run of a kind, in medians: a heavy tail with an end."""
MAX_DURATION_S = 480.0
FAILURE_RATE = 0.025


class Model(msgspec.Struct, frozen=True, kw_only=True):
    """A language model with its prices in US dollars per million tokens."""

    provider: str
    name: str
    input_usd: float
    output_usd: float
    cache_read_usd: float
    context_tokens: int = 200_000


SONNET = Model(
    provider="anthropic", name="sonnet", input_usd=3.0, output_usd=15.0, cache_read_usd=0.3
)
HAIKU = Model(provider="anthropic", name="haiku", input_usd=1.0, output_usd=5.0, cache_read_usd=0.1)
OPUS = Model(provider="anthropic", name="opus", input_usd=5.0, output_usd=25.0, cache_read_usd=0.5)


class Tokens(msgspec.Struct, frozen=True, kw_only=True):
    """Tokens of one run."""

    input: int = 0
    output: int = 0
    cache_read: int = 0

    @property
    def total(self) -> int:
        """All of them."""
        return self.input + self.output + self.cache_read


class Step(msgspec.Struct, frozen=True, kw_only=True):
    """Something an agent does on the way: wait ``after_s``, then write this line."""

    after_s: float
    level: str
    subsystem: str
    message: str


class RunPlan(msgspec.Struct, frozen=True, kw_only=True):
    """The course of one run when nothing disturbs it."""

    steps: tuple[Step, ...]
    tail_s: float
    """From the last step to the end."""
    model: Model
    tokens: Tokens
    answer: str
    error: str | None = None
    """Why it fails; None when it succeeds."""

    @property
    def duration_s(self) -> float:
        """From start to end."""
        return sum(step.after_s for step in self.steps) + self.tail_s

    @property
    def cost_usd(self) -> float:
        """What the tokens cost."""
        model, tokens = self.model, self.tokens
        micro = (
            tokens.input * model.input_usd
            + tokens.output * model.output_usd
            + tokens.cache_read * model.cache_read_usd
        )
        return micro / 1_000_000


Planner = Callable[[str, str], RunPlan]
"""From run id and message to the course of the run."""


class Profile(msgspec.Struct, frozen=True, kw_only=True):
    """What kind of worker an agent is."""

    agent: str
    model: Model
    median_s: float
    spread: float
    """Sigma of the log-normal durations."""
    habits: tuple[str, ...]
    """What it typically does on the way."""
    failure_rate: float = FAILURE_RATE


_THINKING = (
    "model request started, streaming",
    "tool call read_file ok",
    "tool call search ok, 12 results",
    "assistant turn finished, continuing",
    "context 38% used, no compaction needed",
    "tool call write_file ok",
)
_BROWSING = (
    "browser: page loaded in 1.9s",
    "browser: snapshot taken, 214 elements",
    "browser: clicked link 'Pricing'",
    "browser: form filled, 3 fields",
    "browser: consent dialog dismissed",
    "tool call fetch ok, 48 kB",
)
_COMPUTING = (
    "gpu: batch of 32 done, 71% utilised",
    "gpu: 18.2 GiB of 24.0 GiB in use",
    "exec: worker finished chunk, exit 0",
    "tool call read_file ok, 12 MB",
    "gpu: weights loaded in 6.4s",
    "exec: ffmpeg finished, exit 0",
)


def profile_of(spec: AgentSpec, seed: int) -> Profile:
    """The worker behind a declared agent: by what it can do, with a nature of its own."""
    nature = _stream(seed, "agent", spec.name)
    pace = nature.uniform(0.85, 1.25)
    if "gpu" in spec.capabilities:
        return Profile(
            agent=spec.name, model=OPUS, median_s=80 * pace, spread=0.7, habits=_COMPUTING
        )
    if "browser" in spec.capabilities:
        return Profile(
            agent=spec.name, model=SONNET, median_s=45 * pace, spread=0.8, habits=_BROWSING
        )
    model = HAIKU if nature.random() < 0.3 else SONNET
    return Profile(agent=spec.name, model=model, median_s=42 * pace, spread=0.9, habits=_THINKING)


def planner(profile: Profile, seed: int) -> Planner:
    """How this worker takes on runs."""

    def plan(run_id: str, message: str) -> RunPlan:
        return plan_run(profile, seed, run_id, message)

    return plan


def plan_run(profile: Profile, seed: int, run_id: str, message: str) -> RunPlan:
    """The course of one run, drawn from the seed, the agent and the run id."""
    rng = _stream(seed, "run", profile.agent, run_id)
    longest_s = min(MAX_DURATION_S, profile.median_s * MAX_DURATION_FACTOR)
    duration_s = min(longest_s, profile.median_s * math.exp(rng.gauss(0, profile.spread)))
    fails = rng.random() < profile.failure_rate
    steps = _steps(rng, profile, duration_s)
    error = _failure(rng, profile.model) if fails else None
    if error is not None:
        failing = Step(
            after_s=0.0, level="ERROR", subsystem="agent/embedded", message=error.removeprefix("⚠️ ")
        )
        steps = (*steps, failing)
    tail_s = max(0.0, duration_s - sum(step.after_s for step in steps))
    turns = max(1, len(steps) - 1)
    return RunPlan(
        steps=steps,
        tail_s=tail_s,
        model=profile.model,
        tokens=Tokens(
            input=round(600 + len(message) / 4 + turns * rng.uniform(200, 900)),
            output=round(turns * rng.uniform(80, 420)),
            cache_read=round((turns - 1) * rng.uniform(4_000, 16_000)),
        ),
        answer="" if fails else _answer(rng, message),
        error=error,
    )


def _steps(rng: random.Random, profile: Profile, duration_s: float) -> tuple[Step, ...]:
    model = profile.model.name
    first = Step(
        after_s=min(0.4, duration_s / 4),
        level="INFO",
        subsystem="agent/embedded",
        message=f"run started model={model} tools=53",
    )
    count = min(12, 1 + int(duration_s / 8))
    shares = [rng.uniform(0.4, 1.6) for _ in range(count + 1)]
    scale = (duration_s - first.after_s) / sum(shares)
    middle = [
        Step(
            after_s=share * scale,
            level="WARN" if (hiccup := rng.random() < 0.06) else "INFO",
            subsystem="agent/embedded",
            message=_hiccup(rng) if hiccup else rng.choice(profile.habits),
        )
        for share in shares[:count]
    ]
    return (first, *middle)


def _hiccup(rng: random.Random) -> str:
    return rng.choice(
        (
            "model request slow: first token after 9.8s",
            "tool call fetch failed: HTTP 503, trying again",
            "provider rate limit near: 92% of the minute used",
            "tool output cut at 64 kB",
        )
    )


def _failure(rng: random.Random, model: Model) -> str:
    what = rng.choice(
        (
            "provider internal error, HTTP 500",
            "provider overloaded, HTTP 529",
            "API rate limit reached, HTTP 429",
        )
    )
    return (
        f"⚠️ {model.provider}/{model.name} request failed ({what}). "
        "This is usually temporary — try again shortly."
    )


_OPENINGS = ("Done.", "Finished.", "Here is what I found.", "All set.")
_FINDINGS = (
    "Three points stand out; the details are in the attached table.",
    "Two entries contradict each other and are marked for review.",
    "Nothing unusual, with one exception on the second page.",
    "The numbers match last week's within 2%.",
    "One source could not be opened, so it is left out.",
    "I checked every item against the list you gave.",
)
_CLOSINGS = (
    "Tell me if you want it shorter.",
    "No further action is needed.",
    "I would look at the marked rows first.",
    "The file is in the workspace.",
)


def _answer(rng: random.Random, message: str) -> str:
    about = " ".join(message.split()[:9]).rstrip(".,:;")
    findings = " ".join(rng.sample(_FINDINGS, rng.randint(1, 3)))
    return f"{rng.choice(_OPENINGS)} {about}: {findings} {rng.choice(_CLOSINGS)}"


def _stream(seed: int, *names: str) -> random.Random:
    """A random stream of its own for every name: nobody's draws disturb anybody else's."""
    text = "/".join((str(seed), *names))
    digest = hashlib.sha256(text.encode()).digest()
    return random.Random(int.from_bytes(digest[:8]))  # noqa: S311 - a simulation
