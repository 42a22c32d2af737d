"""The benchmarks' own frame, and one cheap benchmark all the way to its document."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.bench import frame
from tests.bench.__main__ import SCHEMA, main
from tests.bench.catalogue import BENCHMARKS
from tests.bench.frame import Row, Unavailable, at_least, at_most, cost_of, percentile, table


def row(figure: float = 5.0, peer: float = 2.0, target: frame.Target | None = None) -> Row:
    return Row(name="x", figure=figure, unit="µs", peer_name="y", peer=peer, target=target)


@pytest.mark.parametrize(
    ("target", "met"),
    [(at_most(5), True), (at_most(4.9), False), (at_least(5), True), (at_least(5.1), False)],
)
def test_a_target_is_a_cost_or_a_rate(target: frame.Target, met: bool) -> None:
    assert row(target=target).is_met is met
    assert ("MISSED" in "\n".join(table([row(target=target)]))) is not met


def test_a_row_without_target_or_peer_claims_nothing() -> None:
    assert row().is_met is None
    assert row().ratio == 2.5
    assert row(peer=0).ratio is None


def test_cost_counts_what_one_call_does() -> None:
    calls = 0

    def work() -> None:
        nonlocal calls
        calls += 1
        sum(range(2_000))

    alone, by_ten = cost_of(work), cost_of(work, per_call=10)
    assert calls > 2 * frame.REPEATS
    assert 0 < by_ten.cpu_us < alone.cpu_us


def test_percentile_is_nearest_rank() -> None:
    assert percentile([5, 1, 4, 2, 3], 50) == 3
    assert percentile([5, 1, 4, 2, 3], 99) == 5


def test_a_benchmark_prints_its_rows_and_keeps_them(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(frame, "LEAST_BATCH_S", 0.0001)
    assert main(["--only", "decode", "--json", str(tmp_path / "bench.json")]) == 0
    document = json.loads((tmp_path / "bench.json").read_text())
    printed = capsys.readouterr().out
    assert document["schema"] == SCHEMA
    assert not document["skipped"]
    for kept in document["rows"]["decode"]:
        assert kept["figure"] > 0
        assert kept["ratio"] == kept["figure"] / kept["peer"]
        assert kept["name"] in printed


def test_what_cannot_be_measured_here_is_told(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def cannot() -> Iterator[Row]:
        raise Unavailable("no such thing here")
        yield row()

    monkeypatch.setitem(BENCHMARKS, "cannot", cannot)
    assert main(["--only", "cannot", "--json", str(tmp_path / "bench.json")]) == 0
    assert "no such thing here" in capsys.readouterr().out
    assert json.loads((tmp_path / "bench.json").read_text())["skipped"]["cannot"]


def test_an_unknown_name_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["--only", "nonsense"])
    assert "decode" in capsys.readouterr().err
