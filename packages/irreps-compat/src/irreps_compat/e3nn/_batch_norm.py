"""Conversion of ``e3nn.nn.BatchNorm``."""

from typing import Any, Literal, NamedTuple

import jax.numpy as jnp
import numpy as np

from irreps_core import IntoIrreps, Irreps
from irreps_ops import BatchNorm

from ._state import StateDict, read, refuse


class ConvertedBatchNorm(NamedTuple):
    """A batch normalization of e3nn as a layer with state.

    Attributes:
        layer: the layer; ``irreps_ops.apply(layer, params, x, is_training=False, state=state)``.
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
    r"""Convert an ``e3nn.nn.BatchNorm`` to a :class:`irreps_ops.BatchNorm`.

    The arrays have the same names, shapes and order. For a variance v, e3nn divides by :math:`\sqrt{v + \epsilon}`,
    the layer by :math:`\sqrt{(1 - \epsilon') v + \epsilon'}`, so

    .. math:: \epsilon' = \frac{\epsilon}{1 + \epsilon}, \qquad w' = \frac{w}{\sqrt{1 + \epsilon}}

    for the weights w. A module without weights or biases becomes a layer with weights
    :math:`1 / \sqrt{1 + \epsilon}` and biases 0, which must not be trained.

    Args:
        state: state dict of NumPy arrays.
        prefix: name of the module in the state dict.
        irreps: irreps of the data. This and the following are the arguments of the module.
        eps: number that e3nn adds to the variance.
        momentum: weight of the batch in the running averages.
        affine: whether there are weights and biases.
        reduce: ``"mean"`` or ``"max"``.
        instance: compute statistics for each element of the batch by itself, without running averages.
        include_bias: whether there are biases, if `affine`.
        normalization: ``"component"`` or ``"norm"``.

    Returns:
        The layer, its parameters and its state.

    Raises:
        ValueError: an array is missing, unexpected or of another shape; the message states the expected and the actual
            shape. A negative `eps`, or options that e3nn does not have.

    Example:
        >>> import numpy as np
        >>> import irreps_ops as irr
        >>> from irreps_compat import e3nn
        >>> module = {"weight": np.ones(2), "bias": np.zeros(1), "running_mean": np.ones(1), "running_var": np.ones(2)}
        >>> layer, params, state = e3nn.batch_norm(module, "", "0e + 1o")
        >>> x = irr.IrrepsArray("0e + 1o", np.ones((5, 4)))
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
    shapes = _shapes(irreps)
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


def _shapes(irreps: Irreps) -> dict[str, tuple[int]]:
    """Return the shapes of the arrays of a batch normalization: one number for each irrep, or for each scalar."""
    irrep, scalar = (irreps.num_irreps,), (irreps.filter("0e").num_irreps,)
    return {"weight": irrep, "bias": scalar, "running_mean": scalar, "running_var": irrep}
