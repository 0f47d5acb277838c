from collections.abc import Callable

import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk

from force_field.data import DataError
from force_field.graphs import Batches, Bucket, ladder, pad_batch, to_graph

MakeFrames = Callable[..., list[Atoms]]


def test_edges_are_all_pairs_within_the_cutoff(frames_of: MakeFrames) -> None:
    (atoms,) = frames_of(["CH3CH2OH"])
    graph = to_graph(atoms, (1, 6, 8), 2.5)
    pairs = set(zip(graph.senders.tolist(), graph.receivers.tolist(), strict=True))
    distances = atoms.get_all_distances()
    assert pairs == {(i, j) for i, j in np.argwhere(distances < 2.5).tolist() if i != j}
    assert not graph.shifts.any()


@pytest.mark.parametrize("repeat", [1, 2])
def test_periodic_images(repeat: int) -> None:
    """Copper: 12 nearest neighbours, whether the cell is smaller than the cutoff or not."""
    atoms = bulk("Cu", "fcc", a=3.6).repeat(repeat)
    graph = to_graph(atoms, (29,), 3.0)
    assert len(graph.senders) == 12 * len(atoms)
    vectors = graph.positions[graph.senders] + graph.shifts - graph.positions[graph.receivers]
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 3.6 / np.sqrt(2))


def test_an_atom_alone_has_no_edges() -> None:
    assert len(to_graph(Atoms("H"), (1,), 3.0).senders) == 0


def test_coincident_atoms_are_refused() -> None:
    with pytest.raises(DataError, match="atoms 0 and 1"):
        to_graph(Atoms("H2", positions=np.zeros((2, 3))), (1,), 3.0)


def test_ladder() -> None:
    sizes = [ladder(n) for n in range(1000)]
    assert all(size >= n for n, size in enumerate(sizes))
    assert len(set(sizes)) < 16


def test_batches_hold_every_graph_once(frames_of: MakeFrames) -> None:
    frames = frames_of(["CH3CH2OH", "H2O", "CH4"] * 5)
    batches = Batches([to_graph(a, (1, 6, 8), 3.0) for a in frames], 4)
    for rng in (None, np.random.default_rng(0)):
        found = batches.indices(rng)
        assert len(found) == len(batches)
        assert sorted(i for _, members in found for i in members) == list(range(15))
        for bucket, members in found:
            batch = batches.batch(bucket, members)
            assert batch.positions.shape == (bucket.atoms, 3)
            assert batch.senders.shape == (bucket.edges,)
            assert int(np.sum(batch.graph_mask)) == len(members)
            np.testing.assert_allclose(
                np.sort(np.asarray(batch.energy)[: len(members)]),
                np.sort([batches.graphs[i].energy for i in members]),
                rtol=1e-6,
            )
    assert len(set(batches.buckets.values())) <= 3


def test_what_does_not_fit_is_refused(frames_of: MakeFrames) -> None:
    (atoms,) = frames_of(["H2O"])
    with pytest.raises(ValueError, match="do not fit"):
        pad_batch([to_graph(atoms, (1, 8), 3.0)], Bucket(1, 2, 8))
