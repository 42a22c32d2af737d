"""Which modules are mutated, and by which tests a mutant must be found."""

MODULES = (
    "agents.brake",
    "agents.fold",
    "agents.health",
    "agents.model_trouble",
    "agents.outcomes",
    "agents.troubles",
    "agents.vitals",
    "agents.words",
    "alerting.alerts",
    "alerting.rules",
    "backoff",
    "fleet",
    "ids",
    "ledger.decide",
    "ledger.decided",
    "ledger.events",
    "ledger.fold",
    "ledger.narrate",
    "ledger.refusals",
    "ledger.state",
    "modes",
    "protocol",
    "reason_words",
    "routing.decision",
    "routing.lineup",
    "routing.requirement",
    "routing.schedule",
    "routing.scores",
    "routing.waiting",
    "ssh.config",
    "ssh.ways",
    "status",
    "step",
    "tasks.attempts",
    "tasks.dead_letters",
    "tasks.defined",
    "tasks.evidence",
    "tasks.filter",
    "tasks.fold",
    "tasks.heartbeat",
    "tasks.keys",
    "tasks.open_run",
    "tasks.open_work",
    "tasks.queueing",
    "tasks.quoting",
    "tasks.retell",
    "tasks.retry",
    "tasks.retry_budget",
    "tasks.shelves",
    "tasks.silence",
    "tasks.submission",
    "tasks.verdicts",
    "tasks.words",
    "text.filters",
    "text.firewall",
    "text.names",
    "text.near",
    "text.quantities",
    "text.redaction",
    "text.regex",
    "text.secret_names",
    "text.secret_values",
    "text.ulid",
    "text.untrusted",
    "text.words",
)
"""Those without an unexplained survivor. A wrong comparison there loses work, runs it twice, sends
it to the wrong place or shows a secret."""

FURTHER = ()
"""Played too, and not all of their survivors were looked at: the table shows how many are left."""

WITHOUT_FUNCTIONS = (
    "__init__",
    "agents.__init__",
    "agents.breaker",
    "alerting.__init__",
    "ledger.__init__",
    "ledger.commands",
    "logs",
    "routing.__init__",
    "ssh.__init__",
    "tasks.__init__",
    "text.__init__",
    "text.confusables",
)
"""Nothing in them can be mutated: they hold values and types alone."""

TESTS = ("tests/core", "tests/properties")
"""Tests of the core: quick, and nearest to what they test. A simulated fleet would find more,
a thousand times slower; a mutant that only a whole fleet notices is a test that the core lacks."""

CACHES = (("text.firewall", "_VISIBLE"),)
"""Module and name of what the core keeps between two calls, ``lru_cache`` aside. Emptied before
each test: a mutant that makes a value to be kept would be seen by the first test alone."""
