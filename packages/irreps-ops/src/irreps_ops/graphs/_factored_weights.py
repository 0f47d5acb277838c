"""Weights that are a matrix product: find the last matrix of a radial network."""

from collections.abc import Callable
from typing import Any, NamedTuple, cast

import jax
import jax.numpy as jnp
from jax.extend.core import Jaxpr, Literal, Var, jaxpr_as_fun

from irreps_ops.compute._jax_compat import with_results


class FactoredWeights(NamedTuple):
    """Weights h V of a convolution, which are not evaluated yet.

    Attributes:
        hidden: number n of hidden activations.
        evaluate: returns h, of shape (edges, n), which is different for each edge, and V, of shape (n, irreps of the
            result), which is the same for all.
    """

    hidden: int
    evaluate: Callable[[], tuple[jax.Array, jax.Array]]


def factored(function: Callable[[Any], Any], data: Any, columns: int) -> FactoredWeights | None:
    """Split a function of edge data into the last matrix and what comes before it.

    A radial network is a perceptron, so its last operation is a product with a matrix of parameters, perhaps times a
    number. Then the rest is evaluated for all edges, and the matrix is left to the convolution.

    Args:
        function: maps edge data to weights of shape (edges, columns).
        data: a tree of arrays of shape (edges, ...).
        columns: the number of columns.

    Returns:
        The factors, or None if the last operation is another one.
    """
    leaves, tree = jax.tree.flatten(data)
    program = jax.make_jaxpr(lambda *leaves: function(jax.tree.unflatten(tree, leaves)))(*leaves)
    jaxpr = program.jaxpr
    if len(jaxpr.outvars) != 1 or program.out_avals[0].ndim != 2 or program.out_avals[0].shape[-1] != columns:
        return None
    product, scales = _last_product(jaxpr)
    if product is None:
        return None
    of_edges = _depending(jaxpr, set(jaxpr.invars))
    hidden, matrix = product.invars
    if hidden not in of_edges or any(v in of_edges for v in (matrix, *(n for n, _ in scales)) if isinstance(v, Var)):
        return None
    wanted = [hidden, matrix, *(number for number, _ in scales)]

    def evaluate() -> tuple[jax.Array, jax.Array]:
        found = iter(jaxpr_as_fun(with_results(program, [v for v in wanted if isinstance(v, Var)]))(*leaves))
        h, v, *numbers = (next(found) if isinstance(x, Var) else jnp.asarray(x.val) for x in wanted)
        for number, (_, inverse) in zip(numbers, scales, strict=True):
            v = v / number if inverse else v * number
        return h, v

    return FactoredWeights(hidden.aval.shape[1], evaluate)


def _last_product(jaxpr: Jaxpr) -> tuple[Any, list[tuple[Any, bool]]]:
    """Find a product (edges, n) @ (n, columns) that the result is, times or divided by numbers.

    Returns:
        Its equation, or None; and the numbers, each with whether it is divided by.
    """
    defined = {v: eqn for eqn in jaxpr.eqns for v in eqn.outvars}
    (wanted,) = jaxpr.outvars
    scales: list[tuple[Any, bool]] = []
    while isinstance(wanted, Var) and wanted in defined:
        eqn = defined[wanted]
        operands: list[Any] = eqn.invars
        match eqn.primitive.name:
            case "dot_general":
                (left, right), batch = eqn.params["dimension_numbers"]
                plain = (tuple(left), tuple(right)) == ((1,), (0,)) and not any(map(len, batch))
                kept = operands[0].aval.dtype == cast(Any, eqn.outvars[0]).aval.dtype
                if plain and kept and all(v.aval.ndim == 2 for v in operands) and isinstance(operands[0], Var):
                    return eqn, scales
                break
            case "mul" if [v.aval.ndim for v in operands] == [0, 2]:
                number, wanted = operands
                scales.append((number, False))
            case "mul" | "div" if [v.aval.ndim for v in operands] == [2, 0]:
                wanted, number = operands
                scales.append((number, eqn.primitive.name == "div"))
            case _:
                break
    return None, []


def _depending(jaxpr: Jaxpr, inputs: set[Any]) -> set[Any]:
    """Return the variables that depend on these."""
    found = set(inputs)
    for eqn in jaxpr.eqns:
        if any(not isinstance(v, Literal) and v in found for v in eqn.invars):
            found.update(eqn.outvars)
    return found
