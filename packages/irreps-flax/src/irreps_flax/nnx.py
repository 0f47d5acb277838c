"""Every irreps layer as a Flax nnx module, ours and those of plugins.

``irreps_flax.nnx.NAME`` is the module of ``irreps_ops.bindings.layer("NAME")``. It takes `irreps_in`, then the
arguments of the layer, `rngs` and `param_dtype`. As everywhere in nnx, the constructor creates the parameters; their
shapes follow from `irreps_in`: the irreps of the input, or an int for that many plain features, or data of the right
shape (with channels, for example). A layer with several inputs takes a tuple of these, which is empty if no input has
irreps.

Example:
    >>> import jax.numpy as jnp
    >>> import irreps_ops as irr
    >>> from flax import nnx
    >>> import irreps_flax.nnx
    >>> linear = irreps_flax.nnx.Linear("2x0e + 1o", "4x0e + 1o", rngs=nnx.Rngs(0))
    >>> linear(irr.IrrepsArray("2x0e + 1o", jnp.arange(5.0))).irreps
    4x0e+1x1o
    >>> sorted(nnx.to_pure_dict(nnx.state(linear)))
    ['w[0,0] 2x0e,4x0e', 'w[1,1] 1x1o,1x1o']
"""

import inspect
from typing import Any

import jax
import jax.numpy as jnp
from flax import nnx

import irreps_ops as irr
from irreps_core import IrrepsArray

from . import _serialization as _serialization  # registers IrrepsArray


class _Branch(nnx.Module):
    """A branch of the tree of names, whose attributes are parameters, state, streams of keys and branches."""

    def __init__(self, specs: dict[str, Any], rngs: nnx.Rngs) -> None:
        for name, spec in specs.items():
            if hasattr(self, name):
                raise ValueError(f"nnx modules have an attribute {name!r}: rename the parameter of the layer")
            setattr(self, name, _attribute(name, spec, rngs))


def _attribute(name: str, spec: Any, rngs: nnx.Rngs) -> Any:
    if isinstance(spec, irr.bindings.ParameterSpec):
        return nnx.Param(spec.make(rngs.params()))
    if isinstance(spec, irr.bindings.StateSpec):
        return nnx.BatchStat(spec.make(rngs.params()))
    return rngs[name].fork() if isinstance(spec, irr.bindings.KeySpec) else _Branch(spec, rngs)


class _NnxScope:
    """The scope of a layer that finds parameters, state and keys in the attributes of a branch."""

    def __init__(self, branch: _Branch, root: nnx.Module, path: str = "") -> None:
        self._root, self._path = root, path
        kinds = nnx.Variable, nnx.RngStream, _Branch
        self._found = {name: value for name, value in vars(branch).items() if isinstance(value, kinds)}

    @property
    def path(self) -> str:
        """See :class:`irreps_ops.bindings.Scope`."""
        return f"{_path_of(self._root)}/{self._path}".strip("/")

    def parameter(
        self, name: str, shape: tuple[int, ...], dtype: Any, initializer: irr.bindings.Initializer
    ) -> jax.Array:
        """See :class:`irreps_ops.bindings.Scope`."""
        return self._checked(name, "parameter", shape)

    def state(self, name: str, shape: tuple[int, ...], dtype: Any, initializer: irr.bindings.Initializer) -> jax.Array:
        """See :class:`irreps_ops.bindings.Scope`."""
        return self._checked(name, "state", shape)

    def set_state(self, name: str, value: jax.Array) -> None:
        """See :class:`irreps_ops.bindings.Scope`."""
        self._find(name, "state")[...] = value

    def key(self, name: str) -> jax.Array:
        """See :class:`irreps_ops.bindings.Scope`."""
        return self._find(name, "stream of keys")()

    def child(self, name: str) -> "_NnxScope":
        """See :class:`irreps_ops.bindings.Scope`."""
        return _NnxScope(self._find(name, "parameter"), self._root, f"{self._path}{name}/")

    def _checked(self, name: str, kind: str, shape: tuple[int, ...]) -> jax.Array:
        value = self._find(name, kind)[...]
        if value.shape == tuple(shape):
            return value
        return irr.bindings.check_parameter(f"{self.path}/{name}".lstrip("/"), value, shape, kind)

    def _find(self, name: str, kind: str) -> Any:
        if name in self._found:
            return self._found[name]
        return irr.bindings.find_parameter(f"{self.path}/{name}".lstrip("/"), self._found, name, kind)


def _path_of(module: nnx.Module) -> str:
    """Return the path of a module in the outermost module that is being called; nnx does not record it."""
    found, frame = "", inspect.currentframe()
    while frame is not None:
        caller, frame = frame.f_locals.get("self"), frame.f_back
        if isinstance(caller, nnx.Module):
            found = next(("/".join(map(str, p)) for p, part in nnx.iter_graph(caller) if part is module), found)
    return found


class _LayerModule(_Branch):
    """An nnx module made from a layer class, the class attribute `layer_class`."""

    layer_class: Any

    def __init__(
        self, irreps_in: Any, *args: Any, rngs: nnx.Rngs, param_dtype: Any = jnp.float32, **kwargs: Any
    ) -> None:
        self.layer, examples = irr.bindings.layer_for(self.layer_class, irreps_in, args, kwargs, param_dtype)
        if "is_training" in inspect.signature(self.layer).parameters:
            self.deterministic = False  # nnx's train() and eval() set it
        self.irreps_in = tuple(str(x.irreps) for x in examples if isinstance(x, IrrepsArray))
        super().__init__(irr.bindings.layer_specs(self.layer, *examples), rngs)

    def __call__(self, *inputs: Any, **options: Any) -> Any:
        scope = _NnxScope(self, self)
        inputs = irr.bindings.check_inputs(scope, self.layer, self.irreps_in, inputs)
        if hasattr(self, "deterministic"):
            given = inspect.signature(self.layer).bind(scope, *inputs, **options).arguments
            if "is_training" not in given:
                options["is_training"] = not self.deterministic
        return self.layer(scope, *inputs, **options)


class NnxBinding:
    """The binding of nnx, see :class:`irreps_ops.bindings.Binding`."""

    irreps_api = 1

    def module(self, layer: type) -> type[nnx.Module]:
        """Return the nnx module class of a layer class, which takes `irreps_in`, the layer's arguments and `rngs`."""
        return irr.bindings.module_class(
            _LayerModule,
            irr.bindings.layer(layer),
            first={"irreps_in": Any},
            keywords={"rngs": (nnx.Rngs, inspect.Parameter.empty), "param_dtype": (Any, jnp.float32)},
        )

    def init(self, layer: Any, key: jax.Array, *irreps_in: Any, dtype: Any = jnp.float32) -> Any:
        """Return an nnx module; see :class:`irreps_ops.bindings.Binding`."""
        arguments = irr.bindings.layer_arguments(layer)
        arguments.pop("irreps_in", None)  # the module fills it in
        make: Any = self.module(type(layer))
        return make(irreps_in, **arguments, rngs=nnx.Rngs(key), param_dtype=dtype)

    def apply(self, layer: Any, variables: Any, *inputs: Any, key: Any = None, **options: Any) -> tuple[Any, Any]:
        """See :class:`irreps_ops.bindings.Binding`."""
        model = nnx.clone(variables)
        if key is not None:
            _reseed(model, key)
        return model(*inputs, **options), model

    def to_trees(self, variables: Any) -> tuple[dict[str, Any], dict[str, Any]]:
        """Return the nnx.Param and the nnx.BatchStat of a module; see :class:`irreps_ops.bindings.Binding`."""
        parameters, state, _ = nnx.state(variables, nnx.Param, nnx.BatchStat, ...)
        return _named(nnx.to_pure_dict(parameters)), _named(nnx.to_pure_dict(state))

    def from_trees(
        self, variables: Any, parameters: irr.bindings.Parameters, state: irr.bindings.Parameters | None = None
    ) -> Any:
        """See :class:`irreps_ops.bindings.Binding`."""
        model = nnx.clone(variables)
        given = (parameters, self.to_trees(variables)[1] if state is None else state)
        kinds = (nnx.Param, "parameter"), (nnx.BatchStat, "state")
        for tree, old, (kind, word) in zip(given, self.to_trees(variables), kinds, strict=True):
            irr.bindings.check_tree(tree, old, word)
            part = nnx.state(model, kind)
            nnx.replace_by_pure_dict(part, dict(tree))
            nnx.update(model, part)
        return model


def _named(tree: dict[Any, Any]) -> dict[str, Any]:
    """Convert keys to names; the items of a list have numbers."""
    return {str(key): _named(value) if isinstance(value, dict) else value for key, value in tree.items()}


def _reseed(model: nnx.Module, key: jax.Array) -> None:
    """Restart each stream of keys, with a key that depends on its path."""
    for path, stream in nnx.iter_graph(model):
        if isinstance(stream, nnx.RngStream):
            stream.key[...] = irr.bindings.named_key(key, "/".join(map(str, path)))
            stream.count[...] *= 0


binding = NnxBinding()
"""The binding of Flax nnx."""

__getattr__ = irr.bindings.module_lookup(__name__, binding)


def __dir__() -> list[str]:
    return [*irr.bindings.layers(), "binding"]
