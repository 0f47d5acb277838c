"""The lowering of products of two inputs: couplings as one polynomial, or as a polynomial and a linear map.

A coupling that sums over multiplicities, where one of them is 1 or both are one letter, is computed in two steps. The
polynomial makes the products that are to be summed, for all couplings to an item of the output; then a linear map sums
them, as one matrix product for each item. An executor that takes whole batches gets all of this as one polynomial.
"""

import itertools
import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from irreps_core import Irreps, cached, clebsch_gordan
from irreps_ops._inputs._operands import split_last_axis
from irreps_ops.compute._lowering import Evaluate, as_operand
from irreps_ops.compute._polynomial import Polynomial
from irreps_ops.compute._terms import Access, Coefficients, Operand, Path
from irreps_ops.compute._views import Part, View

from ._couplings import MODES, Coupling, pairs
from ._linear_lowering import Block, LinearLowering, linear_lowering

# The connection mode of the first step, for each mode that sums over multiplicities with weights.
_FIRST_STEPS = {"uvw": "uvuv", "uuw": "uuu", "u<vw": "uvu<v"}


class Segment(NamedTuple):
    """A part of an input that is an operand: items of equal multiplicity, their components one after another.

    Attributes:
        source: 0 for the first input, 1 for the second.
        items: places of the items.
        pair: for pairs u < v, 0 for u and 1 for v; None for all multiplicities.
    """

    source: int
    items: tuple[int, ...]
    pair: int | None = None

    def operand(self, irreps: Irreps, access: Access) -> Operand:
        """Return the operand; a multiplicity of 1 is not an axis."""
        mul = irreps[self.items[0]].mul
        count = mul if self.pair is None else len(pairs(mul))
        components = sum(irreps[i].ir.dim for i in self.items)
        name = " + ".join(f"{'xy'[self.source]}[{i}]" for i in self.items)
        return Operand(components, () if count == 1 else (count,), access, name, components_last=True)

    def read(self, irreps: Irreps, x: jax.Array) -> jax.Array | Part:
        """Return the operand, from data of shape ([batch,] irreps.dim)."""
        part = Part(x, tuple((irreps[i].ir.dim, irreps.slices()[i].start) for i in self.items))
        if self.pair is None:
            return part
        mul, (i,) = irreps[self.items[0]].mul, self.items
        item = x[..., irreps.slices()[i]].reshape((*x.shape[:-1], mul, irreps[i].ir.dim))
        chosen = jnp.take(item, pairs(mul)[:, self.pair], axis=-2)
        return chosen[..., 0, :] if chosen.shape[-2] == 1 else chosen


class Piece(NamedTuple):
    """A range of the components of an output of the polynomial.

    Attributes:
        components: length of the range.
        i_out: place of the item of the result to which it contributes.
        coupling: place of the coupling whose products it holds, which the second step sums; None if the piece is added
            to the item as it is.
    """

    components: int
    i_out: int
    coupling: int | None


class Mixture(NamedTuple):
    """Products of several couplings that the second step sums into an item of the result.

    Attributes:
        i_out: place of the item.
        couplings: places of the couplings.
    """

    i_out: int
    couplings: tuple[int, ...]


@dataclass(frozen=True)
class ProductLowering:
    """A product of two inputs.

    Called with data of shape ([batch,] irreps.dim) and weights: for each coupling that has some an array of shape
    ([batch,] *path_shape) or, if they are packed, one array of shape ([batch,] numbers) for all couplings.

    Attributes:
        polynomial: its inputs are the weights of the couplings in `weights`, then the segments.
        mixing: the linear map of the second step, from products to items of the result; None if there is no such step.
        mixtures: the products that are the items of the input of `mixing`, and where its output goes.
        segments: the parts of the inputs that are read.
        pieces: for each output of the polynomial the pieces of its components.
        weights: places of the couplings whose weights the polynomial takes.
        couplings: all couplings.
        packed: whether the weights of all couplings are one array.
        irreps_in: irreps of both inputs.
        irreps_out: irreps of the result.
    """

    polynomial: Polynomial
    mixing: LinearLowering | None
    mixtures: tuple[Mixture, ...]
    segments: tuple[Segment, ...]
    pieces: tuple[tuple[Piece, ...], ...]
    weights: tuple[int, ...]
    couplings: tuple[Coupling, ...]
    packed: bool
    irreps_in: tuple[Irreps, Irreps]
    irreps_out: Irreps

    @property
    def width(self) -> int:
        """See :class:`Lowering`."""
        return self.irreps_out.dim

    @property
    def intermediate(self) -> int:
        """See :class:`Lowering`."""
        return self.polynomial.sizes()[1]

    def __call__(self, evaluate: Evaluate, x: jax.Array, y: jax.Array, *weights: jax.Array) -> jax.Array:
        """See :class:`Lowering`."""
        inputs = self._weights_read(weights)
        inputs += [s.read(self.irreps_in[s.source], (x, y)[s.source]) for s in self.segments]
        if self.joined is not None:
            (joined,) = evaluate(self.polynomial, inputs, self.joined)
            return joined
        by_coupling = self._by_coupling(weights)
        terms: list[list[jax.Array]] = [[] for _ in self.irreps_out]
        products = {}
        outputs = evaluate(self.polynomial, inputs)
        for output, operand, pieces in zip(outputs, self.polynomial.outputs, self.pieces, strict=True):
            stops = list(itertools.accumulate(piece.components for piece in pieces))
            parts = jnp.split(output, stops[:-1], axis=operand.component_axis)
            for part, piece in zip(parts, pieces, strict=True):
                if piece.coupling is None:
                    terms[piece.i_out].append(part)
                else:
                    products[piece.coupling] = part
        if self.mixing is not None:
            for n, total in self._mixed(self.mixing, evaluate, by_coupling, products).items():
                terms[self.mixtures[n].i_out].append(total)
        batch, dtype = outputs[0].shape[0], outputs[0].dtype
        sums = []
        for item, found in zip(self.irreps_out, terms, strict=True):
            flat = [term.reshape(batch, item.dim) for term in found]
            sums.append(sum(flat[1:], flat[0]) if flat else jnp.zeros((batch, item.dim), dtype))
        return jnp.concatenate(sums, axis=1)

    @cached_property
    def joined(self) -> tuple[View, ...] | None:
        """Where the outputs of the polynomial lie in the result; None if it has to be computed from them."""
        written = [piece.i_out for pieces in self.pieces for piece in pieces]
        if self.mixing is not None or len(set(written)) < len(written):
            return None
        places = self.irreps_out.slices()
        return tuple(
            View(0, tuple((p.components, places[p.i_out].start) for p in pieces), 0, self.irreps_out.dim)
            for pieces in self.pieces
        )

    def _weights_read(self, weights: Sequence[jax.Array]) -> list[jax.Array | Part]:
        """Return the weights that the polynomial reads."""
        if not self.packed:
            by_coupling = self._by_coupling(weights)
            return [as_operand(by_coupling[n], o) for n, o in zip(self.weights, self.polynomial.inputs, strict=False)]
        sizes = [math.prod(c.path_shape) if c.has_weight else 0 for c in self.couplings]
        starts = list(itertools.accumulate(sizes, initial=0))
        return [Part(weights[0], ((1, starts[n]),)) for n in self.weights]

    def _by_coupling(self, weights: Sequence[jax.Array]) -> dict[int, jax.Array]:
        """Return the weights of each coupling that has some, by its place."""
        weighted = {n: c.path_shape for n, c in enumerate(self.couplings) if c.has_weight}
        if self.packed:
            (packed,) = weights
            weights = split_last_axis(packed, [math.prod(shape) for shape in weighted.values()])
        return dict(zip(weighted, weights, strict=True))

    def _mixed(
        self,
        mixing: LinearLowering,
        evaluate: Evaluate,
        weights: Mapping[int, jax.Array],
        products: Mapping[int, jax.Array],
    ) -> Mapping[int, jax.Array]:
        """Return for each mixture the weighted sum of its products, of shape (batch, mul, dim)."""
        items, factors = [], []
        for mixture, block, item in zip(self.mixtures, mixing.blocks, mixing.irreps_out, strict=True):
            lead = 1 if block.access is Access.BATCHED else 0
            parts = [weights[n] for n in mixture.couplings]
            parts = [w.reshape(*w.shape[:lead], math.prod(w.shape[lead:]) // item.mul, item.mul) for w in parts]
            factors.append(jnp.concatenate(parts, axis=-2))
            parts = [products[n] for n in mixture.couplings]
            items.append(jnp.concatenate([p.reshape(*p.shape[:2], math.prod(p.shape[2:])) for p in parts], axis=-1))
        return mixing.mix(evaluate, items, factors)


class _Step(NamedTuple):
    """The part of a coupling that the polynomial computes.

    Attributes:
        place: place of the coupling.
        coupling: the coupling; where the second step applies its weights, without weights and in the mode of the first.
        mixed: whether there is a second step.
        letters: for the weights, both inputs and the output the letters of the channels, with their numbers.
        segments: the operands of both inputs.
    """

    place: int
    coupling: Coupling
    mixed: bool
    letters: tuple[dict[str, int], ...]
    segments: tuple[Segment, Segment]

    @property
    def out(self) -> str:
        """The letters of the output in the connection mode."""
        return MODES[self.coupling.connection_mode].out


@cached()
def product_lowering(
    irreps_in: tuple[Irreps, Irreps],
    irreps_out: Irreps,
    couplings: tuple[Coupling, ...],
    live: tuple[int, ...],
    accesses: tuple[Access, ...],
    *,
    packed: bool = False,
    square: bool = False,
    in_one: bool = False,
) -> ProductLowering:
    """Return the lowering of a product.

    Args:
        irreps_in: irreps of both inputs.
        irreps_out: irreps of the output.
        couplings: all couplings.
        live: places of the couplings that are computed; the others contribute nothing.
        accesses: ``Access.BATCHED`` or ``Access.BROADCAST`` for both inputs and for each array of weights.
        packed: whether the weights of all couplings are one array.
        square: whether both inputs are the same data.
        in_one: no second step: the polynomial applies all weights.
    """
    weighted = [n for n, c in enumerate(couplings) if c.has_weight]
    access = {n: accesses[2 if packed else 2 + k] for k, n in enumerate(weighted)}
    steps = _steps(irreps_in, irreps_out, couplings, live, square, in_one)
    weights = [s for s in steps if s.coupling.has_weight]
    segments = list(dict.fromkeys(itertools.chain.from_iterable(s.segments for s in steps)))
    inputs = [Operand(1, _axes(s.letters[0]), access[s.place], f"weights[{s.place}]") for s in weights]
    inputs += [s.operand(irreps_in[s.source], accesses[s.source]) for s in segments]
    place = {key: i for i, key in enumerate([*(s.place for s in weights), *segments])}
    outputs, pieces, paths = [], [], []
    for group in _groups(steps):
        found = _pieces(group, irreps_out)
        starts = dict(zip(found, itertools.accumulate((p.components for p in found.values()), initial=0), strict=False))
        for step in group:
            sources = [*([step.place] if step.coupling.has_weight else []), *step.segments]
            subscripts = _subscripts(step.letters[0 if step.coupling.has_weight else 1 :])
            coefficients = _coefficients(step, irreps_in, irreps_out, starts[_key(step)])
            paths.append(Path(tuple(place[source] for source in sources), len(outputs), subscripts, coefficients))
        # Data has the components last; products that are summed in a second step have the summed channels last.
        items = sorted({step.coupling.i_out for step in group})
        size, last = sum(piece.components for piece in found.values()), not group[0].mixed
        outputs.append(Operand(size, _axes(group[0].letters[3]), name=f"z{items}", components_last=last))
        pieces.append(tuple(found.values()))
    mixtures, mixing = _mixing([s for s in steps if s.mixed], access, irreps_out)
    return ProductLowering(
        Polynomial(tuple(inputs), tuple(outputs), tuple(paths)),
        mixing,
        mixtures,
        tuple(segments),
        tuple(pieces),
        tuple(s.place for s in weights),
        couplings,
        packed,
        irreps_in,
        irreps_out,
    )


def _steps(
    irreps_in: tuple[Irreps, Irreps],
    irreps_out: Irreps,
    couplings: Sequence[Coupling],
    live: Sequence[int],
    square: bool,
    in_one: bool,
) -> list[_Step]:
    """Return the part of each live coupling that the polynomial computes."""
    # All items of the second input of one multiplicity are one operand.
    alike: dict[int, set[int]] = {}
    for c in (couplings[n] for n in live):
        if "p" not in MODES[c.connection_mode].in1:
            alike.setdefault(irreps_in[1][c.i_in2].mul, set()).add(c.i_in2)
    steps = []
    for n in live:
        c = couplings[n]
        mul1, mul2 = irreps_in[0][c.i_in1].mul, irreps_in[1][c.i_in2].mul
        sums = c.connection_mode in _FIRST_STEPS and (c.connection_mode != "uvw" or 1 in (mul1, mul2))
        mixed = c.has_weight and sums and not in_one
        if mixed:
            c = replace(c, has_weight=False, connection_mode=_FIRST_STEPS[c.connection_mode])
        if "p" in MODES[c.connection_mode].in1:
            segments = Segment(0, (c.i_in1,), 0), Segment(0 if square else 1, (c.i_in2,), 1)
        elif square:
            segments = Segment(0, (c.i_in1,)), Segment(0, (c.i_in2,))
        else:
            segments = Segment(0, (c.i_in1,)), Segment(1, tuple(sorted(alike[mul2])))
        steps.append(_Step(n, c, mixed, c.letters(*irreps_in, irreps_out), segments))
    return steps


def _groups(steps: Sequence[_Step]) -> list[list[_Step]]:
    """Group the steps that write to one operand.

    The steps that contribute to one item of the output do; so do steps without weights, each alone in its item, that
    take the same operands in the same mode: one matrix product computes all of them.
    """
    times = Counter(step.coupling.i_out for step in steps)
    groups: dict[Any, list[_Step]] = {}
    for step in steps:
        c = step.coupling
        fused = step.mixed or (not c.has_weight and times[c.i_out] == 1)
        key = (*step.segments, c.connection_mode, step.mixed) if fused else (c.i_out, step.out)
        groups.setdefault(key, []).append(step)
    return list(groups.values())


def _key(step: _Step) -> tuple[int, int | None]:
    """Return the place of the item, and of the coupling if its products are summed in a second step."""
    return step.coupling.i_out, step.place if step.mixed else None


def _pieces(group: Sequence[_Step], irreps_out: Irreps) -> dict[tuple[int, int | None], Piece]:
    """Return the pieces of the operand that a group of steps writes to, in order."""
    return {key: Piece(irreps_out[key[0]].ir.dim, *key) for key in map(_key, group)}


def _mixing(
    steps: Sequence[_Step], access: Mapping[int, Access], irreps_out: Irreps
) -> tuple[tuple[Mixture, ...], LinearLowering | None]:
    """Return the mixtures of products that a second step sums, and the linear map that sums them.

    The products that contribute to one item, by weights of one access, are one matrix product.
    """
    if not steps:
        return (), None
    groups: dict[tuple[int, Access], list[_Step]] = {}
    for step in steps:
        groups.setdefault((step.coupling.i_out, access[step.place]), []).append(step)
    mixtures, products, sums, blocks = [], [], [], []
    for n, ((i_out, kind), group) in enumerate(groups.items()):
        mul, ir = irreps_out[i_out]
        mixtures.append(Mixture(i_out, tuple(step.place for step in group)))
        products.append((sum(math.prod(step.letters[3].values()) for step in group), ir))
        sums.append((mul, ir))
        blocks.append(Block(n, n, 1.0, kind))
    return tuple(mixtures), linear_lowering(Irreps(products), Irreps(sums), tuple(blocks), components_first=True)


def _axes(letters: Mapping[str, int]) -> tuple[int, ...]:
    """Return the channel axes; a single channel is not an axis, so that executors need not treat it specially."""
    return tuple(n for n in letters.values() if n != 1)


def _subscripts(operands: Sequence[Mapping[str, int]]) -> tuple[str, ...]:
    return tuple("".join(letter for letter, n in letters.items() if n != 1) for letters in operands)


def _coefficients(step: _Step, irreps_in: tuple[Irreps, Irreps], irreps_out: Irreps, start: int) -> Coefficients:
    """Return the Clebsch-Gordan coefficients, at their places in the operands; weights have one component."""
    c, items = step.coupling, step.segments[1].items
    offset = sum(irreps_in[1][i].ir.dim for i in itertools.takewhile(c.i_in2.__ne__, items))
    degrees = irreps_in[0][c.i_in1].ir.l, irreps_in[1][c.i_in2].ir.l, irreps_out[c.i_out].ir.l
    dense = c.path_weight * clebsch_gordan(*degrees)
    terms = np.argwhere(dense)
    values = dense[tuple(terms.T)]
    terms = terms + np.array([0, offset, start])
    if c.has_weight:
        terms = np.insert(terms, 0, 0, axis=1)
    return Coefficients(terms, values)
