"""Every executor against the definition of a polynomial: a sum over terms, elements of the batch and channels."""

from dataclasses import replace
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from irreps_ops.compute import Access, Coefficients, Contraction, Index, Operand, Path, Polynomial, evaluate
from irreps_ops.compute._dispatch import EXECUTORS, why_not
from irreps_ops.testing._executor_cases import ExecutorCase, evaluated_in_parts, executor_cases, random_cases


def rows_of_edges() -> list[ExecutorCase]:
    """Return two paths over the edges of a row, and their transposes."""
    slots, channels, terms = 2, 3, np.random.default_rng(0).normal(size=(2, 1, 4, 3, 5))
    double = (slots, channels)
    inputs = (Operand(1, double), Operand(1, double), Operand(4, double), Operand(3, (slots,)))
    subscripts = ("eu", "eu", "e", "u")
    paths = (Path((n, 2, 3), 0, subscripts, Coefficients.from_dense(terms[n] * (terms[n] > 0))) for n in range(2))
    polynomial = Polynomial(inputs, (Operand(5, (channels,)),), tuple(paths))
    turned = [polynomial.transpose([n in linear for n in range(4)]) for linear in ((0, 1), (2,), (3,))]
    return [ExecutorCase(f"rows of edges, transpose {n}", p) for n, p in enumerate([polynomial, *turned])]


def parts_of_an_output() -> list[ExecutorCase]:
    """Return paths into different components of one output, which may be in order, cover it, or overlap."""
    found = []
    for last in (False, True):
        x, y, out = (Operand(n, (3,), components_last=last) for n in (2, 3, 5))
        for of_x, of_y in (((0, 1), (2, 3, 4)), ((3, 4), (0, 1, 2)), ((0, 3), (1, 2, 4)), ((1,), (1, 3))):
            paths = (
                Path(
                    (n,),
                    0,
                    ("u", "u"),
                    Coefficients(np.array(list(enumerate(places))), np.arange(1.0, 1 + len(places))),
                )
                for n, places in enumerate((of_x, of_y))
            )
            found.append(ExecutorCase(f"components {of_x} and {of_y}", Polynomial((x, y), (out,), tuple(paths))))
    return found


RANDOM = 16
CASES = [*executor_cases(), *rows_of_edges(), *parts_of_an_output(), *random_cases(RANDOM, seed=1)]
INPUTS = [case.inputs("float64") for case in CASES]


def contraction_of(case: ExecutorCase) -> Contraction:
    return Contraction(case.polynomial, case.batch, tuple(case.sizes.items()), "float64")


def place(case: ExecutorCase, operand: Operand, element: int, component: int) -> tuple[Any, ...] | None:
    """Return where an array has a component for an element of the batch; None if its index is out of range."""
    at = (..., component) if operand.components_last else (component, ...)
    match operand.access:
        case Access.BROADCAST:
            return at
        case Access.BATCHED:
            return (element, *at)
        case Index(name):
            row = case.indices[name][element]
            return (row, *at) if 0 <= row < case.size else None


def by_definition(case: ExecutorCase, inputs: list[jax.Array]) -> list[np.ndarray]:
    """Return the outputs: for each term and element of the batch the coefficient times a product over channels."""
    outputs = [np.zeros(contraction_of(case).shape(o)) for o in case.polynomial.outputs]
    for path in case.polynomial.paths:
        operands, extents = case.polynomial.operands(path), case.polynomial.extents(path)
        arrays = [*(np.asarray(inputs[i]) for i in path.inputs), outputs[path.output]]
        # With a factor of ones for each letter, one that only the output has is broadcast.
        formula = f"{','.join([*path.subscripts[:-1], *extents])}->{path.subscripts[-1]}"
        ones = [np.ones(n) for n in extents.values()]
        for term, value in zip(path.coefficients.terms.tolist(), path.coefficients.values, strict=True):
            for element in range(case.batch):
                places = [place(case, o, element, n) for o, n in zip(operands, term, strict=True)]
                if None not in places:
                    *factors, target = (x[at] for x, at in zip(arrays, places, strict=True))  # target is a view
                    target += value * np.einsum(formula, *factors, *ones)
    return outputs


EXPECTED = [by_definition(case, inputs) for case, inputs in zip(CASES, INPUTS, strict=True)]


def check(executor: str, which: list[int], parts: bool) -> None:
    def compute(inputs: list[list[jax.Array]]) -> list[list[jax.Array]]:
        return [
            evaluated_in_parts(CASES[n], x, executor, seed=n)
            if parts
            else evaluate(CASES[n].polynomial, x, executor=executor, **CASES[n].arguments())
            for n, x in zip(which, inputs, strict=True)
        ]

    for n, found in zip(which, jax.jit(compute)([INPUTS[n] for n in which]), strict=True):
        for y, expected in zip(found, EXPECTED[n], strict=True):
            assert y.dtype == jnp.float64
            np.testing.assert_allclose(y, expected, rtol=1e-12, atol=1e-12, err_msg=CASES[n].name)


@pytest.mark.parametrize("executor", EXECUTORS.builtin)
def test_values(executor: str) -> None:
    capable = [n for n, case in enumerate(CASES) if why_not(executor, contraction_of(case)) is None]
    assert len(capable) > 4
    check(executor, capable, parts=False)


@pytest.mark.parametrize("executor", ["reference", "xla"])
def test_a_constant_needs_no_input(executor: str) -> None:
    one = Coefficients(np.array([[0], [2]]), np.array([1.5, -2.0]))
    accesses = (Access.BATCHED, Access.BROADCAST, Index("receivers"))
    outputs = tuple(Operand(3, (2,), access) for access in accesses)
    polynomial = Polynomial((), outputs, tuple(Path((), o, ("u",), one) for o in range(3)))
    indices = {"receivers": jnp.array([0, 0, 2, -1])}
    sizes, constant = {"receivers": 3}, np.broadcast_to(np.array([1.5, 0, -2.0])[:, None], (3, 2))
    found = evaluate(polynomial, [], indices, sizes=sizes, dtype="float64", executor=executor)
    for y, times in zip(found, (np.ones(4), np.array(4), np.array([2, 0, 1])), strict=True):
        np.testing.assert_allclose(y, times[..., None, None] * constant)


def test_edge_rows_refuses_what_it_cannot_compute() -> None:
    weights, x, y, out = Operand(1, (2, 3)), Operand(4, (2, 3)), Operand(3, (2,)), Operand(5, (3,))
    more = replace(out, channels=(3, 2))

    def refusal(operands: tuple[Operand, ...], subscripts: tuple[str, ...] = ("eu", "eu", "e", "u")) -> str | None:
        terms = Coefficients.from_dense(np.ones([o.components for o in operands]))
        path = Path((0, 1, 2), 0, subscripts, terms)
        polynomial = Polynomial(operands[:3], operands[3:], (path,))
        sizes = tuple((name, 7) for name in polynomial.indices)
        return why_not("edge_rows", Contraction(polynomial, 7, sizes, "float32"))

    assert refusal((weights, x, y, out)) is None
    for change in (
        {"access": Access.BROADCAST},
        {"access": Index("senders")},
        {"components_last": True},
        {"dtype": "bfloat16"},
    ):
        for n in range(4):
            changed = [replace(o, **change) if n == m else o for m, o in enumerate((weights, x, y, out))]
            assert refusal(tuple(changed)) is not None, (change, n)
    for operands, subscripts in {
        (weights, x, y, Operand(5, (7,))): ("eu", "eu", "e", "w"),  # letters of their own
        (weights, x, Operand(3, (7,)), out): ("eu", "eu", "w", "u"),
        (weights, x, Operand(3, (3,)), out): ("eu", "eu", "u", "u"),  # none for slots
        (weights, x, y, Operand(5, ())): ("eu", "eu", "e", ""),
        (weights, x, y, more): ("eu", "eu", "e", "ue"),
        (Operand(1, (3, 2)), x, y, out): ("ue", "eu", "e", "u"),
        (Operand(2, (2, 3)), x, y, out): ("eu", "eu", "e", "u"),  # weights of two components
        (Operand(1, (3,)), Operand(4, (3,)), Operand(3, ()), out): ("u", "u", "", "u"),
    }.items():
        assert "it only computes products of one [e], one [u]" in str(refusal(operands, subscripts)), subscripts


def test_parts_of_arrays() -> None:
    check("reference", list(range(len(CASES) - RANDOM, len(CASES))), parts=True)
