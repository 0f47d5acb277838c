"""The Haiku binding: Haiku's own parameters, state and random keys, a Haiku module for each branch of their names."""

import functools
from typing import Any

import haiku as hk
import jax
import jax.numpy as jnp

import irreps_ops as irr

_TOP = "layer"  # name of the module of one layer


def _initializer(initializer: irr.bindings.Initializer) -> Any:
    """The initializer in Haiku's form, which has no key."""
    return lambda shape, dtype: initializer(hk.next_rng_key(), tuple(shape), dtype)


class _Branch(hk.Module):
    """The scope of a Haiku module: its parameters and state and, as modules within it, its branches."""

    @property
    def path(self) -> str:
        """See :class:`irreps_ops.bindings.Scope`."""
        return self.module_name

    def parameter(
        self, name: str, shape: tuple[int, ...], dtype: Any, initializer: irr.bindings.Initializer
    ) -> jax.Array:
        """See :class:`irreps_ops.bindings.Scope`."""
        try:
            return hk.get_parameter(name, shape, dtype, _initializer(initializer))
        except ValueError:
            if not hk.running_init():
                # Haiku does not say what there is: the names of our parameters tell for which irreps it was made.
                own = {path.removeprefix(f"{self.module_name}/"): value for path, value in self.params_dict().items()}
                value = irr.bindings.find_parameter(f"{self.module_name}/{name}", own, name)
                irr.bindings.check_parameter(f"{self.module_name}/{name}", value, shape)
            raise

    def state(self, name: str, shape: tuple[int, ...], dtype: Any, initializer: irr.bindings.Initializer) -> jax.Array:
        """See :class:`irreps_ops.bindings.Scope`."""
        value = hk.get_state(name, shape, dtype, _initializer(initializer))
        return irr.bindings.check_parameter(f"{self.module_name}/{name}", value, shape, "state")

    def set_state(self, name: str, value: jax.Array) -> None:
        """See :class:`irreps_ops.bindings.Scope`."""
        hk.set_state(name, value)  # what `init` returns are first values all the same

    def key(self, name: str) -> jax.Array:
        """See :class:`irreps_ops.bindings.Scope`."""
        return hk.next_rng_key()

    def child(self, name: str) -> "_Branch":
        """See :class:`irreps_ops.bindings.Scope`."""
        # Haiku's own choice would be module/~child/name, and name_1 for the second of that name.
        return _Branch(name=hk.force_name(f"{self.module_name}/{name}"))


class _LayerModule(_Branch):
    """A Haiku module made of a layer class, the class attribute `layer_class`."""

    __module__ = "irreps_haiku"  # the public home of its subclasses: for reprs, pickles and the documentation
    layer_class: Any

    def __init__(self, *args: Any, name: str | None = None, **kwargs: Any) -> None:
        super().__init__(name=name)
        self.layer = self.layer_class(*args, **kwargs)

    def __call__(self, *inputs: Any, **options: Any) -> Any:
        return self.layer(self, *inputs, **options)


class HaikuBinding:
    """Makes Haiku modules of layers, see :class:`irreps_ops.bindings.Binding`."""

    irreps_api = 1

    @functools.cache  # noqa: B019  (there is one binding, and one module class for each layer)
    def module(self, layer: type) -> type[hk.Module]:
        """The Haiku module class of a layer class: the arguments of the layer, and `name`."""
        keywords = {"name": (str | None, None)}
        return irr.bindings.module_class(_LayerModule, irr.bindings.layer(layer), keywords=keywords)

    def init(self, layer: Any, key: jax.Array, *irreps_in: Any, dtype: Any = jnp.float32) -> Any:
        """Parameters and state of one layer, under names within it; see :class:`irreps_ops.bindings.Binding`."""
        specs = irr.bindings.layer_specs(layer, *layer.example(*irreps_in, dtype=dtype))
        made = hk.transform_with_state(lambda: irr.bindings.request_all(self._module(layer), specs)).init(key)
        return tuple(_renamed(part, f"{_TOP}/", "") for part in made)

    def apply(self, layer: Any, variables: Any, *inputs: Any, key: Any = None, **options: Any) -> tuple[Any, Any]:
        """See :class:`irreps_ops.bindings.Binding`."""
        parameters, state = (_renamed(part, "", f"{_TOP}/") for part in variables)
        function = hk.transform_with_state(lambda *inputs: self._module(layer)(*inputs, **options))
        out, state = function.apply(parameters, state, key, *inputs)
        return out, (variables[0], _renamed(state, f"{_TOP}/", ""))

    def to_trees(self, variables: Any) -> tuple[dict[str, Any], dict[str, Any]]:
        """Of the pair of parameters and state that Haiku's `init` gives; see :class:`irreps_ops.bindings.Binding`."""
        parameters, state = (_tree(part) for part in variables)
        return parameters, state

    def from_trees(
        self, variables: Any, parameters: irr.bindings.Parameters, state: irr.bindings.Parameters | None = None
    ) -> Any:
        """See :class:`irreps_ops.bindings.Binding`."""
        given = (parameters, self.to_trees(variables)[1] if state is None else state)
        for tree, old, kind in zip(given, self.to_trees(variables), ("parameter", "state"), strict=True):
            irr.bindings.check_tree(tree, old, kind)
        return tuple(_like(part, tree) for part, tree in zip(variables, given, strict=True))

    def _module(self, layer: Any) -> Any:
        return self.module(type(layer))(**irr.bindings.layer_arguments(layer), name=_TOP)


def _renamed(part: Any, old: str, new: str) -> dict[str, Any]:
    """Modules whose names begin otherwise; that of the layer itself is the empty name within it."""
    return {(new + f"{name}/".removeprefix(old)).strip("/"): leaves for name, leaves in part.items()}


def _tree(part: Any) -> dict[str, Any]:
    """Haiku's dict of modules by path, as a tree."""
    leaves = [(f"{path}/{name}", value) for path, module in part.items() for name, value in module.items()]
    return irr.bindings.tree_of_leaves({path.removeprefix("/"): value for path, value in leaves})


def _like(part: Any, tree: irr.bindings.Parameters) -> dict[str, Any]:
    """A tree as a dict of modules, those of `part`."""
    leaves = dict(irr.bindings.tree_leaves(tree))
    return {
        path: {name: leaves[f"{path}/{name}".removeprefix("/")] for name in module} for path, module in part.items()
    }


binding = HaikuBinding()
