"""Small polynomials in which everything occurs that an executor can meet, each with arrays to evaluate it on."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from irreps_core import clebsch_gordan

from ._polynomial import EACH, SHARED, Coefficients, Operand, Path, Polynomial

_NODES, _EDGES, _U, _V, _W = 4, 7, 3, 2, 2


@dataclass(frozen=True)
class KernelCase:
    """A polynomial and rows to evaluate it on.

    Attributes:
        name: what is special about it.
        polynomial: what to compute.
        rows: how many rows.
        indices: for each index its numbers, some of them out of range.
        size: how many rows the operands of each index have.
    """

    name: str
    polynomial: Polynomial
    rows: int = _EDGES
    indices: dict[str, list[int]] = field(default_factory=dict)
    size: int = _NODES

    def shapes(self) -> list[tuple[int, ...]]:
        """The shape of each input."""
        rows = {EACH: (self.rows,), SHARED: (), **dict.fromkeys(self.polynomial.indices, (self.size,))}
        return [(*rows[o.rows], *o.shape) for o in self.polynomial.inputs]

    def inputs(self, dtype: Any, seed: int = 0) -> list[jax.Array]:
        """Random arrays, one for each input."""
        rng = np.random.default_rng(seed)
        return [jnp.asarray(rng.normal(size=shape), dtype) for shape in self.shapes()]

    def arguments(self) -> dict[str, Any]:
        """Further arguments of :func:`evaluate`."""
        indices = {name: jnp.asarray(numbers, jnp.int32) for name, numbers in self.indices.items()}
        return {"indices": indices, "rows": self.rows, "sizes": dict.fromkeys(self.polynomial.indices, self.size)}


def convolution(rows: int = _EDGES, size: int = _NODES, last: bool = False) -> KernelCase:
    """Gather by one index, scatter by another: rows out of range, rows that nobody names, rows named several times."""
    polynomial = Polynomial(
        (
            Operand(2, (_U,), EACH, "weights", components_last=last),
            Operand(4, (_U,), "senders", "x", components_last=last),
            Operand(3, (), EACH, "harmonics"),
        ),
        (Operand(3, (_U,), "receivers", "messages", components_last=last),),
        (
            Path((0, 1, 2), 0, ("u", "u", "", "u"), _shifted(clebsch_gordan(1, 1, 1), 0, 1)),
            Path((0, 1, 2), 0, ("u", "u", "", "u"), _shifted(clebsch_gordan(0, 1, 1), 1, 0)),
        ),
    )
    senders, receivers = [0, 2, -1, 3, 4, 2, 0], [1, 1, 0, -2, 3, 3, 11]
    name = "gather and scatter, indices out of range"
    return KernelCase(name, polynomial, rows, {"senders": senders[:rows], "receivers": receivers[:rows]}, size)


def fully_connected(rows: int = _EDGES) -> KernelCase:
    """Weights that all rows share; two paths into different components of one output."""
    polynomial = Polynomial(
        (Operand(2, (_U, _V, _W), SHARED, "weights"), Operand(3, (_U,), EACH, "x"), Operand(3, (_V,), EACH, "y")),
        (Operand(8, (_W,), EACH, "product"),),
        (
            Path((0, 1, 2), 0, ("uvw", "u", "v", "w"), _shifted(clebsch_gordan(1, 1, 1), 0, 0)),
            Path((0, 1, 2), 0, ("uvw", "u", "v", "w"), _shifted(clebsch_gordan(1, 1, 2), 1, 0, 3)),
        ),
    )
    return KernelCase("fully connected (uvw), shared weights", polynomial, rows)


def powers() -> KernelCase:
    """One operand several times in a product, with weights by index; and a sum over all rows."""
    cubic = np.einsum("ija,akb->ijkb", clebsch_gordan(1, 1, 2), clebsch_gordan(2, 1, 1))
    polynomial = Polynomial(
        (Operand(3, (_U,), EACH, "x"), Operand(1, (_U,), "species", "weights")),
        (Operand(3, (_U,), EACH, "cube"), Operand(5, (), SHARED, "total")),
        (
            Path((0, 0, 0, 1), 0, ("u", "u", "u", "u", "u"), Coefficients.from_dense(cubic[:, :, :, None])),
            Path((0, 0), 1, ("u", "v", ""), Coefficients.from_dense(clebsch_gordan(1, 1, 2))),
        ),
    )
    return KernelCase("powers, several outputs, sum over rows", polynomial, _EDGES, {"species": [0, 1, 1, 3, 0, 4, 2]})


def edges_of_rows() -> KernelCase:
    """A convolution whose edges are grouped by receiver: a row has several edges, which are a channel axis."""
    polynomial = Polynomial(
        (
            Operand(1, (_V, _U), EACH, "weights"),
            Operand(3, (_V, _U), EACH, "x"),
            Operand(3, (_V,), EACH, "harmonics"),
        ),
        (Operand(5, (_U,), EACH, "messages"),),
        (Path((0, 1, 2), 0, ("eu", "eu", "e", "u"), _shifted(clebsch_gordan(1, 1, 2), 0, 0)),),
    )
    return KernelCase("sum over the edges of a row", polynomial)


def kernel_cases() -> Iterator[KernelCase]:
    """All of them, the four above first."""
    yield from (convolution(), fully_connected(), powers(), edges_of_rows())
    for kind, modes in (
        ("outer product of channels (uv)", ("u", "v", "uv")),
        ("channel by channel (uuu)", ("u", "u", "u")),
        ("one operand without channels (uvu)", ("u", "", "u")),
        ("sum over channels", ("u", "u", "")),
        ("broadcast to channels", ("", "", "u")),
        ("sum and broadcast", ("u", "uv", "w")),
    ):
        yield _product(kind, modes)
    yield _product("shared operand, sum over rows", ("u", "u", "u"), rows=(SHARED, EACH, SHARED))
    yield _product("sum over rows of what is shared", ("u", "u", "u"), rows=(SHARED, SHARED, SHARED))
    yield _product("the same for every row", ("u", "u", "u"), rows=(SHARED, SHARED, EACH))
    yield _renamed(convolution(last=True), "components last")
    yield _many_terms()
    yield _renamed(convolution(rows=1), "a single row, indexed")
    yield _renamed(fully_connected(rows=1), "a single row")
    yield _renamed(convolution(rows=0), "no rows, indexed")
    yield _renamed(fully_connected(rows=0), "no rows")
    yield _renamed(convolution(size=0), "indices into nothing")


def _product(name: str, modes: tuple[str, str, str], rows: tuple[str, str, str] = (EACH, EACH, EACH)) -> KernelCase:
    channels = {"u": _U, "v": _V, "w": _W}
    a, b, out = (
        Operand(components, tuple(channels[m] for m in letters), each, name)
        for components, letters, each, name in zip((3, 3, 5), modes, rows, ("a", "b", "product"), strict=True)
    )
    path = Path((0, 1), 0, modes, Coefficients.from_dense(clebsch_gordan(1, 1, 2)))
    return KernelCase(name, Polynomial((a, b), (out,), (path,)))


def _many_terms() -> KernelCase:
    rng = np.random.default_rng(0)
    operands = (Operand(9, (_U,), EACH, "x"), Operand(6, (_U,), EACH, "y"), Operand(1, (_U,), SHARED, "weights"))
    cubic = Coefficients(rng.integers(0, [9, 9, 6, 1, 7], (300, 5)), rng.normal(size=300))
    square = Coefficients(rng.integers(0, [9, 6, 7], (60, 3)), rng.normal(size=60))
    paths = (Path((0, 0, 1, 2), 0, ("u",) * 5, cubic), Path((0, 1), 0, ("u",) * 3, square))
    return KernelCase("many terms", Polynomial(operands, (Operand(7, (_U,), EACH, "out"),), paths))


def _shifted(coefficients: np.ndarray, weight: int, first: int, out: int = 0) -> Coefficients:
    """The coefficients times a certain weight, for components that start at `first` of x and `out` of the output."""
    terms = np.argwhere(coefficients)
    values = coefficients[tuple(terms.T)]
    return Coefficients(np.insert(terms + np.array([first, 0, out]), 0, weight, axis=1), values)


def _renamed(case: KernelCase, name: str) -> KernelCase:
    return KernelCase(name, case.polynomial, case.rows, case.indices, case.size)
