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
from typing import Any

import jax
from flax import linen
from flax.core import Scope as FlaxScope

import irreps_ops


class _LinenScope:
    """Parameters of a linen scope; branches are scopes within it."""

    def __init__(self, scope: FlaxScope) -> None:
        self._scope = scope

    def parameter(
        self, name: str, shape: tuple[int, ...], dtype: Any, initializer: irreps_ops.Initializer
    ) -> jax.Array:
        """See :class:`irreps_ops.Scope`."""
        if self._scope.has_variable("params", name):
            value = self._scope.get_variable("params", name)
        else:
            value = self._scope.param(name, initializer, shape, dtype)
        return irreps_ops.check_parameter(name, value, shape)

    def child(self, name: str) -> "_LinenScope":
        """See :class:`irreps_ops.Scope`."""
        return _LinenScope(self._scope.push(name, reuse=True))


class LinenBinding:
    """Makes linen modules of layers, see :class:`irreps_ops.Binding`."""

    irreps_api = 1

    @functools.cache  # noqa: B019  (there is one binding, and one module class for each layer)
    def module(self, layer: Any) -> type[linen.Module]:
        """The linen module class of a layer class: a dataclass with the fields of the layer."""

        @linen.compact
        def call(self: Any, *inputs: Any) -> Any:
            made = layer(**{field.name: getattr(self, field.name) for field in dataclasses.fields(layer)})
            return made(_LinenScope(self.scope), *inputs)

        fields = {
            field.name: dataclasses.field(
                default=field.default, default_factory=field.default_factory, kw_only=field.kw_only
            )
            for field in dataclasses.fields(layer)
        }
        body = {
            **fields,
            "__annotations__": dict.fromkeys(fields, Any),
            "__call__": call,
            "__doc__": layer.__doc__,
            "__module__": __name__,
        }
        return type(layer.__name__, (linen.Module,), body)


binding = LinenBinding()

__getattr__ = irreps_ops.module_lookup(__name__, binding)


def __dir__() -> list[str]:
    return [*irreps_ops.layers(), "binding"]
