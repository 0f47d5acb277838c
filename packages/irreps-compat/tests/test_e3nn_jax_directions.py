"""The modules of e3nn-jax keep its edge vectors, from the sender to the receiver."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import irreps_compat.e3nn_jax as e3nn

hk = pytest.importorskip("haiku")
pytest.importorskip("irreps_flax.linen")
pytest.importorskip("irreps_haiku")
from irreps_compat.e3nn_jax.experimental.point_convolution import (  # noqa: E402 - it needs both frameworks
    MessagePassingConvolutionFlax,
    MessagePassingConvolutionHaiku,
)

POSITIONS = np.array([[0.3, -0.2, 0.5], [0.5, 0.9, -0.4]])
INPUTS = (
    e3nn.IrrepsArray("1o", jnp.asarray(POSITIONS, jnp.float32)),
    e3nn.IrrepsArray("0e", jnp.ones((2, 1))),
    jnp.array([1]),
    jnp.array([0]),
)
OPTIONS = {"avg_num_neighbors": 1.0, "sh_lmax": 1}


def radial(r):
    return jnp.ones((*r.shape, 1))


def haiku_module():
    return hk.without_apply_rng(
        hk.transform(lambda *inputs: MessagePassingConvolutionHaiku("1o", radial, **OPTIONS)(*inputs))
    )


def flax_module():
    return MessagePassingConvolutionFlax("1o", radial, **OPTIONS)


@pytest.mark.parametrize("module", [haiku_module, flax_module])
def test_point_convolution_points_from_the_sender_to_the_receiver(module):
    module = module()
    params = jax.eval_shape(module.init, jax.random.key(0), *INPUTS)
    ones = jax.tree.map(lambda p: jnp.ones(p.shape, p.dtype), params)  # positive weights
    found = np.asarray(module.apply(ones, *INPUTS).array[0])
    expected = POSITIONS[0] - POSITIONS[1]
    np.testing.assert_allclose(found / np.linalg.norm(found), expected / np.linalg.norm(expected), atol=1e-6)
