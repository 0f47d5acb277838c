"""Cases that hardly a program meets: each is right, or an error that says what to do."""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import irreps_ops as irr
from irreps_core import IrrepsArray

RNG = np.random.default_rng(0)
NODES, EDGES = 4, 6
INDEX = irr.EdgeIndex.from_edges(RNG.integers(0, NODES, EDGES), RNG.integers(0, NODES, EDGES), NODES)
X, Y = IrrepsArray("2x0e + 1o", RNG.normal(size=(NODES, 5))), IrrepsArray("0e + 1o", RNG.normal(size=(EDGES, 4)))
HIDDEN = RNG.normal(size=(EDGES, 7))
COLUMNS = irr.edge_convolution(X, Y, None, INDEX).irreps.num_irreps
MATRIX = RNG.normal(size=(7, COLUMNS))
GRID = irr.to_s2grid(IrrepsArray("0e + 1o", np.ones(4)), 4, 5, quadrature="soft")


def convolved(weights: Any, **options: Any) -> IrrepsArray:
    return irr.edge_convolution(X, Y, weights, INDEX, **options)


REFUSED: dict[str, tuple[Callable[[], Any], type[Exception], str]] = {
    "three weights": (lambda: convolved((HIDDEN, MATRIX, MATRIX)), ValueError, r"\(hidden, matrix\).* tuple of 3"),
    "a pair and data": (lambda: convolved((HIDDEN, MATRIX), edge_data=HIDDEN), ValueError, "no edge_data with it"),
    "hidden activations": (lambda: convolved((HIDDEN[1:], MATRIX)), ValueError, rf"of shape \({EDGES}, n\)"),
    "the last matrix": (lambda: convolved((HIDDEN, MATRIX[:, 1:])), ValueError, rf"shape \(n, {COLUMNS}\), one column"),
    "a cutoff and an end": (
        lambda: irr.soft_one_hot_linspace(jnp.ones(2), start=0.0, end=1.0, number=3, cutoff=True, end_zero=True),
        ValueError,
        "expects either cutoff or start_zero and end_zero",
    ),
    "no end": (
        lambda: irr.soft_one_hot_linspace(jnp.ones(2), start=0.0, end=1.0, number=3, start_zero=True),
        ValueError,
        "expects cutoff, or both start_zero and end_zero",
    ),
    "a basis with one end": (
        lambda: irr.soft_one_hot_linspace(
            jnp.ones(2), start=0.0, end=1.0, number=3, basis="fourier", start_zero=True, end_zero=False
        ),
        ValueError,
        "expects start_zero = end_zero, got True and False",
    ),
    "a signal times a list": (lambda: GRID * [2], TypeError, "type '?SphericalSignal|unsupported operand"),
    "a signal by text": (lambda: GRID / "2", TypeError, "unsupported operand"),
    "text by a signal": (lambda: "2" / GRID, TypeError, "unsupported operand"),
}  # fmt: skip


@pytest.mark.parametrize("name", REFUSED)
def test_errors(name: str) -> None:
    call, kind, message = REFUSED[name]
    with pytest.raises(kind, match=message):
        call()


@pytest.mark.parametrize("executor", [None, "xla"])
def test_weights_as_a_pair_are_their_product(executor: Any) -> None:
    def energy(hidden: jax.Array, matrix: jax.Array, pair: bool) -> jax.Array:
        weights = (hidden, matrix) if pair else hidden @ matrix
        return jnp.sum(jnp.sin(convolved(weights, executor=executor).array))

    found, expected = (
        jax.jit(jax.value_and_grad(lambda h, m, pair=pair: energy(h, m, pair), (0, 1)))(HIDDEN, MATRIX)
        for pair in (True, False)
    )
    for a, b in zip(jax.tree.leaves(found), jax.tree.leaves(expected), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-10, atol=1e-12)


def test_lists_without_edges() -> None:
    empty = irr.EdgeIndex.from_edges([], [], 3)
    assert irr.edge_convolution(X[:3], IrrepsArray("0e", jnp.zeros((0, 1))), None, empty).shape == (3, 5)
