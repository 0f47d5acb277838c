"""Weights that are a matrix product: find the last matrix of a radial network."""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple, cast

import jax
import jax.numpy as jnp
from jax.extend.core import Jaxpr, Literal, Var, jaxpr_as_fun

from irreps_ops.compute._jax_compat import ClosedJaxpr, with_results


class FactoredWeights(NamedTuple):
    """Weights h V of a convolution, which are not evaluated yet.

    Attributes:
        width: number n of hidden activations.
        dtype: of the hidden activations.
        hidden: returns h, of shape (edges, n), for edge data of all edges or of some of them.
        matrix: returns V, of shape (n, irreps of the result), which is the same for all edges.
    """

    width: int
    dtype: Any
    hidden: Callable[[Any], jax.Array]
    matrix: Callable[[], jax.Array]


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
    found = _split(function, data, columns)
    if found is None:
        return None

    def hidden(data: Any) -> jax.Array:
        split = found if jax.tree.leaves(data)[0].shape[0] == found.edges else _split(function, data, columns)
        if split is None:
            raise ValueError("the radial network must do the same for any number of edges, got one that does not")
        (h,) = split.evaluate([split.hidden], jax.tree.leaves(data))
        return h

    def matrix() -> jax.Array:
        v, *numbers = found.evaluate([found.matrix, *(number for number, _ in found.scales)], jax.tree.leaves(data))
        for number, (_, inverse) in zip(numbers, found.scales, strict=True):
            v = v / number if inverse else v * number
        return v

    return FactoredWeights(found.hidden.aval.shape[1], found.hidden.aval.dtype, hidden, matrix)


class _Split(NamedTuple):
    """A traced function of edge data, cut before its last product with a matrix."""

    program: ClosedJaxpr
    edges: int
    hidden: Any  # variables
    matrix: Any
    scales: list[tuple[Any, bool]]

    def evaluate(self, wanted: Sequence[Any], leaves: Sequence[Any]) -> list[jax.Array]:
        """Return the values of some variables."""
        variables = [v for v in wanted if isinstance(v, Var)]
        found = iter(jaxpr_as_fun(with_results(self.program, variables))(*leaves))
        return [next(found) if isinstance(v, Var) else jnp.asarray(v.val) for v in wanted]


def _split(function: Callable[[Any], Any], data: Any, columns: int) -> _Split | None:
    leaves, tree = jax.tree.flatten(data)
    program = jax.make_jaxpr(lambda *leaves: function(jax.tree.unflatten(tree, leaves)))(*leaves)
    jaxpr, results = program.jaxpr, cast(Any, program.out_avals)
    if len(results) != 1 or results[0].ndim != 2 or results[0].shape[-1] != columns:
        return None
    product, scales = _last_product(jaxpr)
    if product is None:
        return None
    of_edges = _depending(jaxpr, set(jaxpr.invars))
    hidden, matrix = product.invars
    if hidden not in of_edges or any(v in of_edges for v in (matrix, *(n for n, _ in scales)) if isinstance(v, Var)):
        return None
    return _Split(program, leaves[0].shape[0], hidden, matrix, scales)


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
