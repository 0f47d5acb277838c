"""The shapes are what they are called; a short training knows them in any orientation; the command says so."""

import itertools

import jax
import numpy as np
import pytest
from flax import nnx

from tetris.cli import main
from tetris.model import Classifier
from tetris.shapes import MIRRORED, NAMES, neighbors, positions
from tetris.training import accuracy, equivariance, train

# The 48 symmetries of the cube grid: permuted axes with signs.
SYMMETRIES = [
    np.eye(3)[list(order)] * signs
    for order in itertools.permutations(range(3))
    for signs in itertools.product([1, -1], repeat=3)
]


def orientations(cubes, handedness):
    """A shape in all orientations on the grid, each as a set of cubes counted from its corner."""
    turned = [cubes @ g.T for g in SYMMETRIES if np.linalg.det(g) * handedness > 0]
    return {frozenset(map(tuple, (t - t.min(axis=0)).round().astype(int))) for t in turned}


def test_no_shape_is_another_one_turned():
    all_orientations = [orientations(cubes, 1) for cubes in positions()]
    for one, other in itertools.combinations(all_orientations, 2):
        assert not one & other


def test_mirror_images_are_what_the_table_says():
    for cubes, image in zip(positions(), MIRRORED, strict=True):
        assert orientations(cubes, -1) == orientations(positions()[image], 1)


def test_cubes_hang_together():
    senders, receivers = neighbors(positions())
    edges = set(zip(senders.tolist(), receivers.tolist(), strict=True))
    assert edges == {(receiver, sender) for sender, receiver in edges}
    assert (senders // 4 == receivers // 4).all()
    assert np.bincount(senders // 4).tolist() == [6, 6, 8, 6, 6, 6, 6, 6]  # the square is a ring


@pytest.fixture(scope="module")
def model():
    return train(seed=1, steps=80)


@pytest.mark.parametrize("mirrored", [False, True])
def test_every_shape_is_known_in_every_orientation(model, mirrored):
    right = accuracy(model, jax.random.key(0), 50, mirrored)
    assert dict(zip(NAMES, right.tolist(), strict=True)) == dict.fromkeys(NAMES, 1.0)


def test_answers_are_equivariant(model):
    errors = equivariance(model, jax.random.key(0))
    assert set(errors) == {"rotation", "mirror", "translation"}
    assert max(errors.values()) < 1e-5


def test_the_command_reports(model, monkeypatch, capsys):
    monkeypatch.setattr("tetris.cli.train", lambda seed, steps, report: report(steps, 0.5) or model)
    assert main(["--steps", "7", "--orientations", "50"]) == 0
    output = capsys.readouterr().out
    assert "step    7 of 7   loss 0.5000" in output
    assert "all            100.0%     100.0%" in output
    assert "Equivariance error: rotation" in output


def test_the_command_says_when_it_failed(monkeypatch, capsys):
    monkeypatch.setattr("tetris.cli.train", lambda seed, steps, report: Classifier(rngs=nnx.Rngs(seed)))
    assert main(["--orientations", "50"]) == 1
    assert "100.0%     100.0%" not in capsys.readouterr().out.splitlines()[-3]


@pytest.mark.parametrize("arguments", [["--steps", "0"], ["--orientations", "-3"], ["--seed", "x"]])
def test_bad_options_are_named(arguments, capsys):
    with pytest.raises(SystemExit) as error:
        main(arguments)
    assert error.value.code == 2
    assert repr(arguments[1]) in capsys.readouterr().err
