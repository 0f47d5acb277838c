"""Training on one orientation of each shape, and the test in all others."""

from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np
import optax
from flax import nnx

import irreps_core as ic
from irreps_core.testing import equivariance_error

from .model import Classifier, logits
from .shapes import MIRRORED, neighbors, positions

LABELS = np.arange(8)


def as_they_come() -> ic.IrrepsArray:
    """The centers of the cubes in the one orientation that is trained on, (8, 4, 1o)."""
    return ic.IrrepsArray("1o", jnp.asarray(positions(), jnp.float32))


@nnx.jit
def step(model: Classifier, optimizer: nnx.Optimizer, senders: jax.Array, receivers: jax.Array) -> jax.Array:
    """One step of descent on all eight shapes; returns the loss before it."""

    def loss(model: Classifier) -> jax.Array:
        scores = logits(model(as_they_come(), senders, receivers))
        return optax.softmax_cross_entropy_with_integer_labels(scores, LABELS).mean()

    value, gradient = nnx.value_and_grad(loss)(model)
    optimizer.update(model, gradient)
    return value


def train(seed: int, steps: int, report: Callable[[int, float], None] = lambda step, loss: None) -> Classifier:
    """A classifier with random parameters, trained; `report` is called with each step and its loss."""
    model = Classifier(rngs=nnx.Rngs(seed))
    optimizer = nnx.Optimizer(model, optax.adam(1e-2), wrt=nnx.Param)
    senders, receivers = neighbors(positions())
    for i in range(1, steps + 1):
        report(i, float(step(model, optimizer, senders, receivers)))
    return model


@nnx.jit
def answers(model: Classifier, turned: ic.IrrepsArray, senders: jax.Array, receivers: jax.Array) -> jax.Array:
    """The most likely shape, (orientations, 8), of shapes in several orientations, (orientations, 8, 4, 1o)."""
    return jax.vmap(lambda x: jnp.argmax(logits(model(x, senders, receivers)), axis=1))(turned)


def accuracy(model: Classifier, key: jax.Array, orientations: int, mirrored: bool) -> np.ndarray:
    """For each shape the share of right answers in random orientations, of it or of its mirror image."""
    rotations = (-1 if mirrored else 1) * ic.rand_matrix(key, (orientations,), jnp.float32)
    turned = jax.vmap(as_they_come().transform_by_matrix)(rotations)
    found = answers(model, turned, *neighbors(positions()))
    return np.mean(found == (MIRRORED if mirrored else LABELS)[None], axis=0)


def equivariance(model: Classifier, key: jax.Array) -> dict[str, float]:
    """How far the answers to rotated, mirrored and shifted shapes are from what they must be."""
    senders, receivers = neighbors(positions())
    return equivariance_error(jax.jit(lambda x: model(x, senders, receivers)), key, as_they_come(), positions=0)
