"""The executor `xla`: its plans, and independence of the tiles, against the reference."""

import itertools
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from irreps_core import clebsch_gordan
from irreps_ops.compute import Access, Coefficients, Contraction, Index, Operand, Path, Polynomial, evaluate
from irreps_ops.compute._cost_model import OUTER_AT_ONCE
from irreps_ops.compute.executors import _monomial_contraction as monomials
from irreps_ops.compute.executors import _xla as xla
from irreps_ops.compute.executors._monomial_plan import MonomialPlan, monomial_plan
from irreps_ops.compute.executors._reference import ReferenceExecutor

BATCH, NODES, U, V = 7, 4, 3, 2
RNG = np.random.default_rng(0)


def sparse(*components: int, terms: int, seed: int = 0) -> Coefficients:
    rng = np.random.default_rng(seed)
    columns = np.stack([rng.integers(0, n, terms) for n in components], axis=1)
    return Coefficients(columns, rng.normal(size=terms))


X, Y = Operand(6, (U,), Access.BATCHED, "x"), Operand(6, (U,), Access.BATCHED, "y", components_last=True)
W, OUT = Operand(4, (U,), Access.BROADCAST, "weights"), Operand(5, (U,), Access.BATCHED, "out")


def uniform(*inputs: Operand, out: Operand = OUT, subscripts: str = "u", terms: int = 60) -> Polynomial:
    """A product of sparse components, with the same subscripts for everything that has channels."""
    places = tuple(range(len(inputs)))
    names = tuple(subscripts if o.channels else "" for o in (*inputs, out))
    sizes = [o.components for o in (*inputs, out)]
    return Polynomial(inputs, (out,), (Path(places, 0, names, sparse(*sizes, terms=terms)),))


def square_and_cube() -> Polynomial:
    """Broadcast weights and two powers of one operand, into two outputs, one a sum over the batch."""
    total = Operand(3, (U,), Access.BROADCAST, "total")
    paths = (
        Path((0, 1), 0, ("u", "u", "u"), sparse(4, 6, 5, terms=9)),
        Path((0, 1, 1), 0, ("u", "u", "u", "u"), sparse(4, 6, 6, 5, terms=40)),
        Path((0, 1, 1, 1), 0, ("u", "u", "u", "u", "u"), sparse(4, 6, 6, 6, 5, terms=80)),
        Path((1, 1, 1), 1, ("u", "u", "u", "u"), sparse(6, 6, 6, 3, terms=50)),
    )
    return Polynomial((W, X), (OUT, total), paths)


def channels_in_another_order() -> Polynomial:
    a, b = Operand(6, (U, V), Access.BATCHED), Operand(6, (V, U), Access.BATCHED)
    w, out = Operand(4, (V,), Access.BROADCAST), Operand(5, (V, U), Access.BATCHED)
    return Polynomial((w, a, b), (out,), (Path((0, 1, 2), 0, ("v", "uv", "vu", "vu"), sparse(4, 6, 6, 5, terms=90)),))


CASES = {
    "no weights": uniform(X, Y),
    "three factors": uniform(X, X, Y),
    "broadcast weights": uniform(W, X, Y),
    "indexed weights": uniform(Operand(4, (U,), Index("senders"), "weights"), X, X, Y),
    "harmonics": uniform(Operand(4, (), Access.BATCHED), X, X, Y),
    "gradient of broadcast weights": uniform(X, X, Y, out=W),
    "gradient of harmonics": uniform(X, X, Y, out=Operand(4, (), Access.BATCHED)),
    "total": uniform(X, X, Y, out=Operand(4, (), Access.BROADCAST)),
    "indexed output": uniform(W, X, Y, out=Operand(5, (U,), Index("receivers"))),
    "square and cube": square_and_cube(),
    "channels in another order": channels_in_another_order(),
}


def contraction_of(polynomial: Polynomial, batch: int = BATCH) -> Contraction:
    return Contraction(polynomial, batch, tuple((name, NODES) for name in polynomial.indices), jnp.dtype("float64"))


def arguments(contraction: Contraction) -> tuple[list[jax.Array], dict[str, jax.Array]]:
    inputs = [jnp.asarray(RNG.normal(size=contraction.shape(o))) for o in contraction.polynomial.inputs]
    return inputs, {
        name: jnp.asarray(RNG.integers(-1, NODES + 1, contraction.batch)) for name in contraction.polynomial.indices
    }


def plans(contraction: Contraction) -> list[MonomialPlan | None]:
    return [evaluation.plan for evaluation in xla._evaluations(contraction)]


def close(ours: Any, expected: Any) -> None:
    for a, b in zip(ours, expected, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("batch", [BATCH, 1, 0])
@pytest.mark.parametrize("name", CASES)
def test_values(name: str, batch: int) -> None:
    contraction = contraction_of(CASES[name], batch)
    inputs, indices = arguments(contraction)
    close(xla.XlaExecutor().run(contraction, inputs, indices), ReferenceExecutor().run(contraction, inputs, indices))


@pytest.mark.parametrize("name", CASES)
def test_products_over_common_axes_have_a_plan(name: str) -> None:
    """Whether or not it is thought cheaper."""
    contraction = contraction_of(CASES[name])
    for path in contraction.polynomial.paths:
        plan = monomial_plan(path, contraction.polynomial.operands(path))
        assert plan is not None
        assert np.count_nonzero(plan.table) <= len(path.coefficients)


def _only_monomials(contraction: Contraction) -> tuple[Any, ...]:
    found = [xla._through_monomials(contraction, path) for path in contraction.polynomial.paths]
    assert None not in found
    return tuple(found)


def test_monomials_need_room_for_the_batch_unless_it_is_cut() -> None:
    """Outer axes are processed a few positions at a time, so only inner ones count."""
    for name, positions in {"no weights": U, "broadcast weights": min(U, OUTER_AT_ONCE), "harmonics": 0}.items():
        contraction = contraction_of(CASES[name])
        (path,) = contraction.polynomial.paths
        found = xla._through_monomials(contraction, path)
        assert found is not None
        assert found.plan is not None
        assert found.bytes_per_element == positions * found.plan.numbers * 8


@pytest.mark.parametrize("tile", [None, 3])
@pytest.mark.parametrize("name", CASES)
def test_plans_agree_with_the_reference(name: str, tile: int | None, monkeypatch: pytest.MonkeyPatch) -> None:
    contraction = contraction_of(CASES[name])
    inputs, indices = arguments(contraction)
    monkeypatch.setattr(xla, "_evaluations", _only_monomials)
    if tile:
        monkeypatch.setattr(xla, "_tile", lambda contraction: min(tile, contraction.batch))
    close(xla.XlaExecutor().run(contraction, inputs, indices), ReferenceExecutor().run(contraction, inputs, indices))


@pytest.mark.parametrize("budget", [1, 500, 3000])
@pytest.mark.parametrize("name", CASES)
def test_values_do_not_depend_on_the_memory_allowed(name: str, budget: int, monkeypatch: pytest.MonkeyPatch) -> None:
    contraction = contraction_of(CASES[name])
    inputs, indices = arguments(contraction)
    for module in (xla, monomials):
        monkeypatch.setattr(module, "intermediate_bytes", lambda platform: budget)
    close(xla.XlaExecutor().run(contraction, inputs, indices), ReferenceExecutor().run(contraction, inputs, indices))


def test_values_do_not_depend_on_the_tile(monkeypatch: pytest.MonkeyPatch) -> None:
    polynomial = Polynomial(
        (Operand(1, (U,)), Operand(3, (U,), Index("senders")), Operand(3)),
        (Operand(5, (U,), Index("receivers")), Operand(1, (U,), Access.BROADCAST)),
        (
            Path((0, 1, 2), 0, ("u", "u", "", "u"), Coefficients.from_dense(clebsch_gordan(1, 1, 2)[None])),
            Path((0, 0), 1, ("u", "u", "u"), Coefficients.from_dense(np.ones((1, 1, 1)))),
        ),
    )
    contraction = contraction_of(polynomial)
    inputs, indices = arguments(contraction)
    expected = ReferenceExecutor().run(contraction, inputs, indices)
    for tile in (1, 2, 3, 6, 7):
        monkeypatch.setattr(xla, "_tile", lambda contraction, tile=tile: tile)
        close(xla.XlaExecutor().run(contraction, inputs, indices), expected)


def test_tiles_of_narrow_storage_are_summed_in_full(monkeypatch: pytest.MonkeyPatch) -> None:
    one = Coefficients.from_dense(np.ones((1, 1)))
    x, *outputs = (
        Operand(1, (U,), access, dtype="bfloat16")
        for access in (Access.BATCHED, Access.BATCHED, Access.BROADCAST, Index("receivers"))
    )
    polynomial = Polynomial((x,), tuple(outputs), tuple(Path((0,), o, ("u", "u"), one) for o in range(3)))
    contraction = Contraction(polynomial, 300, (("receivers", 2),), "float32")
    monkeypatch.setattr(xla, "_tile", lambda contraction: 7)
    receivers = jnp.zeros(300, int)
    found = xla.XlaExecutor().run(contraction, [jnp.ones((300, 1, U), "bfloat16")], {"receivers": receivers})
    assert [y.dtype for y in found] == [jnp.bfloat16] * 3
    for y, expected in zip(found, (1, 300, [[[300]], [[0]]]), strict=True):  # bfloat16 plus 1 stays at 256
        np.testing.assert_array_equal(y.astype("float32"), np.broadcast_to(expected, y.shape))


def test_a_constant_is_summed_once_for_each_element_of_the_batch(monkeypatch: pytest.MonkeyPatch) -> None:
    one = Coefficients.from_dense(np.ones((2, 2)))
    polynomial = Polynomial(
        (Operand(2, (U,), Access.BROADCAST),), (Operand(2, (U,), Access.BROADCAST),), (Path((0,), 0, ("u", "u"), one),)
    )
    contraction = contraction_of(polynomial)
    monkeypatch.setattr(xla, "intermediate_bytes", lambda platform: 1)
    close(xla.XlaExecutor().run(contraction, [jnp.ones((2, U))], {}), [jnp.full((2, U), 2.0 * BATCH)])


def test_memory_is_that_of_a_tile() -> None:
    cube = Polynomial(
        (Operand(8, (U,), Access.BROADCAST), Operand(12, (U,))),
        (Operand(3, (U,)),),
        (Path((0, 1, 1, 1), 0, ("u",) * 5, sparse(8, 12, 12, 12, 3, terms=900)),),
    )
    sizes = []
    for batch in (2_000, 64_000):
        w, x = (jax.ShapeDtypeStruct(s, jnp.float32) for s in ((8, U), (batch, 12, U)))
        needed = jax.jit(lambda w, x: evaluate(cube, [w, x])[0]).lower(w, x).compile().memory_analysis()
        assert needed is not None
        sizes.append(needed.temp_size_in_bytes - 2 * batch * 15 * U * 4)
    # One transposed copy of inputs and outputs, and the monomials of a tile.
    assert sizes[1] < sizes[0] + 40e6


def test_equal_signs_make_blocks() -> None:
    """Reflections alone leave eight kinds of monomials of x, y, z, that never meet."""
    cubic = [
        m for m in itertools.combinations_with_replacement(range(3), 4) if all(m.count(i) % 2 == 0 for i in range(3))
    ]
    terms = np.array([(*m, 0) for m in cubic])
    polynomial = Polynomial(
        (Operand(3, (U,)),),
        (Operand(1, (U,)),),
        (Path((0,) * 4, 0, ("u",) * 5, Coefficients(terms, np.ones(len(terms)))),),
    )
    plan = monomial_plan(polynomial.paths[0], polynomial.operands(polynomial.paths[0]))
    assert plan is not None
    assert plan.table.size < 15  # and not 9 * 9


def test_cost_grows_with_batch_and_terms() -> None:
    costs = [xla.XlaExecutor().cost(contraction_of(CASES["three factors"], batch)) for batch in (0, 10, 1000, 100_000)]
    assert costs == sorted(costs)
    assert costs[-1] > 20 * costs[1]
    few, many = (uniform(X, X, X, terms=n) for n in (10, 200))
    assert xla.XlaExecutor().cost(contraction_of(few, 1000)) < xla.XlaExecutor().cost(contraction_of(many, 1000))
