"""Every benchmark by the name it is asked for with."""

from tests.bench.bad_input import bad_input
from tests.bench.console import demo_idle, first_paint, idle
from tests.bench.frame import Benchmark
from tests.bench.freeze import freeze
from tests.bench.ledger import appending, decoding, folding, reading
from tests.bench.memory import memory
from tests.bench.probes import connection_memory, handshakes, probes
from tests.bench.restart import restarts
from tests.bench.routing import queueing, routing
from tests.bench.startup import startup
from tests.bench.submits import submits
from tests.bench.text import firewall, framing
from tests.bench.unread import unread

BENCHMARKS: dict[str, Benchmark] = {
    "decode": decoding,
    "fold": folding,
    "routing": routing,
    "queueing": queueing,
    "bad-input": bad_input,
    "firewall": firewall,
    "framing": framing,
    "append": appending,
    "read": reading,
    "submit": submits,
    "restart": restarts,
    "memory": memory,
    "startup": startup,
    "probes": probes,
    "handshakes": handshakes,
    "connection-memory": connection_memory,
    "first-paint": first_paint,
    "idle": idle,
    "demo-idle": demo_idle,
    "freeze": freeze,
    "unread": unread,
}
"""The cheap ones first."""
