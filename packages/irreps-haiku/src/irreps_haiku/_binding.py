"""The Haiku binding: parameters, state and random keys are Haiku's, and each branch of names is a Haiku module."""

from typing import Any

import haiku as hk
import jax
import jax.numpy as jnp

import irreps_ops as irr

_TOP = "layer"  # name of the module where the binding runs one layer


def _initializer(initializer: irr.bindings.Initializer) -> Any:
    """Convert an initializer to Haiku's form, which gets its random key from Haiku."""
    return lambda shape, dtype: initializer(hk.next_rng_key(), tuple(shape), dtype)


class _Branch(hk.Module):
    """A Haiku module that is also the scope of a layer; its branches are modules inside it."""

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
                # Haiku's own message does not list the existing names, which show the irreps of the module.
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
        hk.set_state(name, value)  # Haiku's `init` returns the initial values nevertheless

    def key(self, name: str) -> jax.Array:
        """See :class:`irreps_ops.bindings.Scope`."""
        return hk.next_rng_key()

    def child(self, name: str) -> "_Branch":
        """See :class:`irreps_ops.bindings.Scope`."""
        # By default Haiku would choose module/~child/name, and name_1 for the second request of a name.
        return _Branch(name=hk.force_name(f"{self.module_name}/{name}"))


class _LayerModule(_Branch):
    """A Haiku module made from a layer class, the class attribute `layer_class`."""

    __module__ = "irreps_haiku"  # the public home of its subclasses: for reprs, pickles and the documentation
    layer_class: Any

    def __init__(self, *args: Any, name: str | None = None, **kwargs: Any) -> None:
        super().__init__(name=name)
        self.layer = self.layer_class(*args, **kwargs)

    def __call__(self, *inputs: Any, **options: Any) -> Any:
        return self.layer(self, *inputs, **options)


class HaikuBinding:
    """The binding of Haiku, see :class:`irreps_ops.bindings.Binding`."""

    irreps_api = 1

    def module(self, layer: type) -> type[hk.Module]:
        """Return the Haiku module class of a layer class, which takes the arguments of the layer, and `name`."""
        keywords = {"name": (str | None, None)}
        return irr.bindings.module_class(_LayerModule, irr.bindings.layer(layer), keywords=keywords)

    def init(self, layer: Any, key: jax.Array, *irreps_in: Any, dtype: Any = jnp.float32) -> Any:
        """Return parameters and state of one layer; see :class:`irreps_ops.bindings.Binding`."""
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
        """Convert a pair of parameters and state of Haiku's `init`; see :class:`irreps_ops.bindings.Binding`."""
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
    """Replace the prefix of the names of modules; the name of the layer itself is empty."""
    return {(new + f"{name}/".removeprefix(old)).strip("/"): leaves for name, leaves in part.items()}


def _tree(part: Any) -> dict[str, Any]:
    """Convert Haiku's dict of modules by path to a tree."""
    leaves = [(f"{path}/{name}", value) for path, module in part.items() for name, value in module.items()]
    return irr.bindings.tree_of_leaves({path.removeprefix("/"): value for path, value in leaves})


def _like(part: Any, tree: irr.bindings.Parameters) -> dict[str, Any]:
    """Convert a tree to Haiku's dict of modules by path, with the modules of `part`."""
    leaves = dict(irr.bindings.tree_leaves(tree))
    return {
        path: {name: leaves[f"{path}/{name}".removeprefix("/")] for name in module} for path, module in part.items()
    }


binding = HaikuBinding()
"""The binding of Haiku."""
