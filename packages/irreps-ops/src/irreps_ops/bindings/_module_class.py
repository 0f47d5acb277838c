"""What every binding needs: a module class with the signature of a layer, its arguments, all its parameters made."""

import dataclasses
import inspect
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import jax.numpy as jnp

from irreps_ops.scope._scope import Scope, example_inputs
from irreps_ops.scope._specs import ParameterSpec, StateSpec

from ._registry import Binding, layer, layers


def module_class(
    base: type,
    layer_class: type,
    *,
    first: Mapping[str, Any] | None = None,
    keywords: Mapping[str, tuple[Any, Any]] | None = None,
    same_call: bool = True,
) -> type:
    """A subclass of a framework's module class for one layer class.

    The subclass has the layer's name, documentation and signatures, and the class attribute `layer_class`.

    Args:
        base: module class of the framework; its ``__init__`` takes the arguments of the layer.
        layer_class: the layer.
        first: positional arguments that the framework adds before those of the layer: name and type.
        keywords: keyword arguments that the framework adds: name, type and default
            (``inspect.Parameter.empty`` for none).
        same_call: whether modules are called as layers are, but for the scope; then their calls show it, too.
    """
    parameter = inspect.Parameter
    own = list(inspect.signature(layer_class).parameters.values())
    before = [parameter(name, parameter.POSITIONAL_OR_KEYWORD, annotation=kind) for name, kind in (first or {}).items()]
    own = [p for p in own if p.name not in {b.name for b in before}]
    after = [
        parameter(name, parameter.KEYWORD_ONLY, default=default, annotation=kind)
        for name, (kind, default) in (keywords or {}).items()
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
        # Metaclasses of frameworks hide the signature of __init__; some have their own of this name.
        "__signature__": _OfTheClass(inspect.Signature(signature)),
        "layer_class": layer_class,
    }
    if same_call:
        # Without what the framework's metaclass has wrapped it in: it will do so again.
        call = inspect.unwrap(base.__call__)

        def __call__(self: Any, *inputs: Any, **options: Any) -> Any:
            return call(self, *inputs, **options)

        describe_call(__call__, layer_class)
        body["__call__"] = __call__
    return type(base)(layer_class.__name__, (base,), body)


def describe_call(function: Any, layer_class: type) -> None:
    """Give a module's ``__call__`` the signature and the documentation of the layer's, which has a scope besides."""
    own = inspect.signature(layer_class.__call__)
    function.__signature__ = own.replace(parameters=[p for p in own.parameters.values() if p.name != "scope"])
    function.__doc__ = layer_class.__call__.__doc__


class _OfTheClass:
    """An attribute of a class that its instances do not have: they are called with other arguments."""

    def __init__(self, value: Any) -> None:
        self._value = value

    def __get__(self, instance: Any, owner: type) -> Any:
        if instance is not None:
            raise AttributeError("this is an attribute of the class alone")
        return self._value


def layer_arguments(layer: Any) -> dict[str, Any]:
    """The arguments that make a layer: what its module class takes, too.

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
    """A layer for inputs that are known, and examples of these: for modules that make their parameters at once.

    Args:
        layer_class: makes the layer. Where it has the arguments `irreps_in` (of the last input) and `dtype`, they are
            filled in.
        irreps_in: what :func:`example_inputs` takes; for a layer of several inputs a tuple of these.
        args: positional arguments of the layer.
        kwargs: keyword arguments of the layer.
        dtype: of inputs and parameters.

    Returns:
        The layer, and the inputs that `layer_specs` takes.

    Example:
        >>> import irreps_ops as irr
        >>> layer, (x,) = irr.bindings.layer_for(irr.Linear, "2x0e + 1o", ["4x0e"])
        >>> layer.irreps_out, x.irreps
        (4x0e, 2x0e+1x1o)
    """
    # Irreps are tuples too, but stand for one input.
    inputs = irreps_in if type(irreps_in) is tuple else (irreps_in,)
    arguments, kwargs = inspect.signature(layer_class).parameters, dict(kwargs or {})
    if "irreps_in" in arguments:
        kwargs["irreps_in"] = getattr(example_inputs(inputs[-1])[0], "irreps", None)
    if "dtype" in arguments:
        kwargs.setdefault("dtype", dtype)
    layer = layer_class(*args, **kwargs)
    return layer, layer.example(*inputs, dtype=dtype)


def make_all(scope: Scope, specs: Mapping[str, Any]) -> None:
    """Ask a scope for all that a layer asks for, so that it makes it; nothing is computed but first values.

    Args:
        scope: of the framework, where parameters and state are being made.
        specs: what :func:`layer_specs` gives.
    """
    for name, spec in specs.items():
        if isinstance(spec, Mapping):
            make_all(scope.child(name), spec)
        elif isinstance(spec, ParameterSpec):
            scope.parameter(name, spec.shape, spec.dtype, spec.initializer)
        elif isinstance(spec, StateSpec):
            scope.state(name, spec.shape, spec.dtype, spec.initializer)


def module_lookup(package: str, binding: Binding) -> Callable[[str], Any]:
    """``__getattr__`` of a binding's package: its attributes are the modules of all layers.

    Args:
        package: name of the package, for the error message.
        binding: the binding.
    """

    def __getattr__(name: str) -> Any:
        if name.startswith("_") or name not in layers():
            raise AttributeError(f"module {package!r} has no attribute {name!r}; layers: {', '.join(layers())}")
        return binding.module(layer(name))

    return __getattr__
