"""A batch in tiles: the same values and derivatives as at once, also where the last tile starts early."""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import irreps_core as ic
import irreps_ops as irr
from irreps_ops.compute import Access, _cost_model, _tiled_sum
from irreps_ops.compute._tiled_map import in_tiles

SIZES = [24, 23, 25]  # the tile divides the first alone


@pytest.fixture(autouse=True)
def small_tiles(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_cost_model, "TILE_BYTES", 256)
    monkeypatch.setenv("IRREPS_EXECUTORS", "xla")  # others cut the batch themselves


def operation(x: jax.Array, w: jax.Array, y: jax.Array) -> jax.Array:
    return jnp.tanh(x @ w) * y


def tiled(x: jax.Array, w: jax.Array, y: jax.Array) -> jax.Array:
    return in_tiles(operation, [x, w, y], [Access.BATCHED, Access.BROADCAST, Access.BATCHED], len(x), w.shape[1])


def arrays(batch: int) -> tuple[jax.Array, ...]:
    rng = np.random.default_rng(batch)
    return tuple(jnp.asarray(rng.normal(size=shape)) for shape in ((batch, 5), (5, 7), (batch, 7)))


def loops(function: Callable[..., Any], *args: jax.Array) -> bool:
    return "irreps_tiled_sum" in str(jax.make_jaxpr(function)(*args))


@pytest.mark.parametrize("at_once", [1, 2, 1000])  # as on a CPU; as on an accelerator
@pytest.mark.parametrize("batch", SIZES)
def test_values_and_derivatives_to_second_order(batch: int, at_once: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_tiled_sum, "tiles_at_once", lambda platform, tile: at_once)
    args = arrays(batch)
    assert loops(tiled, *args)
    np.testing.assert_allclose(jax.jit(tiled)(*args), operation(*args), rtol=1e-14)

    def force_loss(f: Callable[..., jax.Array]) -> Callable[..., jax.Array]:
        return lambda *a: sum(jnp.sum(g**2) for g in jax.grad(lambda *b: jnp.sum(f(*b) ** 2), (0, 1))(*a))

    for argnums in (0, 1, 2):
        a, b = (jax.jit(jax.grad(force_loss(f), argnums))(*args) for f in (tiled, operation))
        np.testing.assert_allclose(a, b, rtol=1e-11, atol=1e-12)
    a, b = (jax.jvp(f, args, args)[1] for f in (tiled, operation))
    np.testing.assert_allclose(a, b, rtol=1e-12)


def test_vmap() -> None:
    x, w, y = (jnp.stack([a, 2 * a]) for a in arrays(23))
    for axes in ((0, 0, 0), (0, None, None), (None, 0, None)):
        args = [a if axis == 0 else a[0] for a, axis in zip((x, w, y), axes, strict=True)]
        np.testing.assert_allclose(jax.vmap(tiled, axes)(*args), jax.vmap(operation, axes)(*args), rtol=1e-13)


def test_a_small_batch_is_not_cut() -> None:
    assert not loops(tiled, *arrays(3))


def test_products_and_linear_maps_of_a_large_batch() -> None:
    f = irr.FunctionalFullyConnectedTensorProduct("3x0e + 2x1o", "0e + 1o", "2x0e + 3x1o")
    g = irr.FunctionalLinear(f.irreps_out, "4x0e + 1o", biases=True)
    rng = np.random.default_rng(0)
    w, v = jnp.asarray(rng.normal(size=f.num_weights)), jnp.asarray(rng.normal(size=g.num_weights))
    x, y = (jnp.asarray(rng.normal(size=(23, irreps.dim))) for irreps in (f.irreps_in1, f.irreps_in2))

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
