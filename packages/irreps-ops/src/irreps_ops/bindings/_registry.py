"""Layers and bindings by name: our own, and those that other distributions offer through entry points.

A *layer* is a frozen dataclass whose instances are called with a :class:`Scope` and inputs. A *binding* makes
a module of its framework out of a layer. So every layer exists in every framework.
"""

from types import MappingProxyType
from typing import Any, Protocol, runtime_checkable

import jax

from irreps_core import plugins
from irreps_ops import layers as _own_layers
from irreps_ops.scope._scope import Parameters, Scope


@runtime_checkable
class Layer(Protocol):
    """What a layer is: a frozen dataclass with these two methods (and ``irreps_api = 1`` in a plugin)."""

    def example(self, *irreps_in: Any, dtype: Any = ...) -> tuple[Any, ...]:
        """Abstract inputs of one row, from which the shapes of parameters follow: see `example_inputs`."""
        ...

    def __call__(self, scope: Scope, *inputs: Any) -> Any:
        """Compute; ask the scope for parameters, state and keys.

        It may have keyword arguments. One called `is_training`, default True, says whether statistics are taken
        and noise is made; frameworks that have a switch for it set it.
        """
        ...


@runtime_checkable
class Binding(Protocol):
    """What a binding is: it makes modules of its framework (and has ``irreps_api = 1``).

    `module` is for people. The others are for programs that know no framework, as checkpoints and the conformance
    kit: a model of one layer as pure functions, and its parameters and state as trees of names, which are the same
    in all frameworks. What *variables* are is the framework's affair: a model, or what its `init` gives.
    """

    def module(self, layer: type) -> type:
        """The framework's module class of a layer class; constructed with the arguments of the layer."""
        ...

    def init(self, layer: Any, key: jax.Array, *irreps_in: Any, dtype: Any = ...) -> Any:
        """Variables of the module of a layer, for inputs as the layer's `example` takes them."""
        ...

    def apply(self, layer: Any, variables: Any, *inputs: Any, key: Any = None, **options: Any) -> tuple[Any, Any]:
        """What the module of a layer gives, and its variables afterwards, whose state may be new. Changes nothing.

        Random keys come from `key` if it is given, others for another one.
        """
        ...

    def to_trees(self, variables: Any) -> tuple[dict[str, Any], dict[str, Any]]:
        """Parameters and state of any model of the framework, as trees of names."""
        ...

    def from_trees(self, variables: Any, parameters: Parameters, state: Parameters | None = None) -> Any:
        """The same model with other parameters and, if it is given, other state. Changes nothing.

        Raises ValueError, see :func:`check_tree`, if they are not those of the model.
        """
        ...


LAYERS = plugins.Group(
    "irreps.layers",
    interface=Layer,
    builtin=MappingProxyType({name: getattr(_own_layers, name) for name in _own_layers.__all__}),
)
BINDINGS = plugins.Group(
    "irreps.bindings",
    interface=Binding,
    providers=MappingProxyType(
        {"equinox": "irreps-equinox", "haiku": "irreps-haiku", "linen": "irreps-flax", "nnx": "irreps-flax"}
    ),
)


def layers() -> tuple[str, ...]:
    """The names of all layers, ours and those of plugins. Imports no plugin.

    Example:
        >>> import irreps_ops as irr
        >>> "Linear" in irr.bindings.layers()
        True
    """
    return tuple(sorted({*LAYERS.builtin, *plugins.discover(LAYERS)}))


def layer(name: str | type) -> Any:
    """The layer class of that name, ours or a plugin's; a class is checked and given back.

    Raises:
        irreps_core.plugins.PluginLoadError: there is none, or the plugin is broken; says why.
        TypeError: neither a name nor a layer class.

    Example:
        >>> import irreps_ops as irr
        >>> irr.bindings.layer("Linear").__name__
        'Linear'
    """
    found = plugins.load(LAYERS, name) if isinstance(name, str) else name
    methods = {method for base in getattr(found, "__mro__", ()) for method in vars(base)}
    # Frozen, because frameworks compare and hash it: it is the static part of a module.
    options = getattr(found, "__dataclass_params__", None)
    if options is None or not options.frozen or not {"example", "__call__"} <= methods:
        raise TypeError(
            "expected the name of a layer or a layer class, which is a frozen dataclass with the methods "
            f"example and __call__, got {name!r}"
        )
    return found


def binding(name: str | Binding) -> Any:
    """The binding of that name (``"nnx"``, ``"linen"``, ``"haiku"``, or a plugin's); an object is given back.

    Raises:
        irreps_core.plugins.PluginLoadError: it is not installed, or broken; says why and how to install it.

    Example:
        >>> import irreps_ops as irr
        >>> Linear = irr.bindings.binding("nnx").module(irr.Linear)  # doctest: +SKIP
    """
    return plugins.load(BINDINGS, name)
