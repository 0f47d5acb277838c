"""The Haiku binding: parameters by ``hk.get_parameter``, a Haiku module for each branch of their names."""

import functools
from typing import Any

import haiku as hk
import jax

import irreps_ops


class _Branch(hk.Module):
    """The scope of a Haiku module: its parameters and, as modules within it, its branches."""

    def __init__(self, name: str | None = None) -> None:
        super().__init__(name=name)
        self._branches: dict[str, _Branch] = {}

    def parameter(
        self, name: str, shape: tuple[int, ...], dtype: Any, initializer: irreps_ops.Initializer
    ) -> jax.Array:
        """See :class:`irreps_ops.Scope`."""

        def init(shape: Any, dtype: Any) -> jax.Array:
            return initializer(hk.next_rng_key(), tuple(shape), dtype)

        value = hk.get_parameter(name, shape, dtype, init)
        return irreps_ops.check_parameter(f"{self.module_name}/{name}", value, shape)

    @hk.transparent  # so that the branch is named module/branch, not module/~child/branch
    def child(self, name: str) -> "_Branch":
        """See :class:`irreps_ops.Scope`."""
        # A second module of the name would get another one, branch_1, and other parameters.
        if name not in self._branches:
            self._branches[name] = _Branch(name=name)
        return self._branches[name]


class _LayerModule(_Branch):
    """A Haiku module made of a layer class, the class attribute `layer_class`."""

    layer_class: Any

    def __init__(self, *args: Any, name: str | None = None, **kwargs: Any) -> None:
        super().__init__(name=name)
        self.layer = self.layer_class(*args, **kwargs)

    def __call__(self, *inputs: Any) -> Any:
        return self.layer(self, *inputs)


class HaikuBinding:
    """Makes Haiku modules of layers, see :class:`irreps_ops.Binding`."""

    irreps_api = 1

    @functools.cache  # noqa: B019  (there is one binding, and one module class for each layer)
    def module(self, layer: type) -> type[hk.Module]:
        """The Haiku module class of a layer class: the arguments of the layer, and `name`."""
        keywords = {"name": (str | None, None)}
        return irreps_ops.module_class(_LayerModule, irreps_ops.layer(layer), keywords=keywords)


binding = HaikuBinding()
