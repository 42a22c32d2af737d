"""A model provider for tests: an OpenAI-compatible server on loopback that does what it is told.

A user message may hold one directive: ``[[sleep 2]]`` answers after so many seconds, ``[[400]]``,
``[[500]]`` and ``[[429]]`` fail with that status, ``[[hang]]`` never answers, ``[[gate]]`` not
before the gate is open, and ``[[half 30]]`` streams 15 words at once and 15 more when the gate is
open. Without one the server does what it does with every message; as a rule the answer is ``echo:``
and the first line of the message.
"""

import json
import re
import select
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

MODEL = "stub-1"
INPUT_TOKENS, CACHED_TOKENS, OUTPUT_TOKENS = 1_000, 200, 50
"""What every answer claims to have used; the cached ones are part of the input."""

GATE_POLL_S = 0.05
"""How often one who waits at the gate looks whether the client is still there."""

CONTEXT_MARK = "<<<BEGIN_OPENCLAW_INTERNAL_CONTEXT>>>"
"""OpenClaw adds a block of its own behind what the user said."""

_TIME_STAMP = re.compile(r"^\[\w{3} \d{4}-\d\d-\d\d [^\]]*\] ")
"""OpenClaw puts the time before what the user said."""

_DIRECTIVE = re.compile(r"\[\[(sleep|half|400|500|429|hang|gate)((?: [0-9.]+)*)\]\]")


def spoken(body: dict[str, Any]) -> str:
    """What the user said since the model last spoke."""
    said: list[str] = []
    for message in body.get("messages", []):
        if message.get("role") == "assistant":
            said.clear()
        elif message.get("role") == "user":
            content = message.get("content", "")
            if isinstance(content, list):
                content = "".join(part.get("text", "") for part in content)
            said.append(_TIME_STAMP.sub("", content.split(CONTEXT_MARK)[0].strip()))
    return "\n".join(text for text in said if text)


class StubModel(ThreadingHTTPServer):
    """The server. ``streaming`` counts the answers on their way now; ``begun`` and ``answered`` are
    what users said in each request so far and in those that got their whole answer."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.streaming = 0
        self.usual = ""
        """The verb of a message without a directive; empty for an answer."""
        self.begun: list[str] = []
        self.answered: list[str] = []
        self.counting = threading.Lock()
        self.gate = threading.Event()
        """What ``[[gate]]`` and ``[[half]]`` wait for."""

    @property
    def url(self) -> str:
        """The base URL to put into a provider's configuration."""
        return f"http://127.0.0.1:{self.server_address[1]}/v1"

    def count(self, change: int) -> None:
        """Note that an answer began or ended."""
        with self.counting:
            self.streaming += change


class _Handler(BaseHTTPRequestHandler):
    server: StubModel
    protocol_version = "HTTP/1.1"

    def log_message(self, format: str, *args: object) -> None:
        """Keep quiet."""

    def do_GET(self) -> None:
        self._json(200, {"object": "list", "data": [{"id": MODEL, "object": "model"}]})

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["content-length"])))
        text = spoken(body)
        self.server.begun.append(text)
        found = _DIRECTIVE.search(text)
        verb = found.group(1) if found else self.server.usual
        numbers = [float(word) for word in found.group(2).split()] if found else []
        try:
            if verb in {"400", "500", "429"}:
                return self._json(int(verb), {"error": {"message": f"told to fail with {verb}"}})
            if verb == "hang":
                # Readable without a request on it means that the client has left.
                select.select([self.connection], [], [], 600)
                return None
            if verb == "gate" and not self._gate_opens():
                return None
            if verb == "sleep":
                time.sleep(numbers[0])
                if self._client_left():
                    return None
            words = ["echo:", *text.split("\n", 1)[0].split()]
            at_once = len(words)
            if verb == "half":
                words = [f"w{n}" for n in range(int(numbers[0]))]
                at_once = len(words) // 2
            self.server.count(+1)
            try:
                if self._stream(words, at_once):
                    self.server.answered.append(text)
            finally:
                self.server.count(-1)
        except (BrokenPipeError, ConnectionResetError):
            return None

    def _gate_opens(self) -> bool:
        """Wait for the gate; False when the client left before it was open."""
        while not self.server.gate.wait(GATE_POLL_S):
            if self._client_left():
                return False
        return not self._client_left()

    def _client_left(self) -> bool:
        """Readable without a request on it means that it did."""
        return bool(select.select([self.connection], [], [], 0)[0])

    def _json(self, status: int, value: object) -> None:
        data = json.dumps(value).encode()
        self.send_response(status)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def _stream(self, words: list[str], at_once: int) -> bool:
        """Say the words, those after the first ``at_once`` when the gate is open; False when the
        client left before it was."""
        self.send_response(200)
        self.send_header("content-type", "text/event-stream")
        self.send_header("connection", "close")
        self.end_headers()
        self.close_connection = True
        for position, word in enumerate(words):
            if position == at_once and not self._gate_opens():
                return False
            self._event({"content": word if position == 0 else f" {word}"})
        usage = {
            "prompt_tokens": INPUT_TOKENS,
            "completion_tokens": OUTPUT_TOKENS,
            "total_tokens": INPUT_TOKENS + OUTPUT_TOKENS,
            "prompt_tokens_details": {"cached_tokens": CACHED_TOKENS},
        }
        self._event({}, finish="stop", usage=usage)
        self.wfile.write(b"data: [DONE]\n\n")
        return True

    def _event(
        self, delta: dict[str, str], finish: str | None = None, usage: object = None
    ) -> None:
        choice = {"index": 0, "delta": {"role": "assistant", **delta}, "finish_reason": finish}
        chunk = {
            "id": "chatcmpl-stub",
            "object": "chat.completion.chunk",
            "created": 0,
            "model": MODEL,
            "choices": [choice],
            "usage": usage,
        }
        self.wfile.write(f"data: {json.dumps(chunk)}\n\n".encode())
        self.wfile.flush()


@contextmanager
def stub_model() -> Iterator[StubModel]:
    """A running model."""
    with StubModel() as server:
        thread = threading.Thread(target=server.serve_forever, name="stub-model", daemon=True)
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()
