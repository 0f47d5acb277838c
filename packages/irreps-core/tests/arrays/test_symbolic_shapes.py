"""Operations on data, exported by ``jax.export`` as one program for any number of rows."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

jax = pytest.importorskip("jax")
pytest.importorskip("flatbuffers")  # with which jax.export writes programs

import jax.numpy as jnp  # noqa: E402  (after the check that JAX is there)
from jax import export  # noqa: E402

import irreps_core as ic  # noqa: E402

X = ic.IrrepsArray("1o + 1e", np.random.default_rng(0).normal(size=(4, 6)).astype(np.float32))
Y = ic.IrrepsArray("1o + 1e", np.random.default_rng(1).normal(size=(4, 6)).astype(np.float32))
Q = np.random.default_rng(2).normal(size=(4, 4)).astype(np.float32)
R = np.asarray(ic.quaternion_to_matrix(Q), np.float32)

OPERATIONS: dict[str, tuple[Callable[..., Any], tuple[Any, ...]]] = {
    "D_from_quaternion": (ic.Irreps("1o + 2e").D_from_quaternion, (Q,)),
    "cross": (ic.cross, (X, Y)),
    "dot": (lambda x, y: (ic.dot(x, y), ic.dot(x, y, per_irrep=True)), (X, Y)),
    "mean": (lambda x: (ic.mean(x), ic.mean(x, axis=0), ic.mean(x, axis=1)), (X,)),
    "products with scalars": (lambda x, y: x * ic.norm(y), (X, Y)),
    "transform_by_axis_angle": (lambda x, q: x.transform_by_axis_angle(q[:, 1:], q[:, 0]), (X, Q)),
    "transform_by_matrix": (lambda x, r: x.transform_by_matrix(r), (X, R)),
    "transform_by_quaternion": (lambda x, q: x.transform_by_quaternion(q), (X, Q)),
}


@pytest.mark.parametrize("name", OPERATIONS)
def test_symbolic_number_of_rows(name: str) -> None:
    function, args = OPERATIONS[name]
    (n,) = export.symbolic_shape("n")
    types = jax.tree.map(lambda a: jax.ShapeDtypeStruct((n, *a.shape[1:]), a.dtype), args)
    program = export.deserialize(export.export(jax.jit(function))(*types).serialize())
    some = jax.tree.map(lambda a: jnp.asarray(a[:3]), args)
    found, expected = jax.jit(lambda *args: (program.call(*args), function(*args)))(*some)
    assert jax.tree.structure(found) == jax.tree.structure(expected)
    for a, b in zip(jax.tree.leaves(found), jax.tree.leaves(expected), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-5)
