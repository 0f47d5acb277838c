"""The interfaces of layers and bindings, and the functions with which to write them.

A layer is a frozen dataclass. It is called with a :class:`Scope`, which supplies parameters, state and random keys, and
with its inputs. A binding makes a module of its framework from any layer, so every layer exists in every framework.

* To write a layer: :class:`Layer`, :class:`Scope`, :func:`example_inputs`, :func:`check_irreps`,
  :func:`describe_layer`; and :func:`irreps_core.frozen`, :func:`irreps_core.converted` for its fields.
* To write a binding: :class:`Binding`, :func:`module_class`, :func:`module_lookup`, :func:`layer_specs`,
  :func:`check_tree`.
* To find them by name: :func:`layer`, :func:`layers`, :func:`binding`.

The conformance kit is :mod:`irreps_ops.testing`.
"""

from irreps_core import set_module
from irreps_ops.scope._scope import (
    Initializer,
    Parameters,
    Scope,
    check_inputs,
    check_irreps,
    check_parameter,
    describe_layer,
    example_inputs,
    find_parameter,
    named_key,
)
from irreps_ops.scope._specs import KeySpec, ParameterSpec, StateSpec, layer_specs, parameter_specs, parameters_of
from irreps_ops.scope._trees import check_tree, tree_leaves, tree_of_leaves

from ._module_class import describe_call, layer_arguments, layer_for, module_class, module_lookup, request_all
from ._registry import Binding, Layer, binding, layer, layers

__all__ = [
    "Binding",
    "Initializer",
    "KeySpec",
    "Layer",
    "ParameterSpec",
    "Parameters",
    "Scope",
    "StateSpec",
    "binding",
    "check_inputs",
    "check_irreps",
    "check_parameter",
    "check_tree",
    "describe_call",
    "describe_layer",
    "example_inputs",
    "find_parameter",
    "layer",
    "layer_arguments",
    "layer_for",
    "layer_specs",
    "layers",
    "module_class",
    "module_lookup",
    "named_key",
    "parameter_specs",
    "parameters_of",
    "request_all",
    "tree_leaves",
    "tree_of_leaves",
]

set_module(__name__, [globals()[_name] for _name in __all__])
