"""The tiled sum: all ways to read and write, in tiles that divide the batch or not, one or several at once.

The derivatives of every order and in every mode are those of the plain sum.
"""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from irreps_ops.compute import Access, Index, _tiled_sum
from irreps_ops.compute._tiled_sum import tiled_sum

NODES, TILE = 4, 3


def problem(batch):
    """Return arrays read through an index, by batch and whole, and indices whose last entries are out of range."""
    rng = np.random.default_rng(batch)
    shapes = {"nodes": (NODES, 2), "edges": (batch, 2), "shared": (2, 3)}
    arrays = {name: jnp.asarray(rng.normal(size=shape)) for name, shape in shapes.items()}
    senders, receivers = rng.integers(0, NODES, (2, batch))
    senders[-1:], receivers[-2:-1] = NODES, -1
    return arrays, {"senders": jnp.asarray(senders), "receivers": jnp.asarray(receivers)}


def messages(nodes, edges, shared):
    """Return messages that are zero for elements whose inputs are zero."""
    return jnp.sin(nodes * edges) @ shared


def plain(arrays, indices):
    """Return the results without tiles: a sum per receiver, an array by batch, and a sum of everything."""
    nodes = arrays["nodes"].at[indices["senders"]].get(mode="fill", fill_value=0)
    found = messages(nodes, arrays["edges"], arrays["shared"])
    receivers = jnp.where(indices["receivers"] < 0, NODES, indices["receivers"])
    return [jnp.zeros((NODES, 3)).at[receivers].add(found, mode="drop"), found, found.sum(0)]


def tiled(arrays, indices, **options):
    def function(nodes, edges, shared):
        found = messages(nodes, edges, shared)
        return [found, found, found.sum(0)]

    batch = len(arrays["edges"])
    return tiled_sum(
        function,
        [arrays["nodes"], arrays["edges"], arrays["shared"]],
        [Index("senders"), Access.BATCHED, Access.BROADCAST],
        [jax.ShapeDtypeStruct(shape, jnp.float64) for shape in ((NODES, 3), (batch, 3), (3,))],
        [Index("receivers"), Access.BATCHED, Access.BROADCAST],
        indices,
        batch,
        TILE,
        **options,
    )


def scalar(tree):
    """Return a scalar whose derivatives of every order are not zero."""
    return sum(jnp.sum(jnp.sin(x)) for x in jax.tree.leaves(tree))


def derivatives(f):
    """Return values and derivatives: forward, reverse, all pairs of these, and a third one."""

    def along(g):
        return lambda a: jax.jvp(g, (a,), (a,))[1]

    def reverse(g):
        return jax.grad(lambda a: scalar(g(a)))

    orders = [f, along(f), along(along(f)), along(reverse(f)), reverse(along(f)), reverse(reverse(f))]
    return jax.jit(lambda a: [g(a) for g in (*orders, reverse(along(reverse(f))))])


@pytest.mark.parametrize(("batch", "at_once"), [(6, 1), (7, 1), (7, 2), (6, 2), (7, 1000)])
def test_values_and_derivatives_of_every_order_are_those_of_the_plain_sum(batch, at_once, monkeypatch):
    monkeypatch.setattr(_tiled_sum, "tiles_at_once", lambda platform, tile: at_once)
    arrays, indices = problem(batch)
    with jax.numpy_dtype_promotion("strict"):
        found, expected = (derivatives(lambda a, f=f: f(a, indices))(arrays) for f in (tiled, plain))
    for a, b in zip(jax.tree.leaves(found), jax.tree.leaves(expected), strict=True):
        np.testing.assert_allclose(a, b, atol=1e-13 * max(1, np.abs(b).max()))


@pytest.mark.parametrize("at_once", [1, 2])
def test_tiles_beyond_the_count_contribute_nothing(at_once, monkeypatch):
    """Several tiles at once may process more of them, which must read and write nothing."""
    monkeypatch.setattr(_tiled_sum, "tiles_at_once", lambda platform, tile: at_once)
    arrays, indices = problem(7)
    empty = jnp.arange(7) >= TILE
    indices = {name: jnp.where(empty, NODES, index) for name, index in indices.items()}
    found = jax.jit(lambda a, count: tiled(a, indices, count=count))(arrays, 1)
    np.testing.assert_allclose(found[0], plain(arrays, indices)[0], atol=1e-14)


def test_nothing_to_sum():
    arrays, indices = problem(0)
    for found, expected in zip(tiled(arrays, indices), plain(arrays, indices), strict=True):
        np.testing.assert_array_equal(found, expected)
    none, six = (jax.ShapeDtypeStruct((batch, 2), jnp.float64) for batch in (0, 6))
    (alone,) = tiled_sum(lambda x: [x], [jnp.ones((0, 2))], [Access.BATCHED], [none], [Access.BATCHED], {}, 0, TILE)
    assert alone.shape == (0, 2)
    # Rows without slots for edges.
    no_slots = {"senders": jnp.zeros((6, 0), int)}
    (summed,) = tiled_sum(
        lambda x: [x.sum(1)], [jnp.ones((NODES, 2))], [Index("senders")], [six], [Access.BATCHED], no_slots, 6, TILE
    )
    assert not summed.any()


def test_a_function_with_side_effects_is_refused():
    arrays, indices = problem(6)

    def function(nodes, edges, shared):
        jax.debug.print("{}", nodes)
        return [messages(nodes, edges, shared)]

    with pytest.raises(ValueError, match="must be pure"):
        tiled_sum(
            function,
            [arrays["nodes"], arrays["edges"], arrays["shared"]],
            [Index("senders"), Access.BATCHED, Access.BROADCAST],
            [jax.ShapeDtypeStruct((6, 3), jnp.float64)],
            [Access.BATCHED],
            indices,
            6,
            TILE,
        )
