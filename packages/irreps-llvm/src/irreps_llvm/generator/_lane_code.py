"""Straight-line code for products over lanes: which sums and multiplications, in which order, shared by all.

A set of products is a sparse tensor contracted with several vectors of components. The number of operations depends on
the order: two factors may be multiplied first, or a factor may be contracted with the coefficients first. Each product
takes the order that adds the fewest operations to those that are there already.
"""

from collections.abc import Hashable, Mapping, Sequence
from typing import NamedTuple, TypeAlias

# A coefficient: a number, ("slot", n) for a number of each element of the batch, or ("node", n).
Coefficient: TypeAlias = "float | tuple[str, int]"
# For each factor the node of each component.
Factors: TypeAlias = "tuple[tuple[tuple[int, int], ...], ...]"

_ORDERS_UP_TO = 2000  # terms times factors; above, the order is found step by step


class Load(NamedTuple):
    """A component of an input."""

    source: Hashable
    component: int


class Multiply(NamedTuple):
    """A product of two nodes."""

    a: int
    b: int


class Sum(NamedTuple):
    """A sum of nodes with coefficients. A node None stands for one."""

    terms: tuple[tuple[Coefficient, int | None], ...]


Node: TypeAlias = Load | Multiply | Sum


class Graph:
    """Nodes, each of which is computed once."""

    def __init__(self) -> None:
        self.nodes: list[Node] = []
        self._number: dict[Node, int] = {}
        self.cost = 0

    def node(self, node: Node) -> int:
        """Return the number of a node."""
        if node not in self._number:
            self._number[node] = len(self.nodes)
            self.nodes.append(node)
            self.cost += _cost(node)
        return self._number[node]

    def load(self, source: Hashable, component: int) -> int:
        """Return the node of a component."""
        return self.node(Load(source, component))

    def multiply(self, a: int, b: int) -> int:
        """Return the node of a product."""
        return self.node(Multiply(min(a, b), max(a, b)))

    def add(self, terms: Sequence[tuple[Coefficient, int | None]]) -> int:
        """Return the node of a sum."""
        if len(terms) == 1 and terms[0][0] == 1.0 and terms[0][1] is not None:
            return terms[0][1]
        return self.node(Sum(tuple(terms)))

    def cost_of(self, number: int) -> int:
        """Return the operations of a node."""
        return _cost(self.nodes[number])

    def reachable(self, roots: Sequence[int]) -> frozenset[int]:
        """Return the nodes that these need, themselves included."""
        found: set[int] = set()
        rest = list(roots)
        while rest:
            number = rest.pop()
            if number not in found:
                found.add(number)
                rest += _needed(self.nodes[number])
        return frozenset(found)

    def forget(self, count: int) -> None:
        """Remove all nodes but the first `count`."""
        for node in self.nodes[count:]:
            del self._number[node]
            self.cost -= _cost(node)
        del self.nodes[count:]


def _cost(node: Node) -> int:
    match node:
        case Load():
            return 0
        case Multiply():
            return 1
        case Sum(terms):
            return len(terms)


def _needed(node: Node) -> list[int]:
    match node:
        case Load():
            return []
        case Multiply(a, b):
            return [a, b]
        case Sum(terms):
            nodes = [n for _, n in terms if n is not None]
            return nodes + [c[1] for c, _ in terms if isinstance(c, tuple) and c[0] == "node"]


class _State(NamedTuple):
    """Factors that are left, and the coefficients of their components and of the output."""

    factors: Factors
    table: dict[tuple[int, ...], Coefficient]


class Plan(NamedTuple):
    """One order of operations.

    Attributes:
        nodes: the nodes that it needs.
        last: operations that add its terms to the output.
        terms: for each component of the output the terms that are added to it.
    """

    nodes: frozenset[int]
    last: int
    terms: dict[int, list[tuple[Coefficient, int | None]]]


def plans(graph: Graph, sources: Sequence[Hashable], terms: Mapping[tuple[int, ...], Coefficient]) -> list[Plan]:
    """Add the code of a product to a graph, in several orders to choose from.

    Args:
        graph: the code so far.
        sources: for each factor the input.
        terms: for the components of each factor and, last, of the output the coefficient.
    """
    factors = tuple(
        tuple((c, graph.load(source, c)) for c in sorted({key[n] for key in terms})) for n, source in enumerate(sources)
    )
    state = _State(factors, dict(terms))
    if len(terms) * len(sources) ** 2 <= _ORDERS_UP_TO and len(sources) <= 3:
        found: list[Plan] = []
        _all_orders(graph, state, found)
        return found
    while len(state.factors) > 1:
        state = _moved(graph, state, min(_moves(state), key=lambda move: _look_ahead(graph, state, move)))
    return [_plan(graph, state)]


def _all_orders(graph: Graph, state: _State, found: list[Plan]) -> None:
    if len(state.factors) <= 1:
        found.append(_plan(graph, state))
        return
    for move in _moves(state):
        _all_orders(graph, _moved(graph, state, move), found)


def _plan(graph: Graph, state: _State) -> Plan:
    """Contract the last factor, straight into the output."""
    terms: dict[int, list[tuple[Coefficient, int | None]]] = {}
    if state.factors:
        nodes = dict(state.factors[0])
        for (i, k), coefficient in state.table.items():
            terms.setdefault(k, []).append((coefficient, nodes[i]))
    else:
        for (k,), coefficient in state.table.items():
            terms.setdefault(k, []).append((coefficient, None))
    roots = [
        number
        for of_component in terms.values()
        for coefficient, node in of_component
        for number in (node, coefficient[1] if isinstance(coefficient, tuple) and coefficient[0] == "node" else None)
        if number is not None
    ]
    return Plan(graph.reachable(roots), len(state.table), terms)


def _moves(state: _State) -> list[tuple[int, ...]]:
    """Return the factors to contract, and the pairs of factors to multiply."""
    count = len(state.factors)
    return [*((n,) for n in range(count)), *((n, m) for n in range(count) for m in range(n + 1, count))]


def _moved(graph: Graph, state: _State, move: tuple[int, ...]) -> _State:
    if len(move) == 1:
        (n,) = move
        nodes = dict(state.factors[n])
        sums: dict[tuple[int, ...], list[tuple[Coefficient, int | None]]] = {}
        for key, coefficient in state.table.items():
            sums.setdefault((*key[:n], *key[n + 1 :]), []).append((coefficient, nodes[key[n]]))
        table: dict[tuple[int, ...], Coefficient] = {k: ("node", graph.add(terms)) for k, terms in sums.items()}
        return _State((*state.factors[:n], *state.factors[n + 1 :]), table)
    n, m = move
    left, right = dict(state.factors[n]), dict(state.factors[m])
    pairs = sorted({(key[n], key[m]) for key in state.table})
    number = {pair: c for c, pair in enumerate(pairs)}
    merged = tuple((c, graph.multiply(left[i], right[j])) for c, (i, j) in enumerate(pairs))
    rest = [f for x, f in enumerate(state.factors) if x not in move]
    table = {}
    for key, coefficient in state.table.items():
        others = [c for x, c in enumerate(key) if x not in move]
        table[(number[key[n], key[m]], *others)] = coefficient
    return _State((merged, *rest), table)


def _look_ahead(graph: Graph, state: _State, move: tuple[int, ...]) -> int:
    """Return the operations of a move, and at least those that are left afterwards."""
    count, before = len(graph.nodes), graph.cost
    after = _moved(graph, state, move) if len(state.factors) > 1 else state
    cost = graph.cost - before + len(after.table)
    graph.forget(count)
    return cost


def multiply_out(
    graph: Graph, sources: Sequence[Hashable], keys: Sequence[tuple[int, ...]]
) -> dict[tuple[int, ...], tuple[int, int | None]]:
    """Return for components of the factors two nodes whose product is the product of all factors.

    Args:
        graph: the code so far.
        sources: for each factor the input.
        keys: the components of the factors that are wanted.
    """
    count = len(sources)
    nodes: dict[tuple[int, ...], list[int]] = {
        key: [graph.load(source, c) for source, c in zip(sources, key, strict=True)] for key in keys
    }
    # The factors with the fewest components are multiplied first.
    order = sorted(range(count), key=lambda n: len({key[n] for key in keys}))
    found: dict[tuple[int, ...], tuple[int, int | None]] = {}
    for key, own in nodes.items():
        first = own[order[0]]
        for n in order[1:-1]:
            first = graph.multiply(first, own[n])
        found[key] = (first, own[order[-1]] if count > 1 else None)
    return found
