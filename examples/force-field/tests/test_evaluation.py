import numpy as np
import pytest
from ase import Atoms

import irreps_ops as irr
from force_field.evaluation import Errors, Prediction, errors_by_molecule
from force_field.graphs import AtomData, GraphData
from force_field.report import in_words


def make_graph(numbers: list[int], energy: float, stress: float | None = None) -> irr.Graph:
    n, none = len(numbers), np.zeros(0, np.int32)
    species = np.array([(1, 8).index(z) for z in numbers])
    targets = GraphData(energy, 10.0, np.full((3, 3), stress or 0.0), stress is not None)
    return irr.Graph(AtomData(species, np.zeros((n, 3)), np.ones((n, 3))), none, none, np.zeros((0, 3)), targets)


def predicted(energy: float, forces: np.ndarray, strain_derivative: float = 0.0) -> Prediction:
    """A prediction whose energy is that of the first atom."""
    energies = np.array([energy, *[0.0] * (len(forces) - 1)])
    return Prediction(energies, forces, np.full((3, 3), strain_derivative))


def test_errors_agree_with_a_calculation_by_hand() -> None:
    frames = [Atoms("H2O"), Atoms("H2")]
    graphs = [make_graph([1, 1, 8], 1.0, stress=0.5), make_graph([1, 1], 2.0)]
    water = np.ones((3, 3)) + np.array([[0.01], [-0.01], [0.04]])
    predictions = [predicted(1.003, water, 5.02), predicted(1.996, np.ones((2, 3)))]
    table = errors_by_molecule(frames, graphs, predictions, (1, 8))
    assert list(table) == ["H2O", "H2", "all"]
    assert table["H2O"].energy_mae == pytest.approx(3)
    assert table["H2O"].energy_mae_per_atom == pytest.approx(1)
    assert table["H2O"].forces_mae == pytest.approx(20)
    assert table["H2O"].forces_rmse == pytest.approx(np.sqrt(600))
    assert table["H2O"].forces_mae_by_element == pytest.approx({"H": 10, "O": 40})
    assert table["H2O"].forces_rms == pytest.approx(1000)
    assert table["H2O"].stress_mae == pytest.approx(2)
    assert table["H2"].stress_mae is None
    assert table["all"].stress_mae == pytest.approx(2)
    assert table["all"].energy_mae == pytest.approx(3.5)
    assert table["all"].energy_rmse == pytest.approx(np.sqrt(12.5))
    assert table["all"].forces_mae_by_element == pytest.approx({"H": 5, "O": 40})


@pytest.mark.parametrize(
    ("error", "training", "expected"),
    [(10, 9, "very good"), (40, 30, "good: within"), (60, 50, "fair"), (200, 190, "poor"), (40, 10, "more data")],
)
def test_explanations_match_the_errors(error: float, training: float, expected: str) -> None:
    found, seen = (Errors(1, 5.0, 6.0, 1.0, mae, mae, {}, 1000.0, None) for mae in (error, training))
    text = in_words(found, seen, frames=50)
    assert expected in text
    assert f"{error:.1f} meV/Å" in text
    assert f"{error / 10:.1f} % of their root mean square" in text
    assert ("longer training (--minutes)" in text) == (training >= 0.6 * error)
