"""The rule for edge vectors: they lead from the receiver to the sender, in every operation and layer."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import irreps_core as ic
import irreps_ops as irr

RECEIVER, SENDER = np.array([0.3, -0.2, 0.5]), np.array([0.5, 0.9, -0.4])
SCALAR = ic.ones("0e", (2,), jnp.float64)


def of_edge_vectors():
    return irr.edge_vectors(np.stack([RECEIVER, SENDER]), [1], [0])[0]


def of_edge_vectors_of_a_periodic_image():
    """The sender is stored in another cell; the shift leads back."""
    shift, cell = np.array([[1, 0, -2]]), 3 * np.eye(3)
    positions = np.stack([RECEIVER, SENDER - shift[0] @ cell])
    return irr.edge_vectors(positions, [1], [0], shifts=shift, cell=cell)[0]


def of_neighbour_list():
    pytest.importorskip("vesin")
    cell = 3 * np.eye(3)
    positions = np.stack([RECEIVER, SENDER - np.array([1, 0, -2]) @ cell])
    found = irr.neighbour_list(positions, 1.5, cell=cell)
    vectors = irr.edge_vectors(positions, found.senders, found.receivers, shifts=found.shifts, cell=cell)
    (edge,) = np.flatnonzero(found.receivers == 0)
    assert found.senders[edge] == 1
    return vectors[edge]


def positive(layer, *inputs):
    """Apply a layer with all parameters 1, so that its weights are positive."""
    specs = irr.bindings.parameter_specs(layer, *inputs)
    ones = jax.tree.map(lambda spec: jnp.ones(spec.shape, spec.dtype), specs)
    return jax.jit(lambda *arrays: irr.apply(layer, ones, *arrays))(*inputs)


def of_point_convolution():
    layer = irr.PointConvolution("1o", lambda r: jnp.ones((*r.shape, 1)), avg_num_neighbors=1.0, sh_lmax=1)
    positions = ic.IrrepsArray("1o", jnp.asarray(np.stack([RECEIVER, SENDER])))
    return positive(layer, positions, SCALAR, jnp.array([1]), jnp.array([0])).array[0]


def of_voxel_convolution():
    """One voxel sends, another receives."""
    steps = np.abs(SENDER - RECEIVER)
    layer = irr.VoxelConvolution("1o", "0e + 1o", 4 * np.linalg.norm(steps), 1, steps)
    voxel = np.where(SENDER > RECEIVER, 2, 0)
    field = jnp.zeros((3, 3, 3, 1)).at[*voxel].set(1.0)
    return positive(layer, ic.IrrepsArray("0e", field)).array[1, 1, 1]


def of_message_passing():
    """The directions are an argument; the message is theirs."""
    layer = irr.MessagePassingConvolution("1o", [], None, avg_num_neighbors=1.0)
    vectors = irr.edge_vectors(np.stack([RECEIVER, SENDER]), [1], [0])
    harmonics = irr.spherical_harmonics("1o", vectors, normalize=True)
    return positive(layer, SCALAR, harmonics, jnp.ones((1, 1)), (jnp.array([1]), jnp.array([0]))).array[0]


CASES = [
    of_edge_vectors,
    of_edge_vectors_of_a_periodic_image,
    of_neighbour_list,
    of_point_convolution,
    of_voxel_convolution,
    of_message_passing,
]


@pytest.mark.parametrize("vector", CASES)
def test_vectors_lead_from_the_receiver_to_the_sender(vector):
    found = np.asarray(vector())
    expected = (SENDER - RECEIVER) / np.linalg.norm(SENDER - RECEIVER)
    np.testing.assert_allclose(found / np.linalg.norm(found), expected, atol=1e-6)
