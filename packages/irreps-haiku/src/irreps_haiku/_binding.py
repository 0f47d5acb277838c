"""The Haiku binding: Haiku's own parameters, state and random keys, a Haiku module for each branch of their names."""

import functools
from typing import Any

import haiku as hk
import jax

import irreps_ops


def _initializer(initializer: irreps_ops.Initializer) -> Any:
    """The initializer in Haiku's form, which has no key."""
    return lambda shape, dtype: initializer(hk.next_rng_key(), tuple(shape), dtype)


class _Branch(hk.Module):
    """The scope of a Haiku module: its parameters and state and, as modules within it, its branches."""

    @property
    def path(self) -> str:
        """See :class:`irreps_ops.Scope`."""
        return self.module_name

    def parameter(
        self, name: str, shape: tuple[int, ...], dtype: Any, initializer: irreps_ops.Initializer
    ) -> jax.Array:
        """See :class:`irreps_ops.Scope`."""
        return hk.get_parameter(name, shape, dtype, _initializer(initializer))

    def state(self, name: str, shape: tuple[int, ...], dtype: Any, initializer: irreps_ops.Initializer) -> jax.Array:
        """See :class:`irreps_ops.Scope`."""
        value = hk.get_state(name, shape, dtype, _initializer(initializer))
        return irreps_ops.check_parameter(f"{self.module_name}/{name}", value, shape, "state")

    def set_state(self, name: str, value: jax.Array) -> None:
        """See :class:`irreps_ops.Scope`."""
        hk.set_state(name, value)  # what `init` returns are first values all the same

    def key(self, name: str) -> jax.Array:
        """See :class:`irreps_ops.Scope`."""
        return hk.next_rng_key()

    def child(self, name: str) -> "_Branch":
        """See :class:`irreps_ops.Scope`."""
        # Haiku's own choice would be module/~child/name, and name_1 for the second of that name.
        return _Branch(name=hk.force_name(f"{self.module_name}/{name}"))


class _LayerModule(_Branch):
    """A Haiku module made of a layer class, the class attribute `layer_class`."""

    layer_class: Any

    def __init__(self, *args: Any, name: str | None = None, **kwargs: Any) -> None:
        super().__init__(name=name)
        self.layer = self.layer_class(*args, **kwargs)

    def __call__(self, *inputs: Any, **options: Any) -> Any:
        return self.layer(self, *inputs, **options)


class HaikuBinding:
    """Makes Haiku modules of layers, see :class:`irreps_ops.Binding`."""

    irreps_api = 1

    @functools.cache  # noqa: B019  (there is one binding, and one module class for each layer)
    def module(self, layer: type) -> type[hk.Module]:
        """The Haiku module class of a layer class: the arguments of the layer, and `name`."""
        keywords = {"name": (str | None, None)}
        return irreps_ops.module_class(_LayerModule, irreps_ops.layer(layer), keywords=keywords)


binding = HaikuBinding()
