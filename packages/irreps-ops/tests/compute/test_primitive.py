"""The primitive among JAX's transformations and program structures, against the same function written by hand."""

from collections.abc import Callable, Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.extend.core import ClosedJaxpr, Jaxpr

import irreps_ops as irr
from irreps_core import clebsch_gordan
from irreps_ops.compute import Access, Coefficients, Index, Operand, Path, Polynomial, evaluate
from irreps_ops.compute.executors._reference import ReferenceExecutor

U, NODES, EDGES = 3, 4, 7
C112 = clebsch_gordan(1, 1, 2)
POLYNOMIAL = Polynomial(
    (Operand(1, (U,), Access.BROADCAST, "weights"), Operand(3, (U,), Index("senders"), "x"), Operand(3, (), name="y")),
    (Operand(5, (U,), Index("receivers"), "out"), Operand(1, (U,), Index("receivers"), "norms")),
    (
        Path((0, 1, 2), 0, ("u", "u", "", "u"), Coefficients.from_dense(C112[None])),
        Path((1, 1), 1, ("u", "u", "u"), Coefficients.from_dense(np.eye(3)[:, :, None])),
    ),
)
RNG = np.random.default_rng(0)
W, X, Y = (jnp.asarray(RNG.normal(size=shape)) for shape in ((1, U), (NODES, 3, U), (EDGES, 3)))
INDICES = {
    "senders": jnp.asarray(RNG.integers(0, NODES, EDGES)),
    "receivers": jnp.asarray(RNG.integers(0, NODES + 1, EDGES)),
}
INPUTS = (W, X, Y)
Function = Callable[..., jax.Array]


def ours(w: jax.Array, x: jax.Array, y: jax.Array, indices: Mapping[str, jax.Array] = INDICES) -> jax.Array:
    out, norms = evaluate(POLYNOMIAL, [w, x, y], indices, sizes={"receivers": NODES})
    return jnp.concatenate([out, norms], axis=1)


def by_hand(w: jax.Array, x: jax.Array, y: jax.Array, indices: Mapping[str, jax.Array] = INDICES) -> jax.Array:
    sent = x[indices["senders"]]
    # Not einsum, whose product of float64 XLA cannot compile for GPUs ("Couldn't find output tile sizes", JAX 0.11.2).
    terms = sent[:, :, None, None, :] * y[:, None, :, None, None] * C112[None, :, :, :, None]
    messages = w[:, None, :] * jnp.sum(terms, axis=(1, 2))
    both = jnp.concatenate([messages, jnp.sum(sent**2, axis=1, keepdims=True)], axis=1)
    return jnp.zeros((NODES, 6, U)).at[indices["receivers"]].add(both, mode="drop")


def energy(f: Function) -> Function:
    return lambda *a: jnp.sum(jnp.sin(f(*a)))


def close(a: Any, b: Any) -> None:
    for x, y in zip(jax.tree.leaves(a), jax.tree.leaves(b), strict=True):
        np.testing.assert_allclose(x, y, rtol=1e-11, atol=1e-12)


def scanned(f: Function) -> Function:
    def g(w: jax.Array, x: jax.Array, y: jax.Array) -> jax.Array:
        def step(c, s):
            return (c + f(w, s * x, y), jnp.sum(f(w, x, s * y)))

        total, sums = jax.lax.scan(step, jnp.zeros((NODES, 6, U)), jnp.array([0.5, 2.0]))
        return total * jnp.sum(sums)

    return g


def branched(f: Function) -> Function:
    return lambda w, x, y: jax.lax.cond(
        jnp.sum(w) > 10, lambda *a: -f(*a), lambda *a: f(a[0], a[1] ** 2, a[2]), w, x, y
    )


def looped(f: Function) -> Function:
    """`while` can be differentiated forward only; `fori_loop` with a fixed count in both modes."""
    return lambda w, x, y: jax.lax.fori_loop(0, 2, lambda n, c: c + (n + 1.0) * f(w, x, y), jnp.zeros((NODES, 6, U)))


def with_neighbours(f: Function) -> Function:
    """Between functions whose derivatives are given by rules."""

    @jax.custom_jvp
    def cube(x: jax.Array) -> jax.Array:
        return x**3

    cube.defjvp(lambda primals, tangents: (cube(*primals), 3 * primals[0] ** 2 * tangents[0]))

    @jax.custom_vjp
    def double(x: jax.Array) -> jax.Array:
        return 2 * x

    double.defvjp(lambda x: (2 * x, None), lambda _, ct: (2 * ct,))
    return lambda w, x, y: double(f(w, cube(x), double(y)))


def inside_a_rule(f: Function) -> Function:
    """In the rule of a custom_jvp, as well as in its function."""

    @jax.custom_jvp
    def g(w: jax.Array, x: jax.Array, y: jax.Array) -> jax.Array:
        return f(w, x, y)

    g.defjvp(lambda primals, tangents: jax.jvp(f, primals, tangents))
    return g


def remat(policy: Any) -> Callable[[Function], Function]:
    return lambda f: jax.checkpoint(lambda *a: f(a[0], jnp.sin(f(*a)[:, :3]), a[2]), policy=policy)


PROGRAMS: dict[str, Callable[[Function], Function]] = {
    "scan": scanned,
    "cond": branched,
    "fori_loop": looped,
    "custom_jvp and custom_vjp around": with_neighbours,
    "custom_jvp of it": inside_a_rule,
    "remat": remat(None),
    "remat, dots saved": remat(jax.checkpoint_policies.dots_saveable),
    "remat, everything saved": remat(jax.checkpoint_policies.everything_saveable),
    "remat, products of no batches saved": remat(jax.checkpoint_policies.dots_with_no_batch_dims_saveable),
    "jit in jit": lambda f: jax.jit(lambda *a: jax.jit(f)(a[0], jnp.sin(a[1]), a[2])),
}


@pytest.mark.parametrize("program", PROGRAMS)
def test_programs(program: str) -> None:
    """Values, gradients and Hessian-vector products of the program around it, compiled."""
    results = []
    for f in (ours, by_hand):
        e = energy(PROGRAMS[program](f))
        gradient = jax.grad(e, (0, 1, 2))

        def hvp(*a, g=gradient):
            return jax.jvp(g, a, tuple(map(jnp.cos, a)))[1]

        results.append(jax.jit(lambda *a, e=e, g=gradient, h=hvp: (e(*a), g(*a), h(*a)))(*INPUTS))
    close(*results)


def test_while_loops() -> None:
    def f(g: Function) -> Function:
        def run(w: jax.Array, x: jax.Array, y: jax.Array) -> jax.Array:
            def more(c):
                return jnp.sum(c[0] ** 2) < 1e3

            return jax.lax.while_loop(more, lambda c: (c[0] * 2 + g(w, x, y), c[1] + 1), (g(w, x, y), 0))[0]

        return lambda *a: (run(*a), jax.jvp(run, a, a)[1])

    close(jax.jit(f(ours))(*INPUTS), jax.jit(f(by_hand))(*INPUTS))


def test_every_way_to_differentiate() -> None:
    for way in (
        lambda f: jax.hessian(energy(f), (0, 2)),
        lambda f: jax.jacrev(jax.jacfwd(energy(f), 1), 0),
        lambda f: jax.jacfwd(jax.jacfwd(energy(f), 0), 2),
    ):
        close(jax.jit(way(ours))(*INPUTS), jax.jit(way(by_hand))(*INPUTS))
    for f, g in ((ours, by_hand),):
        out, linear = jax.linearize(f, *INPUTS)
        close((out, linear(*INPUTS)), jax.jvp(g, INPUTS, INPUTS))
        close(jax.linear_transpose(linear, *INPUTS)(out), jax.vjp(g, *INPUTS)[1](out))
        close(jax.vmap(linear)(*(jnp.stack([a, -a]) for a in INPUTS))[0], jax.jvp(g, INPUTS, INPUTS)[1])


def test_indices_have_no_derivative() -> None:
    zeros = jax.tree.map(lambda i: np.zeros(i.shape, jax.dtypes.float0), INDICES)
    for f, g in ((ours, by_hand),):
        close(
            jax.jvp(f, (*INPUTS, INDICES), (*INPUTS, zeros)),
            jax.jvp(g, (*INPUTS, INDICES), (*INPUTS, zeros)),
        )
    gradient, of_indices = jax.grad(energy(ours), (1, 3), allow_int=True)(*INPUTS, INDICES)
    close(gradient, jax.grad(energy(by_hand), 1)(*INPUTS))
    assert all(ct.dtype == jax.dtypes.float0 for ct in jax.tree.leaves(of_indices))
    jitted = jax.jit(jax.grad(energy(ours), 1))  # indices as arguments of a compiled function
    close(jitted(*INPUTS, INDICES), gradient)


def operations(jaxpr: Any) -> list[Any]:
    """All evaluations of polynomials in a program, however deep."""
    if isinstance(jaxpr, ClosedJaxpr):
        jaxpr = jaxpr.jaxpr
    found = []
    for eqn in jaxpr.eqns:
        if eqn.primitive.name == "irreps_polynomial":
            found.append(eqn)
        for value in eqn.params.values():
            for item in value if isinstance(value, (tuple, list)) else (value,):
                if isinstance(item, (Jaxpr, ClosedJaxpr)):
                    found += operations(item)
    return found


def names(eqn: Any) -> tuple[list[str], list[str]]:
    polynomial = eqn.params["contraction"].polynomial
    return [o.name for o in polynomial.inputs], [o.name for o in polynomial.outputs]


def test_one_operation_for_all_tangents_and_one_for_all_cotangents() -> None:
    tangents = operations(jax.make_jaxpr(lambda *a: jax.jvp(ours, a, a)[1])(*INPUTS))
    assert len(tangents) == 2
    assert names(tangents[1])[1] == ["out", "norms"]
    cotangents = operations(jax.make_jaxpr(lambda *a: jax.grad(energy(ours), (0, 1, 2))(*a))(*INPUTS))
    assert len(cotangents) == 2
    assert names(cotangents[1])[1] == ["weights", "x", "y"]

    # Double backward: the gradient and, for it, one more of each kind.
    def loss(*a):
        return sum(jnp.sum(g**2) for g in jax.grad(energy(ours), (0, 1, 2))(*a))

    assert len(operations(jax.make_jaxpr(jax.grad(loss, (0, 1, 2)))(*INPUTS))) <= 5


def test_what_is_known_to_be_zero_is_never_made() -> None:
    along_y = operations(jax.make_jaxpr(lambda y: jax.jvp(lambda y: ours(W, X, y), (y,), (y,))[1])(Y))
    assert names(along_y[1]) == (["weights", "x", "y"], ["out"])
    assert not operations(jax.make_jaxpr(lambda y: jax.jvp(lambda y: norms(X), (y,), (y,))[1])(Y))[1:]

    def only_out(x):
        return jnp.sum(evaluate(POLYNOMIAL, [W, x, Y], INDICES, sizes={"receivers": NODES})[0])

    backward = operations(jax.make_jaxpr(jax.grad(only_out))(X))
    assert names(backward[-1]) == (["weights", "y", "out"], ["x"])


def norms(x: jax.Array) -> jax.Array:
    return evaluate(POLYNOMIAL, [W, x, Y], INDICES, sizes={"receivers": NODES})[1]


def test_what_nobody_uses_is_not_computed() -> None:
    from jax.interpreters import partial_eval

    def pruned(f: Function, *inputs: Any) -> list[Any]:
        jaxpr = jax.make_jaxpr(f)(*inputs).jaxpr
        return operations(partial_eval.dce_jaxpr(jaxpr, [True] * len(jaxpr.outvars))[0])

    (only,) = pruned(norms, X)
    assert names(only) == (["x"], ["norms"])
    (scan,) = pruned(
        lambda x: jax.lax.scan(lambda c, _: (c, norms(c)), x, None, 3)[1],
        X,
    )
    assert names(scan)[1] == ["norms"]
    assert not pruned(lambda x: (norms(x), x)[1], X)
    forces = pruned(jax.grad(lambda y, x: jnp.sum(ours(W, x, y))), Y, X)
    assert names(forces[-1])[1] == ["y"]


BATCHES: dict[str, tuple[Any, ...]] = {
    "features": (None, 0, None, None),
    "weights": (0, None, None, None),
    "all but indices": (1, 2, 0, None),
    "one index": (None, None, None, {"senders": None, "receivers": 0}),
    "both indices, and shared weights": (0, None, 0, {"senders": 1, "receivers": 0}),
    "everything": (0, 0, 1, {"senders": 0, "receivers": 0}),
}


@pytest.mark.parametrize("batch", BATCHES)
def test_batches(batch: str) -> None:
    """One axis, and two nested ones, of values and of gradients."""
    axes = BATCHES[batch]

    def stacked(x: jax.Array, axis: int | None) -> jax.Array:
        if axis is None:
            return x
        return (
            jnp.stack([x, x[::-1], x], axis) if x.dtype == INDICES["senders"].dtype else jnp.stack([x, -2 * x, x], axis)
        )

    index_axes = axes[3] or {"senders": None, "receivers": None}
    once = [stacked(x, axis) for x, axis in zip(INPUTS, axes, strict=False)]
    once.append({name: stacked(index, index_axes[name]) for name, index in INDICES.items()})
    twice = [jnp.stack([x, 3 * x]) for x in once[:3]]
    found = []
    for f in (ours, by_hand):
        single = jax.vmap(f, axes)
        gradient = jax.vmap(jax.grad(energy(f), (0, 1, 2)), axes)
        double = jax.vmap(lambda a, b, c, i, s=single: s(a, b, c, i), (0, 0, 0, None))

        def compute(a, b, s=single, g=gradient, d=double):
            return (s(*a), g(*a), d(*b))

        found.append(jax.jit(compute)(once, [*twice, once[3]]))
    close(*found)


def test_a_batch_of_rows_is_only_more_rows() -> None:
    """No array is rearranged or repeated where the batch of a product row by row is in front."""
    dense = Polynomial((Operand(1, (U,), Access.BROADCAST), Operand(3, (U,))), (Operand(3, (U,)),), (
        Path((0, 1), 0, ("u", "u", "u"), Coefficients.from_dense(np.eye(3)[None])),
    ))  # fmt: skip
    f = jax.vmap(lambda x: evaluate(dense, [W, x])[0])
    (eqn,) = operations(jax.make_jaxpr(f)(jnp.ones((5, NODES, 3, U))))
    assert eqn.params["contraction"].batch == 5 * NODES
    assert eqn.params["contraction"].polynomial == dense


def test_export_of_values_and_gradients() -> None:
    pytest.importorskip("flatbuffers", reason="could not import flatbuffers, which serialization needs")
    from jax import export

    for f, g in ((ours, by_hand), (jax.grad(energy(ours), (0, 1, 2)), jax.grad(energy(by_hand), (0, 1, 2)))):
        exported = export.export(jax.jit(f))(*INPUTS, INDICES)
        restored = export.deserialize(exported.serialize())
        close(restored.call(*INPUTS, INDICES), g(*INPUTS, INDICES))
    # A program restored with its derivatives can be differentiated.
    exported = export.export(jax.jit(energy(ours)))(*INPUTS)
    restored = export.deserialize(exported.serialize(vjp_order=2))
    close(jax.grad(restored.call, (0, 1, 2))(*INPUTS), jax.grad(energy(by_hand), (0, 1, 2))(*INPUTS))
    # For platforms that this machine does not have.
    several = export.export(jax.jit(ours), platforms=["cpu", "cuda", "tpu"])(*INPUTS)
    close(several.call(*INPUTS), by_hand(*INPUTS))


def test_export_with_symbolic_numbers_of_rows() -> None:
    from jax import export

    def f(x: jax.Array, y: jax.Array, indices: Mapping[str, jax.Array]) -> jax.Array:
        return evaluate(POLYNOMIAL, [W, x, y], indices, sizes={"receivers": x.shape[0]})[0]

    nodes, edges = export.symbolic_shape("nodes, edges")
    index = jax.ShapeDtypeStruct((edges,), INDICES["senders"].dtype)
    shapes = [jax.ShapeDtypeStruct((n, *x.shape[1:]), x.dtype) for n, x in ((nodes, X), (edges, Y))]
    exported = export.export(jax.jit(f))(*shapes, dict.fromkeys(INDICES, index))
    close(exported.call(X, Y, INDICES), by_hand(W, X, Y)[:, :5])


def test_sizes_are_numbers_of_python() -> None:
    def f(x: jax.Array) -> list[jax.Array]:
        return evaluate(POLYNOMIAL, [W, x, Y], INDICES, sizes={"receivers": np.int64(NODES)})

    (eqn,) = operations(jax.make_jaxpr(f)(X))
    assert eqn.params["contraction"].sizes == (("senders", NODES), ("receivers", NODES))
    assert {type(size) for _, size in eqn.params["contraction"].sizes} == {int}  # messages would name np.int64


def test_debugging_aids_of_jax() -> None:
    with jax.checking_leaks():
        close(jax.jit(jax.grad(energy(ours), 1))(*INPUTS), jax.grad(energy(by_hand), 1)(*INPUTS))
    with jax.debug_nans(True):
        close(jax.jit(ours)(*INPUTS), by_hand(*INPUTS))
        for f in (ours, jax.jit(ours), jax.grad(energy(ours), 1)):
            with pytest.raises(FloatingPointError, match="nan"):
                f(W, X.at[0].set(jnp.nan).at[1].set(jnp.nan), Y)
    with jax.disable_jit():
        close(ours(*INPUTS), by_hand(*INPUTS))
    from jax.experimental import checkify

    error, out = checkify.checkify(jax.jit(ours), errors=checkify.all_checks)(*INPUTS)
    error.throw()
    close(out, by_hand(*INPUTS))


def test_it_is_compiled_once_for_equal_polynomials() -> None:
    """Descriptions are equal by content, so that making one anew does not compile anew."""
    count = 0

    def f(polynomial: Polynomial, x: jax.Array) -> jax.Array:
        nonlocal count
        count += 1
        return evaluate(polynomial, [x])[0]

    def described() -> Polynomial:
        path = Path((0, 0), 0, ("u", "u", "u"), Coefficients.from_dense(np.eye(3)[:, :, None]))
        return Polynomial((Operand(3, (U,)),), (Operand(1, (U,)),), (path,))

    jitted = jax.jit(f, static_argnums=0)
    jitted(described(), X)
    jitted(described(), X)
    assert count == 1


def test_a_choice_is_kept_by_derivatives() -> None:
    """What cannot do one of them is an error there, never silently another executor."""

    class Forward(ReferenceExecutor):
        name = "forward"

        def why_not(self, contraction: irr.compute.Contraction) -> str | None:
            return None if "out" in [o.name for o in contraction.polynomial.outputs] else "it has no backward"

    def total(x: jax.Array, executor: Any) -> jax.Array:
        return jnp.sum(evaluate(POLYNOMIAL, [W, x, Y], INDICES, sizes={"receivers": NODES}, executor=executor)[0])

    close(total(X, Forward()), total(X, None))
    with pytest.raises(ValueError, match="forward: it has no backward"):
        jax.grad(total)(X, Forward())
    close(jax.grad(total)(X, (Forward(), "reference")), jax.grad(total)(X, None))
