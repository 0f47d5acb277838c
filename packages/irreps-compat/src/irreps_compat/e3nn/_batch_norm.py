"""``e3nn.nn.BatchNorm`` as our `BatchNorm`."""

from typing import Any, Literal, NamedTuple

import jax.numpy as jnp
import numpy as np

from irreps_core import IntoIrreps, Irreps
from irreps_ops.layers._batch_norm import BatchNorm

from ._state import StateDict, read, refuse


class ConvertedBatchNorm(NamedTuple):
    """A batch normalization of e3nn as a layer, which has state.

    Attributes:
        layer: a layer of ours; ``irreps_ops.apply(layer, params, x, is_training=False, state=state)``.
        params: its parameters, `weight` and `bias`.
        state: its state, `running_mean` and `running_var`; empty for an instance normalization.
    """

    layer: BatchNorm
    params: dict[str, Any]
    state: dict[str, Any]


def batch_norm(
    state: StateDict,
    prefix: str,
    irreps: IntoIrreps,
    eps: float = 1e-5,
    momentum: float = 0.1,
    affine: bool = True,
    reduce: Literal["mean", "max"] = "mean",
    instance: bool = False,
    include_bias: bool = True,
    normalization: Literal["component", "norm"] = "component",
) -> ConvertedBatchNorm:
    r"""The layer :class:`irreps_ops.BatchNorm` of an ``e3nn.nn.BatchNorm``.

    The arrays have the same names, shapes and order. With the variance v, e3nn divides by :math:`\sqrt{v + \epsilon}`
    and we by :math:`\sqrt{(1 - \epsilon') v + \epsilon'}`, so

    .. math:: \epsilon' = \frac{\epsilon}{1 + \epsilon}, \qquad w' = \frac{w}{\sqrt{1 + \epsilon}}

    for the weights w. A module without weights or biases is a layer that has them: weights
    :math:`1 / \sqrt{1 + \epsilon}`, biases 0; do not train them.

    Args:
        state: state dict of NumPy arrays.
        prefix: name of the module in the state dict.
        irreps: as the module was made with, and so the rest.
        eps: what e3nn adds to the variance.
        momentum: share of the batch in the running averages.
        affine: whether there are weights and biases.
        reduce: ``"mean"`` or ``"max"``.
        instance: statistics of each row of the batch by itself; there are no running averages then.
        include_bias: whether there are biases, if `affine`.
        normalization: ``"component"`` or ``"norm"``.

    Returns:
        The layer, its parameters and its state.

    Raises:
        ValueError: an array is missing, has another shape or should not be there; names the expected and the found.
            A negative `eps`, or options that e3nn does not have.

    Example:
        >>> import numpy as np
        >>> import irreps_core as ic
        >>> import irreps_ops as irr
        >>> from irreps_compat import e3nn
        >>> module = {"weight": np.ones(2), "bias": np.zeros(1), "running_mean": np.ones(1), "running_var": np.ones(2)}
        >>> layer, params, state = e3nn.batch_norm(module, "", "0e + 1o")
        >>> x = ic.IrrepsArray("0e + 1o", np.ones((5, 4)))
        >>> y, state = irr.apply(layer, params, x, is_training=False, state=state)
        >>> y[0]
        1x0e+1x1o [0. 1. 1. 1.]
    """
    irreps = Irreps(irreps)
    what = f"BatchNorm({irreps})"
    if eps < 0:
        raise ValueError(f"{what}: eps must not be negative, got {eps}")
    layer = BatchNorm(
        irreps=irreps,
        eps=eps / (1 + eps),
        momentum=momentum,
        reduce=reduce,
        instance=instance,
        normalization=normalization,
    )
    shapes = {"weight": (irreps.num_irreps,), "bias": (irreps.filter("0e").num_irreps,)}
    shapes |= {"running_mean": shapes["bias"], "running_var": shapes["weight"]}
    there = {"weight": affine, "bias": affine and include_bias, "running_mean": not instance}
    there["running_var"] = there["running_mean"]
    arrays = {}
    for name, shape in shapes.items():
        if there[name] and shape != (0,):
            arrays[name] = read(state, prefix, name, shape, what)
        else:
            refuse(state, prefix, name, what)
    dtype = np.result_type(*arrays.values()) if arrays else np.float32
    weight = arrays.get("weight", np.ones(shapes["weight"], dtype)) / np.asarray(1 + eps, dtype) ** 0.5
    params = {"weight": weight, "bias": arrays.get("bias", np.zeros(shapes["bias"], dtype))}
    params = {name: jnp.asarray(array) for name, array in params.items()}
    running = () if instance else ("running_mean", "running_var")
    statistics = {name: jnp.asarray(arrays.get(name, np.zeros(shapes[name], dtype))) for name in running}
    return ConvertedBatchNorm(layer, params, statistics)
