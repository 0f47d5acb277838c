"""Weights of e3nn (PyTorch) as layers of irreps_ops, with equal outputs.

There is one function for each module class of e3nn. It takes the state dict, the name of the module (the prefix of its
keys) and the arguments of the module, and returns a layer and its parameters::

    layer, params = linear(state, "conv.lin1", "8x0e + 4x1o", "16x0e")
    y = irreps_ops.apply(layer, params, x)               # the output of the module

The parameters are a tree of names, which every framework loads; :func:`batch_norm` also returns the state.
:func:`convert` converts all modules of a network.

A state dict maps names to NumPy arrays. Torch is not needed: :func:`read_torch_file` reads files of ``torch.save``, and
executes nothing in them. Where torch is installed, the arrays are

    ``{key: value.detach().cpu().numpy() for key, value in module.state_dict().items()}``

e3nn 0.4 and earlier had other signs of Clebsch-Gordan coefficients. Modules whose
outputs depend on them keep the coefficients in their state, which determines the convention. Where they are missing,
pass `convention`: ``"e3nn"`` (0.5 and later) or ``"e3nn-0.4"``; the function :func:`convention` finds it anywhere in a
state dict. :func:`uvu_weights` and :func:`uvu_order` are for the convolutions of NequIP, MACE and their kind.

Example:
    >>> import numpy as np
    >>> import irreps_ops as irr
    >>> from irreps_compat import e3nn
    >>> state = {"lin.weight": np.array([1.0, 2.0, 3.0]), "lin.output_mask": np.ones(4)}
    >>> layer, params = e3nn.linear(state, "lin", "2x0e + 1o", "0e + 1o")
    >>> irr.apply(layer, params, irr.IrrepsArray("2x0e + 1o", np.array([1.0, 1.0, 0.0, 0.0, 1.0])))
    1x0e+1x1o [2.121 0. 0. 3. ]
"""

from ._batch_norm import ConvertedBatchNorm, batch_norm
from ._convert import convert
from ._convolution import convention, uvu_order, uvu_weights
from ._fully_connected_net import fully_connected_net
from ._gate import gate
from ._linear import linear
from ._norm_activation import norm_activation
from ._normalize2mom import normalize2mom
from ._state import Converted
from ._tensor_product import (
    elementwise_tensor_product,
    full_tensor_product,
    fully_connected_tensor_product,
    tensor_product,
    tensor_square,
)
from ._torch_file import read_torch_file

__all__ = [
    "Converted",
    "ConvertedBatchNorm",
    "batch_norm",
    "convention",
    "convert",
    "elementwise_tensor_product",
    "full_tensor_product",
    "fully_connected_net",
    "fully_connected_tensor_product",
    "gate",
    "linear",
    "norm_activation",
    "normalize2mom",
    "read_torch_file",
    "tensor_product",
    "tensor_square",
    "uvu_order",
    "uvu_weights",
]

for _name in __all__:
    globals()[_name].__module__ = __name__  # the public home: for reprs, pickles and the documentation
