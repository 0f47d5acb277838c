"""Many rows in chunks: the same values and derivatives as all at once, also where the last chunk is not full."""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import irreps_core as ic
import irreps_ops as irr
from irreps_ops.compute import _tiled_rows as _row_chunks
from irreps_ops.compute._tiled_rows import in_tiles

ROWS = [24, 23, 25]  # full chunks; chunks that are not


@pytest.fixture(autouse=True)
def small_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_row_chunks, "_CHUNK", 256)


def operation(x: jax.Array, w: jax.Array, y: jax.Array) -> jax.Array:
    return jnp.tanh(x @ w) * y


def chunked(x: jax.Array, w: jax.Array, y: jax.Array) -> jax.Array:
    return in_tiles(operation, [x, w, y], [False, True, False], len(x), w.shape[1])


def arrays(rows: int) -> tuple[jax.Array, ...]:
    rng = np.random.default_rng(rows)
    return tuple(jnp.asarray(rng.normal(size=shape)) for shape in ((rows, 5), (5, 7), (rows, 7)))


def loops(function: Callable[..., Any], *args: jax.Array) -> bool:
    return "irreps_chunks" in str(jax.make_jaxpr(function)(*args))


@pytest.mark.parametrize("rows", ROWS)
def test_values_and_derivatives_of_any_order(rows: int) -> None:
    args = arrays(rows)
    assert loops(chunked, *args)
    np.testing.assert_allclose(chunked(*args), operation(*args), rtol=1e-14)

    def force_loss(f: Callable[..., jax.Array]) -> Callable[..., jax.Array]:
        return lambda *a: sum(jnp.sum(g**2) for g in jax.grad(lambda *b: jnp.sum(f(*b) ** 2), (0, 1))(*a))

    for argnums in (0, 1, 2):
        a, b = (jax.jit(jax.grad(force_loss(f), argnums))(*args) for f in (chunked, operation))
        np.testing.assert_allclose(a, b, rtol=1e-11, atol=1e-12)
    a, b = (jax.jvp(f, args, args)[1] for f in (chunked, operation))
    np.testing.assert_allclose(a, b, rtol=1e-12)


def test_vmap() -> None:
    x, w, y = (jnp.stack([a, 2 * a]) for a in arrays(23))
    for axes in ((0, 0, 0), (0, None, None), (None, 0, None)):
        args = [a if axis == 0 else a[0] for a, axis in zip((x, w, y), axes, strict=True)]
        np.testing.assert_allclose(jax.vmap(chunked, axes)(*args), jax.vmap(operation, axes)(*args), rtol=1e-13)


def test_few_rows_are_done_at_once() -> None:
    assert not loops(chunked, *arrays(3))


@pytest.mark.parametrize("rows", [23])
def test_products_and_linear_maps_of_many_rows(rows: int) -> None:
    f = irr.FunctionalFullyConnectedTensorProduct("3x0e + 2x1o", "0e + 1o", "2x0e + 3x1o")
    g = irr.FunctionalLinear(f.irreps_out, "4x0e + 1o", biases=True)
    rng = np.random.default_rng(0)
    w, v = jnp.asarray(rng.normal(size=f.num_weights)), jnp.asarray(rng.normal(size=g.num_weights))
    x, y = (jnp.asarray(rng.normal(size=(rows, irreps.dim))) for irreps in (f.irreps_in1, f.irreps_in2))

    def both(w: jax.Array, v: jax.Array, x: jax.Array, y: jax.Array) -> jax.Array:
        z = f(w, ic.IrrepsArray(f.irreps_in1, x), ic.IrrepsArray(f.irreps_in2, y))
        return g(v, z).array

    def one_by_one(w: jax.Array, v: jax.Array, x: jax.Array, y: jax.Array) -> jax.Array:
        return jax.lax.map(lambda row: both(w, v, *row), (x, y))

    assert loops(both, w, v, x, y)
    np.testing.assert_allclose(both(w, v, x, y), one_by_one(w, v, x, y), atol=1e-13)
    a, b = (
        jax.jit(jax.grad(lambda *args, h=h: jnp.sum(jnp.sin(h(*args))), (0, 1, 2, 3)))(w, v, x, y)
        for h in (both, one_by_one)
    )
    for ours, theirs in zip(a, b, strict=True):
        np.testing.assert_allclose(ours, theirs, atol=1e-12)
