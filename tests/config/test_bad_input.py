"""Files that are wrong: where the message points, what it says, and what it never shows."""

import os
from pathlib import Path

import pytest

from fleet_tui.config import reader
from fleet_tui.config.lint import NOT_USED_YET
from fleet_tui.config.load import InvalidFleet, load_fleet, load_text
from fleet_tui.config.models import PoolEntry
from fleet_tui.config.problems import MAX_PROBLEMS, ProblemSeverity
from fleet_tui.core.fleet import Strategy
from tests.config.bad_files import HEAD, agent, agents, only, problems_of

LAUGHS = "a: &a [x, x]\n" + "".join(
    f"{name}: &{name} [*{before}, *{before}]\n"
    for before, name in zip("abcdefgh", "bcdefghi", strict=True)
)
MERGES = HEAD + "x: &x {a: 1}\ny: {<<: *x}\n"


@pytest.mark.parametrize(
    ("text", "line", "says"),
    [
        pytest.param(LAUGHS, 1, "anchors are not allowed (line 1)", id="billion laughs"),
        pytest.param("a: 1\nb: *a\n", 2, "aliases are not allowed (line 2)", id="alias"),
        pytest.param("a: &a [*a]\n", 1, "anchors are not allowed", id="list inside itself"),
        pytest.param(MERGES, 4, "anchors are not allowed", id="merge bomb"),
        pytest.param("a: {<<: {b: 1}}\n", 1, "merge keys are not allowed", id="merge key"),
        pytest.param("[" * 1_000, 1, "deeper than 32 levels", id="1,000 brackets"),
        pytest.param("[" * 100_000, 1, "deeper than 32 levels", id="100,000 brackets"),
        pytest.param("- " * 50_000, 1, "deeper than 32 levels", id="50,000 dashes"),
        pytest.param("a: !!python/object/apply:os.system [ls]", 1, "tags are not", id="python"),
        pytest.param("a: !foo b", 1, "tags are not allowed", id="own tag"),
        pytest.param("a: !!binary aGk=", 1, "tags are not allowed", id="binary"),
        pytest.param("a: !!set {b, c}", 1, "tags are not allowed", id="set"),
        pytest.param("a: !!str 5", 1, "tags are not allowed", id="str"),
        pytest.param("? [a, b]\n: c\n", 1, "a key must be a plain word", id="list as a key"),
        pytest.param("a: 1\n---\nb: 2\n", 2, "a second document", id="two documents"),
        pytest.param("a: [1, 2\nb: 3\n", 2, "not valid YAML", id="unclosed"),
        pytest.param("a:\n\tb: 1\n", 2, "not valid YAML", id="tab"),
        pytest.param("a: 'x\n", 2, "not valid YAML", id="half-written"),
        pytest.param("a: b\x00c", 1, "control character U+0000", id="NUL"),
        pytest.param("a: b\n\x1b[2J", 2, "control character U+001B", id="raw escape"),
        pytest.param(b"a: \xff\n", 1, "must be UTF-8: byte 3 is 0xff", id="not UTF-8"),
        pytest.param("é: 1".encode("latin-1"), 1, "must be UTF-8: byte 0", id="Latin-1"),
        pytest.param("a: 1".encode("utf-16"), 1, "must be UTF-8: byte 0", id="UTF-16"),
        pytest.param("k" * 300 + ": 1", 1, "a key is longer than 256", id="long key"),
        pytest.param("just words", 1, "expected keys", id="text"),
        pytest.param("[1, 2]", 1, "expected keys", id="list"),
    ],
)
def test_what_is_refused_before_it_is_understood(text: str | bytes, line: int, says: str) -> None:
    problem = only(text)
    assert says in problem.message
    assert problem.line == line


@pytest.mark.parametrize("part", ["a-", "token ", "password", "AAAA+", "sk-a."])
def test_a_wrong_value_of_any_length_is_looked_at_for_secrets_once(part: str) -> None:
    """Were it looked at again from each of its words, this would take longer than a test may."""
    value = part * (900_000 // len(part))
    (problem,) = (
        p
        for p in problems_of(HEAD + f"agents: {{a1: {{host: h, pool: '{value}'}}}}\n")
        if p.severity is ProblemSeverity.ERROR
    )
    assert "expected a name" in problem.message
    assert len(problem.message) < 300


def test_a_file_too_large_is_refused_before_it_is_parsed() -> None:
    problem = only(b"a: " + b"x" * reader.MAX_FILE_BYTES)
    assert "larger than 1024 KiB" in problem.message


def test_a_file_of_too_many_values_is_refused() -> None:
    problem = only("a: [" + "1," * reader.MAX_EVENTS + "]")
    assert "more than 200,000 values" in problem.message


@pytest.mark.parametrize("text", ["", "\n\n", "# only a comment\n", "---\n", "\ufeff"])
def test_an_empty_file_is_no_fleet(text: str) -> None:
    assert any("no agents" in p.message or "expected keys" in p.message for p in problems_of(text))


@pytest.mark.parametrize("agents_said", ["agents: {}", "agents:", "agents: null", "agents: ~"])
def test_a_fleet_without_agents_must_be_meant(agents_said: str) -> None:
    problem = only(HEAD + agents_said)
    assert (problem.line, problem.path, problem.message) == (4, "agents", "no agents")
    assert "agents: []" in problem.hint


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ("slots: 010", "expected a whole number"),
        ("slots: 22:22", "expected a whole number"),
        ("slots: 1_000", "expected a whole number"),
        ("slots: 0x16", "expected a whole number"),
        ("slots: 22.0", "expected a whole number"),
        ('slots: "22 "', "expected a whole number"),
        ("slots: -1", "expected a whole number"),
        ("slots: .inf", "expected a whole number"),
        ("slots: ٤", "expected a whole number"),
        ("slots: 0", "expected 1 to 256"),
        ("slots: " + "9" * 5_000, "expected 1 to 256"),
        ("slots: [1]", "expected a whole number, got a list"),
        ("slots: {a: 1}", "expected a whole number, got a map"),
        ("prices: {per_hour: -1}", "expected dollars"),
        ("prices: {per_hour: .nan}", "expected dollars"),
        ("prices: {per_hour: 1e400}", "expected dollars"),
        ("prices: {per_hour: 999999}", "expected dollars"),
        ("prices: {per_hour: 0.1234567}", "expected dollars"),
        ("probe: {every: 5}", "expected a duration"),
        ("probe: {every: 5 s}", "expected a duration"),
        ("probe: {every: 5m30}", "expected a duration"),
        ("probe: {every: -1s}", "expected a duration"),
        ("probe: {every: 1e9h}", "expected a duration"),
        ("probe: {every: 30m1h}", "expected a duration"),
        ("probe: {every: 0.5ms}", "expected whole milliseconds"),
        ("probe: {every: 999999d}", "longer than 366d"),
        ("probe: {down_after: 0}", "expected 1 to 1,000"),
        ("probe: 5s", "expected a map"),
        ("region: {a: b}", "expected a word"),
        ("region: [a]", "expected a word"),
        ('region: "a b"', "expected a word"),
        ("capabilities: {a: b}", "expected a word or a list"),
        ("isolate: [acme, 'x y']", "expected a word"),
        ("kind: opencalw", 'did you mean "openclaw"'),
        ("labels: [a]", "expected a map"),
        ('log_file: "a\\nb"', "cannot be printed"),
    ],
)
def test_a_value_that_means_nothing_is_named_in_its_place(settings: str, says: str) -> None:
    problem = only(agent(settings))
    assert says in problem.message
    assert problem.line == 5
    assert problem.path.startswith("agents.a1." + settings.split(":", maxsplit=1)[0])


@pytest.mark.parametrize("port", ["0", "65536", "22.0", '"22 "', ".inf", "-1", "'022'"])
def test_ports_are_ports(port: str) -> None:
    problem = only(agents(f"a1: {{port: {port}}}"))
    assert (problem.line, problem.col, problem.path) == (5, 14, "agents.a1.port")


@pytest.mark.parametrize("word", ["yes", "no", "on", "y", "1", "TRUE"])
def test_only_true_and_false_are_booleans(word: str) -> None:
    problem = only(agent("slots: 1") + f"protected: {word}\n")
    assert "expected true or false" in problem.message


def test_words_of_yaml_1_1_stay_words() -> None:
    spec = load_text(agent("region: NO, capabilities: [on, 2026-13-45, 010]")).spec
    (found,) = spec.agents.values()
    assert found.region == "NO"
    assert found.capabilities == {"on", "2026-13-45", "010"}


@pytest.mark.parametrize(
    "name",
    [
        "../../etc",
        ".",
        "..",
        "CON",
        "a/b",
        "a" * 64,
        '"a b"',
        "🦀",
        "\u0430gent",  # a Cyrillic letter that looks like a Latin one
        r'"\e]0;x\a"',
        "-x",
        '""',
        "Agent",
    ],
)
def test_names_are_safe_everywhere(name: str) -> None:
    problem = only(agents(f"{name}: {{port: 1}}"))
    assert "expected a name" in problem.message
    assert (problem.line, problem.col) == (5, 3)
    assert all(line.isprintable() for line in (problem.message, *problem.excerpt))


@pytest.mark.parametrize(
    ("one", "other"), [("web-1", "web-l"), ("wo", "w0"), ("l0", "1o"), ("pool1", "pooll")]
)
def test_two_agents_or_pools_do_not_look_alike(one: str, other: str) -> None:
    """Somebody who reads one name would stop the other agent."""
    problem = only(agents(f"{one}: {{port: 1}}", f"{other}: {{port: 2}}"))
    assert problem.message == f"looks like {one}, and is another one (lines 5 and 6)"
    assert problem.path == f"agents.{other}"
    assert (problem.line, problem.col) == (6, 3)
    assert problem.hint == f"give it a name that can be told from {one}"
    pools = f"pools:\n  {one}: {{}}\n  {other}: {{}}\n"
    problem = only(agents(f"a: {{port: 1, pool: {one}}}", f"b: {{port: 2, pool: {other}}}") + pools)
    assert problem.message == f"looks like {one}, and is another one (lines 8 and 9)"


def test_names_that_are_numbered_are_told_apart() -> None:
    text = agents(*(f"a{n}: {{port: {n + 1}}}" for n in range(120)))
    assert len(load_text(text).spec.agents) == 120


@pytest.mark.parametrize(
    "host",
    [
        "-oProxyCommand=id",
        "a b",
        ";id",
        "$(id)",
        '""',
        "::1%lo",
        "bücher.example",
        "a..b",
        "user@host",
        "host:22",
        "[::1]",
        "a\\nb",
        "-",
        "h" * 300,
    ],
)
def test_a_host_can_be_no_option_and_no_command(host: str) -> None:
    quoted = host if host.startswith('"') else f'"{host}"'
    problem = only(agents(f"a1: {{port: 1, host: {quoted}}}"))
    assert (problem.line, problem.path) == (5, "agents.a1.host")
    assert ("has a zone" if "%" in host else "expected a host name") in problem.message


@pytest.mark.parametrize(
    "user",
    ["root;id", "-l", "a b", '""', "u" * 129, "a\\\\", "@a", "a`id`", "a$x", "a'b", "a|b", "a%r"],
)
def test_a_user_can_be_no_option_and_no_command(user: str) -> None:
    quoted = user if user.startswith('"') else f'"{user}"'
    problem = only(agents("a1: {port: 1}") + f"hosts: {{h: {{user: {quoted}}}}}\n")
    assert (problem.path, problem.line) == ("hosts.h.user", 6)


@pytest.mark.parametrize(
    ("key", "hint"),
    [
        ("proxy_command: nc x 22", "jump"),
        ("ssh_options: [-o, x]", "~/.ssh/config"),
        ("forward_agent: yes", "never forwarded"),
        ("proxyCommand: nc", "jump"),
    ],
)
def test_nothing_in_the_file_runs_on_this_machine(key: str, hint: str) -> None:
    problem = only(agents("a1: {port: 1}") + f"hosts: {{h: {{{key}}}}}\n")
    assert "unknown key" in problem.message
    assert hint in problem.hint


def test_an_unknown_key_gets_the_nearest_name() -> None:
    problem = only(agent("reigon: eu"))
    assert problem.message == 'unknown key "reigon" - did you mean "region"?'
    assert (problem.line, problem.col, problem.path) == (5, 17, "agents.a1")


def test_include_is_said_to_be_unsupported() -> None:
    problem = only(agent("slots: 1") + "include: [pools/*.yaml]\n")
    assert "include is not supported in version 1" in problem.hint


def test_what_is_written_twice_names_both_lines() -> None:
    problem = only(agents("a1: {port: 1}", "a2: {port: 2}", "a1: {port: 3}"))
    assert (problem.line, problem.col) == (7, 3)
    assert problem.message == '"a1" is written twice, on lines 5 and 7'
    assert (
        "lines 1 and 4"
        in only(agents("a1: {port: 1}").replace("agents", "version: 1\nagents", 1)).message
    )


def test_two_agents_of_one_gateway_name_both_lines() -> None:
    problem = only(agents("a1: {port: 1}", "a2: {port: 1}"))
    assert "is the same agent as a1 (lines 5 and 6)" in problem.message
    assert "its own port" in problem.hint
    assert "its own agent_id" in problem.hint
    load_text(agents("a1: {port: 1}", "a2: {port: 1, agent_id: other}"))


def test_two_hosts_that_are_one_machine_name_both_lines() -> None:
    problem = only(
        agents("a1: {port: 1}")
        + "hosts:\n  h: {address: x, user: me}\n  i: {address: x, user: me, port: 22}\n"
    )
    assert "is the same machine as h (lines 7 and 8)" in problem.message


def test_a_chain_of_jumps_is_bounded_however_long() -> None:
    chain = "".join(f"  h{n}: {{jump: h{n + 1}}}\n" for n in range(3_000))
    problems = problems_of(agents("a1: {port: 1, host: h0}") + f"hosts:\n{chain}")
    assert problems[0].message == "goes through more than 8 hosts"


def test_thousands_of_misspelt_names_are_judged_at_once() -> None:
    pools = "".join(f"  p{n}: {{}}\n" for n in range(5_000))
    wrong = (f"a{n}: {{port: {n + 1}, pool: q{n}}}" for n in range(5_000))
    problems = problems_of(agents(*wrong) + f"pools:\n{pools}")
    assert len(problems) == MAX_PROBLEMS
    assert problems[0].message.startswith('there is no pool "q0"')


@pytest.mark.parametrize(
    ("retry", "says"),
    [
        ("{once: {max_attempts: 1000000000}}", "expected 1 to 100"),
        ("{once: {max_attempts: 0}}", "expected 1 to 100"),
        ("{once: {backoff: 0s..60s}}", "at least 1ms"),
        ("{once: {backoff: 60s..2s}}", "the first wait is longer"),
        ("{once: {backoff: 2s}}", "expected two durations"),
        ("{once: {factor: 0.5}}", "a number from 1 to 10"),
        ("{twice: {}}", 'unknown key "twice"'),
        ("{once: {non_retryable: exit-2}}", "expected a list"),
        ("{once: {non_retryable: [exit-0]}}", 'expected a kind of failure, got "exit-0"'),
        ("{once: {non_retryable: [exit-256]}}", "expected a kind of failure"),
        ("{once: {non_retryable: [exit-300]}}", "expected a kind of failure"),
        ("{once: {non_retryable: [exit-007]}}", "expected a kind of failure"),
        ("{once: {non_retryable: [signal-0]}}", "expected a kind of failure"),
        ("{once: {non_retryable: [signal-65]}}", "expected a kind of failure"),
        ("{once: {non_retryable: [signal-127]}}", "expected a kind of failure"),
        ("{once: {non_retryable: [model-eror]}}", 'did you mean "model-error"?'),
    ],
)
def test_retries_are_bounded(retry: str, says: str) -> None:
    assert says in only(agent("slots: 1") + f"retry: {retry}\n").message


@pytest.mark.parametrize(
    ("rest", "says"),
    [
        ("lost_after: 0s", "at least 1ms"),
        ("deadlines: {total: never}", "expected a duration"),
        ("deadlines: {heartbeat: 2999ms}", "expected at least 3s"),
        ("deadlines: {heartbeat: 5}", "expected a duration"),
        ("deadlines: {heartbeat: 367d}", "longer than 366d"),
        ("deadlines: {hartbeat: 5m}", 'did you mean "heartbeat"?'),
        ("retry_budget: {percent: 101}", "expected 0 to 100"),
        ("retry_budget: {floor: -1}", "expected a whole number"),
        ("retry_budget: {flor: 1}", 'did you mean "floor"?'),
        ("retry_budjet: {}", 'did you mean "retry_budget"?'),
        ("limits: {open: 0}", "expected 1 to 100,000"),
        ("limits: {open: 100001}", "expected 1 to 100,000"),
        ("limits: {lanes: {P4: 1}}", 'unknown key "P4"'),
        ("limits: {lanes: {P0: many}}", "expected a whole number"),
        ("limits: {clients: {acme: 1e9}}", "expected a whole number"),
        ("limits: {clients: {a b: 1}}", "expected a word"),
        ("limits: {per_clients: 1}", 'did you mean "per_client"?'),
        ("version: 2", "written twice"),
        ("routing: {residency: [{regions: [eu]}]}", "neither client nor project"),
        ("routing: {residency: [{client: a, regions: []}]}", "names no region"),
        ("routing: {residency: [{client: a}]}", '"regions" is missing'),
        ("routing: {residency: {client: a}}", "expected a list"),
        ("pools: {p: {min_up: 200%}}\n", "expected 0 to 100"),
    ],
)
def test_the_rest_of_the_file_is_checked(rest: str, says: str) -> None:
    assert says in " / ".join(p.message for p in problems_of(agent("slots: 1") + rest + "\n"))


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("fleet: f\nagents: []\n", '"version" is missing'),
        ("version: 2\nfleet: f\nagents: []\n", "this program reads version 1"),
        ("version: 1\nagents: []\n", '"fleet" is missing'),
        ("version: 1\nfleet: f\n", '"agents" is missing'),
    ],
)
def test_what_every_file_must_say(text: str, says: str) -> None:
    assert says in only(text).message


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ("a1: {host: h}", "says no port"),
        ("a1: {port: 1, pool: nope}", 'there is no pool "nope"'),
        ("a1: {kind: command}", "needs a command"),
        ("a1: {kind: command, command: cat}", "expected a list of a program"),
        ("a1: {kind: command, command: []}", "got an empty list"),
        ("a1: {kind: command, command: [cat], port: 1}", "means nothing for kind command"),
        ("a1: {port: 1, run_dir: /x}", "means nothing for kind openclaw"),
        ("a1: {kind: local, command: [cat], host: h}", "has no host"),
        ("a1: {port: 1, user: me}", 'unknown key "user"'),
        ("a1: {port: 1, region: }", "has no value"),
        ("a1: [1]", "expected a map"),
    ],
)
def test_agents_say_what_they_need(line: str, says: str) -> None:
    assert says in only(agents(line)).message


def test_without_defaults_an_agent_says_all_that_it_lacks() -> None:
    problems = problems_of("version: 1\nfleet: f\npools: {p: }\nagents: {a1: }\n")
    assert [problem.message for problem in problems] == [
        "says no pool",
        "says no host",
        "says no port",
        "says no token",
    ]


EVERYTHING = """\
version: 1
fleet: prod
pools:
  gpu: {strategy: capabilty}
agents:
  agent-01: {host: a1, port: "22a", pool: gpuu}
  agent-02: {host: a1, port: 2, pool: gpu, regoin: eu}
  agent-01: {}
"""


def test_one_run_shows_every_problem_as_the_operator_sees_it() -> None:
    with pytest.raises(InvalidFleet) as caught:
        load_text(EVERYTHING)
    assert (
        str(caught.value)
        == """\
fleet.yaml:4:19: error: pools.gpu.strategy: expected one of ALL OF THEM, \
got "capabilty" - did you mean "capability"?
   3 | pools:
   4 |   gpu: {strategy: capabilty}
     |                   ^^^^^^^^^
fleet.yaml:6:30: error: agents.agent-01.port: expected a whole number, got "22a"
   5 | agents:
   6 |   agent-01: {host: a1, port: "22a", pool: gpuu}
     |                              ^^^^^
fleet.yaml:6:43: error: agents.agent-01.pool: there is no pool "gpuu" - did you mean "gpu"?
   5 | agents:
   6 |   agent-01: {host: a1, port: "22a", pool: gpuu}
     |                                           ^^^^
  hint: there are gpu
fleet.yaml:7:44: error: agents.agent-02: unknown key "regoin" - did you mean "region"?
   6 |   agent-01: {host: a1, port: "22a", pool: gpuu}
   7 |   agent-02: {host: a1, port: 2, pool: gpu, regoin: eu}
     |                                            ^^^^^^
fleet.yaml:8:3: error: "agent-01" is written twice, on lines 6 and 8
   7 |   agent-02: {host: a1, port: 2, pool: gpu, regoin: eu}
   8 |   agent-01: {}
     |   ^^^^^^^^
  hint: keep one of them
5 errors. Nothing was started.""".replace("ALL OF THEM", ", ".join(Strategy))
    )


def test_a_flood_of_problems_is_cut_and_counted() -> None:
    with pytest.raises(InvalidFleet) as caught:
        load_text(agents(*(f"a{n}: {{port: x}}" for n in range(MAX_PROBLEMS + 23))))
    assert len(caught.value.problems) == MAX_PROBLEMS
    assert str(caught.value).endswith("100 errors, 23 more not shown. Nothing was started.")


def test_the_caret_stands_under_wide_and_invisible_characters() -> None:
    problem = only(agents("a1: {port: 1, region: 日本\u202e}"))
    above, line, caret = problem.excerpt
    assert line.endswith("region: 日本<U+202E>}")
    assert caret.count("^") == 12
    assert above.endswith("agents:")


# Warnings


def test_an_isolated_client_without_an_agent_is_pointed_at() -> None:
    (warning,) = warnings_of(
        """version: 1
fleet: f
pools: {default: {}}
agents:
  a1: {pool: default, host: h1, port: 1, token: "secret:env:T", isolate: acme}
routing: {isolated: [acme, acne]}
"""
    )
    assert warning == ("routing.isolated", 'no agent isolates acne - did you mean "acme"?')


def warnings_of(text: str) -> list[tuple[str, str]]:
    loaded = load_text(text)
    assert all(each.severity is ProblemSeverity.WARNING for each in loaded.warnings)
    return [(each.path, each.message) for each in loaded.warnings]


def test_a_setting_that_nothing_acts_on_yet_is_a_warning() -> None:
    found = warnings_of(
        "version: 1\nfleet: f\ndefaults: {openclaw_bin: /opt/claw}\n"
        "pools: {p: {min_up: 50%}}\n"
        "agents:\n"
        "  a1: {host: h, port: 1, token: 'secret:env:T', pool: p, start_command: go}\n"
        "  a2: {host: h, port: 2, token: 'secret:env:T', pool: p, start_command: go}\n"
    )
    assert found == [
        ("defaults.openclaw_bin", "is not used yet: no program is run on the host by it"),
        ("pools.p.min_up", "is not used yet: no change is held by it"),
        (
            "agents.a1.start_command",
            "is not used yet, here and 1 more time: no gateway is started with it",
        ),
    ]
    assert set(NOT_USED_YET) <= set(PoolEntry.model_fields)


def test_limits_that_are_never_reached_are_a_warning() -> None:
    found = warnings_of(
        agent("slots: 1")
        + "limits: {open: 10, lanes: {P0: 11, P1: 10}, clients: {acme: 12}}\n"
        + "deadlines: {start_to_close: 1m, heartbeat: 1m}\n"
    )
    assert found == [
        ("limits.lanes.P0", "is above limits.open (10), which comes first"),
        ("limits.clients.acme", "is above limits.open (10), which comes first"),
        ("deadlines.heartbeat", "is not shorter than start_to_close, which comes first"),
    ]


def test_work_that_no_agent_could_get_is_a_warning() -> None:
    found = warnings_of(
        HEAD
        + """\
pools: {a: , b: }
hosts: {unused: }
agents:
  one: {pool: a, port: 1, region: us-e1, isolate: globex}
  two: {pool: a, port: 2, region: eu-w1, isolate: acme}
routing:
  residency: [{client: globex, regions: [eu-w1]}]
deadlines: {total: 1m}
"""
    )
    assert [path for path, _ in found] == [
        "pools.b",
        "hosts.unused",
        "agents.one",
        "routing.residency[0]",
        "deadlines.total",
    ]
    messages = " / ".join(message for _, message in found)
    assert "will never get work" in messages
    assert "no agent can serve globex" in messages


def test_a_secret_in_a_variable_is_a_warning_unless_it_is_a_reference() -> None:
    text = agents("a1: {kind: command, command: [cat], env: {API_KEY: %s, MONKEY: x}}")
    assert [path for path, _ in warnings_of(text % "abc")] == ["agents.a1.env.API_KEY"]
    assert warnings_of(text % "secret:env:K") == []
    assert "secret:cmd: is not allowed" in only(text % "secret:cmd:id").message


# Files


def test_only_regular_files_are_read(tmp_path: Path) -> None:
    pipe = tmp_path / "fleet.yaml"
    os.mkfifo(pipe)
    for path in (pipe, tmp_path, tmp_path / "fleet.yaml" / "x", Path("nul\0")):
        with pytest.raises(InvalidFleet) as caught:
            load_fleet(path, {})
        assert len(caught.value.problems) == 1


def identity_problems(tmp_path: Path, key: Path) -> list[tuple[ProblemSeverity, str]]:
    file = tmp_path / "fleet.yaml"
    file.write_text(agents("a1: {port: 1}") + f"hosts: {{h: {{identity: '{key}'}}}}\n")
    try:
        found = load_fleet(file, {}).warnings
    except InvalidFleet as invalid:
        found = invalid.problems
    return [(each.severity, each.message) for each in found]


def test_key_files_that_ssh_would_refuse(tmp_path: Path) -> None:
    key = tmp_path / "id"
    ((severity, message),) = identity_problems(tmp_path, key)
    assert severity is ProblemSeverity.WARNING
    assert "no such file" in message
    key.write_text("-----BEGIN OPENSSH PRIVATE KEY-----\n")
    key.chmod(0o644)
    assert "others can read it (-rw-r--r--)" in identity_problems(tmp_path, key)[0][1]
    key.chmod(0o600)
    assert identity_problems(tmp_path, key) == []
    key.write_text("ssh-ed25519 AAAA someone\n")
    assert "a public key" in identity_problems(tmp_path, key)[0][1]
    key.unlink()
    os.mkfifo(key)
    assert "not a regular file" in identity_problems(tmp_path, key)[0][1]
    key.unlink()
    key.mkdir()
    assert "not a regular file" in identity_problems(tmp_path, key)[0][1]
