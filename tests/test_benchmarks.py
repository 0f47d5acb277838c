"""The benchmarks run, and the libraries that are installed agree. Run times are not tested."""

import importlib
import pathlib
import sys
from collections.abc import Iterator
from typing import Any

import jax
import numpy as np
import pytest

FOLDER = pathlib.Path(__file__).parents[1] / "benchmarks"
WORKLOADS = ["conv", "uneven", "sym", "model", "molecule", "full", "connected", "large", "linear", "uvu"]
# One measure of these is enough: a training step includes the other measures, and `uneven` differs from `conv` only in
# its graph.
ONE_MEASURE = {
    "conv": "conv/train",
    "model": "model/training",
    "molecule": "molecule/inference",
    "uneven": "uneven/forward",
}


@pytest.fixture(scope="module", autouse=True)
def _benchmarks_on_path() -> Iterator[None]:
    sys.path.insert(0, str(FOLDER))
    yield
    sys.path.remove(str(FOLDER))


def module(name: str) -> Any:
    return importlib.import_module(name)


@pytest.mark.parametrize("workload", WORKLOADS)
def test_workload(workload: str) -> None:
    report, side_by_side = module("report"), module("side_by_side")
    for comparison in module("compute_core").chosen("tiny", [ONE_MEASURE.get(workload, workload)]):
        records = report.records(comparison, side_by_side.run(comparison, 2), bandwidth=1e9)
        assert not report.disagreements(records)
        assert {record["library"] for record in records} == set(comparison.candidates)
        for record in records:
            assert 0 < record["min"] <= record["median"]
            assert record["floor_bytes"] > 0
            assert record["library"] in report.line(record)


def test_mace() -> None:
    report, side_by_side, mace = module("report"), module("side_by_side"), module("workloads.mace")
    sizes = mace.Sizes(molecules=1, channels=2, lmax=1, correlation=2, cutoff=2.0)
    for comparison in mace.comparisons(sizes, ("inference",)):
        assert not report.disagreements(report.records(comparison, side_by_side.run(comparison, 1), bandwidth=1e9))


def test_gate() -> None:
    report, side_by_side = module("report"), module("side_by_side")
    for comparison in module("gate").comparisons(batch=5, channels=2):
        assert not report.disagreements(report.records(comparison, side_by_side.run(comparison, 1), bandwidth=1e9))


@pytest.mark.parametrize("measure", ["harmonics", "mixed", "functions"])
def test_products(measure: str) -> None:
    report, side_by_side, products = module("report"), module("side_by_side"), module("products")
    comparison = getattr(products, measure)(lmax=1, batch=2, channels=1)
    assert not report.disagreements(report.records(comparison, side_by_side.run(comparison, 1), bandwidth=1e9))


def test_spherical_harmonics() -> None:
    report, side_by_side = module("report"), module("side_by_side")
    with jax.enable_x64(False):
        for comparison in module("spherical_harmonics").comparisons(vectors=5, lmax=2):
            assert not report.disagreements(report.records(comparison, side_by_side.run(comparison, 1), bandwidth=1e9))


def test_all_workloads_are_tested() -> None:
    assert list(module("compute_core").WORKLOADS) == WORKLOADS


def test_disagreements_are_reported() -> None:
    report, s = module("report"), module("side_by_side")
    x = np.arange(1.0, 4.0)
    candidates = {"one": s.Candidate(lambda x: x, (x,)), "other": s.Candidate(lambda x: 1.001 * x, (x,))}
    comparison = s.Comparison("scaling", "forward", candidates)
    [sentence] = report.disagreements(report.records(comparison, s.run(comparison, 1), bandwidth=1e9))
    assert sentence == "scaling/forward: other differs from one by 1.0e-03, more than 1e-05"


@pytest.mark.parametrize("wrong", [np.array([1.0, np.nan]), np.array([1.0, np.inf])])
def test_values_that_are_not_finite_disagree(wrong: np.ndarray) -> None:
    error = module("side_by_side").relative_error([np.ones(2), wrong], [np.ones(2), np.ones(2)])
    assert not error <= 1e30


def test_results_of_different_shapes_are_refused() -> None:
    with pytest.raises(ValueError, match=r"expected results of shapes \[\(2,\)\], got \[\(1, 2\)\]"):
        module("side_by_side").relative_error([np.ones((1, 2))], [np.ones(2)])


@pytest.mark.parametrize(("nodes", "edges", "largest"), [(1000, 20_000, 200), (10, 60, 12)])
def test_graphs_have_the_requested_degrees(nodes: int, edges: int, largest: int) -> None:
    graphs = module("workloads.graphs")
    for graph in (graphs.random_graph(nodes, edges), graphs.even_graph(nodes, edges)):
        assert len(graph.senders) == len(graph.receivers) == edges
        assert not np.any(graph.senders == graph.receivers)
    assert np.ptp(np.bincount(graph.receivers, minlength=nodes)) <= 1
    degrees = np.bincount(graphs.uneven_graph(nodes, edges, largest).receivers, minlength=nodes)
    assert degrees.sum() == edges
    assert abs(degrees.max() - largest) <= 1
    assert degrees.min() <= 1


def test_structures_of_public_models_have_the_requested_sizes() -> None:
    public = module("public_models")
    for atoms in (8, 64):
        first, second = public.structure(atoms, 0), public.structure(atoms, 1)
        assert len(first) == atoms
        assert not np.allclose(first.positions, second.positions)


def test_unknown_workloads_are_refused(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(sys, "argv", ["compute_core.py", "--only", "nothing/forward"])
    with pytest.raises(SystemExit) as caught:
        module("compute_core").main()
    assert caught.value.code == 2
    assert "unknown workload nothing: choose from conv, " in capsys.readouterr().err
