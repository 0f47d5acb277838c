"""The compute core: polynomials as data, and the primitive that evaluates them, against sums written out by hand."""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import irreps_ops as irr
from irreps_core import clebsch_gordan
from irreps_ops.compute import Access, Coefficients, Index, Operand, Path, Polynomial, evaluate

NODES, EDGES, U, V, W = 5, 12, 4, 3, 2
C112 = clebsch_gordan(1, 1, 2)
C121 = clebsch_gordan(1, 2, 1)
RNG = np.random.default_rng(0)


def arrays(*shapes: tuple[int, ...]) -> list[jax.Array]:
    return [jnp.asarray(RNG.normal(size=shape)) for shape in shapes]


SENDERS = jnp.asarray(RNG.integers(0, NODES, EDGES))
RECEIVERS = jnp.asarray(RNG.integers(0, NODES + 1, EDGES))  # one of them is padding
SPECIES = jnp.asarray(RNG.integers(0, 3, EDGES))

Function = Callable[..., jax.Array]


def _scatter(messages: jax.Array, receivers: jax.Array = RECEIVERS) -> jax.Array:
    return jnp.zeros((NODES, *messages.shape[1:])).at[receivers].add(messages, mode="drop")


def convolution() -> tuple[Polynomial, Function, list[jax.Array], dict[str, Any]]:
    polynomial = Polynomial(
        [
            Operand(1, (U,), Access.BATCHED, "weights"),
            Operand(3, (U,), Index("senders"), "x"),
            Operand(3, (), Access.BATCHED, "harmonics"),
        ],
        [Operand(5, (U,), Index("receivers"), "out")],
        [Path((0, 1, 2), 0, ("u", "u", "", "u"), Coefficients.from_dense(C112[None]))],
    )

    def by_hand(w: jax.Array, x: jax.Array, y: jax.Array) -> jax.Array:
        return _scatter(jnp.einsum("eu,eiu,ej,ijk->eku", w[:, 0], x[SENDERS], y, C112))

    call = {"indices": {"senders": SENDERS, "receivers": RECEIVERS}, "sizes": {"receivers": NODES}}
    return polynomial, by_hand, arrays((EDGES, 1, U), (NODES, 3, U), (EDGES, 3)), call


def fully_connected() -> tuple[Polynomial, Function, list[jax.Array], dict[str, Any]]:
    polynomial = Polynomial(
        [Operand(1, (U, V, W), Access.BROADCAST, "weights"), Operand(3, (U,)), Operand(5, (V,))],
        [Operand(3, (W,))],
        [Path((0, 1, 2), 0, ("uvw", "u", "v", "w"), Coefficients.from_dense(C121[None]))],
    )

    def by_hand(w: jax.Array, x: jax.Array, y: jax.Array) -> jax.Array:
        return jnp.einsum("uvw,eiu,ejv,ijk->ekw", w[0], x, y, C121)

    return polynomial, by_hand, arrays((1, U, V, W), (EDGES, 3, U), (EDGES, 5, V)), {}


def square_per_species() -> tuple[Polynomial, Function, list[jax.Array], dict[str, Any]]:
    both = np.stack([C112, -2 * C112], axis=2)
    polynomial = Polynomial(
        [Operand(3, (U,), Access.BATCHED, "x"), Operand(2, (U,), Index("species"), "weights")],
        [Operand(5, (U,)), Operand(5, (), Access.BROADCAST, "total")],
        [
            Path((0, 0, 1), 0, ("u", "u", "u", "u"), Coefficients.from_dense(both)),
            Path((0, 0), 1, ("u", "v", ""), Coefficients.from_dense(C112)),
        ],
    )

    def by_hand(x: jax.Array, w: jax.Array) -> jax.Array:
        square = jnp.einsum("eiu,eju,emu,ijmk->eku", x, x, w[SPECIES], both)
        total = jnp.einsum("eiu,ejv,ijk->k", x, x, C112)
        return jnp.concatenate([square.reshape(-1), total])

    return polynomial, by_hand, arrays((EDGES, 3, U), (3, 2, U)), {"indices": {"species": SPECIES}}


def components_last() -> tuple[Polynomial, Function, list[jax.Array], dict[str, Any]]:
    """Data as users have it: multiplicity first, components last; two outputs of one input."""
    C = np.concatenate([C112, clebsch_gordan(1, 1, 1)], axis=2)
    polynomial = Polynomial(
        [
            Operand(1, (U, W), Access.BROADCAST),
            Operand(3, (U,), components_last=True),
            Operand(3, (V,), components_last=True),
        ],
        [Operand(8, (U, V), components_last=True), Operand(5, (V, W), components_last=True)],
        [
            Path((1, 2), 0, ("u", "v", "uv"), Coefficients.from_dense(C)),
            Path((0, 1, 2), 1, ("uw", "u", "v", "vw"), Coefficients.from_dense(C112[None])),
        ],
    )

    def by_hand(w: jax.Array, x: jax.Array, y: jax.Array) -> jax.Array:
        full = jnp.einsum("eui,evj,ijk->euvk", x, y, C)
        mixed = jnp.einsum("uw,eui,evj,ijk->evwk", w[0], x, y, C112)
        return jnp.concatenate([full.reshape(-1), mixed.reshape(-1)])

    return polynomial, by_hand, arrays((1, U, W), (EDGES, U, 3), (EDGES, V, 3)), {}


CASES = {f.__name__: f for f in (convolution, fully_connected, square_per_species, components_last)}


def _ours(polynomial: Polynomial, call: dict[str, Any], executor: Any) -> Function:
    def f(*inputs: jax.Array) -> jax.Array:
        out = evaluate(polynomial, inputs, executor=executor, **call)
        return out[0] if len(out) == 1 else jnp.concatenate([y.reshape(-1) for y in out])

    return f


def _scalar(f: Function) -> Function:
    return lambda *inputs: jnp.sum(jnp.sin(f(*inputs)))


def _close(ours: Any, theirs: Any) -> None:
    for a, b in zip(jax.tree.leaves(ours), jax.tree.leaves(theirs), strict=True):
        np.testing.assert_allclose(a, b, atol=1e-12, rtol=1e-12)


@pytest.fixture(params=CASES)
def case(request: pytest.FixtureRequest) -> Any:
    return CASES[request.param]()


@pytest.fixture(params=["reference", "xla"])
def executor(request: pytest.FixtureRequest) -> str:
    return request.param


def test_value(case: Any, executor: str) -> None:
    polynomial, by_hand, inputs, call = case
    ours = _ours(polynomial, call, executor)
    _close(ours(*inputs), by_hand(*inputs))
    _close(jax.jit(ours)(*inputs), by_hand(*inputs))


@pytest.mark.parametrize("transform", ["jvp of grad of grad", "grad of jvp of jvp"])
def test_derivatives_to_third_order(case: Any, transform: str) -> None:
    polynomial, by_hand, inputs, call = case
    argnums = tuple(range(len(inputs)))
    along = tuple(arrays(*(x.shape for x in inputs)))

    def directional(f: Function) -> Function:
        return lambda *a: jax.jvp(f, a, along)[1]

    def grad_dot(f: Function) -> Function:
        def dotted(*a: jax.Array) -> jax.Array:
            return sum(jnp.vdot(g, v) for g, v in zip(jax.grad(f, argnums)(*a), along, strict=True))

        return dotted

    transforms = {
        "jvp of grad of grad": lambda f: directional(jax.grad(grad_dot(f), argnums)),
        "grad of jvp of jvp": lambda f: jax.grad(directional(directional(f)), argnums),
    }
    expected = transforms[transform](_scalar(by_hand))(*inputs)  # jit of JAX 0.8 gives wrong values here
    for executor in ("reference", "xla"):
        _close(jax.jit(transforms[transform](_scalar(_ours(polynomial, call, executor))))(*inputs), expected)


def test_vmap_over_inputs(case: Any) -> None:
    polynomial, by_hand, inputs, call = case
    every = range(len(inputs))
    for batched in ([True for _ in every], *([n == one for n in every] for one in every)):
        axes = tuple(x.ndim - 1 if yes else None for x, yes in zip(inputs, batched, strict=True))
        stacked = [x if a is None else jnp.stack([x, 2 * x, -x], axis=a) for x, a in zip(inputs, axes, strict=True)]
        executors = ("reference", "xla") if all(batched) else ("xla",)
        functions = [by_hand, *(_ours(polynomial, call, executor) for executor in executors)]
        mapped = [jax.vmap(jax.value_and_grad(_scalar(f), len(inputs) - 1), axes) for f in functions]
        expected, *found = (jax.jit(f)(*stacked) for f in mapped)
        for values in found:
            _close(values, expected)


@pytest.mark.parametrize("axes", [(None, None, None, 0, 0), (0, None, None, 0, None), (0, 1, None, None, 0)])
def test_vmap_over_indices(axes: tuple) -> None:
    polynomial, _, inputs, _ = convolution()

    def ours(w: jax.Array, x: jax.Array, y: jax.Array, s: jax.Array, r: jax.Array) -> jax.Array:
        indices = {"senders": s, "receivers": r}
        return evaluate(polynomial, [w, x, y], indices, sizes={"receivers": NODES})[0]

    def by_hand(w: jax.Array, x: jax.Array, y: jax.Array, s: jax.Array, r: jax.Array) -> jax.Array:
        return _scatter(jnp.einsum("eu,eiu,ej,ijk->eku", w[:, 0], x[s], y, C112), r)

    every = [*inputs, SENDERS, RECEIVERS]
    stacked = [
        x if a is None else jnp.stack([x, x[::-1], x], axis=a) if x.ndim == 1 else jnp.stack([x, 2 * x, -x], axis=a)
        for x, a in zip(every, axes, strict=True)
    ]
    _close(*(jax.jit(jax.vmap(f, axes))(*stacked) for f in (ours, by_hand)))
    _close(*(jax.jit(jax.vmap(jax.grad(_scalar(f), (0, 1, 2)), axes))(*stacked) for f in (ours, by_hand)))


def _primitives(jaxpr: Any) -> list[Any]:
    return [eqn for eqn in jaxpr.eqns if eqn.primitive.name == "irreps_polynomial"]


def test_one_operation_for_all_tangents_and_one_for_all_cotangents(case: Any) -> None:
    polynomial, _, inputs, call = case
    f = _ours(polynomial, call, None)
    _, vjp = jax.vjp(f, *inputs)
    ct = jnp.ones_like(f(*inputs))
    backward = _primitives(jax.make_jaxpr(vjp)(ct).jaxpr)
    assert len(backward) <= 1
    forward = _primitives(jax.make_jaxpr(lambda *a: jax.jvp(f, a, a)[1])(*inputs).jaxpr)
    assert len(forward) <= 2


def test_what_is_not_used_is_not_computed() -> None:
    polynomial, _, inputs, call = convolution()

    def forces(x: jax.Array) -> jax.Array:
        return jax.grad(lambda x: jnp.sum(evaluate(polynomial, [inputs[0], x, inputs[2]], **call)[0] ** 2))(x)

    backward = _primitives(jax.make_jaxpr(forces)(inputs[1]).jaxpr)[-1]
    assert [operand.name for operand in backward.params["contraction"].polynomial.outputs] == ["x"]

    (path,) = polynomial.paths
    again = Path(path.inputs, 1, path.subscripts, path.coefficients)
    both = Polynomial(polynomial.inputs, [*polynomial.outputs, *polynomial.outputs], [path, again])
    jitted = jax.make_jaxpr(jax.jit(lambda *a: evaluate(both, a, **call)[1]))(*inputs)
    from jax.interpreters import partial_eval

    pruned, _ = partial_eval.dce_jaxpr(jitted.jaxpr.eqns[0].params["jaxpr"].jaxpr, [True])
    assert len(_primitives(pruned)[0].params["contraction"].polynomial.outputs) == 1


def test_zero_cotangents_are_never_made() -> None:
    polynomial, _, inputs, call = square_per_species()

    def first(x: jax.Array) -> jax.Array:
        return jnp.sum(evaluate(polynomial, [x, inputs[1]], **call)[0])

    backward = _primitives(jax.make_jaxpr(jax.grad(first))(inputs[0]).jaxpr)[-1]
    assert all(operand.name != "total" for operand in backward.params["contraction"].polynomial.inputs)


def test_simplification() -> None:
    x = Operand(3, (U,))
    out = Operand(1, (U,))
    terms = np.array([[0, 1, 0], [1, 0, 0], [2, 2, 0], [2, 2, 0]])
    path = Path((0, 0), 0, ("q", "q", "q"), Coefficients(terms, np.array([1.0, 2.0, 1.0, -1.0])))
    polynomial = Polynomial([x], [out], [path, path])
    (merged,) = polynomial.paths
    assert merged.coefficients == Coefficients(np.array([[0, 1, 0]]), np.array([6.0]))
    assert Polynomial([x], [out], [path, Path(path.inputs, 0, ("z", "z", "z"), path.coefficients)]) == polynomial
    assert hash(Polynomial([x], [out], [path, path])) == hash(polynomial)
    minus = Path(path.inputs, 0, path.subscripts, Coefficients(terms, -np.array([1.0, 2.0, 1.0, -1.0])))
    assert Polynomial([x], [out], [path, minus]).paths == ()
    assert "1 path, 1 term" in polynomial.explain()


def test_unreachable_outputs_are_zero(executor: str) -> None:
    polynomial = Polynomial((Operand(3, (U,)),), (Operand(2, (U,)), Operand(2, (), Access.BROADCAST)), ())
    a, b = evaluate(polynomial, [jnp.ones((EDGES, 3, U))], executor=executor)
    assert a.shape == (EDGES, 2, U)
    assert b.shape == (2,)
    assert not a.any()
    assert not b.any()


@pytest.mark.parametrize("batch", [0, 1])
def test_empty_and_single_batches(executor: str, batch: int) -> None:
    polynomial, by_hand, inputs, _ = fully_connected()
    inputs = [inputs[0], *(x[:batch] for x in inputs[1:])]
    _close(_ours(polynomial, {}, executor)(*inputs), by_hand(*inputs))
    _close(*(jax.grad(_scalar(f))(*inputs) for f in (_ours(polynomial, {}, executor), by_hand)))


def test_float32_and_strict_promotion(case: Any) -> None:
    polynomial, by_hand, inputs, call = case
    with jax.numpy_dtype_promotion("strict"):
        out = _ours(polynomial, call, "xla")(*(x.astype(jnp.float32) for x in inputs))
    assert out.dtype == jnp.float32
    np.testing.assert_allclose(out, by_hand(*inputs), rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda c: {"inputs": c["inputs"][:2]}, "expected 3 inputs, got 2"),
        (lambda c: {"inputs": [c["inputs"][0][:, :, :2], *c["inputs"][1:]]}, r"input 0 \(weights\) must have shape"),
        (lambda c: {"inputs": [c["inputs"][0][:3], *c["inputs"][1:]]}, "agree on the size of the batch"),
        (lambda c: {"inputs": [c["inputs"][0].astype(jnp.float32), *c["inputs"][1:]]}, "one floating dtype"),
        (lambda c: {"indices": {"senders": SENDERS}}, "'receivers' is missing"),
        (lambda c: {"indices": {"senders": SENDERS * 1.0, "receivers": RECEIVERS}}, "must be integers"),
        (lambda c: {"sizes": {}}, "sizes must give"),
        (lambda c: {"executor": "banana"}, "banana"),
    ],
)
def test_what_does_not_fit_is_refused(change: Callable[[dict], dict], message: str) -> None:
    polynomial, _, inputs, call = convolution()
    arguments = {"inputs": inputs, **call}
    arguments |= change(arguments)
    with pytest.raises((ValueError, ImportError), match=message):
        evaluate(polynomial, arguments.pop("inputs"), arguments.pop("indices"), **arguments)


def test_paths_must_fit_their_operands() -> None:
    with pytest.raises(ValueError, match="do not name the channels"):
        Polynomial(
            (Operand(1, (U,)),), (Operand(1),), (Path((0,), 0, ("", ""), Coefficients.from_dense(np.ones((1, 1)))),)
        )
    with pytest.raises(ValueError, match="'u' has 4 channels, and 3"):
        Polynomial(
            (Operand(1, (U,)), Operand(1, (V,))), (Operand(1),),
            (Path((0, 1), 0, ("u", "u", ""), Coefficients.from_dense(np.ones((1, 1, 1)))),),
        )  # fmt: skip
    with pytest.raises(ValueError, match="component 1"):
        Polynomial((Operand(1),), (Operand(1),), (Path((0,), 0, ("", ""), Coefficients.from_dense(np.ones((2, 1)))),))


def test_executors_are_chosen_and_refuse_with_a_reason() -> None:
    class Never:
        irreps_api = 1
        name = "never"

        def why_not(self, contraction: irr.compute.Contraction) -> str:
            return "it never can"

        def cost(self, contraction: irr.compute.Contraction) -> float:
            return 0.0

        def run(self, contraction: irr.compute.Contraction, inputs: Any, indices: Any) -> list[jax.Array]:
            raise AssertionError

    polynomial, by_hand, inputs, call = convolution()
    with pytest.raises(ValueError, match="never: it never can"):
        evaluate(polynomial, inputs, executor=Never(), **call)
    _close(evaluate(polynomial, inputs, executor=(Never(), "xla"), **call)[0], by_hand(*inputs))
    assert {"reference", "xla"} <= set(irr.executors())


@pytest.mark.parametrize("batch", [1, 2, 16, 17])
@pytest.mark.parametrize("degree", [1, 2, 3])
def test_a_result_without_any_axis_and_its_gradient(degree: int, batch: int, executor: str) -> None:
    one = Coefficients(np.zeros((1, degree + 1), int), np.ones(1))
    path = Path((0,) * degree, 0, ("",) * (degree + 1), one)
    power = Polynomial((Operand(1),), (Operand(1, (), Access.BROADCAST),), (path,))
    x = jnp.asarray(RNG.normal(size=(batch, 1)))
    total, gradient = jax.value_and_grad(lambda x: evaluate(power, [x], executor=executor)[0][0])(x)
    np.testing.assert_allclose(total, np.sum(x**degree), rtol=1e-12)
    np.testing.assert_allclose(gradient, degree * x ** (degree - 1), rtol=1e-12)
