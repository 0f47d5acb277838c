"""Weights of e3nn (PyTorch) in our layers, with equal outputs.

One function for each module class of e3nn. It takes the state dict, the name of the module within it (the prefix of
its keys) and the arguments that the module was made with, and gives our layer and its parameters::

    layer, params = linear(state, "conv.lin1", "8x0e + 4x1o", "16x0e")
    y = irreps_ops.apply(layer, params, x)               # what the module gave

The parameters are a tree of names, which every framework loads; :func:`batch_norm` gives its state, too.
:func:`convert` does all modules of a network at once.

A state dict maps names to NumPy arrays. Torch is not needed here; where it is, the arrays are made by

    ``{key: value.detach().cpu().numpy() for key, value in module.state_dict().items()}``

and kept by ``numpy.savez``. e3nn up to 0.4 had other signs of the Clebsch-Gordan coefficients. Modules whose outputs
depend on them keep them in their state, so which ones they are is found there; where it is not, say it by
`convention`, ``"e3nn"`` (0.5 and later) or ``"e3nn-0.4"``.

Example:
    >>> import numpy as np
    >>> import irreps_core as ic
    >>> import irreps_ops as irr
    >>> from irreps_compat import e3nn
    >>> state = {"lin.weight": np.array([1.0, 2.0, 3.0]), "lin.output_mask": np.ones(4)}
    >>> layer, params = e3nn.linear(state, "lin", "2x0e + 1o", "0e + 1o")
    >>> irr.apply(layer, params, ic.IrrepsArray("2x0e + 1o", np.array([1.0, 1.0, 0.0, 0.0, 1.0])))
    1x0e+1x1o [2.121 0. 0. 3. ]
"""

from ._batch_norm import ConvertedBatchNorm as ConvertedBatchNorm
from ._batch_norm import batch_norm as batch_norm
from ._convert import convert as convert
from ._fully_connected_net import fully_connected_net as fully_connected_net
from ._gate import gate as gate
from ._linear import linear as linear
from ._norm_activation import norm_activation as norm_activation
from ._normalize2mom import normalize2mom as normalize2mom
from ._state import Converted as Converted
from ._tensor_product import elementwise_tensor_product as elementwise_tensor_product
from ._tensor_product import full_tensor_product as full_tensor_product
from ._tensor_product import fully_connected_tensor_product as fully_connected_tensor_product
from ._tensor_product import tensor_product as tensor_product
from ._tensor_product import tensor_square as tensor_square
