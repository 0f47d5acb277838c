from collections.abc import Callable

import jax.numpy as jnp
import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk
from flax import nnx

import irreps_ops as irr
from force_field.data import DataError
from force_field.derivatives import Evaluation
from force_field.evaluation import Predictor
from force_field.graphs import Batches, Bucket, graph_sizes, pack, to_graph
from force_field.model import ForceField, ModelConfig, Scaling

MakeFrames = Callable[..., list[Atoms]]


def test_edges_are_all_pairs_within_the_cutoff(frames_of: MakeFrames) -> None:
    (atoms,) = frames_of(["CH3CH2OH"])
    graph = to_graph(atoms, (1, 6, 8), 2.5)
    pairs = set(zip(graph.senders.tolist(), graph.receivers.tolist(), strict=True))
    distances = atoms.get_all_distances()
    assert pairs == {(i, j) for i, j in np.argwhere(distances < 2.5).tolist() if i != j}
    assert not graph.edges.any()


@pytest.mark.parametrize("repeat", [1, 2])
def test_periodic_images(repeat: int) -> None:
    """Copper has 12 nearest neighbours, whether the cell is smaller than the cutoff or not."""
    atoms = bulk("Cu", "fcc", a=3.6).repeat(repeat)
    graph = to_graph(atoms, (29,), 3.0)
    assert len(graph.senders) == 12 * len(atoms)
    vectors = irr.edge_vectors(graph.nodes.positions, graph.senders, graph.receivers) + graph.edges
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 3.6 / np.sqrt(2))


def test_a_single_atom_has_no_edges() -> None:
    assert len(to_graph(Atoms("H"), (1,), 3.0).senders) == 0


def test_coincident_atoms_are_refused() -> None:
    with pytest.raises(DataError, match="atoms 0 and 1"):
        to_graph(Atoms("H2", positions=np.zeros((2, 3))), (1,), 3.0)


def test_batches_contain_each_graph_once(frames_of: MakeFrames) -> None:
    frames = frames_of(["CH3CH2OH", "H2O", "CH4"] * 5)
    batches = Batches([to_graph(a, (1, 6, 8), 3.0) for a in frames], 4)
    found = batches.indices(np.random.default_rng(0))
    assert len(found) == len(batches)
    assert sorted(i for _, members in found for i in members) == list(range(15))
    assert {bucket for bucket, _ in found} == set(batches.buckets)
    assert len(set(batches.buckets)) <= 3
    for bucket, members in found:
        batch = batches.batch(bucket, members)
        assert (batch.num_graphs, batch.num_nodes, batch.num_edges) == bucket
        assert batch.nodes.positions.dtype == np.float32
        assert int(np.sum(batch.graph_mask)) == len(members)
        expected = [batches.graphs[i].globals.energy for i in members]
        np.testing.assert_allclose(batch.globals.energy[: len(members)], expected, rtol=1e-6)


def test_packed_graphs_keep_their_order_and_fit(frames_of: MakeFrames) -> None:
    graphs = [to_graph(a, (1, 6, 8), 3.0) for a in frames_of(["CH3CH2OH", "H2O", "CH4", "H2O"] * 5)]
    bucket = Bucket(3, 14, 100)
    batches = list(pack(graphs, bucket))
    assert [id(graph) for batch in batches for graph in batch] == [id(graph) for graph in graphs]
    sizes = np.array([(len(batch), *graph_sizes(batch).sum(axis=0)) for batch in batches])
    assert (sizes <= bucket).all()
    assert len(batches) < len(graphs)


def test_the_bucket_of_a_predictor_only_grows(frames_of: MakeFrames) -> None:
    config = ModelConfig((1, 6, 8), channels=1, layers=1, lmax=0)
    predictor = Predictor(ForceField(config, Scaling((0.0,) * 3, 1.0, 1.0), rngs=nnx.Rngs(0)), "float32")
    predictor._evaluate = lambda parameters, batch: Evaluation(
        jnp.zeros(batch.num_nodes), batch.nodes.positions, jnp.zeros((batch.num_graphs, 3, 3))
    )
    buckets = []
    for molecules in (["H2O"], ["CH3CH2OH"], ["H2O"], ["CH3CH2OH", "H2O"]):
        graphs = [to_graph(atoms, config.elements, 3.0) for atoms in frames_of(molecules)]
        for graph, prediction in zip(graphs, predictor(graphs), strict=True):
            np.testing.assert_allclose(prediction.forces, graph.nodes.positions, rtol=1e-6, atol=1e-6)
        buckets.append(predictor.bucket)
    assert buckets[0].atoms < buckets[1].atoms
    assert buckets[1] == buckets[2] == buckets[3]
