"""Small polynomials in which everything occurs that an executor can meet, each with arrays to evaluate it on."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from irreps_core import clebsch_gordan
from irreps_ops.compute._contraction import Contraction
from irreps_ops.compute._polynomial import Polynomial
from irreps_ops.compute._primitive import evaluate
from irreps_ops.compute._terms import Access, AnyAccess, Coefficients, Index, Operand, Path
from irreps_ops.compute._views import Part, View, Views

_NODES, _EDGES, _U, _V, _W = 4, 7, 3, 2, 2


@dataclass(frozen=True)
class ExecutorCase:
    """A polynomial and a batch to evaluate it on.

    Attributes:
        name: what is special about it.
        polynomial: what to compute.
        batch: size of the batch.
        indices: for each index its numbers, some of them out of range.
        size: how many rows the operands of each index have.

    Example:
        >>> from irreps_ops.testing import executor_cases
        >>> case = next(executor_cases())
        >>> case.name, case.batch, case.shapes()
        ('gather and scatter, indices out of range', 7, [(7, 2, 3), (4, 4, 3), (7, 3)])
    """

    name: str
    polynomial: Polynomial
    batch: int = _EDGES
    indices: dict[str, list[int]] = field(default_factory=dict)
    size: int = _NODES

    def shapes(self) -> list[tuple[int, ...]]:
        """The shape of each input."""
        contraction = Contraction(self.polynomial, self.batch, tuple(self.sizes.items()), "float32")
        return [contraction.shape(o) for o in self.polynomial.inputs]

    @property
    def sizes(self) -> dict[str, int]:
        """The number of rows of the operands of each index."""
        return dict.fromkeys(self.polynomial.indices, self.size)

    def inputs(self, dtype: Any, seed: int = 0) -> list[jax.Array]:
        """Random arrays, one for each input."""
        rng = np.random.default_rng(seed)
        return [jnp.asarray(rng.normal(size=shape), dtype) for shape in self.shapes()]

    def arguments(self) -> dict[str, Any]:
        """Further arguments of :func:`evaluate`."""
        indices = {name: jnp.asarray(numbers, jnp.int32) for name, numbers in self.indices.items()}
        return {"indices": indices, "batch": self.batch, "sizes": self.sizes}


def convolution(batch: int = _EDGES, size: int = _NODES, last: bool = False) -> ExecutorCase:
    """Gather by one index, scatter by another: rows out of range, rows that nobody names, rows named several times."""
    polynomial = Polynomial(
        (
            Operand(2, (_U,), Access.BATCHED, "weights", components_last=last),
            Operand(4, (_U,), Index("senders"), "x", components_last=last),
            Operand(3, (), Access.BATCHED, "harmonics"),
        ),
        (Operand(3, (_U,), Index("receivers"), "messages", components_last=last),),
        (
            Path((0, 1, 2), 0, ("u", "u", "", "u"), _shifted(clebsch_gordan(1, 1, 1), 0, 1)),
            Path((0, 1, 2), 0, ("u", "u", "", "u"), _shifted(clebsch_gordan(0, 1, 1), 1, 0)),
        ),
    )
    senders, receivers = [0, 2, -1, 3, 4, 2, 0], [1, 1, 0, -2, 3, 3, 11]
    name = "gather and scatter, indices out of range"
    return ExecutorCase(name, polynomial, batch, {"senders": senders[:batch], "receivers": receivers[:batch]}, size)


def fully_connected(batch: int = _EDGES) -> ExecutorCase:
    """Broadcast weights; two paths into different components of one output."""
    polynomial = Polynomial(
        (
            Operand(2, (_U, _V, _W), Access.BROADCAST, "weights"),
            Operand(3, (_U,), Access.BATCHED, "x"),
            Operand(3, (_V,), Access.BATCHED, "y"),
        ),
        (Operand(8, (_W,), Access.BATCHED, "product"),),
        (
            Path((0, 1, 2), 0, ("uvw", "u", "v", "w"), _shifted(clebsch_gordan(1, 1, 1), 0, 0)),
            Path((0, 1, 2), 0, ("uvw", "u", "v", "w"), _shifted(clebsch_gordan(1, 1, 2), 1, 0, 3)),
        ),
    )
    return ExecutorCase("fully connected (uvw), broadcast weights", polynomial, batch)


def powers() -> ExecutorCase:
    """One operand several times in a product, with weights by index; and a sum over the batch."""
    cubic = np.einsum("ija,akb->ijkb", clebsch_gordan(1, 1, 2), clebsch_gordan(2, 1, 1))
    polynomial = Polynomial(
        (Operand(3, (_U,), Access.BATCHED, "x"), Operand(1, (_U,), Index("species"), "weights")),
        (Operand(3, (_U,), Access.BATCHED, "cube"), Operand(5, (), Access.BROADCAST, "total")),
        (
            Path((0, 0, 0, 1), 0, ("u", "u", "u", "u", "u"), Coefficients.from_dense(cubic[:, :, :, None])),
            Path((0, 0), 1, ("u", "v", ""), Coefficients.from_dense(clebsch_gordan(1, 1, 2))),
        ),
    )
    return ExecutorCase(
        "powers, several outputs, sum over the batch", polynomial, _EDGES, {"species": [0, 1, 1, 3, 0, 4, 2]}
    )


def edges_of_rows() -> ExecutorCase:
    """A convolution whose edges are grouped by receiver: a row has several edges, which are a channel axis."""
    polynomial = Polynomial(
        (
            Operand(1, (_V, _U), Access.BATCHED, "weights"),
            Operand(3, (_V, _U), Access.BATCHED, "x"),
            Operand(3, (_V,), Access.BATCHED, "harmonics"),
        ),
        (Operand(5, (_U,), Access.BATCHED, "messages"),),
        (Path((0, 1, 2), 0, ("eu", "eu", "e", "u"), _shifted(clebsch_gordan(1, 1, 2), 0, 0)),),
    )
    return ExecutorCase("sum over the edges of a row", polynomial)


def executor_cases() -> Iterator[ExecutorCase]:
    """All of them, the four above first.

    Example:
        >>> from irreps_ops.testing import executor_cases
        >>> [case.name for case in executor_cases()][:2]
        ['gather and scatter, indices out of range', 'fully connected (uvw), broadcast weights']
    """
    yield from (convolution(), fully_connected(), powers(), edges_of_rows())
    for kind, subscripts in (
        ("outer product of channels (uv)", ("u", "v", "uv")),
        ("channel by channel (uuu)", ("u", "u", "u")),
        ("one operand without channels (uvu)", ("u", "", "u")),
        ("sum over channels", ("u", "u", "")),
        ("broadcast to channels", ("", "", "u")),
        ("sum and broadcast", ("u", "uv", "w")),
    ):
        yield _product(kind, subscripts)
    yield _product(
        "broadcast operand, sum over the batch",
        ("u", "u", "u"),
        accesses=(Access.BROADCAST, Access.BATCHED, Access.BROADCAST),
    )
    yield _product(
        "sum over the batch of a constant",
        ("u", "u", "u"),
        accesses=(Access.BROADCAST, Access.BROADCAST, Access.BROADCAST),
    )
    yield _product(
        "constant over the batch",
        ("u", "u", "u"),
        accesses=(Access.BROADCAST, Access.BROADCAST, Access.BATCHED),
    )
    yield _scalar(2)
    yield _scalar(3)
    yield _renamed(convolution(last=True), "components last")
    yield _many_terms()
    yield _renamed(convolution(batch=1), "batch of one, indexed")
    yield _renamed(fully_connected(batch=1), "batch of one")
    yield _renamed(convolution(batch=0), "empty batch, indexed")
    yield _renamed(fully_connected(batch=0), "empty batch")
    yield _renamed(convolution(size=0), "indices into nothing")


def random_cases(count: int, seed: int = 0, channels: tuple[int, int] = (_U, _V)) -> Iterator[ExecutorCase]:
    """Random polynomials: any accesses, channels, numbers of factors and terms, and results without any axis.

    Args:
        count: how many.
        seed: of the random numbers.
        channels: the two lengths that channel axes have.
    """
    rng = np.random.default_rng(seed)
    for n in range(count):
        operands = [_random_operand(rng, f"operand {i}", channels) for i in range(rng.integers(2, 5))]
        inputs, outputs = operands[:-1], operands[-1:]
        paths = tuple(_random_path(rng, inputs, outputs, channels) for _ in range(rng.integers(1, 4)))
        polynomial = Polynomial(tuple(inputs), tuple(outputs), paths)
        batch = int(rng.integers(1, 20))
        indices = {name: rng.integers(-1, _NODES + 1, batch).tolist() for name in polynomial.indices}
        yield ExecutorCase(f"random polynomial {n} of seed {seed}", polynomial, batch, indices)


def _random_operand(rng: np.random.Generator, name: str, lengths: tuple[int, int]) -> Operand:
    access = (Access.BATCHED, Access.BATCHED, Access.BROADCAST, Index("first"), Index("second"))[rng.integers(5)]
    channels = tuple(rng.choice(lengths, rng.integers(3)).tolist())
    return Operand(int(rng.integers(1, 5)), channels, access, name, components_last=bool(rng.integers(2)))


def _random_path(
    rng: np.random.Generator, inputs: Sequence[Operand], outputs: Sequence[Operand], lengths: tuple[int, int]
) -> Path:
    factors = tuple(rng.integers(0, len(inputs), rng.integers(1, 4)).tolist())
    operands = [*(inputs[i] for i in factors), outputs[0]]
    # Letters for each length of a channel axis, so that some axes are shared and others are not.
    letters = dict(zip(lengths, ("uvw", "xyz"), strict=True))
    subscripts = tuple("".join(_distinct(rng, [letters[n] for n in operand.channels])) for operand in operands)
    shape = [operand.components for operand in operands]
    terms = rng.integers(0, shape, (rng.integers(1, 8), len(shape)))
    return Path(factors, 0, subscripts, Coefficients(terms, rng.normal(size=len(terms))))


def _distinct(rng: np.random.Generator, choices: Sequence[str]) -> list[str]:
    """Choose a letter from each string, all of them distinct."""
    found: list[str] = []
    for letters in choices:
        found.append(rng.choice([letter for letter in letters if letter not in found]))
    return found


def _scalar(degree: int) -> ExecutorCase:
    """A power of one number for each element of the batch, summed: a result without any axis."""
    one = Coefficients(np.zeros((1, degree + 1), int), np.ones(1))
    path = Path((0,) * degree, 0, ("",) * (degree + 1), one)
    polynomial = Polynomial((Operand(1, name="x"),), (Operand(1, (), Access.BROADCAST, "sum"),), (path,))
    return ExecutorCase(f"one number, power {degree}, sum over the batch", polynomial)


def _product(
    name: str,
    subscripts: tuple[str, str, str],
    accesses: tuple[AnyAccess, AnyAccess, AnyAccess] = (Access.BATCHED, Access.BATCHED, Access.BATCHED),
) -> ExecutorCase:
    channels = {"u": _U, "v": _V, "w": _W}
    a, b, out = (
        Operand(components, tuple(channels[m] for m in letters), each, name)
        for components, letters, each, name in zip((3, 3, 5), subscripts, accesses, ("a", "b", "product"), strict=True)
    )
    path = Path((0, 1), 0, subscripts, Coefficients.from_dense(clebsch_gordan(1, 1, 2)))
    return ExecutorCase(name, Polynomial((a, b), (out,), (path,)))


def _many_terms() -> ExecutorCase:
    rng = np.random.default_rng(0)
    operands = (
        Operand(9, (_U,), Access.BATCHED, "x"),
        Operand(6, (_U,), Access.BATCHED, "y"),
        Operand(1, (_U,), Access.BROADCAST, "weights"),
    )
    cubic = Coefficients(rng.integers(0, [9, 9, 6, 1, 7], (300, 5)), rng.normal(size=300))
    square = Coefficients(rng.integers(0, [9, 6, 7], (60, 3)), rng.normal(size=60))
    paths = (Path((0, 0, 1, 2), 0, ("u",) * 5, cubic), Path((0, 1), 0, ("u",) * 3, square))
    return ExecutorCase("many terms", Polynomial(operands, (Operand(7, (_U,), Access.BATCHED, "out"),), paths))


def _shifted(coefficients: np.ndarray, weight: int, first: int, out: int = 0) -> Coefficients:
    """The coefficients times a certain weight, for components that start at `first` of x and `out` of the output."""
    terms = np.argwhere(coefficients)
    values = coefficients[tuple(terms.T)]
    return Coefficients(np.insert(terms + np.array([first, 0, out]), 0, weight, axis=1), values)


def _renamed(case: ExecutorCase, name: str) -> ExecutorCase:
    return ExecutorCase(name, case.polynomial, case.batch, case.indices, case.size)


def random_views(polynomial: Polynomial, seed: int = 0) -> Views:
    """Put operands that are accessed alike into one array, in any order, with gaps, some of them in several parts."""
    rng = np.random.default_rng(seed)

    def placed(operands: Sequence[Operand]) -> tuple[View, ...]:
        arrays: dict[tuple[AnyAccess, str | None, tuple[int, ...]], int] = {}
        widths: dict[int, int] = {}
        found: dict[int, View] = {}
        for n in rng.permutation(len(operands)):
            o = operands[n]
            axes = 0 if o.components_last else int(rng.integers(0, len(o.shape)))
            array = arrays.setdefault((o.access, o.dtype, o.shape[:axes]), len(arrays))
            split = int(rng.integers(0, o.components)) if o.components_last and axes == 0 else 0
            parts = []
            for components in [split, o.components - split] if split else [o.components]:
                start = widths.get(array, 0) + int(rng.integers(0, 3))
                size = math.prod(o.channels) * components if split else math.prod(o.shape[axes:])
                parts.append((components, start))
                widths[array] = start + size
            found[int(n)] = View(array, tuple(parts), axes, 0)
        more = {array: width + int(rng.integers(0, 2)) for array, width in widths.items()}
        return tuple(replace(found[n], width=more[found[n].array]) for n in range(len(operands)))

    return Views(placed(polynomial.inputs), placed(polynomial.outputs))


def evaluated_in_parts(
    case: ExecutorCase, inputs: Sequence[jax.Array], executor: Any, seed: int = 0
) -> list[jax.Array]:
    """Evaluate a case as `evaluate` does, with operands that are parts of arrays; what lies between inputs is nan."""
    polynomial, views = case.polynomial, random_views(case.polynomial, seed)
    reading = Views((), views.inputs)
    turned = Contraction(
        Polynomial((), polynomial.inputs, ()), case.batch, _sizes_of(polynomial.inputs, case), inputs[0].dtype
    )
    covered = reading.write(turned, [jnp.ones_like(x) for x in inputs])
    arrays = [
        jnp.where(there == 1, x, jnp.nan) for x, there in zip(reading.write(turned, inputs), covered, strict=True)
    ]
    parts = [Part(arrays[view.array], view.parts) for view in views.inputs]
    joined = evaluate(polynomial, parts, executor=executor, joined=views.outputs, **case.arguments())
    return Views(views.outputs, ()).read(Polynomial(polynomial.outputs, (), ()), joined)


def _sizes_of(operands: Sequence[Operand], case: ExecutorCase) -> tuple[tuple[str, int], ...]:
    return tuple(dict.fromkeys((o.index, case.size) for o in operands if o.index is not None))
