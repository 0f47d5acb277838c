"""The polynomial of a product of two irreps' data: which items meet in which connection mode, and how data becomes
its operands and its outputs become data.
"""

import itertools
import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from irreps_core import Irreps, cached, clebsch_gordan
from irreps_ops._inputs._operands import split_items
from irreps_ops.compute._dispatch import Choice
from irreps_ops.compute._polynomial import Polynomial
from irreps_ops.compute._primitive import evaluate
from irreps_ops.compute._terms import Access, Coefficients, Operand, Path

# For each connection mode the letters of the weights, of both inputs and of the output. A pair "u<v" is one letter, p:
# both inputs are picked pair by pair.
MODES = {
    "uvw": ("uvw", "u", "v", "w"),
    "uvu": ("uv", "u", "v", "u"),
    "uvv": ("uv", "u", "v", "v"),
    "uuw": ("uw", "u", "u", "w"),
    "uuu": ("u", "u", "u", "u"),
    "uvuv": ("uv", "u", "v", "uv"),
    "uvu<v": ("p", "p", "p", "p"),
    "u<vw": ("pw", "p", "p", "w"),
}

# Sums over multiplicities that are made in two steps where one of the multiplicities is 1 or both are one letter: first
# the products that are to be summed, of all connections of an item together, then the sums, as matrix products.
_STEPS = {"uvw": "uvuv", "uuw": "uuu", "u<vw": "uvu<v"}


def pairs(mul: int) -> np.ndarray:
    """All u < v below `mul` in lexicographic order, of shape (pairs, 2).

    Example:
        >>> pairs(3).tolist()
        [[0, 1], [0, 2], [1, 2]]
    """
    return np.array(list(itertools.combinations(range(mul), 2)), np.int32).reshape(-1, 2)


def extents(mul1: int, mul2: int, mul_out: int) -> dict[str, int]:
    """How many channels each letter of `MODES` runs over."""
    return {"u": mul1, "v": mul2, "w": mul_out, "p": mul1 * (mul1 - 1) // 2}


class Connection(NamedTuple):
    """An item of the first input and one of the second that make an item of the output.

    Attributes:
        i_in1: place of the first item.
        i_in2: place of the second item.
        i_out: place of the item of the output.
        mode: which multiplicities meet, see `MODES`.
        scale: of the Clebsch-Gordan coefficients, which have norm 1.
        weights: if there are weights, their access: ``Access.BATCHED`` or ``Access.BROADCAST``.
    """

    i_in1: int
    i_in2: int
    i_out: int
    mode: str
    scale: float
    weights: Access | None = None


class Segment(NamedTuple):
    """An operand as a part of the data: items of equal multiplicity, their components one after the other.

    Attributes:
        source: 0 for the first input, 1 for the second.
        items: places in the irreps.
        side: for pairs u < v, 0 for u and 1 for v; None: all multiplicities.
    """

    source: int
    items: tuple[int, ...]
    side: int | None = None

    def operand(self, irreps: Irreps, access: Access) -> Operand:
        """Its description; a multiplicity of 1 is no axis."""
        mul = irreps[self.items[0]].mul
        count = mul if self.side is None else len(pairs(mul))
        components = sum(irreps[i].ir.dim for i in self.items)
        name = " + ".join(f"{'xy'[self.source]}[{i}]" for i in self.items)
        return Operand(components, () if count == 1 else (count,), access, name, components_last=True)

    def read(self, irreps: Irreps, items: Sequence[jax.Array]) -> jax.Array:
        """The operand's array, from the data of all items, of shape ([batch,] mul * dim)."""
        mul, leading = irreps[self.items[0]].mul, items[0].shape[:-1]
        chunks = [items[i].reshape((*leading, mul, irreps[i].ir.dim)) for i in self.items]
        x = chunks[0] if len(chunks) == 1 else jnp.concatenate(chunks, axis=-1)
        if self.side is not None:
            x = jnp.take(x, pairs(mul)[:, self.side], axis=-2)
        return x.reshape((*leading, x.shape[-1])) if x.shape[-2] == 1 else x


class Products(NamedTuple):
    """Products that are still to be summed, see `_STEPS`.

    Attributes:
        connection: of which connection, by its place.
        operand: the operand that has them.
        piece: which of its pieces they are.
    """

    connection: int
    operand: int
    piece: int


@dataclass(frozen=True)
class Product:
    """A product as a polynomial, or as two of which the second sums what the first makes.

    Attributes:
        polynomial: its inputs are the weights of the connections in `weights`, then the segments.
        sums: its inputs are, for each group of `mixed`, the weights and the products that they sum, side by side.
        segments: of the data.
        weights: places of the connections whose weights the first polynomial takes.
        mixed: what the second one sums, in groups that are summed together.
        irreps_in: of both inputs.
        irreps_out: of the output.
        pieces: for each operand that the first polynomial makes the lengths of the pieces of its components.
        written: for each item of the output the operands whose sum it is, with its piece there; those of the second
            polynomial are counted after those of the first, and have one piece.
    """

    polynomial: Polynomial
    sums: Polynomial | None
    segments: tuple[Segment, ...]
    weights: tuple[int, ...]
    mixed: tuple[tuple[Products, ...], ...]
    irreps_in: tuple[Irreps, Irreps]
    irreps_out: Irreps
    pieces: tuple[tuple[int, ...], ...]
    written: tuple[tuple[tuple[int, int], ...], ...]

    def evaluate(
        self, weights: Mapping[int, jax.Array], x: jax.Array, y: jax.Array, batch: int, dtype: Any, executor: Choice
    ) -> jax.Array:
        """Data of shape (batch, irreps_out.dim).

        Args:
            weights: for each connection that has some, of shape ([batch,] *path_shape).
            x: data of shape ([batch,] irreps1.dim).
            y: data of shape ([batch,] irreps2.dim).
            batch: size of the batch.
            dtype: of the result.
            executor: see :func:`evaluate`.
        """
        data = [split_items(a, of) for a, of in zip((x, y), self.irreps_in, strict=True)]
        inputs = [_fitted(weights[n], o) for n, o in zip(self.weights, self.polynomial.inputs, strict=False)]
        inputs += [s.read(self.irreps_in[s.source], data[s.source]) for s in self.segments]
        made = evaluate(self.polynomial, inputs, batch=batch, executor=executor)
        outputs = [
            jnp.split(y, list(itertools.accumulate(sizes))[:-1], axis=o.component_axis)
            for y, o, sizes in zip(made, self.polynomial.outputs, self.pieces, strict=True)
        ]
        if self.sums is not None:
            inputs = []
            for n, group in enumerate(self.mixed):
                w, products = self.sums.inputs[2 * n : 2 * n + 2]
                factors = [weights[p.connection] for p in group]
                lead, mul = w.batch_axes, w.channels[1]
                factors = [f.reshape(*f.shape[:lead], math.prod(f.shape[lead:]) // mul, mul) for f in factors]
                parts = [outputs[p.operand][p.piece] for p in group]
                parts = [part.reshape(*part.shape[:2], math.prod(part.shape[2:])) for part in parts]
                inputs += [_fitted(jnp.concatenate(factors, axis=-2), w), _fitted(jnp.concatenate(parts, -1), products)]
            sums = evaluate(self.sums, inputs, batch=batch, executor=executor)
            for total, o in zip(sums, self.sums.outputs, strict=True):
                outputs.append([jnp.swapaxes(total.reshape(batch, *o.channels), 1, 2)])
        parts = []
        for item, places in zip(self.irreps_out, self.written, strict=True):
            terms = [outputs[o][piece].reshape(batch, item.dim) for o, piece in places]
            parts.append(sum(terms[1:], terms[0]) if terms else jnp.zeros((batch, item.dim), dtype))
        return jnp.concatenate(parts, axis=1) if parts else jnp.zeros((batch, 0), dtype)


def _fitted(x: jax.Array, operand: Operand) -> jax.Array:
    """An array with the axes of an operand."""
    return x.reshape((*x.shape[: operand.batch_axes], *operand.shape))


@cached()
def product_polynomial(
    irreps1: Irreps,
    irreps2: Irreps,
    irreps_out: Irreps,
    connections: tuple[Connection, ...],
    accesses: tuple[Access, Access] = (Access.BATCHED, Access.BATCHED),
    *,
    square: bool = False,
) -> Product:
    """The polynomial of a product.

    Args:
        irreps1: of the first input.
        irreps2: of the second input.
        irreps_out: of the output.
        connections: what meets.
        accesses: of both inputs, ``Access.BATCHED`` or ``Access.BROADCAST``.
        square: whether both inputs are the same data.
    """
    irreps = (irreps1, irreps2)
    letters = [_letters(c, irreps, irreps_out) for c in connections]
    live = [n for n, found in enumerate(letters) if all(all(operand.values()) for operand in found)]
    segments = _segments([connections[n] for n in live], irreps2, square)
    mixed = [n for n in live if connections[n].weights and _in_two_steps(connections[n], irreps)]
    weights = tuple(n for n in live if connections[n].weights and n not in mixed)
    found = dict.fromkeys(itertools.chain(*segments.values()))
    inputs = [
        Operand(1, _axes(letters[n][0]), connections[n].weights or Access.BATCHED, f"weights[{n}]") for n in weights
    ]
    inputs += [s.operand(irreps[s.source], accesses[s.source]) for s in found]
    place = {key: i for i, key in enumerate([*weights, *found])}

    def first_step(n: int) -> Connection:
        """What the first polynomial does for a connection."""
        c = connections[n]
        return c._replace(weights=None, mode=_STEPS[c.mode]) if n in mixed else c

    outputs: list[Operand] = []
    written: list[list[tuple[int, int]]] = [[] for _ in irreps_out]
    products = {}
    pieces = []
    paths = []
    for group in _groups([(n, connections[n]) for n in live], segments, mixed):
        starts: dict[int, int] = {}
        sizes: list[int] = []
        for n in group:
            c = connections[n]
            step = first_step(n)
            key = n if n in mixed else c.i_out
            if key not in starts:
                starts[key] = sum(sizes)
                if n in mixed:
                    products[n] = Products(n, len(outputs), len(sizes))
                else:
                    written[c.i_out].append((len(outputs), len(sizes)))
                sizes.append(irreps_out[c.i_out].ir.dim)
            first, second = segments[c]
            offset = sum(irreps[second.source][i].ir.dim for i in itertools.takewhile(c.i_in2.__ne__, second.items))
            sources = (*([n] if step.weights else []), first, second)
            paths.append(
                Path(
                    tuple(place[source] for source in sources),
                    len(outputs),
                    _modes(_letters(step, irreps, irreps_out)[0 if step.weights else 1 :]),
                    _coefficients(step, irreps, irreps_out, (0, offset, starts[key])),
                )
            )
        # Data has the components last, matrix products want what they sum last.
        last = group[0] not in mixed
        axes = _axes(_letters(first_step(group[0]), irreps, irreps_out)[3])
        name = f"z{sorted({connections[n].i_out for n in group})}"
        outputs.append(Operand(sum(sizes), axes, Access.BATCHED, name, components_last=last))
        pieces.append(tuple(sizes))
    together = _together(connections, mixed)
    for o, group in enumerate(together):
        written[connections[group[0]].i_out].append((len(outputs) + o, 0))
    return Product(
        Polynomial(tuple(inputs), tuple(outputs), tuple(paths)),
        _sums([[connections[n] for n in group] for group in together], irreps, irreps_out),
        tuple(found),
        weights,
        tuple(tuple(products[n] for n in group) for group in together),
        irreps,
        irreps_out,
        tuple(pieces),
        tuple(map(tuple, written)),
    )


def _in_two_steps(c: Connection, irreps: tuple[Irreps, Irreps]) -> bool:
    alone = 1 in (irreps[0][c.i_in1].mul, irreps[1][c.i_in2].mul)
    return c.mode in _STEPS and (alone or c.mode != "uvw")


def _together(connections: Sequence[Connection], mixed: Sequence[int]) -> list[list[int]]:
    """Which sums are one matrix product: those to the same item, with weights of the same kind."""
    found: dict[tuple[int, str | None], list[int]] = {}
    for n in mixed:
        found.setdefault((connections[n].i_out, connections[n].weights), []).append(n)
    return list(found.values())


def _sums(groups: Sequence[list[Connection]], irreps: tuple[Irreps, Irreps], irreps_out: Irreps) -> Polynomial | None:
    """The polynomial that sums products with weights; components are channels there: nothing else happens to them."""
    if not groups:
        return None
    inputs, outputs, paths = [], [], []
    for n, group in enumerate(groups):
        mul, ir = irreps_out[group[0].i_out]
        letters = [_letters(c, irreps, irreps_out)[0] for c in group]
        products = sum(math.prod(found[letter] for letter in found if letter != "w") for found in letters)
        inputs.append(
            Operand(1, (products, mul), group[0].weights or Access.BATCHED, f"weights of z[{group[0].i_out}]")
        )
        inputs.append(Operand(1, (ir.dim, products), Access.BATCHED, f"products of z[{group[0].i_out}]"))
        outputs.append(Operand(1, (ir.dim, mul), Access.BATCHED, f"z[{group[0].i_out}]"))
        one = Coefficients.from_dense(np.ones((1, 1, 1)))
        paths.append(Path((2 * n, 2 * n + 1), n, ("pw", "kp", "kw"), one))
    return Polynomial(tuple(inputs), tuple(outputs), tuple(paths))


def _letters(c: Connection, irreps: tuple[Irreps, Irreps], irreps_out: Irreps) -> tuple[dict[str, int], ...]:
    """For the weights, both inputs and the output the letters of the channels, and how many there are."""
    found = extents(irreps[0][c.i_in1].mul, irreps[1][c.i_in2].mul, irreps_out[c.i_out].mul)
    return tuple({letter: found[letter] for letter in letters} for letters in MODES[c.mode])


def _axes(letters: dict[str, int]) -> tuple[int, ...]:
    """Channel axes; a channel is none if it is alone, so that executors do not have to see that."""
    return tuple(n for n in letters.values() if n != 1)


def _modes(operands: Sequence[dict[str, int]]) -> tuple[str, ...]:
    return tuple("".join(letter for letter, n in letters.items() if n != 1) for letters in operands)


def _segments(used: list[Connection], irreps2: Irreps, square: bool) -> dict[Connection, tuple[Segment, Segment]]:
    """The operands of each connection: of the second input all items of one multiplicity together."""
    found = {}
    for c in used:
        if "p" in MODES[c.mode][1]:
            segments = Segment(0, (c.i_in1,), 0), Segment(0 if square else 1, (c.i_in2,), 1)
        elif square:
            segments = Segment(0, (c.i_in1,)), Segment(0, (c.i_in2,))
        else:
            alike = {
                d.i_in2 for d in used if irreps2[d.i_in2].mul == irreps2[c.i_in2].mul and "p" not in MODES[d.mode][1]
            }
            segments = Segment(0, (c.i_in1,)), Segment(1, tuple(sorted(alike)))
        found[c] = segments
    return found


def _groups(
    used: list[tuple[int, Connection]], segments: dict[Connection, tuple[Segment, Segment]], mixed: Sequence[int]
) -> list[list[int]]:
    """Which connections write to one operand.

    Those of one item of the output do; and those without weights, if nothing else is added to their items, that take
    the same operands in the same way: one matrix product makes all that comes of them.
    """
    times = Counter(c.i_out for _, c in used)
    groups: dict[Any, list[int]] = {}
    for n, c in used:
        fused = n in mixed or (c.weights is None and times[c.i_out] == 1)
        key = (*segments[c], c.mode, n in mixed) if fused else (c.i_out, MODES[c.mode][3])
        groups.setdefault(key, []).append(n)
    return list(groups.values())


def _coefficients(
    c: Connection, irreps: tuple[Irreps, Irreps], irreps_out: Irreps, offsets: tuple[int, int, int]
) -> Coefficients:
    """The Clebsch-Gordan coefficients, at their places in the operands; weights have one component."""
    dense = c.scale * clebsch_gordan(irreps[0][c.i_in1].ir.l, irreps[1][c.i_in2].ir.l, irreps_out[c.i_out].ir.l)
    terms = np.argwhere(dense)
    values = dense[tuple(terms.T)]
    terms = terms + np.array(offsets)
    if c.weights:
        terms = np.insert(terms, 0, 0, axis=1)
    return Coefficients(terms, values)
