"""Registry of layers and bindings: our own, and those that other distributions offer through entry points."""

from types import MappingProxyType
from typing import Any, Protocol, runtime_checkable

import jax

from irreps_core import plugins
from irreps_ops import layers as _own_layers
from irreps_ops.scope._scope import Parameters, Scope


@runtime_checkable
class Layer(Protocol):
    """A layer: a frozen dataclass with these two methods (and, in a plugin, the attribute ``irreps_api = 1``).

    Its fields are its arguments. :func:`irreps_core.frozen` and :func:`irreps_core.converted` declare fields that are
    converted, and a method `validate` that checks them together.

    Example:
        >>> import irreps_ops as irr
        >>> isinstance(irr.Linear("4x1o"), irr.bindings.Layer)
        True
    """

    def example(self, *irreps_in: Any, dtype: Any = ...) -> tuple[Any, ...]:
        """Return abstract inputs, which determine the shapes of the parameters: see :func:`example_inputs`."""
        ...

    def __call__(self, scope: Scope, *inputs: Any) -> Any:
        """Compute the output, with parameters, state and random keys from the scope.

        The method may have keyword arguments. The argument `is_training`, whose default is True, says whether to update
        statistics and to add noise; frameworks that have a switch between training and evaluation set it.
        """
        ...


@runtime_checkable
class Binding(Protocol):
    """A binding, which makes modules of its framework from layers (and has the attribute ``irreps_api = 1``).

    Users call `module`. Programs that support every framework, such as checkpoints and the conformance kit, use the
    other methods: they make and run a module of one layer as pure functions, and convert its parameters and state to
    and from trees of names, which are the same in all frameworks. Each framework defines what *variables* are: a model,
    or the result of its `init`.

    Example:
        >>> import jax
        >>> import irreps_ops as irr
        >>> haiku, layer, x = irr.bindings.binding("haiku"), irr.Linear("2x1o"), irr.ones("1o")
        >>> variables = haiku.init(layer, jax.random.key(0), x.irreps)
        >>> out, _ = haiku.apply(layer, variables, x)
        >>> out.irreps, list(haiku.to_trees(variables)[0])
        (2x1o, ['w[0,0] 1x1o,2x1o'])
    """

    def module(self, layer: type) -> type:
        """Return the framework's module class for a layer class; its constructor takes the arguments of the layer."""
        ...

    def init(self, layer: Any, key: jax.Array, *irreps_in: Any, dtype: Any = ...) -> Any:
        """Return the variables of the module of a layer, for inputs as the layer's `example` takes them."""
        ...

    def apply(self, layer: Any, variables: Any, *inputs: Any, key: Any = None, **options: Any) -> tuple[Any, Any]:
        """Return the output of the module of a layer, and its variables with the new state. Change no argument.

        Random keys are derived from `key`.
        """
        ...

    def to_trees(self, variables: Any) -> tuple[dict[str, Any], dict[str, Any]]:
        """Return parameters and state of any model of the framework as trees of names."""
        ...

    def from_trees(self, variables: Any, parameters: Parameters, state: Parameters | None = None) -> Any:
        """Return the model with other parameters and, if given, other state. Change no argument.

        Raises:
            ValueError: the trees do not belong to the model, see :func:`check_tree`.
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
    """Return the names of all layers, ours and those of plugins. No plugin is imported.

    Example:
        >>> import irreps_ops as irr
        >>> "Linear" in irr.bindings.layers()
        True
    """
    return tuple(sorted({*LAYERS.builtin, *plugins.discover(LAYERS)}))


def layer(name: str | type) -> Any:
    """Return the layer class of a name, ours or a plugin's; a layer class is checked and returned.

    Raises:
        irreps_core.plugins.PluginLoadError: the layer is not installed, or its plugin is broken; says why.
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
    """Return the binding of a name (``"nnx"``, ``"linen"``, ``"haiku"``, or a plugin's); objects pass through.

    Raises:
        irreps_core.plugins.PluginLoadError: the binding is not installed, or broken; says why and how to install it.

    Example:
        >>> import irreps_ops as irr
        >>> Linear = irr.bindings.binding("nnx").module(irr.Linear)  # doctest: +SKIP
    """
    return plugins.load(BINDINGS, name)
