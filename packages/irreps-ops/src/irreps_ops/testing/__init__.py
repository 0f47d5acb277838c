"""The conformance kit: tests that a layer, a binding or an executor does what its interface promises.

* :func:`check_layer` tests a layer on its own and in every framework;
* :func:`check_binding` tests a binding with every layer;
* :func:`check_executor` compares an executor with the reference executor.

These functions need no test framework. ``python -m irreps_ops.testing`` runs the same tests under pytest, see
:mod:`irreps_ops.testing.conformance`. For the equivariance of functions see :mod:`irreps_core.testing`.
"""

from irreps_core import set_module

from ._executor_cases import ExecutorCase, executor_cases
from ._executors import check_executor
from ._layer_cases import LayerCase, layer_cases, layers_with_cases
from ._layers import check_binding, check_layer

__all__ = [
    "ExecutorCase",
    "LayerCase",
    "check_binding",
    "check_executor",
    "check_layer",
    "executor_cases",
    "layer_cases",
    "layers_with_cases",
]

set_module(__name__, [globals()[_name] for _name in __all__])
