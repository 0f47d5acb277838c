"""The Equinox binding: modules are pytrees of parameters, and each call takes state and random key."""

import functools
import inspect
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp

import irreps_ops as irr
from irreps_core import IrrepsArray


class _LayerModule(eqx.nn.StatefulLayer):
    """An Equinox module made from a layer class, the class attribute `layer_class`.

    Attributes:
        parameters: tree of names whose leaves are arrays.
        state: tree of names whose leaves are ``eqx.nn.StateIndex``.
        layer: the layer.
        irreps_in: irreps of the inputs that are IrrepsArrays.
    """

    parameters: dict[str, Any]
    state: dict[str, Any]
    layer: Any = eqx.field(static=True)
    irreps_in: tuple[str, ...] = eqx.field(static=True)

    def __init__(
        self,
        irreps_in: Any,
        *args: Any,
        key: jax.Array,
        param_dtype: Any = jnp.float32,
        **kw: Any,
    ) -> None:
        layer_class = type(self).layer_class  # type: ignore[attr-defined]  # of the subclass, by module_class
        self.layer, examples = irr.bindings.layer_for(layer_class, irreps_in, args, kw, param_dtype)
        self.irreps_in = tuple(str(x.irreps) for x in examples if isinstance(x, IrrepsArray))
        self.parameters = irr.init(self.layer, key, *examples)
        self.state = jax.tree.map(eqx.nn.StateIndex, irr.init_state(self.layer, key, *examples))

    def is_stateful(self) -> bool:
        """Return whether calls take and return state."""
        return bool(self.state)

    def __call__(self, *inputs: Any, state: Any = None, key: jax.Array | None = None, **options: Any) -> Any:
        """Return the output of the layer; for a layer with state, a pair of the output and the new state.

        Args:
            inputs: inputs of the layer; the state may follow them, as with Equinox's own layers.
            state: the ``eqx.nn.State`` of the model, for a layer with state.
            key: a random key, for a layer that uses random keys.
            options: keyword arguments of the layer.

        Raises:
            ValueError: a layer with state is called without it.
        """
        if inputs and isinstance(inputs[-1], eqx.nn.State):
            inputs, state = inputs[:-1], inputs[-1]
        call = inspect.signature(self.layer)
        given = call.bind(None, *inputs, **options).arguments
        if getattr(self, "inference", False) and "is_training" not in given:
            options["is_training"] = False
        run = functools.partial(
            irr.apply, self._checked, self.parameters, *inputs, key=key, path=lambda: _path_of(self), **options
        )
        if not self.state:
            out = run()
            return out if state is None else (out, state)
        if state is None:
            raise ValueError(
                f"{type(self).__name__} has state: make the model with eqx.nn.make_with_state and call it as "
                "module(x, state), which returns y and the new state"
            )
        old = jax.tree.map(state.get, self.state, is_leaf=_is_index)
        out, new = run(state=old)
        for (_, index), (_, value) in zip(
            irr.bindings.tree_leaves(self.state), irr.bindings.tree_leaves(new), strict=True
        ):
            state = state.set(index, value)
        return out, state

    def _checked(self, scope: irr.bindings.Scope, *inputs: Any, **options: Any) -> Any:
        """Check the irreps of the inputs, then apply the layer."""
        return self.layer(scope, *irr.bindings.check_inputs(scope, self.layer, self.irreps_in, inputs), **options)


class _TrainableModule(_LayerModule):
    """A module of a layer that takes `is_training`.

    Attributes:
        inference: the switch of ``eqx.nn.inference_mode``; True stands for ``is_training=False``.
    """

    inference: bool

    def __init__(self, irreps_in: Any, *args: Any, inference: bool = False, **kw: Any) -> None:
        super().__init__(irreps_in, *args, **kw)
        self.inference = inference


class EquinoxBinding:
    """The binding of Equinox, see :class:`irreps_ops.bindings.Binding`."""

    irreps_api = 1

    def module(self, layer: type) -> type[eqx.Module]:
        """Return the Equinox module class of a layer class.

        It takes `irreps_in`, the arguments of the layer, `key` and `param_dtype`; and `inference` if the layer takes
        `is_training`. Otherwise its leaves are its parameters.
        """
        keywords: dict[str, tuple[Any, Any]] = {
            "key": (jax.Array, inspect.Parameter.empty),
            "param_dtype": (Any, jnp.float32),
        }
        layer, base = irr.bindings.layer(layer), _LayerModule
        if "is_training" in inspect.signature(layer.__call__).parameters:
            keywords["inference"], base = (bool, False), _TrainableModule
        return irr.bindings.module_class(base, layer, first={"irreps_in": Any}, keywords=keywords)

    def init(self, layer: Any, key: jax.Array, *irreps_in: Any, dtype: Any = jnp.float32) -> Any:
        """Return a module and its state; see :class:`irreps_ops.bindings.Binding`."""
        arguments = irr.bindings.layer_arguments(layer)
        arguments.pop("irreps_in", None)  # the module fills it in
        make: Any = self.module(type(layer))
        return eqx.nn.make_with_state(make)(irreps_in, **arguments, key=key, param_dtype=dtype)

    def apply(self, layer: Any, variables: Any, *inputs: Any, key: Any = None, **options: Any) -> tuple[Any, Any]:
        """See :class:`irreps_ops.bindings.Binding`."""
        model, state = variables
        out, state = model(*inputs, state=_copy(state), key=key, **options)
        return out, (model, state)

    def to_trees(self, variables: Any) -> tuple[dict[str, Any], dict[str, Any]]:
        """Return arrays and state by the names of attributes; see :class:`irreps_ops.bindings.Binding`."""
        model, state = variables
        leaves = _named_leaves(model)
        parameters = {path: leaf for path, leaf in leaves if eqx.is_inexact_array(leaf)}
        indices = {path: state.get(leaf) for path, leaf in leaves if _is_index(leaf)}
        return irr.bindings.tree_of_leaves(parameters), irr.bindings.tree_of_leaves(indices)

    def from_trees(
        self, variables: Any, parameters: irr.bindings.Parameters, state: irr.bindings.Parameters | None = None
    ) -> Any:
        """See :class:`irreps_ops.bindings.Binding`."""
        (model, values), old = variables, self.to_trees(variables)
        irr.bindings.check_tree(parameters, old[0])
        irr.bindings.check_tree(old[1] if state is None else state, old[1], "state")
        given, states = dict(irr.bindings.tree_leaves(parameters)), dict(irr.bindings.tree_leaves(state or {}))
        leaves, structure = jax.tree.flatten(model, is_leaf=_is_index)
        new, values = [], _copy(values)
        for (path, _), leaf in zip(_named_leaves(model), leaves, strict=True):
            new.append(given[path] if eqx.is_inexact_array(leaf) else leaf)
            if path in states:
                values = values.set(leaf, states[path])
        return jax.tree.unflatten(structure, new), values


def _path_of(module: eqx.Module) -> str:
    """Return the path of a module in the outermost module that is being called; Equinox does not record it."""
    found, frame = "", inspect.currentframe()
    while frame is not None:
        caller, frame = frame.f_locals.get("self"), frame.f_back
        # Skip Equinox's wrappers of functions, which are modules, too.
        if isinstance(caller, eqx.Module) and not type(caller).__module__.startswith("equinox._"):
            leaves = jax.tree_util.tree_flatten_with_path(caller, is_leaf=lambda x: x is module)[0]
            found = next((_name(path) for path, part in leaves if part is module), found)
    return found


def _name(path: Any) -> str:
    """Return a path of attributes, keys and positions as a name."""
    return "/".join(str(getattr(k, "name", getattr(k, "key", getattr(k, "idx", k)))) for k in path)


def _is_index(leaf: Any) -> bool:
    return isinstance(leaf, eqx.nn.StateIndex)


def _copy(state: Any) -> Any:
    """Return a copy of a state, because Equinox invalidates a state that is updated."""
    return jax.tree.unflatten(*reversed(jax.tree.flatten(state)))


def _named_leaves(model: Any) -> list[tuple[str, Any]]:
    """Return all leaves with their paths, without the attribute of a layer that holds its parameters or state."""
    found: list[tuple[str, Any]] = []

    def is_leaf(x: Any) -> bool:
        return _is_index(x) or (isinstance(x, _LayerModule) and x is not model)

    for path, leaf in jax.tree_util.tree_flatten_with_path(model, is_leaf=is_leaf)[0]:
        name = _name(path)
        if isinstance(leaf, _LayerModule):
            found += [(f"{name}/{rest}", value) for rest, value in _named_leaves(leaf)]
        else:
            own = isinstance(model, _LayerModule)
            found.append((name.partition("/")[2] if own else name, leaf))
    return found


binding = EquinoxBinding()
