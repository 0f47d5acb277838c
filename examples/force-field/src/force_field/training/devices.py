"""The devices among which each batch is divided, of one process or of several."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import jax
import numpy as np
from jax.experimental import multihost_utils
from jax.sharding import Mesh, NamedSharding
from jax.sharding import PartitionSpec as P
from numpy.typing import DTypeLike

import irreps_ops as irr
from force_field.devices import first_devices
from force_field.errors import UsageError
from force_field.graphs import Bucket, pad

_PARTS = "parts"  # name of the axis of the mesh

# Of parameters, a batch, constants, and a function that sums over parts of the batch: the loss, and one more number.
Objective = Callable[[Any, irr.GraphBatch, Any, Callable[[jax.Array], jax.Array]], tuple[jax.Array, jax.Array]]


def join_processes(coordinator: str, processes: int, process: int) -> None:
    """Connect this process with the others of a run, before anything is computed.

    Args:
        coordinator: address and port of the first process, such as "10.0.0.1:1234".
        processes: their number.
        process: which one this is, from 0 on.

    Raises:
        UsageError: the processes do not come together.
    """
    try:
        jax.distributed.initialize(coordinator, num_processes=processes, process_id=process)
    except (RuntimeError, ValueError) as error:
        raise UsageError(f"no connection with {processes} processes at {coordinator}: {error!s:.200}") from None


def in_any_process(fact: bool) -> bool:
    """Return whether a fact holds in one process of a run, at least. All processes must ask at the same step."""
    if jax.process_count() == 1:
        return fact
    return bool(np.any(multihost_utils.process_allgather(np.array(fact))))


class Devices:
    """Devices that compute one part of each batch each. The sum of their gradients is that of the whole batch.

    Args:
        count: number of devices, of all processes together; 0: all.

    Raises:
        UsageError: there are fewer devices.
    """

    def __init__(self, count: int = 1) -> None:
        """See the class."""
        self.mesh = Mesh(np.array(first_devices(count)), (_PARTS,))
        used = self.mesh.devices.tolist()
        self.count = len(used)
        self.mine = [k for k, device in enumerate(used) if device.process_index == jax.process_index()]

    def batch(self, graphs: Sequence[irr.Graph], bucket: Bucket, dtype: DTypeLike) -> irr.GraphBatch:
        """Return a batch; with several devices, its parts along a new first axis, one on each device."""
        if self.count == 1:
            return pad(graphs, bucket, dtype)
        room = self._room(bucket)
        parts = [self._part(graphs[k :: self.count], graphs[0], room, dtype) for k in self.mine]
        sharding = NamedSharding(self.mesh, P(_PARTS))

        def spread(*arrays: np.ndarray) -> jax.Array:
            mine = np.stack(arrays)
            return jax.make_array_from_process_local_data(sharding, mine, (self.count, *mine.shape[1:]))

        return jax.tree.map(spread, *parts)

    def _room(self, bucket: Bucket) -> Bucket:
        graphs = -(-bucket.graphs // self.count)
        atoms, edges = (graphs * (size // bucket.graphs) for size in bucket[1:])
        return Bucket(graphs, atoms, max(edges, 1))

    def _part(self, graphs: Sequence[irr.Graph], any_graph: irr.Graph, room: Bucket, dtype: Any) -> irr.GraphBatch:
        if graphs:
            return pad(graphs, room, dtype)
        nothing = jax.tree.map(np.zeros_like, pad([any_graph], room, dtype))
        outside = np.full_like(nothing.senders, room.atoms)
        of_nodes = np.full_like(nothing.node_graph, room.graphs)
        return replace(nothing, senders=outside, receivers=outside, node_graph=of_nodes)

    def replicated(self, tree: Any) -> Any:
        """Return arrays that all devices have."""
        if self.count == 1:
            return tree
        return jax.device_put(jax.tree.map(np.asarray, tree), NamedSharding(self.mesh, P()))

    def on_host(self, tree: Any) -> Any:
        """Return replicated arrays as such of NumPy, so that what follows is computed once."""
        return tree if self.count == 1 else jax.tree.map(np.asarray, tree)

    def gradient(self, objective: Objective, params: Any, batch: irr.GraphBatch, constants: Any) -> tuple[Any, Any]:
        """Return the results of an objective for the whole batch, and the gradient of the first by the parameters."""
        if self.count == 1:
            return jax.value_and_grad(lambda p: objective(p, batch, constants, lambda x: x), has_aux=True)(params)

        def total(tree: Any) -> Any:
            return jax.lax.psum(tree, _PARTS)

        def of_part(params: Any, batch: irr.GraphBatch, constants: Any) -> tuple[Any, Any]:
            batch = jax.tree.map(lambda x: x[0], batch)
            function = jax.value_and_grad(lambda p: objective(p, batch, constants, total), has_aux=True)
            (value, other), gradient = function(params)
            return (total(value), other), total(gradient)

        # The sums over parts are ours: check_vma would add those of the gradient once more.
        apart = jax.shard_map(of_part, mesh=self.mesh, in_specs=(P(), P(_PARTS), P()), out_specs=P(), check_vma=False)
        return apart(params, batch, constants)
