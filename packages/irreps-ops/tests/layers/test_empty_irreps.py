"""Every layer on no irreps and on irreps of multiplicity 0: it works, or says what it expects."""

from collections.abc import Iterator
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import irreps_core as ic
import irreps_ops as irr

KEY = jax.random.key(0)
EDGES = (jnp.array([0, 1, 2]), jnp.array([1, 0, 1]))
EMPTY = ["", "0x1o", "0x0e + 1o"]


def ones(irreps: str, *leading: int) -> ic.IrrepsArray:
    return ic.ones(irreps, leading or (3,))


def cases(given: str, out: str) -> Iterator[tuple[Any, tuple[Any, ...]]]:
    """Layers and their inputs: the irreps given as input, or as one of the inputs, and of the output."""
    x, known, indices = ones(given), ones("0e + 1o"), jnp.array([0, 1, 0])
    messages = irr.MessagePassingConvolution(out, (3,), jnp.tanh, avg_num_neighbors=1.0)
    attention = irr.Transformer(out, (3,), jnp.tanh, 1)
    yield irr.Linear(out, biases=True, force_irreps_out=True), (x,)
    yield irr.Linear(out, num_indexed_weights=2), (indices, x)
    yield irr.FullyConnectedTensorProduct(out), (x, known)
    yield irr.FullyConnectedTensorProduct(out), (known, x)
    yield irr.LinearSHTP(out), (x, ones("1o"))
    yield messages, (x, known, jnp.ones((3, 2)), EDGES)
    yield messages, (known, x, jnp.ones((3, 2)), EDGES)
    yield (
        irr.PointConvolution(out, 9.0, avg_num_neighbors=1.0, sh_lmax=1, num_radial_basis=2, list_neurons=(3,)),
        (
            ones("1o"),
            x,
            *EDGES,
        ),
    )
    yield irr.SymmetricContraction(out, (1, 2), 2), (indices, x)
    yield irr.SymmetricTensorProduct((1, 2), out), (ones(given, 3, 2),)
    yield attention, (*EDGES, jnp.ones(3), ones("2x0e + 1o"), x)
    yield attention, (*EDGES, jnp.ones(3), x, ones("2x0e + 1o"))
    yield irr.VoxelConvolution(given, out, 3.0, 1, (1, 1, 1)), (ones(given, 2, 2, 2),)
    if out:  # these have no irreps of the output
        return
    yield irr.BatchNorm(), (x,)
    yield irr.BatchNorm(instance=True), (ones(given, 3, 2),)
    yield irr.BatchNorm(reduce="max"), (x,)
    yield irr.Dropout(0.5), (KEY, x)
    yield irr.Gate(), (x,)
    yield irr.LayerNorm(), (x,)
    yield irr.VoxelPooling(0.5), (ones(given, 2, 2, 2),)


def applied(layer: Any, *inputs: Any) -> Any:
    parameters, state = irr.init(layer, KEY, *inputs), irr.init_state(layer, KEY, *inputs)
    return irr.apply(layer, parameters, *inputs, state=state)


@pytest.mark.parametrize("given", EMPTY)
@pytest.mark.parametrize("out", ["", "0x0e + 1o"])
def test_layers(given: str, out: str) -> None:
    for layer, inputs in cases(given, out):
        try:
            jax.eval_shape(lambda *inputs, layer=layer: applied(layer, *inputs), *inputs)
        except ValueError as refusal:
            error = str(refusal)
        else:
            error = ""
        assert not error or "expects" in error or "cannot be made of" in error, (layer, error)


@pytest.mark.parametrize("instance", [False, True])
@pytest.mark.parametrize("mask", [None, np.array([True, False, True])])
def test_batch_norm_ignores_empty_items(instance: bool, mask: Any) -> None:
    array = np.random.default_rng(0).normal(size=(3, 2, 4)).astype(np.float32)
    results = []
    for irreps in ("0e + 1o", "0x1e + 0e + 0x0e + 1o + 0x0o"):
        x = ic.IrrepsArray(irreps, jnp.asarray(array))
        layer = irr.BatchNorm(instance=instance)
        parameters, state = irr.init(layer, KEY, x), irr.init_state(layer, KEY, x)
        run = jax.jit(lambda p, x, s, m, layer=layer: irr.apply(layer, p, x, state=s, mask=m))
        results.append(jax.tree.leaves(run(parameters, x, state, mask)))
    for one, other in zip(*results, strict=True):
        np.testing.assert_array_equal(one, other)
        assert np.isfinite(one).all()
