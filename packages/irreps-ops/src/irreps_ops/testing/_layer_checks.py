"""The checks of layers and bindings, each a function of a subject: a case in a framework."""

import dataclasses
import functools
import inspect
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from irreps_core import IrrepsArray
from irreps_core.testing import assert_equivariant
from irreps_ops.bindings._module_class import layer_arguments
from irreps_ops.bindings._registry import layer as layer_class
from irreps_ops.scope._functional import apply, init, init_state
from irreps_ops.scope._specs import KeySpec, ParameterSpec, StateSpec, layer_specs, of_kind
from irreps_ops.scope._trees import check_tree, tree_leaves, tree_of_leaves

from ._layer_cases import LayerCase, as_dtype, widest_dtype

_KEY = jax.random.key(0)


class Alone:
    """A binding without a framework, which runs the layer itself; frameworks are compared with it."""

    irreps_api = 1

    def module(self, layer: type) -> type:
        """Return the layer class itself."""
        return layer

    def init(self, layer: Any, key: jax.Array, *irreps_in: Any, dtype: Any = jnp.float32) -> Any:
        """Return a pair of trees, parameters and state."""
        examples = layer.example(*irreps_in, dtype=dtype)
        return init(layer, key, *examples), init_state(layer, key, *examples)

    def apply(self, layer: Any, variables: Any, *inputs: Any, key: Any = None, **options: Any) -> tuple[Any, Any]:
        """Apply the layer, see :func:`irreps_ops.apply`."""
        out, state = apply(layer, variables[0], *inputs, state=variables[1], key=key, **options)
        return out, (variables[0], state)

    def to_trees(self, variables: Any) -> tuple[dict[str, Any], dict[str, Any]]:
        """Return the trees."""
        return variables

    def from_trees(self, variables: Any, parameters: Any, state: Any = None) -> Any:
        """Check and return the trees."""
        state = variables[1] if state is None else state
        for found, expected, kind in zip((parameters, state), variables, ("parameter", "state"), strict=True):
            check_tree(found, expected, kind)
        return parameters, state


class Subject:
    """A case in a framework or without one, and its results."""

    def __init__(self, case: LayerCase, binding: Any, alone: "Subject | None" = None) -> None:
        self.case, self.binding, self._alone = case, binding, alone

    @property
    def alone(self) -> "Subject":
        """The same case without a framework."""
        return self._alone or self

    @functools.cached_property
    def specs(self) -> dict[str, Any]:
        """The parameters, state and keys that the layer requests."""
        return layer_specs(self.case.layer, *self.case.inputs)

    @functools.cached_property
    def uses_keys(self) -> bool:
        """Whether the layer uses random keys."""
        return bool(of_kind(self.alone.specs, KeySpec))

    @functools.cached_property
    def options(self) -> dict[str, Any]:
        """Keyword arguments that switch off the noise."""
        return {"is_training": False} if self.uses_keys else {}

    @functools.cached_property
    def trees(self) -> tuple[dict[str, Any], dict[str, Any]]:
        """Random parameters and state: initial values such as zeros and ones would prove little."""
        random = np.random.default_rng(0)
        trees = []
        for kind, draw in (
            (ParameterSpec, random.standard_normal),
            (StateSpec, lambda shape: random.uniform(0.5, 1.5, shape)),
        ):
            specs = tree_leaves(of_kind(self.specs, kind))
            trees.append(tree_of_leaves({path: jnp.asarray(draw(spec.shape), spec.dtype) for path, spec in specs}))
        return trees[0], trees[1]

    @functools.cached_property
    def variables(self) -> Any:
        """Variables as the framework creates them."""
        return self.binding.init(self.case.layer, _KEY, *self.case.irreps_in, dtype=widest_dtype())

    def run(self, trees: Any, inputs: Any, **options: Any) -> tuple[Any, Any]:
        """Return output and new state, as a pure function."""
        variables = self.binding.from_trees(self.variables, *trees)
        out, new = self.binding.apply(self.case.layer, variables, *inputs, **{**self.options, **options})
        return out, self.binding.to_trees(new)[1]

    def prepared(self) -> "Subject":
        """Compute cached values before tracing."""
        _ = self.variables, self.options, self.alone.trees
        return self

    def of_floats(self, floats: Any) -> Any:
        """Return output and new state as a function of all floating-point parameters, state and inputs."""
        leaves, structure = jax.tree.flatten((self.alone.trees, self.case.inputs))
        places = [n for n, leaf in enumerate(leaves) if jnp.issubdtype(leaf.dtype, jnp.floating)]
        for n, leaf in zip(places, floats, strict=True):
            leaves[n] = leaf
        return self.run(*jax.tree.unflatten(structure, leaves))

    @functools.cached_property
    def floats(self) -> list[jax.Array]:
        """The floating-point parameters, state and inputs."""
        leaves = jax.tree.leaves((self.alone.trees, self.case.inputs))
        return [leaf for leaf in leaves if jnp.issubdtype(leaf.dtype, jnp.floating)]

    @functools.cached_property
    def program(self) -> str:
        """The program that JAX traces. Equal programs have equal derivatives, batches and compiled code."""
        return str(jax.make_jaxpr(self.of_floats)(self.floats))

    @functools.cached_property
    def compiled(self) -> Callable[[list[jax.Array]], Any]:
        """A function of the floats: a scalar with output and state, its gradient, and derivatives along `direction`."""
        direction = self.direction

        def scalar(floats: Any) -> Any:
            out = self.of_floats(floats)
            return _scalar(out[0]), out  # without the state, whose derivatives are stopped

        def both_orders(floats: Any) -> Any:
            return jax.jvp(jax.value_and_grad(scalar, has_aux=True), (floats,), (direction,))

        return _compiled(both_orders, self.floats)

    @functools.cached_property
    def derived(self) -> Any:
        """The values of `compiled` at the random parameters."""
        return self.compiled(self.floats)

    @property
    def value(self) -> tuple[Any, Any]:
        """Output and new state at the random parameters."""
        return self.derived[0][0][1]

    @functools.cached_property
    def direction(self) -> list[jax.Array]:
        """A random direction in the space of the floats."""
        random = np.random.default_rng(1)
        return [jnp.asarray(random.standard_normal(x.shape), x.dtype) for x in self.floats]

    @functools.cached_property
    def batched(self) -> Any:
        """Output and state for a batch of two."""
        stacked = [jnp.asarray(np.stack([x, _less(x)])) for x in self.floats]
        return _compiled(jax.vmap(self.of_floats), stacked)(stacked)


def _compiled(function: Callable[[Any], Any], argument: Any) -> Callable[[Any], Any]:
    """Compile without expensive optimizations, since the function runs only a few times."""
    quick = {"xla_backend_optimization_level": 0, "xla_llvm_disable_expensive_passes": True}
    return jax.jit(function).lower(argument).compile(compiler_options=quick)


def _less(x: jax.Array) -> np.ndarray:
    return np.asarray(x) * np.asarray(0.9, x.dtype)


def _scalar(tree: Any) -> jax.Array:
    return sum((jnp.sum(jnp.sin(leaf)) for leaf in jax.tree.leaves(tree)), jnp.zeros((), widest_dtype()))


class Check(NamedTuple):
    """A check, whose `run` returns a description of the fault, or None."""

    name: str
    run: Callable[[Subject], str | None]


def layer_checks() -> Iterator[Check]:
    """Yield the checks of a layer without a framework."""
    yield Check("description", _description)
    yield Check("example", _example)
    yield Check("finite", _finite)
    yield Check("equivariance", _equivariance)
    yield Check("dtype", _dtype)
    yield Check("init under eval_shape", _abstract_init)
    yield Check("jit and derivatives", _finite_differences)
    yield Check("vmap", _vmap)
    yield Check("batch of 0", _empty)
    yield Check("random keys", _keys)


def binding_checks() -> Iterator[Check]:
    """Yield the checks of a layer in a framework, in addition to those of the layer itself."""
    yield Check("module", _module)
    yield Check("init", _init)
    yield Check("init under eval_shape", _abstract_init)
    yield Check("parameters and state as trees", _trees)
    yield Check("equal numbers", _equal_numbers)
    yield Check("dtype", _dtype)
    yield Check("jit and derivatives", _equal_derivatives)
    yield Check("vmap", _equal_batches)
    yield Check("batch of 0", _empty)
    yield Check("random keys", _keys)


def _tolerance(dtype: Any) -> float:
    return float(np.finfo(dtype).eps) ** 0.75  # 1.8e-12 in float64


def _difference(ours: Any, expected: Any, allowed: float = 0.0, what: str = "output") -> str | None:
    if jax.tree.structure(ours) != jax.tree.structure(expected):
        return f"{what} is a tree {jax.tree.structure(ours)}, expected {jax.tree.structure(expected)}"
    for place, (a, b) in enumerate(zip(jax.tree.leaves(ours), jax.tree.leaves(expected), strict=True)):
        if a.shape != b.shape or a.dtype != b.dtype:
            return f"{what} {place} is {a.dtype}{a.shape}, expected {b.dtype}{b.shape}"
        a, b = np.asarray(a, np.float64), np.asarray(b, np.float64)
        error = np.max(np.abs(a - b), initial=0.0)
        if not error <= allowed * max(np.max(np.abs(b), initial=0.0), 1.0):
            return f"{what} {place} differs by {error:.1e}, allowed {allowed:.0e} of the largest number"
    return None


def _description(subject: Subject) -> str | None:
    layer = subject.case.layer
    layer_class(type(layer))
    again = dataclasses.replace(layer)
    if again != layer or hash(again) != hash(layer):
        return "two layers with equal arguments are not equal or have different hashes, but frameworks compare them"
    return None if (type(layer).__doc__ or "").strip() else "the class has no docstring"


def _example(subject: Subject) -> str | None:
    case = subject.case
    abstract = layer_specs(case.layer, *case.layer.example(*case.irreps_in, dtype=widest_dtype()))
    for kind, what in ((ParameterSpec, "parameters"), (StateSpec, "state")):
        one, other = (
            {path: (spec.shape, jnp.dtype(spec.dtype).name) for path, spec in tree_leaves(of_kind(specs, kind))}
            for specs in (abstract, subject.specs)
        )
        if one != other:
            return f"{what} for `example` are {one}, for data {other}"
    return None


def _finite(subject: Subject) -> str | None:
    finite = all(np.all(np.isfinite(np.asarray(leaf))) for leaf in jax.tree.leaves(subject.value))
    return None if finite else "the output contains NaN or infinity"


def _equivariance(subject: Subject) -> str | None:
    inputs = subject.case.inputs
    if not subject.case.equivariant or not any(isinstance(x, IrrepsArray) for x in inputs):
        return None

    def function(*inputs: Any) -> Any:
        floats = [x for x in jax.tree.leaves((subject.trees, inputs)) if jnp.issubdtype(x.dtype, jnp.floating)]
        return subject.compiled(floats)[0][0][1][0]

    try:
        assert_equivariant(function, 0, *inputs, draws=1)
    except AssertionError as error:
        return str(error)
    return None


def _dtype(subject: Subject) -> str | None:
    binding, options = subject.binding, subject.options

    def run(case: LayerCase, trees: Any, dtype: str) -> Any:
        variables = binding.init(case.layer, _KEY, *case.irreps_in, dtype=dtype)
        out, new = binding.apply(case.layer, binding.from_trees(variables, *trees), *case.inputs, **options)
        return out, binding.to_trees(new)

    for dtype in dict.fromkeys(("float32", str(widest_dtype()))):
        trees = as_dtype(subject.alone.trees, dtype)
        found = jax.eval_shape(functools.partial(run, subject.case.astype(dtype), trees, dtype))
        others = {str(leaf.dtype) for leaf in jax.tree.leaves(found) if jnp.issubdtype(leaf.dtype, jnp.floating)}
        if others - {dtype}:
            return f"data of {dtype} leads to {', '.join(sorted(others))}"
    return None


def _abstract_init(subject: Subject) -> str | None:
    case, binding, dtype = subject.case, subject.binding, widest_dtype()

    def trees(key: jax.Array) -> Any:
        return binding.to_trees(binding.init(case.layer, key, *case.irreps_in, dtype=dtype))

    found = jax.eval_shape(trees, _KEY)
    one, other = (jax.tree.map(lambda a: (a.shape, str(a.dtype)), t) for t in (found, subject.alone.trees))
    return None if _plain(one) == _plain(other) else f"the parameters and state are {one}, expected {other}"


def _plain(pair: Any) -> Any:
    """Return trees of any mappings as dicts."""
    return [dict(tree_leaves(tree)) for tree in pair]


def _finite_differences(subject: Subject) -> str | None:
    """Compare differences of the value with the gradient, and differences of the gradient with second derivatives."""
    exact = widest_dtype() == jnp.float64
    step, allowed = (1e-4, 1e-5) if exact else (1e-2, 3e-2)
    floats, direction = (jax.tree.map(np.asarray, x) for x in (subject.floats, subject.direction))
    (_, gradient), ((slope, _), second) = jax.tree.map(np.asarray, subject.derived)
    moved = []
    for s in (step, -step):
        near = [jnp.asarray(x + s * d, x.dtype) for x, d in zip(floats, direction, strict=True)]
        ((value, _), slopes), _ = jax.tree.map(np.asarray, subject.compiled(near))
        moved.append((value, slopes))
    of_value, of_gradient = jax.tree.map(lambda a, b: (a - b) / np.asarray(2 * step, a.dtype), *moved)
    projected = sum((np.sum(g * d) for g, d in zip(gradient, direction, strict=True)), np.zeros((), widest_dtype()))
    return (
        _difference(slope, of_value, allowed, "the derivative forwards")
        or _difference(projected, of_value, allowed, "the derivative backwards")
        or _difference(second, of_gradient, allowed, "the second derivative")
    )


def _vmap(subject: Subject) -> str | None:
    one, other = subject.value, subject.compiled([jnp.asarray(_less(x)) for x in subject.floats])[0][0][1]
    expected = jax.tree.map(lambda a, b: np.stack([a, b]), one, other)
    return _difference(subject.batched, expected, _tolerance(widest_dtype()))


def _empty(subject: Subject) -> str | None:
    def run(inputs: Any) -> Any:
        return subject.run(subject.alone.trees, inputs)

    empty = subject.case.empty()
    if subject is not subject.alone:  # the alone subject has checked the numbers
        found, expected = jax.eval_shape(run, empty), subject.alone.value
    else:
        found, expected = _compiled(run, empty)(empty), subject.value
    for a, b in zip(jax.tree.leaves(found[0]), jax.tree.leaves(expected[0]), strict=True):
        if a.shape != (0, *b.shape[1:]) or a.dtype != b.dtype:
            return f"an empty batch leads to {a.dtype}{a.shape}, expected {b.dtype}{(0, *b.shape[1:])}"
    if subject is subject.alone and not all(np.all(np.isfinite(leaf)) for leaf in jax.tree.leaves(found[1])):
        return "an empty batch makes the state NaN or infinite"
    return None


def _keys(subject: Subject) -> str | None:
    if not subject.uses_keys:
        return None
    one, same, other = (
        subject.run(subject.alone.trees, subject.case.inputs, is_training=True, key=jax.random.key(n))[0]
        for n in (1, 1, 2)
    )
    if _difference(one, same):
        return "one key leads to two outputs"
    # With few random numbers the outputs of two keys may be equal, but not those of four more.
    others = [other] + [
        subject.run(subject.alone.trees, subject.case.inputs, is_training=True, key=jax.random.key(n))[0]
        for n in (3, 4, 5)
    ]
    return None if any(_difference(one, each) for each in others) else "other keys lead to the same output"


def _module(subject: Subject) -> str | None:
    layer = subject.case.layer
    module = subject.binding.module(type(layer))
    if not isinstance(module, type):
        return f"module() returns {module!r}, which is not a class"
    for what in ("__name__", "__doc__"):
        if getattr(module, what) != getattr(type(layer), what):
            return f"the module class has another {what} than the layer"
    lacks = set(layer_arguments(layer)) - {"irreps_in"} - set(inspect.signature(module).parameters)
    return f"the signature of the module class lacks {sorted(lacks)}" if lacks else None


def _init(subject: Subject) -> str | None:
    """Compare names, shapes, dtypes and initial values with those that the initializers determine."""
    case, binding, dtype = subject.case, subject.binding, widest_dtype()
    again = binding.init(case.layer, jax.random.key(1), *case.irreps_in, dtype=dtype)
    made = [
        [dict(tree_leaves(tree)) for tree in binding.to_trees(variables)] for variables in (subject.variables, again)
    ]
    kinds = (ParameterSpec, "parameter"), (StateSpec, "state")
    for place, (kind, what) in enumerate(kinds):
        specs = dict(tree_leaves(of_kind(subject.alone.specs, kind)))
        one, other = made[0][place], made[1][place]
        if set(one) != set(specs):
            return f"the names of {what} are {sorted(one)}, expected {sorted(specs)}"
        for path, spec in specs.items():
            if one[path].shape != spec.shape or one[path].dtype != spec.dtype:
                return f"{path!r} is {one[path].dtype}{one[path].shape}, expected {spec.dtype}{spec.shape}"
            draws = [np.asarray(spec.make(jax.random.key(n))) for n in (0, 1)]
            constant = np.array_equal(draws[0], draws[1])
            if np.array_equal(one[path], other[path]) != constant or (
                np.array_equal(one[path], draws[0]) and not constant
            ):
                return f"{path!r} is not made by its initializer with a key of its own"
            if constant and not np.array_equal(one[path], draws[0]):
                return f"{path!r} does not have the initial value that its initializer returns"
    return None


def _trees(subject: Subject) -> str | None:
    """Compare parameters and state after a round trip; trees of another model must be refused."""
    binding, trees = subject.binding, subject.alone.trees
    before = binding.to_trees(subject.variables)
    found = binding.to_trees(binding.from_trees(subject.variables, *trees))
    for what, one, other in zip(("parameters", "state"), _plain(found), _plain(trees), strict=True):
        if wrong := _difference(one, other, what=what):
            return wrong
    if _difference(_plain(binding.to_trees(subject.variables)), _plain(before)):
        return "from_trees changes its arguments"
    leaves = dict(tree_leaves(trees[0]))
    for path in list(leaves)[:1]:
        wrong_shape = tree_of_leaves(leaves | {path: jnp.zeros((*leaves[path].shape, 2))})
        try:
            binding.from_trees(subject.variables, wrong_shape)
        except ValueError as error:
            if path.split("/")[-1] in str(error):
                return None
        return f"from_trees does not refuse {path!r} of another shape with a ValueError that names it"
    return None


def _equal_numbers(subject: Subject) -> str | None:
    """Compare the programs or, if they differ, the numbers: bit for bit on a CPU, where the order of sums is fixed."""
    if subject.program == subject.alone.program:
        return None
    allowed = 0.0 if jax.default_backend() == "cpu" else _tolerance(widest_dtype())
    found, expected = (each.of_floats(each.floats) for each in (subject, subject.alone))
    wrong = _difference(found[0], expected[0], allowed)
    return wrong or _difference(_plain([found[1]]), _plain([expected[1]]), allowed, "state")


def _equal_derivatives(subject: Subject) -> str | None:
    if subject.program == subject.alone.program:
        return None
    found, expected = (jax.tree.leaves(each.derived) for each in (subject, subject.alone))
    return _difference(found, expected, _tolerance(widest_dtype()), "derivative")


def _equal_batches(subject: Subject) -> str | None:
    if subject.program == subject.alone.program:
        return None
    found, expected = (jax.tree.leaves(each.batched) for each in (subject, subject.alone))
    return _difference(found, expected, _tolerance(widest_dtype()))
