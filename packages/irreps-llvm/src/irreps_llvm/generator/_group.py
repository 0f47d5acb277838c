"""A group of products that are computed together, and their straight-line code."""

import itertools
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import replace
from typing import TypeAlias

from ._lane_code import Coefficient, Graph, Plan, multiply_out, plans
from ._layout import Lanes, lanes_of
from ._products import (
    LaneOutput,
    MatrixOutput,
    MatrixProduct,
    Operands,
    Product,
    ScalarOutput,
    Term,
    VectorOutput,
)

# A number for each element of the batch: the sum of products of components of scalars with coefficients.
Slot: TypeAlias = "tuple[tuple[tuple[tuple[Operands, int], ...], float], ...]"
Terms: TypeAlias = "list[tuple[Coefficient, int | None]]"

# Products without scalars are joined to groups of at most this many terms.
_MERGED_TERMS = 6000
# On a GPU, where all that a group computes has to fit in the registers of a thread, larger products are cut.
_MERGED_TERMS_OF_THREADS = 200


class Group:
    """Products with the same lanes and loops.

    Attributes:
        lanes: the lanes.
        extent: number of channels.
        loops: extents of the loops.
        slots: numbers for each element of the batch.
        graph: the code over lanes.
        lane_outputs: for each output with lanes, and each of its components, the terms that are added.
        product_sums: for each product that goes into matrix products, and each component, its terms.
        matrix_outputs: outputs that are matrix products, each with the number of its product.
        pairs: pairs of nodes whose product is summed over lanes.
        scalar_outputs: for each output without lanes, and each of its components, coefficients and pairs.
    """

    def __init__(self, products: Sequence[Product], widest: int) -> None:
        first = products[0]
        self.products = products
        self.extent, self.loops = first.extent, first.loops
        self.lanes: Lanes = lanes_of(first.extent, widest)
        self.slots: dict[Slot, int] = {}
        self.graph = Graph()
        self.lane_outputs: dict[Operands, dict[int, Terms]] = {}
        self.product_sums: list[dict[int, Terms]] = []
        self.matrix_outputs: list[tuple[VectorOutput | MatrixOutput, int]] = []
        self.pairs: dict[tuple[int, int | None], int] = {}
        self.scalar_outputs: dict[Operands, dict[int, list[tuple[Coefficient, int]]]] = {}
        self._add_lane_products()
        self._add_scalar_outputs()

    def _add_lane_products(self) -> None:
        """Choose the order of operations of each product over lanes; share what several of them need."""
        sums: dict[VectorOutput | MatrixOutput, list[Product]] = {}
        wanted: dict[tuple, tuple[Product, dict[tuple[int, ...], Coefficient]]] = {}
        for product in self.products:
            if isinstance(product.output, ScalarOutput):
                continue
            wanted[_core(product)] = (product, self._coefficients(product))
            if isinstance(product.output, (VectorOutput, MatrixOutput)):
                sums.setdefault(product.output, []).append(product)
        candidates = {key: plans(self.graph, p.lanes, coefficients) for key, (p, coefficients) in wanted.items()}
        chosen = _chosen(self.graph, candidates)
        numbers: dict[tuple, int] = {}
        for product in self.products:
            if isinstance(product.output, LaneOutput):
                target = self.lane_outputs.setdefault(product.output.target, {})
                for k, terms in chosen[_core(product)].items():
                    target.setdefault(k, []).extend(terms)
        for output, of_output in sums.items():
            signature = tuple(_core(product) for product in of_output)
            if signature not in numbers:
                numbers[signature] = len(self.product_sums)
                merged: dict[int, Terms] = {}
                for core in signature:
                    for k, terms in chosen[core].items():
                        merged.setdefault(k, []).extend(terms)
                self.product_sums.append(merged)
            self.matrix_outputs.append((output, numbers[signature]))

    def _add_scalar_outputs(self) -> None:
        for product in self.products:
            if not isinstance(product.output, ScalarOutput):
                continue
            coefficients = self._coefficients(product)
            keys = sorted({key[:-1] for key in coefficients})
            nodes = multiply_out(self.graph, product.lanes, keys)
            target = self.scalar_outputs.setdefault(product.output.target, {})
            for key, coefficient in coefficients.items():
                pair = nodes[key[:-1]]
                number = self.pairs.setdefault(pair, len(self.pairs))
                target.setdefault(key[-1], []).append((coefficient, number))

    def _coefficients(self, product: Product) -> dict[tuple[int, ...], Coefficient]:
        """Return for the components of lane inputs and of the output a number, or a number of each element."""
        collected: dict[tuple[int, ...], list[Term]] = {}
        for term in product.terms:
            collected.setdefault((*term.lanes, term.output), []).append(term)
        if not product.scalars:
            return {key: sum(term.value for term in terms) for key, terms in collected.items()}
        return {key: ("slot", self._slot(product, terms)) for key, terms in collected.items()}

    def _slot(self, product: Product, terms: Sequence[Term]) -> int:
        found: dict[tuple[tuple[Operands, int], ...], float] = {}
        for term in terms:
            factors = tuple(sorted(zip(product.scalars, term.scalars, strict=True)))
            found[factors] = found.get(factors, 0.0) + term.value
        return self.slots.setdefault(tuple(sorted(found.items())), len(self.slots))

    @property
    def matrix_products(self) -> list[tuple[MatrixProduct, ...]]:
        """The sums of matrix products that are inputs."""
        return list(dict.fromkeys(x for p in self.products for x in p.lanes if not isinstance(x, Operands)))

    @property
    def lane_inputs(self) -> list[Operands]:
        """The inputs with lanes."""
        return list(dict.fromkeys(x for p in self.products for x in p.lanes if isinstance(x, Operands)))

    @property
    def scalars(self) -> list[Operands]:
        """The inputs without lanes."""
        return list(dict.fromkeys(x for p in self.products for x in p.scalars))


def _core(product: Product) -> tuple:
    return (product.lanes, product.scalars, product.terms)


def _chosen(graph: Graph, candidates: Mapping[tuple, Sequence[Plan]]) -> dict[tuple, dict[int, Terms]]:
    """Choose one plan of each product. Operations that several products can use count in part for each."""
    shared: dict[int, int] = {}
    for of_product in candidates.values():
        for node in frozenset[int]().union(*(plan.nodes for plan in of_product)):
            shared[node] = shared.get(node, 0) + 1
    there: set[int] = set()
    chosen: dict[tuple, dict[int, Terms]] = {}
    for key, of_product in candidates.items():
        costs = [
            plan.last + sum(graph.cost_of(node) / shared[node] for node in plan.nodes - there) for plan in of_product
        ]
        best = of_product[costs.index(min(costs))]
        there |= best.nodes
        chosen[key] = best.terms
    return chosen


def _cut(product: Product, most: int) -> list[Product]:
    """Cut a product by the components of its output, so that the parts have about `most` terms."""
    parts: list[list[Term]] = [[]]
    for _, of_component in itertools.groupby(sorted(product.terms, key=_output), _output):
        terms = list(of_component)
        if parts[-1] and len(parts[-1]) + len(terms) > most:
            parts.append([])
        parts[-1] += terms
    return [replace(product, terms=tuple(terms)) for terms in parts]


def _output(term: Term) -> int:
    return term.output


def grouped(products: Sequence[Product], widest: int, *, threads: bool = False) -> list[Group]:
    """Put products that belong together into groups.

    Args:
        products: the products.
        widest: lanes of the widest vector.
        threads: whether the lanes are threads of a GPU.
    """
    found: dict[Hashable, list[Product]] = {}
    most = _MERGED_TERMS_OF_THREADS if threads else _MERGED_TERMS
    if threads:
        products = [part for p in products for part in (_cut(p, most) if isinstance(p.output, LaneOutput) else [p])]
    for product in products:
        plain = not product.scalars and not any(not isinstance(x, Operands) for x in product.lanes)
        plain = plain and isinstance(product.output, LaneOutput)
        shape: tuple = (product.extent, product.loops)
        if product.loops:  # so that a group names the loops of an output in one way
            shape = (*shape, product.output.target)
        key: Hashable = (*shape, product.key)
        if plain and not product.loops:
            key = shape
            n = 0
            while (key, n) in found and sum(len(p.terms) for p in (*found[key, n], product)) > most:
                n += 1
            key = (key, n)
        found.setdefault(key, []).append(product)
    return [Group(of_group, widest) for of_group in found.values()]
