"""The benchmarks run, and what they compare agrees; without peers, ours with itself. Nothing is timed."""

import importlib
import pathlib
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import jax
import numpy as np
import pytest

FOLDER = pathlib.Path(__file__).parents[1] / "benchmarks"
WORKLOADS = ["conv", "uneven", "sym", "model", "full", "connected", "large", "linear", "uvu"]
# Of these one task: a training step holds the rest of its workload, and a graph is a graph.
ONE_TASK = {"conv": "conv/train", "model": "model/training", "uneven": "uneven/forward"}


@pytest.fixture(scope="module", autouse=True)
def _folder_of_benchmarks() -> Iterator[None]:
    sys.path.insert(0, str(FOLDER))
    yield
    sys.path.remove(str(FOLDER))


def module(name: str) -> Any:
    return importlib.import_module(name)


@pytest.mark.parametrize("workload", WORKLOADS)
def test_workload(workload: str) -> None:
    report, side_by_side = module("report"), module("side_by_side")
    for comparison in module("compute_core").chosen("tiny", [ONE_TASK.get(workload, workload)]):
        rows = report.records(comparison, side_by_side.run(comparison, 2), bandwidth=1e9)
        assert not report.disagreements(rows)
        assert {row["library"] for row in rows} == set(comparison.candidates)
        for row in rows:
            assert 0 < row["min"] <= row["median"]
            assert row["floor_bytes"] > 0
            assert row["library"] in report.line(row)


def test_gate() -> None:
    report, side_by_side = module("report"), module("side_by_side")
    for comparison in module("gate").comparisons(rows=5, channels=2):
        rows = report.records(comparison, side_by_side.run(comparison, 1), bandwidth=1e9)
        assert not report.disagreements(rows)


@pytest.mark.parametrize("task", ["harmonics", "mixed", "functions"])
def test_products(task: str) -> None:
    report, side_by_side, products = module("report"), module("side_by_side"), module("products")
    comparison = getattr(products, task)(lmax=1, rows=2, channels=1)
    assert not report.disagreements(report.records(comparison, side_by_side.run(comparison, 1), bandwidth=1e9))


def test_spherical_harmonics() -> None:
    report, side_by_side = module("report"), module("side_by_side")
    with jax.enable_x64(False):
        for comparison in module("spherical_harmonics").comparisons(vectors=5, lmax=2):
            rows = report.records(comparison, side_by_side.run(comparison, 1), bandwidth=1e9)
            assert not report.disagreements(rows)


def test_all_workloads_are_tested() -> None:
    assert list(module("compute_core").WORKLOADS) == WORKLOADS


def test_disagreement_is_found() -> None:
    report, s = module("report"), module("side_by_side")
    x = np.arange(1.0, 4.0)
    candidates = {"one": s.Candidate(lambda x: x, (x,)), "other": s.Candidate(lambda x: 1.001 * x, (x,))}
    comparison = s.Comparison("scaling", "forward", candidates)
    [sentence] = report.disagreements(report.records(comparison, s.run(comparison, 1), bandwidth=1e9))
    assert sentence == "scaling/forward: other differs from one by 1.0e-03, more than 1e-05"


@pytest.mark.parametrize("wrong", [np.array([1.0, np.nan]), np.array([1.0, np.inf])])
def test_not_a_number_is_a_disagreement(wrong: np.ndarray) -> None:
    error = module("side_by_side").relative_error([np.ones(2), wrong], [np.ones(2), np.ones(2)])
    assert not error <= 1e30


def test_other_shapes_are_refused() -> None:
    with pytest.raises(ValueError, match=r"\[\(1, 2\)\] instead of \[\(2,\)\]"):
        module("side_by_side").relative_error([np.ones((1, 2))], [np.ones(2)])


@pytest.mark.parametrize(("nodes", "edges", "largest"), [(1000, 20_000, 200), (10, 60, 12)])
def test_degrees_of_graphs(nodes: int, edges: int, largest: int) -> None:
    graphs = module("workloads.graphs")
    for graph in (graphs.random_graph(nodes, edges), graphs.even_graph(nodes, edges)):
        assert len(graph.senders) == len(graph.receivers) == edges
        assert not np.any(graph.senders == graph.receivers)
    assert np.ptp(np.bincount(graph.receivers, minlength=nodes)) <= 1
    degrees = np.bincount(graphs.uneven_graph(nodes, edges, largest).receivers, minlength=nodes)
    assert degrees.sum() == edges
    assert abs(degrees.max() - largest) <= 1
    assert degrees.min() <= 1


def test_unknown_workloads_are_refused() -> None:
    command = [sys.executable, str(FOLDER / "compute_core.py"), "--only", "nothing/forward"]
    result = subprocess.run(command, capture_output=True, text=True)
    assert result.returncode == 2
    assert "no workload nothing: choose from conv, " in result.stderr
