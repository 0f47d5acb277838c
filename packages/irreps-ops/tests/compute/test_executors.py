"""The choice of an executor, its refusals and checks, and the debug mode for indices."""

import dataclasses
import functools
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import irreps_core as ic
import irreps_ops as irr
from irreps_ops.compute import Access, Coefficients, Contraction, Index, Operand, Path, Polynomial, evaluate
from irreps_ops.compute._dispatch import EXECUTORS, choose
from irreps_ops.compute.executors._reference import ReferenceExecutor
from irreps_ops.testing import check_executor

U = 3
PRODUCT = Polynomial(
    (Operand(3, (U,), Index("senders"), "x"), Operand(3, (U,), name="y")),
    (Operand(5, (U,), Index("receivers"), "z"),),
    (Path((0, 1), 0, ("u", "u", "u"), Coefficients.from_dense(ic.clebsch_gordan(1, 1, 2))),),
)
RNG = np.random.default_rng(0)
X, Y = jnp.asarray(RNG.normal(size=(4, 3, U))), jnp.asarray(RNG.normal(size=(6, 3, U)))
EDGES = {"senders": jnp.array([0, 1, 2, 3, 3, 0]), "receivers": jnp.array([1, 1, 0, 3, 2, 4])}
CONTRACTION = Contraction(PRODUCT, 6, (("senders", 4), ("receivers", 4)), "float64")


def product(x: jax.Array, y: jax.Array, edges: Mapping[str, jax.Array] = EDGES, **options: Any) -> jax.Array:
    return evaluate(PRODUCT, [x, y], edges, sizes={"receivers": 4}, **options)[0]


class Counting(ReferenceExecutor):
    """The reference, counting how often it is asked to run."""

    name = "counting"

    def __init__(self, cost: float = 0.0) -> None:
        self.runs = 0
        self.nanoseconds = cost

    def cost(self, contraction: Contraction) -> float:
        return self.nanoseconds

    def run(
        self, contraction: Contraction, inputs: Sequence[jax.Array], indices: Mapping[str, jax.Array]
    ) -> list[jax.Array]:
        self.runs += 1
        return super().run(contraction, inputs, indices)


class Refusing(Counting):
    name = "refusing"

    def why_not(self, contraction: Contraction) -> str:
        return f"it is closed for batches of {contraction.batch}"


def test_the_cheapest_capable_executor_is_chosen() -> None:
    assert choose(CONTRACTION, irr.compute.cheapest("reference", "xla")).name == "xla"
    dear, cheap = Counting(5.0), Counting(1.0)
    assert irr.compute.cheapest(dear, cheap, Refusing())(CONTRACTION) is cheap
    assert choose(CONTRACTION, irr.compute.cheapest(dear, "xla", cheap)) is cheap
    assert choose(CONTRACTION, lambda contraction: dear if contraction.batch > 5 else cheap) is dear
    assert (
        choose(dataclasses.replace(CONTRACTION, batch=3), lambda contraction: dear if contraction.batch > 5 else cheap)
        is cheap
    )
    assert irr.compute.cheapest(dear, cheap) == irr.compute.cheapest(dear, cheap)


@pytest.mark.parametrize(
    "choice", [Refusing(), (Refusing(), Refusing()), irr.compute.cheapest(Refusing()), lambda _: Refusing()]
)
def test_a_refusal_is_an_error_with_its_reason(choice: Any) -> None:
    with pytest.raises(
        ValueError, match=r"refusing: it is closed for batches of 6(?s:.)*11 terms(?s:.)*in0 x: 3 x 3, index senders"
    ):
        product(X, Y, executor=choice)
    with pytest.raises(ValueError, match="refusing: it is closed for batches of 6"):
        irr.use_executor(product, choice)(X, Y)


def test_use_executor_reaches_every_operation_of_a_function() -> None:
    mine = Counting()

    def energy(x: jax.Array, y: jax.Array) -> jax.Array:
        def body(total: jax.Array, scale: jax.Array) -> tuple[jax.Array, None]:
            inner = jax.jit(lambda x: jnp.sum(jnp.sin(product(scale * x, y))))
            return total + jax.lax.cond(scale > 0, jax.checkpoint(inner), lambda x: 0 * jnp.sum(x), x), None

        return jax.lax.scan(body, jnp.zeros(()), jnp.array([1.0, -1.0, 2.0]))[0]

    changed = irr.use_executor(energy, mine)
    np.testing.assert_allclose(changed(X, Y), energy(X, Y), rtol=1e-13)
    assert mine.runs > 0
    for transform in (jax.grad, lambda f: jax.jit(jax.grad(f))):
        runs = mine.runs
        np.testing.assert_allclose(transform(changed)(X, Y), transform(energy)(X, Y), rtol=1e-11, atol=1e-12)
        assert mine.runs > runs
    inside = Counting()
    np.testing.assert_allclose(irr.use_executor(jax.grad(energy), inside)(X, Y), jax.grad(energy)(X, Y), rtol=1e-11)
    assert inside.runs > 1


def test_use_executor_keeps_named_executors_and_passes_other_arguments_on() -> None:
    outer, inner = Counting(), Counting()

    def both(x: jax.Array, y: jax.Array, name: str, scale: float) -> dict[str, Any]:
        return {name: product(x, y, executor=inner), "other": scale * product(x, y)}

    found = irr.use_executor(both, outer)(X, y=Y, name="one", scale=2.0)
    assert (outer.runs, inner.runs) == (1, 1)
    np.testing.assert_allclose(2 * found["one"], found["other"], rtol=1e-13)
    before = product(X, Y)
    assert outer.runs == 1
    assert np.array_equal(product(X, Y), before)


@pytest.mark.parametrize(("index", "place", "number"), [("senders", 2, 5), ("senders", 0, -1), ("receivers", 5, 77)])
def test_the_debug_mode_finds_indices_out_of_range(index: str, place: int, number: int) -> None:
    def energy(x: jax.Array, edges: Mapping[str, jax.Array]) -> jax.Array:
        return jnp.sum(jnp.sin(product(x, Y, edges)))

    wrong = {**EDGES, index: EDGES[index].at[place].set(number)}
    message = f"index '{index}' is {number} at position {place} of 6; expected 0 to 3, or 4 for padding"
    for f in (energy, jax.jit(energy), jax.grad(energy)):
        np.testing.assert_allclose(irr.checked(f)(X, EDGES), f(X, EDGES), rtol=1e-12)
        assert np.all(np.isfinite(f(X, wrong)))
        with pytest.raises(jax.errors.JaxRuntimeError, match=message):
            jax.block_until_ready(jax.jit(irr.checked(f))(X, wrong))
    stacked = jax.tree.map(lambda a, b: jnp.stack([a, b]), EDGES, wrong)
    with pytest.raises(jax.errors.JaxRuntimeError, match=f"index '{index}' is"):
        jax.block_until_ready(jax.vmap(irr.checked(energy), (None, 0))(X, stacked))
    with pytest.raises(jax.errors.JaxRuntimeError, match=f"index '{index}' is"):
        jax.block_until_ready(irr.checked(jax.vmap(energy, (None, 0)))(X, stacked))


MATRIX_TAKERS: dict[str, tuple[Callable[[jax.Array], jax.Array], bool]] = {
    "Irrep.D_from_matrix": (ic.Irrep("2e").D_from_matrix, True),
    "Irreps.D_from_matrix": (ic.Irreps("0o + 1o").D_from_matrix, True),
    "transform_by_matrix": (
        lambda R: ic.IrrepsArray("1o + 2e", jnp.ones(8, R.dtype)).transform_by_matrix(R).array,
        True,
    ),
    "inverse_matrix": (ic.inverse_matrix, True),
    "compose_matrix": (lambda R: ic.compose_matrix(jnp.eye(3, dtype=R.dtype), R), True),
    "matrix_to_quaternion": (ic.matrix_to_quaternion, False),
    "wigner_D_from_matrix": (lambda R: ic.wigner_D_from_matrix(1, R), False),
}


# A program that has run before raises the ValueError of the check, the first run JAX's error.
REFUSED = (jax.errors.JaxRuntimeError, ValueError)
MATRICES = jnp.asarray(ic.rand_matrix(np.random.default_rng(0), (4,)))


@pytest.mark.parametrize("name", MATRIX_TAKERS)
def test_the_debug_mode_refuses_traced_matrices_that_are_not_orthogonal(name: str) -> None:
    function, mirrors = MATRIX_TAKERS[name]
    plain, checked = jax.jit(function), jax.jit(irr.checked(function))
    np.testing.assert_allclose(checked(MATRICES), plain(MATRICES), rtol=0, atol=1e-12)
    plain(2 * MATRICES)
    with pytest.raises(REFUSED, match=r"matrix 0 of 4 is not orthogonal: .* differs from the identity by 3"):
        jax.block_until_ready(checked(2 * MATRICES))
    with pytest.raises(REFUSED, match="by nan"):
        jax.block_until_ready(checked(MATRICES.at[1].set(jnp.nan)))
    if mirrors:
        checked(-MATRICES)
    else:
        with pytest.raises(REFUSED, match="one is a mirror"):
            jax.block_until_ready(checked(-MATRICES))


def test_the_debug_mode_checks_matrices_in_transformed_functions() -> None:
    def total(R: jax.Array) -> jax.Array:
        return jnp.sum(jnp.sin(jax.lax.map(ic.inverse_matrix, R)))

    for f in (jax.vmap(ic.inverse_matrix), jax.grad(total), total):
        checked = irr.checked(f)
        np.testing.assert_allclose(checked(MATRICES), f(MATRICES), rtol=0, atol=1e-12)
        with pytest.raises(REFUSED, match="not orthogonal"):
            jax.block_until_ready(checked(2 * MATRICES))
    for g in (jax.vmap(irr.checked(ic.inverse_matrix)), jax.grad(irr.checked(total))):
        np.testing.assert_allclose(g(MATRICES), irr.checked(g)(MATRICES), rtol=0, atol=1e-12)
        with pytest.raises(REFUSED, match="not orthogonal"):
            jax.block_until_ready(g(2 * MATRICES))


@pytest.mark.parametrize("dtype", ["float16", "bfloat16", "float32"])
def test_the_debug_mode_allows_rounded_matrices(dtype: str) -> None:
    R = jnp.asarray(ic.rand_matrix(np.random.default_rng(0), (100,)), dtype)
    for function in (ic.inverse_matrix, ic.matrix_to_quaternion):
        assert jnp.all(jnp.isfinite(jax.jit(irr.checked(function))(R)))


def test_negative_indices_do_not_count_from_the_end() -> None:
    edges = {"senders": jnp.array([0, -1]), "receivers": jnp.array([-1, 1])}
    assert not product(X, Y[:2], edges).any()
    unsigned = {name: index.astype(jnp.uint8) for name, index in EDGES.items()}
    np.testing.assert_allclose(product(X, Y, unsigned), product(X, Y), rtol=1e-13)


# The conformance kit.


@pytest.mark.slow
def test_ours_conform() -> None:
    table = check_executor("xla")
    assert "the executor 'xla' in float32, float64" in table
    assert "refused" not in table
    for name in EXECUTORS.builtin:  # some of ours do little, and refuse the rest
        assert "ok " in check_executor(name, dtypes=["float64"], only="edges of a row")


class Clamping(ReferenceExecutor):
    """Takes the nearest row where an index is out of range."""

    def run(
        self, contraction: Contraction, inputs: Sequence[jax.Array], indices: Mapping[str, jax.Array]
    ) -> list[jax.Array]:
        sizes = dict(contraction.sizes)
        return super().run(contraction, inputs, {name: jnp.clip(i, 0, sizes[name] - 1) for name, i in indices.items()})


class SinglePrecision(ReferenceExecutor):
    """Computes in float32, whatever was asked for."""

    def run(
        self, contraction: Contraction, inputs: Sequence[jax.Array], indices: Mapping[str, jax.Array]
    ) -> list[jax.Array]:
        inputs = [x.astype("float32").astype(x.dtype) for x in inputs]
        return super().run(contraction, inputs, indices)


class ForgettingTheBatch(ReferenceExecutor):
    """Sums a constant over the batch only once."""

    def run(
        self, contraction: Contraction, inputs: Sequence[jax.Array], indices: Mapping[str, jax.Array]
    ) -> list[jax.Array]:
        all_broadcast = all(
            o.access is Access.BROADCAST for o in (*contraction.polynomial.inputs, *contraction.polynomial.outputs)
        )
        return super().run(dataclasses.replace(contraction, batch=1) if all_broadcast else contraction, inputs, indices)


class ForgettingTerms(ReferenceExecutor):
    """Leaves out a small term of cubic paths."""

    def run(
        self, contraction: Contraction, inputs: Sequence[jax.Array], indices: Mapping[str, jax.Array]
    ) -> list[jax.Array]:
        paths = []
        for path in contraction.polynomial.paths:
            c = path.coefficients
            keep = slice(1, None) if len(path.inputs) > 3 else slice(None)
            paths.append(dataclasses.replace(path, coefficients=Coefficients(c.terms[keep], c.values[keep])))
        wrong = Polynomial(contraction.polynomial.inputs, contraction.polynomial.outputs, tuple(paths))
        return super().run(dataclasses.replace(contraction, polynomial=wrong), inputs, indices)


class WrongAnswers(ReferenceExecutor):
    """Outputs of another dtype."""

    def run(
        self, contraction: Contraction, inputs: Sequence[jax.Array], indices: Mapping[str, jax.Array]
    ) -> list[jax.Array]:
        return [y.astype("float16") for y in super().run(contraction, inputs, indices)]


@pytest.mark.parametrize(
    ("wrong", "dtype", "only", "line"),
    [
        (Clamping, "float32", "indices out of range", "gather and scatter, indices out of range: out0 is off by"),
        (SinglePrecision, "float64", "powers", "derivatives to third order, powers: out0 is off by"),
        (ForgettingTheBatch, "float32", "sum over the batch", "sum over the batch of a constant: out0 is off by"),
        (ForgettingTerms, "float32", "many terms", "many terms: out0 is off by"),
        (
            WrongAnswers,
            "float32",
            "empty batch",
            "empty batch: ValueError: the executor 'reference' must return float32",
        ),
    ],
)
def test_the_kit_finds_a_wrong_executor(wrong: type[ReferenceExecutor], dtype: str, only: str, line: str) -> None:
    with pytest.raises(AssertionError) as error:
        check_executor(wrong(), dtypes=[dtype], only=only)
    assert f"FAILED   {line}" in str(error.value)


def test_a_refusal_is_no_failure_unless_it_refuses_everything() -> None:
    class NoIndices(ReferenceExecutor):
        name = "no indices"

        def why_not(self, contraction: Contraction) -> str | None:
            return "it has no indices" if contraction.polynomial.indices else None

    table = check_executor(NoIndices(), dtypes=["float32"], only="batch of one")
    assert "refused  batch of one, indexed: no indices: it has no indices" in table
    assert "ok       batch of one" in table
    with pytest.raises(AssertionError, match="refused  many terms: refusing: it is closed"):
        check_executor(Refusing(), dtypes=["float32"], only="many terms")
    with pytest.raises(ValueError, match=r"no check has 'banana' in its name: the checks are"):
        check_executor("xla", only="banana")
    with pytest.raises(TypeError, match="lacks the attribute"):
        check_executor(object())  # pyright: ignore[reportArgumentType]


def _twice(f: Callable[..., Any]) -> Callable[..., Any]:
    return functools.wraps(f)(lambda *a: f(*a) + f(*a))


def test_names_and_documentation_survive() -> None:
    def documented(x: jax.Array) -> jax.Array:
        """What it does."""
        return x

    assert irr.use_executor(_twice(documented), "xla").__doc__ == "What it does."
    assert irr.checked(documented).__name__ == "documented"
