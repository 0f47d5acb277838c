"""Conversion of ``e3nn.nn.FullyConnectedNet``."""

import itertools
from collections.abc import Sequence

import jax.numpy as jnp
import numpy as np

from irreps_ops import Activation, MultiLayerPerceptron

from ._normalize2mom import Scaled, normalize2mom
from ._state import Converted, StateDict, read


def fully_connected_net(
    state: StateDict,
    prefix: str,
    hs: Sequence[int],
    act: Activation | None = None,
    *,
    variance_in: float = 1,
    variance_out: float = 1,
    out_act: bool = False,
) -> Converted:
    """Convert an ``e3nn.nn.FullyConnectedNet`` to a :class:`irreps_ops.MultiLayerPerceptron`.

    The array ``layer0.weight``, of shape (inputs, outputs), becomes ``linear_0/w``; both divide by the root of the
    number of inputs. Variances other than 1 are absorbed into the first and the last weights, or into the last
    activation.

    Args:
        state: state dict of NumPy arrays.
        prefix: name of the module in the state dict.
        hs: number of inputs, then number of neurons of each layer.
        act: the JAX function that corresponds to the module's activation; :func:`normalize2mom` scales it.
        variance_in: variance of the inputs.
        variance_out: desired variance of the outputs.
        out_act: whether the last layer is activated.

    Raises:
        ValueError: an array is missing or has another shape; the message states the expected and the actual shape.

    Example:
        >>> import jax, jax.numpy as jnp
        >>> import numpy as np
        >>> import irreps_ops as irr
        >>> from irreps_compat import e3nn
        >>> state = {"fc.layer0.weight": np.ones((2, 8)), "fc.layer1.weight": np.ones((8, 1))}
        >>> layer, params = e3nn.fully_connected_net(state, "fc", [2, 8, 1], jax.nn.silu)
        >>> irr.apply(layer, params, jnp.ones((5, 2))).shape
        (5, 1)
    """
    hs = [int(h) for h in hs]
    if len(hs) < 2:
        raise ValueError(f"hs must be the numbers of inputs and of neurons of one or more layers, got {hs}")
    what = f"FullyConnectedNet({hs})"
    scaled = None if act is None else normalize2mom(act)
    if scaled is not None and not isinstance(scaled, Scaled):
        scaled = Scaled(scaled, 1.0)
    weights = [read(state, prefix, f"layer{i}.weight", shape, what) for i, shape in enumerate(itertools.pairwise(hs))]
    weights[0] = weights[0] / np.asarray(variance_in, weights[0].dtype) ** 0.5
    last: Activation | bool = False
    if out_act and scaled is not None:
        last = scaled if variance_out == 1 else Scaled(scaled, variance_out**0.5)
    else:
        weights[-1] = weights[-1] * np.asarray(variance_out, weights[-1].dtype) ** 0.5
    layer = MultiLayerPerceptron(hs[1:], scaled, output_activation=last)
    return Converted(layer, {f"linear_{i}": {"w": jnp.asarray(w)} for i, w in enumerate(weights)})
