"""Secrets written out are refused and never shown; variables are filled in or explained."""

import pytest

from fleet_tui.config.load import InvalidFleet, load_text
from fleet_tui.config.problems import as_text, starred
from tests.config.bad_files import agent, agents, only, problems_of
from tests.support.secret_shapes import CANARY, TOKENS

SECRETS = [
    "sk-abcdefghijklmnop1234",
    "ghp_abcdefghijklmnop1234",
    "hunter2hunter2",
    "0123456789abcdef0123456789abcdef0123456789abcdef",
]


@pytest.mark.parametrize("secret", SECRETS)
def test_a_token_written_out_is_refused_and_never_shown(secret: str) -> None:
    text = agents(f"a1: {{port: 1, token: {secret}, slots: x}}")
    with pytest.raises(InvalidFleet) as caught:
        load_text(text)
    token, slots = caught.value.problems
    assert (token.path, token.message) == ("agents.a1.token", "secrets do not belong here")
    assert slots.path == "agents.a1.slots"
    assert secret not in str(caught.value)


@pytest.mark.parametrize(
    "settings",
    [
        "password: hunter2",
        "api_key: abc",
        "labels: {x: ghp_abcdefghijklmnop1234}",
        'start_command: "-----BEGIN OPENSSH PRIVATE KEY-----"',
        'token: "${SECRET}"',
    ],
)
def test_secrets_are_refused_wherever_they_stand(settings: str) -> None:
    with pytest.raises(InvalidFleet) as caught:
        load_text(agent(settings), env={"SECRET": "hunter2hunter2"})
    (problem,) = caught.value.problems
    assert problem.message == "secrets do not belong here"
    assert "hunter2" not in str(caught.value)


def written(kind: str, indent: int) -> str:
    """A token as YAML, in a block if it has several lines."""
    lines = TOKENS[kind].split("\n")
    return "\n".join(["|-", *(" " * indent + line for line in lines)]) if lines[1:] else lines[0]


@pytest.mark.parametrize("kind", TOKENS)
@pytest.mark.parametrize(
    "settings",
    [
        "a1:\n    {head}\n    labels:\n      team: {token}\n",
        "a1:\n    {head}\n    labels:\n      ? {token}\n      : red\n",
        "a1:\n    {head}\n    env:\n      THING: {token}\n",
        "a1:\n    {head}\n    unheard_of: {token}\n",
    ],
    ids=["value", "name", "variable", "unknown key"],
)
def test_every_token_is_refused_and_starred(kind: str, settings: str) -> None:
    head = "version: 1\nfleet: f\ndefaults: {host: h}\nagents:\n  "
    kind_of_agent = "kind: command\n    command: [cat]"
    text = head + settings.format(head=kind_of_agent, token=written(kind, 8))
    with pytest.raises(InvalidFleet) as caught:
        load_text(text)
    said = str(caught.value) + "".join(map(as_text, caught.value.problems))
    assert "secrets do not belong here" in said
    assert CANARY not in said
    assert "ASIAIO" not in said


@pytest.mark.parametrize("begun", ["ghp_", "glpat-", "pypi-", "npm_", "xoxb-", "sk_live_", "AKIA"])
def test_what_begins_as_a_token_does_is_starred_however_short(begun: str) -> None:
    assert starred(f"  cmd: use {begun}a1B2c3D4 now") == f"  cmd: use {'*' * (len(begun) + 8)} now"
    assert starred("  pool: skunkworks-eu1") == "  pool: skunkworks-eu1"


@pytest.mark.parametrize(
    "given",
    [
        *("labels: {db_password: abc}", "labels: {pin: '1234'}", "labels: {key: a1b2c3d4e5f6}"),
        *("env: {API_KEY: abc}", "env: {DATABASE: 'postgres://bob:abc123@db/x'}"),
    ],
)
def test_a_secret_beside_a_name_of_ones_own_is_a_warning(given: str) -> None:
    loaded = load_text(agents(f"a1: {{kind: command, command: [cat], host: h, {given}}}"))
    (warning,) = (each for each in loaded.warnings if "secret" in each.message)
    assert warning.message == "looks like a secret written out"


def test_what_only_names_a_secret_is_no_warning() -> None:
    given = "labels: {team: red, key: nightly}, env: {API_KEY: 'secret:env:K', MODE: fast}"
    loaded = load_text(agents(f"a1: {{kind: command, command: [cat], host: h, {given}}}"))
    assert [each for each in loaded.warnings if "secret" in each.message] == []


def test_a_value_of_the_environment_is_never_shown() -> None:
    with pytest.raises(InvalidFleet) as caught:
        load_text(agent('slots: "${SLOTS}"'), env={"SLOTS": "hunter2"})
    assert "expected a whole number" in str(caught.value)
    assert "hunter2" not in str(caught.value)


@pytest.mark.parametrize(
    ("reference", "says"),
    [
        ("secret:cmd:pass show x", "secret:cmd: is not allowed"),
        ("secret:vault:x", "expected a known kind"),
        ("secret:env:", "needs to say where"),
        ("secret:env:A B", "expected the name of a variable"),
        ("secret:keyring:alone", "expected SERVICE/USER"),
    ],
)
def test_references_are_checked(reference: str, says: str) -> None:
    problem = only(agents(f'a1: {{port: 1, token: "{reference}"}}'))
    assert says in problem.message
    assert "secret:" in problem.hint


@pytest.mark.parametrize("where", ["env:A", "file:~/t", "keyring:svc/user", "host:~/.t"])
def test_references_are_kept_as_they_are(where: str) -> None:
    load_text(agents(f"a1: {{port: 1, token: 'secret:{where}'}}"))


@pytest.mark.parametrize(
    ("value", "says"),
    [
        ("${NOPE}", "the environment has no NOPE"),
        ("${NOPE:?say where}", "needs NOPE: say where"),
        ("${EMPTY:?}", "needs EMPTY: it is not set"),
        ("${1X}", "none of ${NAME}"),
        ("${A-b}", "none of ${NAME}"),
        ("${open", "is not closed"),
    ],
)
def test_a_variable_that_cannot_be_filled_in_has_its_line(value: str, says: str) -> None:
    problem = only(agent(f'region: "{value}"'), EMPTY="")
    assert says in problem.message
    assert (problem.line, problem.path) == (5, "agents.a1.region")


def test_variables_cannot_blow_a_file_up() -> None:
    assert "is longer than 65536" in only(agent('region: "${A}${A}"'), A="x" * 40_000).message
    many = agents(*(f'a{n}: {{port: {n + 1}, log_file: "${{A}}"}}' for n in range(40)))
    problems = problems_of(many, A="x" * 40_000)
    assert any("add too much text" in problem.message for problem in problems)


def test_a_variable_that_breaks_the_syntax_is_explained() -> None:
    assert 'needs quotes: "${NAME}"' in only(agent("region: ${REGION}"), REGION="eu").hint


def test_keys_are_not_expanded() -> None:
    assert "expected a name" in only(agents('"${A}": {port: 1}'), A="a1").message
