"""Functions that bindings share: module classes with the signature of a layer, and the creation of parameters."""

import dataclasses
import inspect
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import jax.numpy as jnp

from irreps_ops.scope._scope import Scope, example_inputs
from irreps_ops.scope._specs import ParameterSpec, StateSpec

from ._registry import Binding, layer, layers

# Not a cache that can be cleared: programs compare classes and look them up by name.
_classes: dict[tuple[type, type], type] = {}


def module_class(
    base: type,
    layer_class: type,
    *,
    first: Mapping[str, Any] | None = None,
    keywords: Mapping[str, tuple[Any, Any]] | None = None,
    same_call: bool = True,
) -> type:
    """Return a subclass of a framework's module class for one layer class.

    The subclass has the name, the documentation and the signature of the layer, and the class attribute `layer_class`.
    Each pair of `base` and `layer_class` has one subclass, which later calls return, in whatever thread.

    Args:
        base: module class of the framework; its ``__init__`` takes the arguments of the layer.
        layer_class: the layer class.
        first: positional arguments that the framework adds before those of the layer: types by name.
        keywords: keyword arguments that the framework adds: pairs of type and default by name
            (``inspect.Parameter.empty`` for no default).
        same_call: whether modules are called like the layer, without the scope; the call then shows its signature.

    Example:
        >>> import inspect
        >>> import irreps_ops as irr
        >>> class Module:
        ...     def __init__(self, *args, name=None, **kwargs):
        ...         self.layer, self.name = self.layer_class(*args, **kwargs), name
        ...     def __call__(self, *inputs): ...
        >>> Dropout = irr.bindings.module_class(Module, irr.Dropout, keywords={"name": (str, None)})
        >>> list(inspect.signature(Dropout).parameters), Dropout(0.5, name="noise").layer.p
        (['p', 'irreps', 'name'], 0.5)
    """
    pair = base, layer_class
    if pair not in _classes:
        # Threads may make several at the same time; setdefault keeps one.
        _classes.setdefault(pair, _new_module_class(base, layer_class, first or {}, keywords or {}, same_call))
    return _classes[pair]


def _new_module_class(
    base: type, layer_class: type, first: Mapping[str, Any], keywords: Mapping[str, tuple[Any, Any]], same_call: bool
) -> type:
    parameter = inspect.Parameter
    own = list(inspect.signature(layer_class).parameters.values())
    before = [parameter(name, parameter.POSITIONAL_OR_KEYWORD, annotation=kind) for name, kind in first.items()]
    own = [p for p in own if p.name not in {b.name for b in before}]
    after = [
        parameter(name, parameter.KEYWORD_ONLY, default=default, annotation=kind)
        for name, (kind, default) in keywords.items()
    ]
    signature = [*before, *own, *after]

    def __init__(self: Any, *args: Any, **kwargs: Any) -> None:
        base.__init__(self, *args, **kwargs)

    this = parameter("self", parameter.POSITIONAL_ONLY)
    __init__.__signature__ = inspect.Signature([this, *signature])
    body = {
        "__doc__": layer_class.__doc__,
        "__init__": __init__,
        "__module__": base.__module__,
        # The metaclasses of some frameworks hide the signature of __init__; others set this attribute themselves.
        "__signature__": _ClassAttribute(inspect.Signature(signature)),
        "layer_class": layer_class,
    }
    if same_call:
        # Unwrap the method, since the framework's metaclass will wrap it again.
        call = inspect.unwrap(base.__call__)

        def __call__(self: Any, *inputs: Any, **options: Any) -> Any:
            return call(self, *inputs, **options)

        describe_call(__call__, layer_class)
        body["__call__"] = __call__
    return type(base)(layer_class.__name__, (base,), body)


def describe_call(function: Any, layer_class: type) -> None:
    """Give a module's ``__call__`` the documentation and, except for the scope, the signature of the layer's.

    Example:
        >>> import inspect
        >>> import irreps_ops as irr
        >>> def call(self, *inputs): ...
        >>> irr.bindings.describe_call(call, irr.Dropout)
        >>> list(inspect.signature(call).parameters)
        ['self', 'inputs', 'is_training']
    """
    own = inspect.signature(layer_class.__call__)
    function.__signature__ = own.replace(parameters=[p for p in own.parameters.values() if p.name != "scope"])
    function.__doc__ = layer_class.__call__.__doc__


class _ClassAttribute:
    """An attribute of a class that its instances do not have, since they are called with other arguments."""

    def __init__(self, value: Any) -> None:
        self._value = value

    def __get__(self, instance: Any, owner: type) -> Any:
        if instance is not None:
            raise AttributeError("only the class has this attribute")
        return self._value


def layer_arguments(layer: Any) -> dict[str, Any]:
    """Return the arguments with which a layer was made, which its module class also takes.

    Example:
        >>> import irreps_ops as irr
        >>> irr.bindings.layer_arguments(irr.Dropout(0.5))
        {'p': 0.5, 'irreps': None}
    """
    return {field.name: getattr(layer, field.name) for field in dataclasses.fields(layer) if field.init}


def layer_for(
    layer_class: type,
    irreps_in: Any,
    args: Sequence[Any] = (),
    kwargs: Mapping[str, Any] | None = None,
    dtype: Any = jnp.float32,
) -> tuple[Any, tuple[Any, ...]]:
    """Return a layer for given irreps of the inputs, and abstract inputs.

    For frameworks whose modules create their parameters in the constructor.

    Args:
        layer_class: the layer class. Its arguments `irreps_in` (of the last input) and `dtype` are filled in, if it has
            them.
        irreps_in: irreps as :func:`example_inputs` takes them; for a layer with several inputs a tuple of these.
        args: positional arguments of the layer.
        kwargs: keyword arguments of the layer.
        dtype: dtype of the inputs and parameters.

    Returns:
        The layer, and abstract inputs for :func:`layer_specs`.

    Example:
        >>> import irreps_ops as irr
        >>> layer, (x,) = irr.bindings.layer_for(irr.Linear, "2x0e + 1o", ["4x0e"])
        >>> layer.irreps_out, x.irreps
        (4x0e, 2x0e+1x1o)
    """
    # Irreps are tuples, too, but describe one input.
    inputs = irreps_in if type(irreps_in) is tuple else (irreps_in,)
    arguments, kwargs = inspect.signature(layer_class).parameters, dict(kwargs or {})
    if "irreps_in" in arguments:
        kwargs["irreps_in"] = getattr(example_inputs(inputs[-1])[0], "irreps", None)
    if "dtype" in arguments:
        kwargs.setdefault("dtype", dtype)
    layer = layer_class(*args, **kwargs)
    return layer, layer.example(*inputs, dtype=dtype)


def request_all(scope: Scope, specs: Mapping[str, Any]) -> None:
    """Request from a scope the parameters and the state of a layer, so that it creates them.

    For frameworks that create parameters where they are requested. The layer itself is not computed.

    Args:
        scope: scope of the framework, during initialization.
        specs: the result of :func:`layer_specs`.

    Example:
        >>> import jax
        >>> import irreps_ops as irr
        >>> specs = irr.bindings.layer_specs(irr.Linear("4x1o"), irr.ones("1o"))
        >>> requested = irr.init(lambda scope: irr.bindings.request_all(scope, specs), jax.random.key(0))
        >>> list(requested)
        ['w[0,0] 1x1o,4x1o']
    """
    for name, spec in specs.items():
        if isinstance(spec, Mapping):
            request_all(scope.child(name), spec)
        elif isinstance(spec, ParameterSpec):
            scope.parameter(name, spec.shape, spec.dtype, spec.initializer)
        elif isinstance(spec, StateSpec):
            scope.state(name, spec.shape, spec.dtype, spec.initializer)


def module_lookup(package: str, binding: Binding) -> Callable[[str], Any]:
    """Return the ``__getattr__`` of a binding's package, whose attributes are the modules of all layers.

    Args:
        package: name of the package, for the error message.
        binding: the binding.

    Example:
        >>> import irreps_ops as irr
        >>> __getattr__ = irr.bindings.module_lookup(__name__, irr.bindings.binding("haiku"))  # doctest: +SKIP
    """

    def __getattr__(name: str) -> Any:
        if name.startswith("_") or name not in layers():
            raise AttributeError(f"module {package!r} has no attribute {name!r}; layers: {', '.join(layers())}")
        return binding.module(layer(name))

    return __getattr__
