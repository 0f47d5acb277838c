"""The description of a polynomial: canonical form, counting, and errors."""

import itertools
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from irreps_core import clebsch_gordan
from irreps_ops.compute import Access, Coefficients, Contraction, Index, Operand, Part, Path, Polynomial, View, evaluate

U = 4
C112 = Coefficients.from_dense(clebsch_gordan(1, 1, 2))
X, Y, Z = Operand(3, (U,), name="x"), Operand(3, (U,), name="y"), Operand(5, (U,), name="z")
PRODUCT = Polynomial((X, Y), (Z,), (Path((0, 1), 0, ("u", "u", "u"), C112),))


def ones(*shape: int) -> Coefficients:
    return Coefficients.from_dense(np.ones(shape))


def test_explain_counts_terms_multiply_adds_and_bytes() -> None:
    scale = Operand(1, (U,), Access.BROADCAST, "scale")
    index = Operand(3, (U,), Index("senders"), "x", "bfloat16")
    path = Path((0, 1, 2), 0, ("u", "u", "u", "u"), Coefficients.from_dense(clebsch_gordan(1, 1, 2)[None]))
    unused = Operand(2, (), name="unused")
    polynomial = Polynomial((scale, index, Y), (Z, unused), (path,))
    assert polynomial.explain().splitlines() == [
        "1 path, 11 terms",
        # 11 terms of 3 factors for 4 channels; 3 x 4 of 2 and 3 x 4 of 4 bytes and an index; 5 x 4 + 2 of 4 bytes.
        "per batch element: 132 multiply-adds, 76 bytes read, 88 bytes written (float32); "
        "16 bytes broadcast to the whole batch",
        "  in0 scale: 1 x 4, broadcast",
        "  in1 x: 3 x 4, index senders, bfloat16",
        "  in2 y: 3 x 4, batched",
        "  out0 z: 5 x 4, batched",
        "  out1 unused: 2, batched",
        "  out0[a] += 11 terms of in0[a] in1[a] in2[a]",
        "  zero: out1",
    ]
    contraction = Contraction(polynomial, 10, (("senders", 3),), "float64")
    assert contraction.multiply_adds() == 1320
    # Each array once: 4 x 8, 3 rows of 12 x 2, 10 rows of 12 x 8, an index of 10 x 4; 10 rows of 22 x 8.
    assert contraction.bytes() == (4 * 8 + 3 * 12 * 2 + 10 * 12 * 8 + 10 * 4, 10 * 22 * 8)
    assert contraction.explain().splitlines()[1] == (
        "batch of 10: 1320 multiply-adds, at least 1104 bytes read and 1760 bytes written (float64)"
    )


def test_equal_polynomials_have_one_canonical_form() -> None:
    half = Path((0, 1), 0, ("q", "q", "q"), Coefficients(C112.terms, C112.values / 2))
    turned = Path((1, 0), 0, ("k", "k", "k"), Coefficients(C112.terms[:, [1, 0, 2]], C112.values / 2))
    again = Polynomial((X, Y), (Z,), (half, turned))
    assert again == PRODUCT
    assert hash(again) == hash(PRODUCT)
    assert {again: 1}[PRODUCT] == 1
    minus = Path((0, 1), 0, ("u", "u", "u"), Coefficients(C112.terms, -C112.values))
    assert Polynomial((X, Y), (Z,), (*PRODUCT.paths, minus)).paths == ()
    nothing = Operand(3, (0,))
    assert Polynomial((nothing,), (nothing,), (Path((0,), 0, ("u", "u"), ones(3, 3)),)).paths == ()
    assert Polynomial((Operand(3, (0,)),), (Operand(3),), (Path((0,), 0, ("u", ""), ones(3, 3)),)).paths == ()


@given(st.permutations(range(4)), st.permutations("uvwx"))
@settings(deadline=None, max_examples=30)
def test_equality_ignores_the_order_of_factors_and_the_names_of_channels(order: list[int], names: list[str]) -> None:
    inputs = (Operand(2, (2, 3)), Operand(2, (2, 3)), Operand(2, (3,)))
    places, subscripts = (0, 0, 1, 2), ("uv", "wv", "uv", "x")
    terms = np.array([[0, 1, 1, 0, 0], [1, 1, 0, 0, 1], [0, 0, 1, 1, 1]])
    rename = str.maketrans("uvwx", "".join(names))

    def made(slots: Any, rename: Any) -> Polynomial:
        path = Path(
            tuple(places[s] for s in slots), 0,
            tuple(m.translate(rename) for m in [*(subscripts[s] for s in slots), "x"]),
            Coefficients(terms[:, [*slots, 4]], np.array([1.0, 2.0, 3.0])),
        )  # fmt: skip
        return Polynomial(inputs, (Operand(2, (3,)),), (path,))

    assert made(order, rename) == made(range(4), {})


def test_an_array_passed_twice_becomes_a_square_with_fewer_terms() -> None:
    x = jnp.asarray(np.random.default_rng(0).normal(size=(6, 3, U)))

    def terms(*inputs: jax.Array) -> int:
        jaxpr = jax.make_jaxpr(lambda *a: evaluate(PRODUCT, [a[0], a[-1]]))(*inputs)
        (equation,) = [eqn for eqn in jaxpr.eqns if eqn.primitive.name == "irreps_polynomial"]
        return sum(len(path.coefficients) for path in equation.params["contraction"].polynomial.paths)

    assert terms(x, x) == 11
    assert terms(x) == 8
    np.testing.assert_allclose(evaluate(PRODUCT, [x, x])[0], evaluate(PRODUCT, [x, x + 0])[0], rtol=1e-13)
    both = jax.grad(lambda x: jnp.sum(jnp.sin(evaluate(PRODUCT, [x, x])[0])))(x)
    apart = jax.grad(lambda x: jnp.sum(jnp.sin(evaluate(PRODUCT, [x, x + 0])[0])))(x)
    np.testing.assert_allclose(both, apart, rtol=1e-12, atol=1e-13)


def test_zero_inputs_and_unreached_outputs_are_not_computed() -> None:
    both = Polynomial((X, Y), (Z, Z), (Path((0, 1), 0, ("u", "u", "u"), C112), Path((0, 0), 1, ("u", "u", "u"), C112)))
    x = jnp.ones((6, 3, U), jnp.float32)
    jaxpr = jax.make_jaxpr(lambda x: evaluate(both, [x, None]))(x)
    (equation,) = [eqn for eqn in jaxpr.eqns if eqn.primitive.name == "irreps_polynomial"]
    assert len(equation.invars) == 1
    zero, square = evaluate(both, [x, None])
    assert not zero.any()
    assert zero.dtype == jnp.float32
    np.testing.assert_allclose(square, evaluate(both, [x, x])[1], rtol=1e-6)
    assert both.without([1]).reached() == (False, True)
    nothing = evaluate(both, [None, None], batch=3, dtype="float32")
    assert [y.shape for y in nothing] == [(3, 5, U)] * 2
    with pytest.raises(
        ValueError, match=r"of 2 outputs 1 cannot be reached from the inputs: out0 \(z: 5 x 4, batched\)"
    ):
        both.without([1]).check_reached()
    assert both.check_reached() is both


def test_results_of_the_algebra_are_cached() -> None:
    assert PRODUCT.derivative([True, True]) is PRODUCT.derivative((True, True))
    assert PRODUCT.transpose([True, False]) is PRODUCT.transpose([True, False])
    second = PRODUCT.derivative([True, True]).derivative([True, True, False, False])
    assert len(second.paths) == 2
    assert PRODUCT.derivative([False, False]).paths == ()


def test_transpose_refuses_inputs_that_are_not_linear() -> None:
    with pytest.raises(ValueError, match="a path reads 2 of the inputs"):
        PRODUCT.transpose([True, True])


ARRAYS = [np.ones((6, 3, U)), np.ones((6, 3, U))]
BAD: dict[str, tuple[Callable[[], Any], str]] = {
    "negative components": (lambda: Operand(-3, (U,), name="x"), r"components of operand 'x' must be .*\(-3,\)"),
    "negative channels": (lambda: Operand(3, (U, -1), name="x"), r"channels of operand 'x' must be .*\(4, -1\)"),
    "no count": (lambda: Operand(3, (1.5,)), r"must be integers of 0 or more, got \(1.5,\)"),
    "index without a name": (lambda: Index(""), "must be a string that is not empty, got ''"),
    "terms and values": (lambda: Coefficients(np.zeros((2, 3), int), np.ones(3)), r"got terms int64\(2, 3\) and"),
    "terms of floats": (lambda: Coefficients(np.zeros((2, 3)), np.ones(2)), "integer terms"),
    "negative component": (lambda: Coefficients(np.array([[0, -1]]), np.ones(1)), "names component -1"),
    "nan": (lambda: Coefficients(np.array([[0, 0]]), np.array([np.nan])), "must be finite"),
    "missing subscripts": (lambda: Path((0, 1), 0, ("u", "u"), C112), "2 inputs needs 3 subscripts"),
    "missing terms": (lambda: Path((0,), 0, ("u", "u"), C112), "1 inputs needs terms of 2 components.*got terms of 3"),
    "subscripts of digits": (lambda: Path((0,), 0, ("1", "u"), ones(1, 1)), "subscripts must be distinct letters"),
    "a mode twice": (lambda: Path((0,), 0, ("uu", "u"), ones(1, 1)), "subscripts must be distinct letters.*'uu'"),
    "no such input": (lambda: Polynomial((X,), (Z,), PRODUCT.paths), "names input 1; there are 1"),
    "no such output": (lambda: Polynomial((X, Y), (), PRODUCT.paths), "names output 0; there are 0"),
    "subscripts of other channels": (
        lambda: Polynomial((X, Y), (Operand(5),), PRODUCT.paths),
        r"subscripts 'a' do not name the channels \(\) of operand \(-: 5, batched\): expected 0 letters",
    ),
    "numbers of channels": (
        lambda: Polynomial((X, Operand(3, (7,), name="y")), (Z,), PRODUCT.paths),
        r"subscript 'a' has 4 channels, and 7 in \(y: 3 x 7",
    ),
    "no such component": (
        lambda: Polynomial((X, Operand(2, (U,), name="y")), (Z,), PRODUCT.paths),
        r"names component 2 of operand \(y: 2 x 4, batched\), which has 2",
    ),
    "negative batch": (lambda: Contraction(PRODUCT, -1, (), "float32"), "size of the batch must be 0 or more, got -1"),
    "sizes of no index": (
        lambda: Contraction(PRODUCT, 1, (("a", 2),), "float32"),
        r"number of rows for the indices \[\], got \['a'\]",
    ),
    "another index": (lambda: evaluate(PRODUCT, ARRAYS, {"senders": np.arange(6)}), "there is no index 'senders'"),
    "another size": (lambda: evaluate(PRODUCT, ARRAYS, sizes={"a": 2}), r"must name indices .* \[\]; got 'a'"),
    "batch": (lambda: evaluate(PRODUCT, [ARRAYS[0], ARRAYS[1][:2]]), r"got 6 by input 0 \(x\), 2 by input 1 \(y\)"),
    "shape": (lambda: evaluate(PRODUCT, [ARRAYS[0], np.ones((6, 3))]), r"\(y\) must have shape \(batch, 3, 4\)"),
    "integers": (
        lambda: evaluate(PRODUCT, [ARRAYS[0], np.ones((6, 3, U), int)]),
        r"one floating dtype, got \['float64', 'int64'\]",
    ),
    "two dtypes": (
        lambda: evaluate(PRODUCT, [ARRAYS[0], np.ones((6, 3, U), "float32")]),
        "give the dtype of the arithmetic",
    ),
    "no floating dtype": (lambda: evaluate(PRODUCT, ARRAYS, dtype="int32"), "must be a floating dtype, got int32"),
    "complex": (lambda: evaluate(PRODUCT, [x * 1j for x in ARRAYS]), "one floating dtype"),
    "no dtype": (lambda: evaluate(PRODUCT, [None, None], batch=2), r"one floating dtype, got \[\]"),
}  # fmt: skip


LAST = Operand(3, (U,), name="x", components_last=True)
EYE = Coefficients.from_dense(np.eye(3))
COPIES = Polynomial((LAST,), (LAST, LAST), tuple(Path((0,), o, ("u", "u"), EYE) for o in (0, 1)))
WIDE = np.ones((6, 40))


def at(start: int, width: int = 40, array: int = 0) -> View:
    return View(array, ((3, start),), 0, width)


# Operands of 4 x 3 numbers in arrays of shape (batch, 40): parts of the input, and the two views of the outputs.
BAD_PARTS: dict[str, tuple[Any, Any, str]] = {
    "starts before": (Part(WIDE, ((3, -1),)), None, r"input 0 \(x\) must be within .* 40, got \[\(-1, 11\)\]"),
    "ends behind": (Part(WIDE, ((3, 29),)), None, r"must be within an axis of length 40, got \[\(29, 41\)\]"),
    "one ends behind": (Part(WIDE, ((1, 0), (2, 33))), None, r"of length 40, got \[\(0, 4\), \(33, 41\)\]"),
    "too few components": (Part(WIDE, ((1, 0), (1, 4))), None, "must have 3 components, got"),
    "another shape": (Part(np.ones((6, 2, 40)), ((3, 0),)), None, r"shape \(batch, 4, width\), got \(6, 2, 40\)"),
    "no axis": (Part(np.ones(6), ((3, 0),)), None, r"must have shape \(batch, width\), got \(6,\)"),
    "all axes": (Part(np.ones((6, 4, 3, 1)), ((3, 0),)), None, r"shape \(batch, 4, 3, width\), got \(6, 4, 3, 1\)"),
    "axes before components": (Part(np.ones((6, 4, 9)), ((3, 0),)), None, r"\(\[batch,\] width\), got 1 axes more"),
    "parts and axes": (Part(np.ones((6, 4, 9)), ((1, 0), (2, 1))), None, "parts only with its components last"),
    "one view": (None, [at(0, 12)], "expected 2 views of outputs, got 1"),
    "overlap": (None, [at(0), at(11)], r"not overlap, got \[\(0, 12\), \(11, 23\)\]"),
    "widths": (None, [at(0), at(12, 41)], "must be of one shape and access"),
    "numbers": (None, [at(0, 12), at(0, 12, 2)], r"numbered from 0, got \[0, 2\]"),
    "view behind": (None, [at(0, 20), at(12, 20)], r"output 1 \(x\) must be within"),
}


@pytest.mark.parametrize("name", BAD_PARTS)
def test_parts_that_do_not_fit(name: str) -> None:
    part, joined, message = BAD_PARTS[name]
    with pytest.raises(ValueError, match=message):
        evaluate(COPIES, [np.ones((6, U, 3)) if part is None else part], joined=joined)


def test_parts_that_just_fit() -> None:
    """Neighbours that fill an axis; an empty part, and parts in another order."""
    x = np.arange(6 * 24.0).reshape(6, 24)
    (both,) = evaluate(COPIES, [Part(x, ((3, 12),))], joined=[at(12, 24), at(0, 24)])
    np.testing.assert_array_equal(both, np.concatenate([x[:, 12:]] * 2, 1))
    copy = Polynomial((LAST,), (LAST,), COPIES.paths[:1])
    (alone,) = evaluate(copy, [Part(x, ((1, 20), (0, 22), (2, 0)))])
    np.testing.assert_array_equal(alone, np.concatenate([x[:, 20:].reshape(6, U, 1), x[:, :8].reshape(6, U, 2)], -1))


def test_an_access_of_another_kind_is_refused() -> None:
    with pytest.raises(TypeError, match="or an Index, got 'senders'"):
        Operand(3, (U,), "senders")  # pyright: ignore[reportArgumentType]  (that is the mistake)


@pytest.mark.parametrize("name", BAD)
def test_errors_name_the_operand_and_the_expected_value(name: str) -> None:
    make, message = BAD[name]
    with pytest.raises(ValueError, match=message):
        make()


def test_coefficients_are_kept_in_full_precision_until_they_are_used() -> None:
    third = Coefficients(np.array([[0, 0]]), np.array([1 / 3]))
    polynomial = Polynomial((Operand(1),), (Operand(1),), (Path((0,), 0, ("", ""), third),))
    one = evaluate(polynomial, [jnp.ones((1, 1), jnp.float64)])[0]
    assert float(one[0, 0]) == 1 / 3
    assert float(evaluate(polynomial, [jnp.ones((1, 1), jnp.float32)])[0][0, 0]) == np.float32(1 / 3)


@pytest.mark.parametrize("executor", ["reference", "xla"])
@pytest.mark.parametrize("narrow", list(itertools.product([True, False], repeat=2)))
def test_narrow_storage_costs_one_rounding(narrow: tuple[bool, bool], executor: str) -> None:
    """bfloat16 arrays are read exactly, computed with as float32 and rounded once; derivatives likewise."""
    rng = np.random.default_rng(0)
    exact = [jnp.asarray(rng.normal(size=(50, 3, U)), jnp.bfloat16).astype(jnp.float64) for _ in range(2)]
    stored = [x.astype(jnp.bfloat16 if yes else jnp.float32) for x, yes in zip(exact, narrow, strict=True)]
    total = Polynomial((X, Y), (Operand(5, (), Access.BROADCAST),), (Path((0, 1), 0, ("u", "u", ""), C112),))
    expected = evaluate(total, exact)[0]
    for out_dtype, eps in ((None, 2.0**-8 if all(narrow) else 1e-6), ("bfloat16", 2.0**-8), ("float32", 1e-6)):
        found = evaluate(total, stored, out_dtype=out_dtype, executor=executor)[0]
        assert found.dtype == (out_dtype or (jnp.bfloat16 if all(narrow) else jnp.float32))
        np.testing.assert_allclose(found.astype("float64"), expected, rtol=eps, atol=1e-6 * 50)

    def loss(a: jax.Array, b: jax.Array, dtype: Any) -> jax.Array:
        return jnp.sum(evaluate(total, [a, b], out_dtype=dtype, executor=executor)[0] ** 2)

    ours = jax.grad(loss, (0, 1))(*stored, jnp.float32)
    for gradient, reference, yes in zip(ours, jax.grad(loss, (0, 1))(*exact, None), narrow, strict=True):
        assert gradient.dtype == (jnp.bfloat16 if yes else jnp.float32)
        scale = float(jnp.max(jnp.abs(reference)))
        np.testing.assert_allclose(
            gradient.astype("float64"), reference, rtol=2.0**-8 if yes else 1e-5, atol=1e-6 * scale
        )


def test_the_arithmetic_can_be_wider_than_the_storage() -> None:
    rng = np.random.default_rng(0)
    x, y = (jnp.asarray(rng.normal(size=(6, 3, U)), jnp.float32) for _ in range(2))
    wide = evaluate(PRODUCT, [x, y], dtype="float64", out_dtype="float64")[0]
    np.testing.assert_allclose(wide, evaluate(PRODUCT, [x.astype("float64"), y.astype("float64")])[0], rtol=1e-14)
    assert evaluate(PRODUCT, [x, y], dtype="float64")[0].dtype == jnp.float32
    assert evaluate(PRODUCT, [x.astype("float64"), y], dtype="float64")[0].dtype == jnp.float64
    hessian = jax.jacfwd(jax.grad(lambda x: jnp.sum(evaluate(PRODUCT, [x, x], dtype="float64")[0])))(x)
    assert hessian.dtype == jnp.float32
    assert jnp.any(hessian)
