"""Which modules are mutated, and by which tests a mutant must be found."""

MODULES = (
    "agent_words",
    "alert_rules",
    "alerts",
    "attempts",
    "backoff",
    "brake",
    "dead_letters",
    "decide",
    "decided",
    "decision",
    "defined",
    "events",
    "evidence",
    "filters",
    "firewall",
    "fleet",
    "fold",
    "fold_agent",
    "fold_attempt",
    "health",
    "heartbeat",
    "ids",
    "keys",
    "model_trouble",
    "modes",
    "names",
    "narrate",
    "near",
    "open_run",
    "open_work",
    "outcomes",
    "protocol",
    "quantities",
    "queueing",
    "quoting",
    "reason_words",
    "redaction",
    "refusals",
    "regex",
    "retell",
    "retry",
    "retry_budget",
    "routing.lineup",
    "routing.requirement",
    "routing.schedule",
    "routing.scores",
    "routing.waiting",
    "secret_names",
    "secret_values",
    "shelves",
    "silence",
    "ssh_config",
    "ssh_ways",
    "state",
    "status",
    "step",
    "submission",
    "task_filter",
    "task_words",
    "troubles",
    "ulid",
    "untrusted",
    "verdicts",
    "vitals",
    "words",
)
"""Those without an unexplained survivor. A wrong comparison there loses work, runs it twice, sends
it to the wrong place or shows a secret."""

FURTHER = ()
"""Played too, and not all of their survivors were looked at: the table shows how many are left."""

WITHOUT_FUNCTIONS = (
    "__init__",
    "breaker",
    "commands",
    "confusables",
    "logs",
    "routing.__init__",
)
"""Nothing in them can be mutated: they hold values and types alone."""

TESTS = ("tests/core", "tests/properties")
"""Tests of the core: quick, and nearest to what they test. A simulated fleet would find more,
a thousand times slower; a mutant that only a whole fleet notices is a test that the core lacks."""

CACHES = (("firewall", "_VISIBLE"),)
"""Module and name of what the core keeps between two calls, ``lru_cache`` aside. Emptied before
each test: a mutant that makes a value to be kept would be seen by the first test alone."""
