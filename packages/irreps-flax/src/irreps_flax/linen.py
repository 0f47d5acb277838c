"""Every irreps layer as a Flax linen module, ours and those of plugins.

``irreps_flax.linen.NAME`` is the module of ``irreps_ops.layer("NAME")``; it takes the arguments of the layer,
`name` and `parent`. No mathematics is here.

Example:
    >>> import jax, jax.numpy as jnp
    >>> import irreps_core as ic
    >>> from irreps_flax import linen
    >>> x = ic.IrrepsArray("2x0e + 1o", jnp.arange(5.0))
    >>> linear = linen.Linear("4x0e + 1o")
    >>> params = linear.init(jax.random.key(0), x)
    >>> linear.apply(params, x).irreps
    4x0e+1x1o
"""

import dataclasses
import functools
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

import jax
from flax import linen
from flax.core import Scope as FlaxScope
from flax.core import meta

import irreps_ops

# Perceptrons of e3nn_jax.flax have Flax's own names, Dense_0/kernel for our linear_0/w: those are found, too.
_FLAX_NAMES = {"w": "kernel", "b": "bias"}


class _LinenScope:
    """Parameters of a linen scope; branches are scopes within it."""

    def __init__(self, scope: FlaxScope, names: Mapping[str, str] = MappingProxyType({})) -> None:
        self._scope, self._names = scope, names

    def parameter(
        self, name: str, shape: tuple[int, ...], dtype: Any, initializer: irreps_ops.Initializer
    ) -> jax.Array:
        """See :class:`irreps_ops.Scope`."""
        name = self._names.get(name, name)
        if not self._scope.has_variable("params", name):
            return self._scope.param(name, initializer, shape, dtype)
        value = meta.unbox(self._scope.get_variable("params", name))
        return irreps_ops.check_parameter("/".join((*self._scope.path, name)), value, shape)

    def child(self, name: str) -> "_LinenScope":
        """See :class:`irreps_ops.Scope`."""
        dense = name.replace("linear_", "Dense_")
        if dense != name and self._scope.has_variable("params", dense):
            return _LinenScope(self._scope.push(dense, reuse=True), _FLAX_NAMES)
        return _LinenScope(self._scope.push(name, reuse=True))


class LinenBinding:
    """Makes linen modules of layers, see :class:`irreps_ops.Binding`."""

    irreps_api = 1

    @functools.cache  # noqa: B019  (there is one binding, and one module class for each layer)
    def module(self, layer: Any) -> type[linen.Module]:
        """The linen module class of a layer class: a dataclass with the fields of the layer."""
        layer = irreps_ops.layer(layer)
        fields = [field for field in dataclasses.fields(layer) if field.init]

        def make(self: linen.Module) -> Any:
            return layer(**{field.name: getattr(self, field.name) for field in fields})

        def post_init(self: linen.Module) -> None:
            made = make(self)  # refuses wrong arguments at once, and has them as values that can be hashed
            for field in fields:
                object.__setattr__(self, field.name, getattr(made, field.name))
            linen.Module.__post_init__(self)

        @linen.compact
        def call(self: Any, *inputs: Any) -> Any:
            return make(self)(_LinenScope(self.scope), *inputs)

        body = {
            "__annotations__": {field.name: field.type for field in fields},
            "__call__": call,
            "__doc__": layer.__doc__,
            "__module__": __name__,
            "__post_init__": post_init,
            "layer_class": layer,
        }
        for field in fields:
            body[field.name] = dataclasses.field(
                default=field.default, default_factory=field.default_factory, kw_only=field.kw_only
            )
        return type(layer.__name__, (linen.Module,), body)


binding = LinenBinding()

__getattr__ = irreps_ops.module_lookup(__name__, binding)


def __dir__() -> list[str]:
    return [*irreps_ops.layers(), "binding"]
