"""Every benchmark by the name it is asked for with."""

from tests.bench.frame import Benchmark
from tests.bench.ledger import appending, decoding, folding, reading
from tests.bench.routing import routing
from tests.bench.startup import startup
from tests.bench.text import firewall, framing

BENCHMARKS: dict[str, Benchmark] = {
    "decode": decoding,
    "fold": folding,
    "routing": routing,
    "firewall": firewall,
    "framing": framing,
    "append": appending,
    "read": reading,
    "startup": startup,
}
"""The cheap ones first."""
