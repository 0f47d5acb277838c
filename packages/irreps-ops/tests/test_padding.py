"""Padding changes no result, whatever it contains: NaN there leaves values and derivatives as they are with zeros.

A row of the table is a function of arrays whose last ``PADDING`` rows are padding, which it recognizes by a mask or by
indices out of range, and the shapes of its arguments: strings of irreps or tuples, as in ``test_operations.py``. What
it returns for padding is left out of the comparison by the function itself.
"""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import irreps_core as ic
import irreps_ops as irr

ROWS, PADDING, NODES = 6, 2, 3
MASK = jnp.arange(ROWS) < ROWS - PADDING
KEY = jax.random.key(0)
SRC, DST = jnp.array([0, 1, 2, 1, -1, NODES]), jnp.array([1, 0, 1, 2, NODES, -1])
NEL = jnp.array([1, 0, 3])
SHIFTS = jnp.array([[1, 0, 0], [0, 0, 0], [0, -1, 0], [0, 0, 2], [0, 0, 0], [1, 1, 1]])


def kept(x: Any) -> Any:
    """The rows that are not padding."""
    return jax.tree.map(lambda a: a[: ROWS - PADDING], x)


def scatter(function: Callable[..., Any], **options: Any) -> Callable[..., Any]:
    def of_rows(x: Any) -> Any:
        return [
            function(x, dst=DST, output_size=NODES, **options),
            function(x, dst=jnp.zeros(ROWS, int), output_size=NODES, mask=MASK, **options),
            function(x, nel=NEL, **options),
            kept(function(x, dst=jnp.zeros(ROWS, int), mask=MASK, map_back=True, **options)),
        ]

    return of_rows


def layer(layer: Any, *example: Any, **options: Any) -> Callable[..., Any]:
    """A layer as a function of its inputs, with random parameters; `example` holds the inputs that are not floats."""

    def of_inputs(*inputs: Any) -> Any:
        parameters = jax.tree.map(lambda a: a + 0.3, irr.init(layer, KEY, *map(_zeros, inputs), *example))
        state = irr.init_state(layer, KEY, *map(_zeros, inputs), *example)
        out, state = irr.apply(layer, parameters, *inputs, *example, state=state, **options)
        return out, state

    return of_inputs


def _zeros(x: Any) -> Any:
    return jax.tree.map(jnp.zeros_like, x)


MESSAGES = irr.MessagePassingConvolution("0e + 1o", (2,), jnp.tanh, avg_num_neighbors=1.5)
ATTENTION = irr.Transformer("0e + 1o", (2,), jnp.tanh, 1)
PADDED: dict[str, tuple[Callable[..., Any], list[Any]]] = {
    "BatchNorm": (lambda x: kept(layer(irr.BatchNorm(), mask=MASK)(x)[0]), ["2x0e + 1o"]),
    "BatchNorm, its state": (lambda x: layer(irr.BatchNorm(), mask=MASK)(x)[1], ["2x0e + 1o"]),
    "BatchNorm, max": (lambda x: kept(layer(irr.BatchNorm(reduce="max"), mask=MASK)(x)[0]), ["2x0e + 1o"]),
    "BatchNorm, evaluation": (
        lambda x: layer(irr.BatchNorm(), mask=MASK, is_training=False)(x)[0],
        ["2x0e + 1o"],
    ),
    "MessagePassingConvolution": (
        lambda y, r: layer(MESSAGES, (SRC, DST))(ic.ones("0e + 1o", (NODES,), dtype=r.dtype) * 0.7, y, r)[0],
        ["0e + 1o", (2,)],
    ),
    "Transformer": (
        lambda c, a: irr.apply(
            ATTENTION,
            irr.init(
                ATTENTION, KEY, SRC, DST, jnp.zeros_like(c), _zeros(a), ic.ones("0e + 1o", (NODES,), dtype=c.dtype)
            ),
            SRC,
            DST,
            c,
            a,
            ic.ones("0e + 1o", (NODES,), dtype=c.dtype) * 0.7,
        ),
        [(), "2x0e + 1o"],
    ),
    "edge_convolution": (
        lambda y, w: irr.edge_convolution(
            ic.ones("0e + 1o", (NODES,), dtype=w.dtype), y, w, irr.EdgeIndex.from_edges(SRC, DST, NODES)
        ),
        ["1o", (4,)],
    ),
    "edge_convolution, masked": (
        lambda y, w: irr.edge_convolution(
            ic.ones("0e + 1o", (NODES,), dtype=w.dtype),
            y,
            w,
            irr.EdgeIndex.from_edges(jnp.abs(SRC) % NODES, jnp.abs(DST) % NODES, NODES, mask=MASK),
        ),
        ["1o", (4,)],
    ),
    "edge_softmax": (lambda l, w: irr.edge_softmax(l, DST, NODES, weights=w), [(2,), ()]),
    "edge_softmax, masked": (
        lambda l, w: irr.edge_softmax(l, jnp.zeros(ROWS, int), NODES, weights=w, mask=MASK),
        [(2,), ()],
    ),
    "edge_vectors": (
        lambda c: irr.edge_vectors(jnp.eye(3, dtype=c.dtype), SRC, DST, shifts=SHIFTS, cell=c),
        [(3, 3)],
    ),
    "index_add": (lambda x: irr.index_add(DST, x, out_dim=NODES), [(2,)]),
    "radius_graph and edge_vectors": (
        lambda x: irr.edge_vectors(x, *irr.radius_graph(x, 1.0, mask=MASK, size=20)),
        [(3,)],
    ),
    "scatter_max": (scatter(irr.scatter_max), [(2,)]),
    "scatter_mean": (scatter(irr.scatter_mean), ["0e + 1o"]),
    "scatter_sum": (scatter(irr.scatter_sum), ["0e + 1o"]),
}
# Without reverse mode over forward mode, which takes seconds to compile.
SLOW = ("MessagePassingConvolution", "Transformer")


def draw(spec: Any, number: int) -> Any:
    rng = np.random.default_rng(number)
    if isinstance(spec, str):
        return ic.IrrepsArray(spec, jnp.asarray(rng.normal(size=(ROWS, ic.Irreps(spec).dim))))
    return jnp.asarray(rng.uniform(0.2, 0.9, size=(ROWS, *spec)))


@pytest.mark.parametrize("name", PADDED)
def test_padding_is_invisible(name: str) -> None:
    function, specs = PADDED[name]
    inputs = [draw(spec, n) for n, spec in enumerate(specs)]
    along = [draw(spec, n + 9) for n, spec in enumerate(specs)]

    def floats(*inputs: Any) -> Any:
        return [y for y in jax.tree.leaves(function(*inputs)) if jnp.issubdtype(y.dtype, jnp.floating)]

    def total(*inputs: Any) -> Any:
        return sum(jnp.sum(jnp.sin(y)) for y in floats(*inputs))

    def all_orders(inputs: Any, along: Any) -> Any:
        gradient = jax.grad(total, argnums=tuple(range(len(inputs))))
        found = [jax.jvp(floats, inputs, along), jax.jvp(gradient, inputs, along)]
        if name not in SLOW:
            found.append(jax.grad(lambda *x: jax.jvp(total, x, along)[1], argnums=tuple(range(len(inputs))))(*inputs))
        return found

    def filled(value: float) -> Any:
        return jax.tree.map(lambda a: a.at[ROWS - PADDING :].set(value), tuple(inputs))

    along = jax.tree.map(lambda a: a.at[ROWS - PADDING :].set(0), tuple(along))
    quick = {"xla_backend_optimization_level": 0, "xla_llvm_disable_expensive_passes": True}
    compiled = jax.jit(all_orders).lower(filled(0.5), along).compile(compiler_options=quick)
    expected, found = compiled(filled(0.5), along), compiled(filled(jnp.nan), along)
    for a, b in zip(jax.tree.leaves(found), jax.tree.leaves(expected), strict=True):
        np.testing.assert_allclose(a, b, rtol=0, atol=1e-12)
    for tree in (found[1], found[2:]):
        for leaf in jax.tree.leaves(tree):
            assert not np.asarray(leaf)[ROWS - PADDING :].any(), "derivatives by padding are zero"
