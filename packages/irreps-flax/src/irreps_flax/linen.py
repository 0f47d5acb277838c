"""Every irreps layer as a Flax linen module, ours and those of plugins.

``irreps_flax.linen.NAME`` is the module of ``irreps_ops.bindings.layer("NAME")``. It takes the arguments of the layer,
`name` and `parent`.

Example:
    >>> import jax, jax.numpy as jnp
    >>> import irreps_ops as irr
    >>> from irreps_flax import linen
    >>> x = irr.IrrepsArray("2x0e + 1o", jnp.arange(5.0))
    >>> linear = linen.Linear("4x0e + 1o")
    >>> params = linear.init(jax.random.key(0), x)
    >>> linear.apply(params, x).irreps
    4x0e+1x1o
"""

import dataclasses
from typing import Any

import jax
import jax.numpy as jnp
from flax import linen
from flax.core import Scope as FlaxScope
from flax.core import init as flax_init
from flax.core import meta

import irreps_ops as irr

from . import _serialization as _serialization  # registers IrrepsArray

# The names of our parameters and state in e3nn_jax.flax, under which they are found, too.
_DENSE_NAMES = {"w": "kernel", "b": "bias"}  # within Dense_0, for our linear_0
_BATCH_NORM_NAMES = {"weight": "weights", "bias": "biases", "running_mean": "mean", "running_var": "var"}
_FLAX_NAMES = _DENSE_NAMES | _BATCH_NORM_NAMES

# Not a cache that can be cleared: programs compare classes and look them up by name.
_classes: dict[type, type[linen.Module]] = {}


class _LinenScope:
    """The scope of a layer: parameters, state and keys of a linen scope, whose inner scopes are the branches."""

    def __init__(self, scope: FlaxScope) -> None:
        self._scope = scope

    @property
    def path(self) -> str:
        """See :class:`irreps_ops.bindings.Scope`."""
        return self._path()

    def parameter(
        self, name: str, shape: tuple[int, ...], dtype: Any, initializer: irr.bindings.Initializer
    ) -> jax.Array:
        """See :class:`irreps_ops.bindings.Scope`."""
        name = self._known("params", name)
        if not self._scope.has_variable("params", name):
            if not self._scope.is_mutable_collection("params"):
                irr.bindings.find_parameter(self._path(name), self._scope.variables().get("params", {}), name)
            return self._scope.param(name, initializer, shape, dtype)
        value = meta.unbox(self._scope.get_variable("params", name))
        return irr.bindings.check_parameter(self._path(name), value, shape)

    def state(self, name: str, shape: tuple[int, ...], dtype: Any, initializer: irr.bindings.Initializer) -> jax.Array:
        """See :class:`irreps_ops.bindings.Scope`."""
        name = self._known("batch_stats", name)

        def first() -> jax.Array:
            return initializer(self._scope.make_rng("params"), shape, dtype)

        value = self._scope.variable("batch_stats", name, first).value
        return irr.bindings.check_parameter(self._path(name), value, shape, "state")

    def set_state(self, name: str, value: jax.Array) -> None:
        """See :class:`irreps_ops.bindings.Scope`."""
        if not self._scope.get_flag("initializing", False):
            self._scope.put_variable("batch_stats", self._known("batch_stats", name), value)

    def key(self, name: str) -> jax.Array:
        """See :class:`irreps_ops.bindings.Scope`."""
        return self._scope.make_rng(name)

    def child(self, name: str) -> "_LinenScope":
        """See :class:`irreps_ops.bindings.Scope`."""
        dense = name.replace("linear_", "Dense_")
        known = dense if self._scope.has_variable("params", dense) else name
        return _LinenScope(self._scope.push(known, reuse=True))

    def _known(self, collection: str, name: str) -> str:
        """Return the name, or that of e3nn_jax.flax if only the latter exists."""
        other = _FLAX_NAMES.get(name, name)
        has = self._scope.has_variable
        return other if has(collection, other) and not has(collection, name) else name

    def _path(self, *name: str) -> str:
        return "/".join((*self._scope.path, *name))


def _module_class(layer: Any) -> type[linen.Module]:
    fields = [field for field in dataclasses.fields(layer) if field.init]

    def make(self: linen.Module) -> Any:
        return layer(**{field.name: getattr(self, field.name) for field in fields})

    def convert(self: linen.Module) -> None:
        """Convert the fields as the layer does, which also refuses wrong arguments."""
        made = make(self)
        for field in fields:
            object.__setattr__(self, field.name, getattr(made, field.name))

    # Linen replaces tuples, hence Irreps, by plain tuples where it binds a module and before `setup`.
    def post_init(self: linen.Module) -> None:
        convert(self)
        linen.Module.__post_init__(self)
        convert(self)

    def setup(self: linen.Module) -> None:
        convert(self)

    @linen.compact
    def call(self: Any, *inputs: Any, **options: Any) -> Any:
        return make(self)(_LinenScope(self.scope), *inputs, **options)

    irr.bindings.describe_call(call, layer)

    body = {
        "__annotations__": {field.name: field.type for field in fields},
        "__call__": call,
        "__doc__": layer.__doc__,
        "__module__": __name__,
        "__post_init__": post_init,
        "layer_class": layer,
        "setup": setup,
    }
    for field in fields:
        body[field.name] = dataclasses.field(
            default=field.default, default_factory=field.default_factory, kw_only=field.kw_only
        )
    return type(layer.__name__, (linen.Module,), body)


class LinenBinding:
    """The binding of linen, see :class:`irreps_ops.bindings.Binding`."""

    irreps_api = 1

    def module(self, layer: Any) -> type[linen.Module]:
        """Return the linen module class of a layer class, a dataclass with the fields of the layer."""
        layer = irr.bindings.layer(layer)
        if layer not in _classes:
            # Threads may make several at the same time; setdefault keeps one.
            _classes.setdefault(layer, _module_class(layer))
        return _classes[layer]

    def init(self, layer: Any, key: jax.Array, *irreps_in: Any, dtype: Any = jnp.float32) -> Any:
        """Return linen's variables; see :class:`irreps_ops.bindings.Binding`."""
        specs = irr.bindings.layer_specs(layer, *layer.example(*irreps_in, dtype=dtype))
        make = flax_init(lambda scope: irr.bindings.request_all(_LinenScope(scope), specs))
        return dict(make({"params": key})[1])

    def apply(self, layer: Any, variables: Any, *inputs: Any, key: Any = None, **options: Any) -> tuple[Any, Any]:
        """See :class:`irreps_ops.bindings.Binding`."""
        rngs = None if key is None else {"params": key}  # linen derives the keys of the other streams from it
        out, new = self._made(layer).apply(variables, *inputs, rngs=rngs, mutable=["batch_stats"], **options)
        return out, {**variables, **new}

    def to_trees(self, variables: Any) -> tuple[dict[str, Any], dict[str, Any]]:
        """Return linen's collections "params" and "batch_stats"; see :class:`irreps_ops.bindings.Binding`."""
        found = meta.unbox(variables)
        return dict(found.get("params", {})), dict(found.get("batch_stats", {}))

    def from_trees(
        self, variables: Any, parameters: irr.bindings.Parameters, state: irr.bindings.Parameters | None = None
    ) -> Any:
        """See :class:`irreps_ops.bindings.Binding`."""
        old = self.to_trees(variables)
        given = {"params": parameters, "batch_stats": old[1] if state is None else state}
        for tree, was, kind in zip(given.values(), old, ("parameter", "state"), strict=True):
            irr.bindings.check_tree(tree, was, kind)
        given = {collection: tree for collection, tree in given.items() if collection in variables}
        boxed = {collection: variables[collection] for collection in given}
        return {**variables, **meta.replace_boxed(boxed, given)}

    def _made(self, layer: Any) -> Any:
        return self.module(type(layer))(**irr.bindings.layer_arguments(layer))


binding = LinenBinding()
"""The binding of Flax linen."""

__getattr__ = irr.bindings.module_lookup(__name__, binding)


def __dir__() -> list[str]:
    return [*irr.bindings.layers(), "binding"]
