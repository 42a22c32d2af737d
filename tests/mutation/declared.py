"""Which modules are mutated, and by which tests a mutant must be found."""

MODULES = (
    "attempts",
    "brake",
    "dead_letters",
    "decide",
    "decided",
    "fold",
    "fold_agent",
    "fold_attempt",
    "heartbeat",
    "modes",
    "outcomes",
    "queueing",
    "retell",
    "retry",
    "retry_budget",
    "routing.requirement",
    "routing.scores",
    "routing.waiting",
    "shelves",
    "silence",
    "verdicts",
)
"""Of the modules that decide, those without an unexplained survivor. A wrong comparison there loses
work, runs it twice or sends it to the wrong place."""

FURTHER = ()
"""Played too, and not all of their survivors were looked at: the table shows how many are left."""

TESTS = ("tests/core", "tests/properties/test_core.py")
"""Tests of the core alone: quick, and nearest to what they test. A simulated fleet would find more,
a thousand times slower; a mutant that only a whole fleet notices is a test that the core lacks."""
