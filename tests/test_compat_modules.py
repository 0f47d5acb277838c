"""Modules that e3nn-jax calls in its own way: the same parameters, state and numbers, where it is installed."""

import importlib

import haiku as hk
import jax
import jax.numpy as jnp
import numpy as np
import pytest

import irreps_ops.compat.e3nn_jax as compat

KEY = jax.random.key(0)
F = jnp.float64


def data(e, irreps, *shape, seed=0):
    irreps = e.Irreps(irreps)
    return e.IrrepsArray(irreps, jnp.asarray(np.random.default_rng(seed).normal(size=(*shape, irreps.dim)), F))


def experimental(e, module, name):
    return getattr(importlib.import_module(f"{e.__name__}.experimental.{module}"), name)


GRID = ("0e + 1o", "0e + 1o", 2.5, {0: 2, 1: 1}, (1.0, 1.0, 1.5))
# For each name how the module is made, and what it is called with.
HAIKU = {
    "Linear-channels": (lambda e: e.haiku.Linear("3x0e + 1o", 5), lambda e: (data(e, "2x0e + 1o", 4, 3),)),
    "FullyConnectedTensorProduct": (
        lambda e: e.haiku.FullyConnectedTensorProduct("3x0e + 1o", irreps_in1="0e + 0e + 1o"),
        lambda e: (data(e, "2x0e + 1o", 5), data(e, "0e + 1o", 1)),
    ),
    "ConvolutionHaiku": (
        lambda e: experimental(e, "voxel_convolution", "ConvolutionHaiku")(*GRID, relative_starts=0.5),
        lambda e: (data(e, "2x0e", 1, 4, 4, 3),),
    ),
}
FLAX = {
    "Linear": (
        lambda e: e.flax.Linear("3x0e + 1o", "2x0e + 1o", None, "element"),
        lambda e: (data(e, "2x0e + 1o", 4),),
    ),
    "MultiLayerPerceptron": (
        lambda e: e.flax.MultiLayerPerceptron((4, 2), jnp.tanh, 0.5, False, True),
        lambda e: (data(e, "3x0e", 4),),
    ),
    "LinearSHTP": (
        lambda e: experimental(e, "linear_shtp", "LinearSHTP")(e.Irreps("2x1o + 3x0e + 1e"), mix=True),
        lambda e: (data(e, "2x0e + 1o"), data(e, "1o", seed=1)),
    ),
    "ConvolutionFlax": (
        lambda e: experimental(e, "voxel_convolution", "ConvolutionFlax")(*GRID, 0.5, "VALID"),
        lambda e: (data(e, "2x0e", 1, 4, 4, 3),),
    ),
}


def random_like(tree):
    """Random numbers, positive since variances are."""
    leaves, structure = jax.tree.flatten(tree)
    made = [jax.random.uniform(jax.random.fold_in(KEY, i), p.shape, F, 0.5, 2.0) for i, p in enumerate(leaves)]
    return jax.tree.unflatten(structure, made)


def same(found, expected):
    assert repr(found.irreps) == repr(expected.irreps)
    np.testing.assert_allclose(found.array, expected.array, rtol=1e-11, atol=1e-12)


def same_trees(found, expected):
    found, expected = jax.tree.leaves(found), jax.tree.leaves(expected)
    assert len(found) == len(expected)
    for a, b in zip(found, expected, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-11, atol=1e-12)


def haiku_program(e, name):
    """A transformed module, and what makes the data that it is called with."""
    make, inputs = HAIKU[name]
    return hk.transform_with_state(lambda *x: make(e)(*x)), lambda: inputs(e)


@pytest.mark.parametrize("name", HAIKU)
def test_haiku(name):
    program, inputs = haiku_program(compat, name)
    shapes = jax.eval_shape(lambda: program.init(KEY, *inputs()))
    out, state = program.apply(*map(random_like, shapes), None, *inputs())
    assert out.dtype == F
    assert np.all(np.isfinite(out.array))
    assert jax.tree.map(jnp.shape, state) == jax.tree.map(jnp.shape, shapes[1])


@pytest.mark.parametrize("name", HAIKU)
def test_haiku_as_e3nn_jax(name):
    (ours, inputs), (theirs, their_inputs) = (haiku_program(e, name) for e in (compat, pytest.importorskip("e3nn_jax")))
    with jax.numpy_rank_promotion("allow"):
        params, state = map(random_like, jax.eval_shape(lambda: theirs.init(KEY, *their_inputs())))
        expected, expected_state = theirs.apply(params, state, None, *their_inputs())
    out, new_state = ours.apply(params, state, None, *inputs())
    same(out, expected)
    same_trees(new_state, expected_state)


@pytest.mark.parametrize("name", FLAX)
def test_flax(name):
    make, inputs = FLAX[name]
    module = make(compat)
    variables = random_like(jax.eval_shape(lambda: module.init(KEY, *inputs(compat))))
    out, _ = module.apply(variables, *inputs(compat), mutable=["batch_stats"])
    assert out.dtype == F
    assert np.all(np.isfinite(out.array))


@pytest.mark.parametrize("name", FLAX)
def test_flax_as_e3nn_jax(name):
    e3nn_jax = pytest.importorskip("e3nn_jax")
    make, inputs = FLAX[name]
    with jax.numpy_rank_promotion("allow"):
        variables = random_like(jax.eval_shape(lambda: make(e3nn_jax).init(KEY, *inputs(e3nn_jax))))
        expected, expected_updates = make(e3nn_jax).apply(variables, *inputs(e3nn_jax), mutable=["batch_stats"])
    out, updates = make(compat).apply(variables, *inputs(compat), mutable=["batch_stats"])
    same(out, expected)
    same_trees(updates, expected_updates)
