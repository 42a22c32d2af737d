"""Answers of hosts, honest and not: whatever is not one whole answer is unknown, and says why."""

import hashlib
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fleet_tui.core.fleet import LocalAgent
from fleet_tui.core.ids import AgentName, Epoch
from fleet_tui.core.tasks.evidence import (
    Answer,
    Definite,
    Died,
    Finished,
    LostReason,
    NotStarted,
    Running,
    Started,
    Stopped,
    Unknown,
)
from fleet_tui.core.text.untrusted import Untrusted
from fleet_tui.wire.programs.answers import (
    ERR_BYTES,
    PROTOCOL,
    WrapperReply,
    inspection_of,
    read_reply,
)
from fleet_tui.wire.programs.local import LocalPort, LocalShell
from fleet_tui.wire.programs.wrapper import RunDirectory
from fleet_tui.wire.shell import Completed, RunResult
from tests.support.programs import order, wall_ms

SHA = hashlib.sha256(b"abc").hexdigest()
SHA_XYZ = hashlib.sha256(b"xyz").hexdigest()
MARK = hashlib.sha256(b"page 7").hexdigest()

HONEST: dict[str, bytes] = {
    "done": f"boot b1\nepoch 1 0\nstate done 0 5 3 {SHA}\nended exit\nblob out 3\nabc\n".encode(),
    "failed": (
        f"boot b1\nepoch 1 0\nexists\nstate done 3 - 3 {SHA}\nended exit\nblob out 3\nabc\n"
        f"blob err 4\nno!\n\nblob usage 2\n{{}}\ncheckpoint {MARK}\nblob checkpoint 6\npage 7\n"
    ).encode(),
    "killed": f"boot b1\nstate done 137 5 0 {hashlib.sha256(b'').hexdigest()}\nended signal\n"
    "blob out 0\n\n".encode(),
    "lost output": f"boot b1\nstate done 0 5 3 {SHA}\nended exit\noutput lost\n".encode(),
    "stopped": b"boot b1\nstate stopped\n",
    "stopped and told": f"boot b1\nstate stopped 143 9 3 {SHA}\nblob out 3\nabc\n".encode(),
    "running": (
        f"boot b1\nstate running 17\ncheckpoint {MARK}\nblob checkpoint 6\npage 7\n".encode()
    ),
    "gone": b"boot b1\nstate dead process-gone\nblob err 2\n??\n",
    "rebooted": b"boot b1\nstate dead host-rebooted\n",
    "fenced": b"boot b1\nstate fenced\n",
    "lost": b"boot b1\nstate lost\n",
    "stale": b"boot b1\nstate stale 9\n",
    "refused": b"boot b1\nepoch 1 0\nburied\nstate refused disk-full\n",
}
"""What the wrapper says, without the first line and the last."""


def read(text: bytes) -> WrapperReply | Unknown:
    return read_reply(Definite(Completed(exit_status=0, stdout=text)))


def meaning(text: bytes) -> object:
    """What an answer proves, "" for nothing."""
    reply = read(text)
    if isinstance(reply, Unknown):
        return ""
    found = inspection_of(reply)
    return found if isinstance(found, Definite) else ""


def whole(text: bytes) -> bytes:
    return PROTOCOL + text + b"end\n"


@pytest.mark.parametrize("name", HONEST)
def test_honest_answers_are_understood(name: str) -> None:
    assert isinstance(read(whole(HONEST[name])), WrapperReply)


def test_what_honest_answers_mean() -> None:
    found = {name: meaning(whole(text)) for name, text in HONEST.items()}
    kinds = {name: type(f.value) for name, f in found.items() if isinstance(f, Definite)}
    assert kinds == {
        "done": Finished,
        "failed": Finished,
        "killed": Finished,
        "lost output": Finished,
        "stopped": Stopped,
        "stopped and told": Stopped,
        "running": Running,
        "gone": Died,
        "rebooted": Died,
        "fenced": NotStarted,
    }
    assert found["lost output"] == Definite(
        Finished(
            ok=True,
            answer=Answer(text=Untrusted(""), size_bytes=3, sha256=SHA, lost=True),
            duration_ms=5,
        )
    )


def done(status: str = "0", took: str = "5", size: str = "3", sha: str = SHA) -> bytes:
    return f"boot b1\nstate done {status} {took} {size} {sha}\nblob out 3\nabc\n".encode()


LIES: dict[str, tuple[bytes, str]] = {
    "a hash of zeros": (done(sha="0" * 64), "SHA-256"),
    "the hash of something else": (done(sha=SHA_XYZ), "SHA-256"),
    "no hash": (done(sha=""), "no meaning"),
    "half a hash": (done(sha=SHA[:32]), "no meaning"),
    "a hash in capitals": (done(sha=SHA.upper()), "no meaning"),
    "a size that is too large": (done(size="4"), "not as long"),
    "a size that is too small": (done(size="2"), "not as long"),
    "a size below nothing": (done(size="-3"), "no meaning"),
    "a blob longer than it is": (whole(done()).replace(b"out 3", b"out 4")[18:-4], "not as long"),
    "a time below nothing": (done(took="-5"), "no meaning"),
    "a time of thirty years": (done(took=str(30 * 366 * 86_400_000)), "cannot have taken"),
    "a time since 1970": (done(took="1795884304000"), "cannot have taken"),
    "a status of 256": (done("256"), "no meaning"),
    "a status below nothing": (done("-1"), "no meaning"),
    "a status in letters": (done("ok"), "no meaning"),
    "a status with zeros": (done("000"), "no meaning"),
    "no blob": (f"state done 0 5 3 {SHA}\n".encode(), "the outcome of the output"),
    "a blob that is lost": (done() + b"output lost\n", "the outcome of the output"),
    "a blob that was never counted": (b"state done 0 5 - -\nblob out 3\nabc\n", "outcome"),
    "a signal that does not exist": (done("255") + b"ended signal\n", "no such signal"),
    "a signal of success": (done("0") + b"ended signal\n", "no such signal"),
    "a way to end nobody knows": (done("1") + b"ended well\n", "no meaning"),
    "an end of something that runs": (b"state running 1\nended exit\n", "does not belong"),
    "output of what never ran": (b"state fenced\nblob out 3\nabc\n", "does not belong"),
    "a word nobody knows": (b"state succeeded\n", "no meaning"),
    "a word in capitals": (b"state DONE\n", "no meaning"),
    "a death nobody knows": (b"state dead of-boredom\n", "no meaning"),
    "a refusal nobody knows": (b"state refused not-today\n", "no meaning"),
    "no state": (b"boot b1\n", "how things stand"),
    "an empty state": (b"state\n", "no meaning"),
    "a line nobody knows": (b"mood good\n" + done(), "no meaning"),
    "an empty line": (b"\n" + done(), "no meaning"),
    "twice the same": (done() + done(), "twice"),
    "a second contrary state": (done() + f"state done 1 5 3 {SHA}\n".encode(), "twice"),
    "a second contrary blob": (done() + b"blob out 3\nxyz\n", "twice"),
    "two ends": (done("1") + b"ended exit\nended signal\n", "twice"),
    "a second boot": (done() + b"boot b2\n", "twice"),
    "a blob nobody knows": (done() + b"blob more 3\nxyz\n", "no meaning"),
    "something after its end": (done() + b"end\nstate fenced\n", "follows its end"),
    "a whole answer after its end": (done() + b"end\n" + PROTOCOL + done("1"), "follows its end"),
    "carriage returns": (done().replace(b"\n", b"\r\n"), "no meaning"),
    "a steered terminal": (b"state \x1b]0;mine\x07\n", "no meaning"),
    "a line without end": (b"state running " + b"1" * 5_000 + b"\n", "not complete"),
}


@pytest.mark.parametrize("name", LIES)
def test_what_is_not_one_whole_answer_proves_nothing_and_says_why(name: str) -> None:
    text, why = LIES[name]
    found = read(whole(text))
    assert isinstance(found, Unknown), found
    assert found.reason is LostReason.BAD_ANSWER
    assert why in found.detail.raw
    assert found.detail.raw.startswith("its host's answer proves nothing: ")
    assert found.detail.raw.isprintable()


class Liar(LocalShell):
    """A host that says ``answer`` to a question of one kind, and the truth to every other."""

    def __init__(self, verb: str, answer: bytes) -> None:
        super().__init__()
        self._verb, self._answer = verb, answer

    async def run(
        self, command: str, stdin: bytes = b"", *, timeout_ms: int, max_output_bytes: int = 10**6
    ) -> RunResult:
        if f"#end\n{self._verb}\n".encode() in stdin:
            return Definite(Completed(exit_status=0, stdout=whole(self._answer)))
        return await super().run(
            command, stdin, timeout_ms=timeout_ms, max_output_bytes=max_output_bytes
        )


def port_behind(liar: Liar, run_dir: str) -> LocalPort:
    return LocalPort(
        AgentName("worker"),
        LocalAgent(command=("cat",), run_dir=run_dir),
        directory=RunDirectory(Epoch(1)),
        probe_timeout_ms=20_000,
        now_ms=wall_ms,
        shell=liar,
    )


@pytest.mark.parametrize("name", LIES)
async def test_no_start_is_taken_for_one_on_such_a_word(name: str, tmp_path: object) -> None:
    port = port_behind(Liar("start", LIES[name][0]), f"{tmp_path}/runs")
    assert isinstance(await port.start(order()), Unknown)


@pytest.mark.parametrize("state", ["ok", "missing", "collected", "failed no-owner"])
async def test_an_answer_to_another_question_starts_and_ends_nothing(
    state: str, tmp_path: object
) -> None:
    text = f"boot b1\nepoch 1 0\nstate {state}\n".encode()
    for verb in ("start", "probe"):
        port = port_behind(Liar(verb, text), f"{tmp_path}/runs")
        found = await (port.start(order()) if verb == "start" else port.inspect(order()))
        assert isinstance(found, Unknown), verb
        assert "state" not in found.detail.raw


@pytest.mark.parametrize(
    "text",
    [
        "state ok\n",
        "state collected\ngone 01KTASK.1\n",
        "state kept\n",
        "state kept -1\n",
        "state kept 1\nkept ../x\n",
        "state stale 7\n",
    ],
)
async def test_what_a_host_holds_is_not_told_by_another_answer(text: str, tmp_path: object) -> None:
    liar = Liar("kept", f"boot b1\nepoch 1 0\n{text}".encode())
    assert await port_behind(liar, f"{tmp_path}/runs").kept(0) is None


async def test_a_host_that_holds_more_than_it_was_asked_for_has_no_more(tmp_path: object) -> None:
    liar = Liar("kept", b"boot b1\nepoch 1 0\nkept 01KTASK.1\nstate kept 1001\n")
    part = await port_behind(liar, f"{tmp_path}/runs").kept(0)
    assert part == (["01KTASK.1"], None)


async def test_an_honest_first_answer_is_a_start(tmp_path: object) -> None:
    for name in ("running", "done", "failed", "stopped", "gone"):
        port = port_behind(Liar("start", HONEST[name]), f"{tmp_path}/runs")
        found = await port.start(order())
        assert isinstance(found, Definite), name
        assert isinstance(found.value, Started), name


LINE = re.compile(rb"blob [a-z]+ ([0-9]+)\n")


def parts(text: bytes) -> list[bytes]:
    """An answer's lines; a blob with what it counts is one."""
    found: list[bytes] = []
    while text:
        counted = LINE.match(text)
        end = text.index(b"\n") + 1
        if counted:
            end = counted.end() + int(counted[1]) + 1
        found.append(text[:end])
        text = text[end:]
    return found


GARBAGE = st.one_of(
    st.binary(min_size=1, max_size=40),
    st.sampled_from(sorted(line for text in HONEST.values() for line in parts(text))),
    st.sampled_from([b"state fenced\n", b"state done 0 1 0 x\n", b"end\n", b"blob out 3\nxyz\n"]),
)


@given(st.data(), st.sampled_from(sorted(HONEST)))
def test_a_changed_answer_means_the_same_or_nothing(data: st.DataObject, name: str) -> None:
    """A line left out, doubled, moved, put in or cut: never another definite meaning about the end
    of a run. What was left for people or for a later run may be missing."""
    lines = parts(whole(HONEST[name])[len(PROTOCOL) :])
    at = data.draw(st.integers(0, len(lines) - 1))
    how = data.draw(st.sampled_from(["drop", "double", "swap", "insert", "cut", "append"]))
    match how:
        case "drop":
            del lines[at]
        case "double":
            lines.insert(at, lines[at])
        case "swap":
            other = data.draw(st.integers(0, len(lines) - 1))
            lines[at], lines[other] = lines[other], lines[at]
        case "insert":
            lines.insert(at, data.draw(GARBAGE))
        case "cut":
            lines[at] = lines[at][: data.draw(st.integers(0, len(lines[at]) - 1))]
        case _:
            lines.append(data.draw(GARBAGE))
    told = meaning(PROTOCOL + b"".join(lines))
    assert told == "" or essence(told) == essence(meaning(whole(HONEST[name])))


def essence(found: object) -> object:
    """What decides about a task."""
    assert isinstance(found, Definite)
    match found.value:
        case Finished(ok=ok, answer=answer, duration_ms=took):
            return Finished, ok, answer, took
        case Running(output_bytes=size):
            return Running, size
        case fact:
            return type(fact), getattr(fact, "reason", None)


@given(st.binary(max_size=3), st.integers(0, 2))
def test_an_answer_of_other_bytes_has_another_hash(other: bytes, at: int) -> None:
    text = bytearray(b"abc")
    text[at : at + len(other)] = other
    told = meaning(whole(done().replace(b"abc", bytes(text))))
    assert (told == "") == (bytes(text) != b"abc")


@pytest.mark.parametrize(
    ("cut", "kept"),
    [
        (b"4n4ry and more\nit ended badly\n", "it ended badly"),
        (b"4n4ry it ended badly", "it ended badly"),
        (b"C4n4ry" * 100, ""),
        (b"C4n4ry" * 20 + b"\n-----END PRIVATE KEY-----\nit ended badly", "it ended badly"),
    ],
)
def test_half_a_secret_at_the_beginning_of_what_was_cut_goes(cut: bytes, kept: str) -> None:
    said = cut.ljust(ERR_BYTES, b".") if kept else (cut * 4)[:ERR_BYTES]
    told = f"boot b1\nstate done 3 5 3 {SHA}\nended exit\nblob out 3\nabc\nblob err {len(said)}\n"
    found = meaning(whole(told.encode() + said + b"\n"))
    assert isinstance(found, Definite)
    assert isinstance(found.value, Finished)
    assert "4n4ry" not in found.value.detail.raw
    assert kept in found.value.detail.raw


def test_what_was_printed_in_place_of_an_answer_is_cut_without_half_secrets() -> None:
    for size in range(250, 300):
        said = b"it broke: DB_PASSWORD_PROD='C4n4ry C4n4ry'".ljust(size, b".")
        found = read_reply(Definite(Completed(exit_status=1, stderr=said)))
        assert isinstance(found, Unknown)
        assert "4n4ry" not in found.detail.raw
