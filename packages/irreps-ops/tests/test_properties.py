"""Operations and layers of random irreps, on random data; graphs with random edges.

A few examples by default, always the same; any number of them, new each time, with::

    IRREPS_EXAMPLES=100 uv run pytest -n 0 packages/irreps-ops/tests/test_properties.py

For random irreps, each operation and layer is a row of the table of ``test_operations.py``, made of two irreps and a
degree. The checks are those of that table: equivariance, vmap and a loop, derivatives and finite differences; and, if
many examples are asked for, jit and eager execution. A graph operation is a function of a graph and of the data of
nodes and edges; it must not depend on the order of nodes and edges, nor on padding.
"""

import os
import runpy
import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st

import irreps_core as ic
import irreps_ops as irr
from irreps_core.testing import irreps_strategy
from irreps_ops.bindings import parameter_specs, tree_leaves, tree_of_leaves

EXAMPLES = int(os.environ.get("IRREPS_EXAMPLES", "0"))


def run(check: Callable[..., None], name: str) -> None:
    """Run a property on its examples."""
    phases = None if EXAMPLES else [Phase.generate]  # without the search for a simpler example
    few = settings(max_examples=EXAMPLES or 1, database=None, deadline=None, suppress_health_check=list(HealthCheck))
    check = (settings(few, phases=phases) if phases else few)(check)
    (check if EXAMPLES else seed(zlib.crc32(name.encode()))(check))()


TABLE = SimpleNamespace(**runpy.run_path(str(Path(__file__).with_name("test_operations.py"))))
OPERATIONS, row, shared = TABLE.OPERATIONS, TABLE.row, TABLE.shared
Irreps = ic.Irreps


def gated(a: Irreps) -> Irreps:
    """Irreps with a scalar for each irrep that is not one."""
    scalars = Irreps([item for item in a if item.ir.l == 0])
    others = Irreps([item for item in a if item.ir.l > 0])
    return scalars + Irreps(f"{others.num_irreps}x0e") + others


def functions(a: Irreps, number: int) -> str:
    """Irreps of some functions on the sphere, which have each irrep once."""
    return str(Irreps([(number, ir) for ir in sorted({ir for _, ir in a})]))


def contraction(a: Irreps) -> Any:
    once, out = a.set_mul(1), Irreps("0e") + a.set_mul(1)  # what one factor or two equal ones can make
    product = irr.FunctionalSymmetricContraction(once, (1, 2), out)
    doubled = Irreps([(2, ir) for _, ir in once])
    return row(lambda w, x: product(w, x.mul_to_axis()), shared((product.num_weights, 2)), str(doubled))


def weighted(product: Any, *specs: Any) -> Any:
    return row(product, shared((product.num_weights,)), *map(str, specs))


def with_layer(
    layer: Any, *specs: Any, call: Callable[..., Any] = lambda *x: x, key: Any = None, **exceptions: Any
) -> Any:
    """A layer as an operation on its parameters and inputs; `call` makes the inputs of the arrays of `specs`."""
    inputs = call(*TABLE.draw(row(None, *specs), 0))
    parameters = {path: spec.shape for path, spec in tree_leaves(parameter_specs(layer, *inputs))}
    state = irr.init_state(layer, jax.random.key(0), *inputs)

    def function(*args: Any) -> Any:
        tree = tree_of_leaves(dict(zip(parameters, args, strict=False)))
        out = irr.apply(layer, tree, *call(*args[len(parameters) :]), state=state or None, key=key)
        return out[0] if state else out

    return row(function, *map(shared, parameters.values()), *specs, **exceptions)


ROWS = np.array([1, 0, 1])
EDGES = (jnp.array([0, 1, 2]), jnp.array([1, 0, 1]))
S2 = irr.s2_irreps
FAMILIES: dict[str, Callable[[Irreps, Irreps, int], Any]] = {
    "FunctionalFullyConnectedTensorProduct": lambda a, b, l: weighted(
        irr.FunctionalFullyConnectedTensorProduct(a, b, a), a, b
    ),
    "FunctionalLinear": lambda a, b, l: weighted(irr.FunctionalLinear(a, a + b, biases=True), a),
    "FunctionalSymmetricContraction": lambda a, b, l: contraction(a),
    "FunctionalTensorProduct": lambda a, b, l: weighted(
        irr.FunctionalTensorProduct(a, b, f"{a[0].mul}x{a[0].ir}", [(0, 0, 0, "uvw", True)])
        if a[0].ir in a[0].ir * b[0].ir
        else irr.FunctionalLinear(a, b),
        *((a, b) if a[0].ir in a[0].ir * b[0].ir else (a,)),
    ),
    "edge_convolution": lambda a, b, l: row(
        lambda x, y: irr.edge_convolution(x, y, None, TABLE.edges(x)), str(a), str(b), each_row=False
    ),
    "elementwise_tensor_product": lambda a, b, l: row(irr.elementwise_tensor_product, str(a), str(a)),
    "from_s2grid": lambda a, b, l: row(
        lambda x: irr.from_s2grid(irr.SphericalSignal(x, "soft"), S2(l)), (2 * l + 2, 2 * l + 1), equivariant=False
    ),
    "gate": lambda a, b, l: row(irr.gate, str(gated(a))),
    "gaunt_tensor_product": lambda a, b, l: row(irr.gaunt_tensor_product, functions(a, 2), functions(b, 1)),
    "grad": lambda a, b, l: row(ic.vmap(irr.grad(lambda x: irr.spherical_harmonics([l], x, False))), "1o", order=1),
    "key_value_activation": lambda a, b, l: row(lambda k, v: irr.key_value_activation(jnp.tanh, k, v), str(a), str(a)),
    "layer_norm": lambda a, b, l: row(
        lambda s, c, x: irr.layer_norm(x, s, c), shared((a.num_irreps,)), shared((a.count("0e"),)), str(a)
    ),
    "linear": lambda a, b, l: row(
        lambda w, x: irr.linear(x, w, a + b), shared((irr.FunctionalLinear(a, a + b).num_weights,)), str(a)
    ),
    "norm_activation": lambda a, b, l: row(lambda x: irr.norm_activation(x, [jnp.cos] * len(a)), str(a)),
    "s2_dirac": lambda a, b, l: row(lambda v: irr.s2_dirac(v, l), "1o"),
    "scalar_activation": lambda a, b, l: row(irr.scalar_activation, str(a)),
    "scatter_mean": lambda a, b, l: row(
        lambda x: irr.scatter_mean(x, dst=ROWS[: x.shape[0]], output_size=3), str(a), each_row=False
    ),
    "scatter_sum": lambda a, b, l: row(
        lambda x: irr.scatter_sum(x, dst=ROWS[: x.shape[0]], output_size=3), str(a), each_row=False
    ),
    "shtp": lambda a, b, l: row(lambda x, v: irr.shtp(x, v, a + b), str(a), "1o", order=1),
    "soft_normalization": lambda a, b, l: row(lambda x: irr.soft_normalization(x, 1.5), str(a)),
    "spherical_harmonics": lambda a, b, l: row(lambda v: irr.spherical_harmonics(sorted({l, *a.ls}), v, True), "1o"),
    "tensor_product": lambda a, b, l: row(irr.tensor_product, str(a), str(b)),
    "tensor_product_with_spherical_harmonics": lambda a, b, l: row(
        lambda x, v: irr.tensor_product_with_spherical_harmonics(x, v, l), str(a), "1o", order=1
    ),
    "tensor_square": lambda a, b, l: row(irr.tensor_square, str(a)),
    "to_s2grid": lambda a, b, l: row(lambda x: irr.to_s2grid(x, 3, 4, quadrature="soft"), str(S2(min(l, 1), -1, -1))),
    "to_s2point": lambda a, b, l: row(irr.to_s2point, str(S2(l)), shared("1o")),
}
LAYERS: dict[str, Callable[[Irreps, Irreps, int], Any]] = {
    "BatchNorm": lambda a, b, l: with_layer(irr.BatchNorm(), str(a), each_row=False),
    "Dropout": lambda a, b, l: with_layer(irr.Dropout(0.5), str(a), key=jax.random.key(1)),
    "Embedding": lambda a, b, l: with_layer(irr.Embedding(f"{a.dim}x0e", 3), call=lambda: (ROWS,), each_row=False),
    "FullyConnectedTensorProduct": lambda a, b, l: with_layer(irr.FullyConnectedTensorProduct(a), str(a), str(b)),
    "Gate": lambda a, b, l: with_layer(irr.Gate(), str(gated(a))),
    "LayerNorm": lambda a, b, l: with_layer(irr.LayerNorm(), str(a)),
    "Linear": lambda a, b, l: with_layer(irr.Linear(a + b, biases=True), str(a)),
    "LinearSHTP": lambda a, b, l: with_layer(irr.LinearSHTP(a + b), str(a), "1o", order=1),
    "MessagePassingConvolution": lambda a, b, l: with_layer(
        irr.MessagePassingConvolution(a, (2,), jnp.tanh, avg_num_neighbors=1.5),
        str(a), str(b), (2,), call=lambda x, y, r: (x, y, r, EDGES), each_row=False, order=1,
    ),
    "MultiLayerPerceptron": lambda a, b, l: with_layer(irr.MultiLayerPerceptron([l + 1, 2], jnp.tanh), f"{l + 1}x0e"),
    "PointConvolution": lambda a, b, l: with_layer(
        irr.PointConvolution(a, 9.0, avg_num_neighbors=1.5, sh_lmax=1, num_radial_basis=2, list_neurons=(2,)),
        "1o", str(a), call=lambda p, x: (p, x, *EDGES), each_row=False, at_zero=False, order=1,
    ),
    "SymmetricContraction": lambda a, b, l: with_layer(
        irr.SymmetricContraction(Irreps("0e") + a.set_mul(1), (1, 2), 2),
        str(Irreps([(2, ir) for _, ir in a.set_mul(1)])),
        call=lambda x: (jnp.array([0, 1, 0]), x), each_row=False,
    ),
    "SymmetricTensorProduct": lambda a, b, l: with_layer(
        irr.SymmetricTensorProduct((1, 2), a.set_mul(1)), str(Irreps([(2, ir) for _, ir in a.set_mul(1)])),
        call=lambda x: (x.mul_to_axis(),),
    ),
    "TensorProduct": lambda a, b, l: with_layer(
        irr.TensorProduct(a, "0e", a, [(i, 0, i, "uvu", True) for i in range(len(a))]), str(a), "0e"
    ),
    "Transformer": lambda a, b, l: with_layer(
        irr.Transformer(a, (2,), jnp.tanh, 1),
        (), str(b), str(a), call=lambda c, y, x: (*EDGES, c, y, x), each_row=False, at_zero=False, order=1,
    ),
}  # fmt: skip
NOT_OF_RANDOM_IRREPS = {
    "their arguments have fixed irreps": "curl divergence hessian",
    "FunctionalSymmetricContraction and SymmetricContraction evaluate it": "symmetric_contraction",
    "layers of voxels, which are not equivariant and linear in each voxel": "VoxelConvolution VoxelPooling",
}


def test_every_operation_and_layer_of_irreps_is_tried() -> None:
    of_irreps = {
        name
        for name, operation in OPERATIONS.items()
        if any(isinstance(getattr(spec, "argument", spec), str) for spec in operation.arguments)
    }
    excepted = {name for names in NOT_OF_RANDOM_IRREPS.values() for name in names.split()}
    assert of_irreps <= set(FAMILIES) | excepted
    assert set(irr.bindings._registry.LAYERS.builtin) <= set(LAYERS) | excepted


small = irreps_strategy(lmax=2, mul_max=2, length_max=2, length_min=1).filter(lambda irreps: 2 < irreps.dim < 12)


@pytest.mark.parametrize("name", [*FAMILIES, *LAYERS])
def test_random_irreps(name: str) -> None:
    make = {**FAMILIES, **LAYERS}[name]

    @given(small, small, st.integers(1, 3), st.integers(0, 2**31))
    def check(a: Irreps, b: Irreps, l: int, number: int) -> None:
        operation, what = make(a, b, l), f"{name} of {a}, {b} and {l}"
        found = TABLE.check_float64(operation, what, number)
        if EXAMPLES:
            args = TABLE.combine(np.asarray, TABLE.draw(operation, number))
            TABLE.close(operation.function(*args), found, 1e-12, f"{what}: jit and eager execution")

    run(check, name)


@pytest.mark.skipif(not EXAMPLES, reason="test_operations.py has one example of each; set IRREPS_EXAMPLES for more")
@pytest.mark.parametrize("name", [name for name in OPERATIONS if name not in FAMILIES])
def test_random_data(name: str) -> None:
    for number in range(min(EXAMPLES, 10)):
        TABLE.check_float64(OPERATIONS[name], name, number)


@dataclass(frozen=True)
class GraphRow:
    """A function of senders, receivers, data of nodes and data of edges; results for nodes, for edges."""

    function: Callable[..., tuple[Any, Any]]
    nodes: tuple[Any, ...]
    edges: tuple[Any, ...]


def graph_layer(layer: Any, call: Callable[..., Any], nodes: Any, edges: Any) -> GraphRow:
    """A layer with results for nodes; `call` makes its inputs of the arguments of the function."""

    def function(s: Any, r: Any, nodes: Any, edges: Any) -> tuple[Any, Any]:
        inputs = call(s, r, nodes, edges)
        parameters = jax.tree.map(lambda a: a + 0.3, irr.init(layer, jax.random.key(0), *inputs))
        return irr.apply(layer, parameters, *inputs), None

    return GraphRow(function, nodes, edges)


def convolved(s: Any, r: Any, nodes: Any, edges: Any) -> tuple[Any, Any]:
    index = irr.EdgeIndex.from_edges(s, r, len(nodes[0]), num_senders=len(nodes[0]))
    return irr.edge_convolution(nodes[0], edges[0], None, index), None


def scattered(function: Callable[..., Any]) -> Callable[..., tuple[Any, Any]]:
    def of_edges(s: Any, r: Any, nodes: Any, edges: Any) -> tuple[Any, Any]:
        return function(edges[0], dst=r, output_size=len(nodes[0])), function(edges[0], dst=r, map_back=True)

    return of_edges


GRAPHS: dict[str, Callable[[Irreps, Irreps], GraphRow]] = {
    "MessagePassingConvolution": lambda a, b: graph_layer(
        irr.MessagePassingConvolution(a, (2,), jnp.tanh, avg_num_neighbors=1.5),
        lambda s, r, nodes, edges: (*nodes, *edges, (s, r)), (str(a),), (str(b), (2,)),
    ),
    "PointConvolution": lambda a, b: graph_layer(
        irr.PointConvolution(a, 9.0, avg_num_neighbors=1.5, sh_lmax=1, num_radial_basis=2, list_neurons=(2,)),
        lambda s, r, nodes, edges: (*nodes, s, r), ("1o", str(a)), (),
    ),
    "Transformer": lambda a, b: graph_layer(
        irr.Transformer(a, (2,), jnp.tanh, 1),
        lambda s, r, nodes, edges: (s, r, *edges, *nodes), (str(a),), ((), str(b)),
    ),
    "edge_convolution": lambda a, b: GraphRow(convolved, (str(a),), (str(b),)),
    "edge_softmax": lambda a, b: GraphRow(
        lambda s, r, nodes, edges: (None, irr.edge_softmax(edges[0], r, len(nodes[0]), weights=edges[1] ** 2)),
        ((),), ((2,), ()),
    ),
    "edge_vectors": lambda a, b: GraphRow(
        lambda s, r, nodes, edges: (None, irr.edge_vectors(nodes[0], s, r)), ((3,),), ()
    ),
    "index_add": lambda a, b: GraphRow(
        lambda s, r, nodes, edges: (irr.index_add(r, edges[0], out_dim=len(nodes[0])), None), ((),), ((2,),)
    ),
    # From a finite number on: the sines of the results, whose derivatives are compared, are not defined at infinity.
    "scatter_max": lambda a, b: GraphRow(scattered(partial(irr.scatter_max, initial=-1.0)), ((),), ((2,),)),
    "scatter_mean": lambda a, b: GraphRow(scattered(irr.scatter_mean), ((),), (str(a),)),
    "scatter_sum": lambda a, b: GraphRow(scattered(irr.scatter_sum), ((),), (str(a),)),
}  # fmt: skip


def drawn(specs: Sequence[Any], size: int, rng: np.random.Generator) -> list[Any]:
    found: list[Any] = []
    for spec in specs:
        irreps = ic.Irreps(spec) if isinstance(spec, str) else None
        data = rng.normal(size=(size, *((irreps.dim,) if irreps is not None else spec)))
        found.append(data if irreps is None else ic.IrrepsArray(irreps, data))
    return found


def rows_of(tree: Any, order: Any) -> Any:
    return jax.tree.map(lambda a: np.asarray(a)[order], tree)


@pytest.mark.parametrize("name", GRAPHS)
def test_the_order_of_nodes_and_edges_and_padding_do_not_matter(name: str) -> None:
    @given(small, small, st.integers(1, 5), st.integers(0, 9), st.integers(0, 2**31))
    def check(a: Irreps, b: Irreps, num_nodes: int, num_edges: int, number: int) -> None:
        graph, rng = GRAPHS[name](a, b), np.random.default_rng(number)
        what = f"{name} of {a} and {b}, {num_nodes} nodes, {num_edges} edges, number {number}"
        s, r = rng.integers(0, num_nodes, (2, num_edges))
        nodes, edges = drawn(graph.nodes, num_nodes, rng), drawn(graph.edges, num_edges, rng)
        if name == "PointConvolution":  # vectors of length zero have no derivatives
            r = np.where(s == r, (r + 1) % num_nodes, r)

        @jax.jit
        def function(s: Any, r: Any, nodes: Any, edges: Any) -> Any:
            if not EXAMPLES:
                return graph.function(s, r, nodes, edges)

            def total(nodes: Any, edges: Any) -> Any:
                of_nodes, of_edges = graph.function(s, r, nodes, edges)
                kept = [y[:num_nodes] for y in jax.tree.leaves(of_nodes)]
                kept += [y[:num_edges] for y in jax.tree.leaves(of_edges)]
                return sum((jnp.sum(jnp.sin(y)) for y in kept), jnp.zeros(())), (of_nodes, of_edges)

            gradient, (of_nodes, of_edges) = jax.grad(total, (0, 1), has_aux=True)(nodes, edges)
            return (of_nodes, gradient[0]), (of_edges, gradient[1])

        of_nodes, of_edges = function(s, r, nodes, edges)
        order = rng.permutation(num_edges)
        found = function(s[order], r[order], nodes, rows_of(edges, order))
        TABLE.close(found, (of_nodes, rows_of(of_edges, order)), 1e-12, f"{what}: order of the edges")
        order = rng.permutation(num_nodes)
        place = np.argsort(order)
        found = function(place[s], place[r], rows_of(nodes, order), edges)
        TABLE.close(found, (rows_of(of_nodes, order), of_edges), 1e-12, f"{what}: order of the nodes")

        def padded(tree: Any, count: int) -> Any:
            filled = lambda x: np.concatenate([x, np.full((count, *x.shape[1:]), np.nan)])  # noqa: E731
            return jax.tree.map(lambda x: filled(np.asarray(x)), tree)

        outside = np.array([num_nodes + 2, -1, num_nodes + 2])
        found = function(np.r_[s, outside], np.r_[r, outside[::-1]], padded(nodes, 2), padded(edges, 3))
        found = rows_of(found[0], slice(num_nodes)), rows_of(found[1], slice(num_edges))
        TABLE.close(found, (of_nodes, of_edges), 1e-12, f"{what}: padding")

    run(check, name)


def test_the_order_of_nodes_and_padding_do_not_matter_to_a_radius_graph() -> None:
    @given(st.integers(1, 9), st.floats(0.1, 2.0), st.integers(0, 2**31))
    def check(num_nodes: int, radius: float, number: int) -> None:
        rng = np.random.default_rng(number)
        points, order = rng.uniform(size=(num_nodes, 3)), rng.permutation(num_nodes)

        def edges(points: Any, **options: Any) -> set[tuple[int, int]]:
            s, r = map(np.asarray, irr.radius_graph(jnp.asarray(points), radius, size=90, **options)[:2])
            return {(int(a), int(b)) for a, b in zip(s, r, strict=True) if 0 <= a < num_nodes}

        distances = np.linalg.norm(points[:, None] - points, axis=-1)
        expected = {(i, j) for i in range(num_nodes) for j in range(num_nodes) if i != j and distances[i, j] < radius}
        assert edges(points) == expected
        assert {(order[i], order[j]) for i, j in edges(points[order])} == expected
        mask = np.arange(num_nodes + 2) < num_nodes
        assert edges(np.concatenate([points, np.full((2, 3), np.nan)]), mask=jnp.asarray(mask)) == expected

    run(check, "radius_graph")
