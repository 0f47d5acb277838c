"""Nequix, a NequIP network by Koker et al., arXiv:2508.16067 (2025), with its published weights.

A file is a line of JSON, the configuration, followed by the parameters in the order of the modules, each in NumPy's
format. The network was written with e3nn-jax, whose conventions are those of irreps.
"""

import io
import json
import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx

import irreps_flax.nnx as layers
import irreps_ops as irr
from force_field.settings import is_number
from irreps_flax.nnx import binding

_LONGEST_HEADER = 1 << 20  # bytes


def plain_silu(x: jax.Array) -> jax.Array:
    """Return the activation of the radial networks."""
    return jax.nn.silu(x)


plain_silu.is_normalized = True  # pyright: ignore[reportFunctionMemberAccess]  (irreps leaves such functions unscaled)


class Normalization(nnx.Module):
    """Divide features by their size, and multiply each irrep by a weight.

    The squared size is the mean over the items of the irreps of the sum over channels of |x|² / (2 l + 1)².
    """

    def __init__(self, irreps: irr.Irreps, *, dtype: str) -> None:
        """See the class."""
        self.weights = nnx.Param(jnp.ones(irreps.num_irreps, dtype))

    def __call__(self, x: irr.IrrepsArray) -> irr.IrrepsArray:
        """Return normalized features of the same irreps."""
        square = jnp.zeros(x.shape[:1], x.dtype)
        for (_, ir), chunk in zip(x.irreps, x.chunks, strict=True):
            square += jnp.sum(chunk**2, axis=(-2, -1)) / (ir.dim**2 * len(x.irreps))
        return x * (self.weights[...][None] * (square + 1e-12)[:, None] ** -0.5)


class Interaction(nnx.Module):
    """A convolution over the neighbours, plus a linear map of the atom itself, then normalization and gate."""

    def __init__(
        self, config: dict[str, Any], before: irr.Irreps, after: irr.Irreps, *, rngs: nnx.Rngs, dtype: str
    ) -> None:
        """See the class; features go from the irreps `before` to `after`."""
        make: Any = {"rngs": rngs, "param_dtype": dtype}
        gates = sum(mul for mul, ir in after if ir != "0e")
        gated = (after + irr.Irreps([(gates, "0e")])).regroup()
        inputs = (before, irr.Irreps.spherical_harmonics(config["lmax"]), config["radial_basis_size"])
        neurons = [config["radial_mlp_size"]] * config["radial_mlp_layers"]
        self.convolution = layers.MessagePassingConvolution(
            inputs, gated, neurons, plain_silu, avg_num_neighbors=config["avg_n_neighbors"], **make
        )
        self.by_species = bool(config["index_weights"])
        species = len(config["atomic_numbers"]) if self.by_species else None
        self.skip = layers.Linear(before, gated, num_indexed_weights=species, force_irreps_out=True, **make)
        self.normalization = Normalization(gated, dtype=dtype) if config["layer_norm"] else None

    def __call__(self, x: irr.IrrepsArray, species: jax.Array, *of_edges: Any) -> irr.IrrepsArray:
        """Return new features of the atoms."""
        skip = self.skip(species, x) if self.by_species else self.skip(x)
        x = self.convolution(x, *of_edges) + skip
        x = x if self.normalization is None else self.normalization(x)
        return irr.gate(x, even_act=jax.nn.silu, odd_act=jax.nn.tanh, even_gate_act=jax.nn.silu)


class Nequix(nnx.Module):
    """The potential, see :class:`force_field.derivatives.Potential`."""

    energy_scale = 1.0

    def __init__(self, config: dict[str, Any], energies: np.ndarray, *, rngs: nnx.Rngs, dtype: str) -> None:
        """Create a network with random parameters, and the given energy of each element in eV."""
        self.config, self.elements = config, tuple(config["atomic_numbers"])
        self.cutoff = float(config["cutoff"])
        self.reference_energies = tuple((energies.astype(float) + config["shift"]).tolist())
        hidden = irr.Irreps(config["hidden_irreps"])
        scalars = hidden.filter("0e")
        ends = [irr.Irreps([(len(self.elements), "0e")]), *[hidden] * (config["n_layers"] - 1), scalars]
        self.layers = nnx.List(
            [Interaction(config, ends[i], ends[i + 1], rngs=rngs, dtype=dtype) for i in range(config["n_layers"])]
        )
        self.readout = layers.Linear(scalars, "0e", rngs=rngs, param_dtype=dtype)

    @property
    def hops(self) -> int:
        """Number of hops from neighbour to neighbour by which the energy of an atom reaches."""
        return len(self.layers)

    def __call__(self, batch: irr.GraphBatch, vectors: jax.Array) -> jax.Array:
        """Return the energies of the atoms in eV, without reference energies."""
        config, cutoff, species = self.config, self.cutoff, batch.nodes.species
        as_irreps = irr.IrrepsArray("1o", vectors)
        distances = irr.norm(as_irreps).array[:, 0]
        harmonics = irr.spherical_harmonics(irr.Irreps.spherical_harmonics(config["lmax"]), as_irreps, normalize=True)
        envelope = irr.poly_envelope(int(config["radial_polynomial_p"]) - 1, 2, cutoff)(distances)
        radial = (2 / cutoff) ** 0.5 * irr.bessel(distances, config["radial_basis_size"], cutoff) * envelope[:, None]
        edges, count = batch.edge_index(), len(self.elements)
        x = irr.IrrepsArray([(count, "0e")], jax.nn.one_hot(species, count, dtype=vectors.dtype))
        for layer in self.layers:
            x = layer(x, species, harmonics, radial, edges)
        return self.readout(x).array[:, 0] * config["scale"]


def read(path: Path) -> tuple[Any, dict[str, Any]]:
    """Return a function that makes the network of a file, and the parameters of the file.

    Raises:
        ValueError: the file is damaged, or of another network.
    """
    file = io.BytesIO(path.read_bytes())
    config = json.loads(file.readline(_LONGEST_HEADER))
    check(config)
    leaves = list(arrays(file))
    if not leaves:
        raise ValueError("it has no parameters")
    energies = leaves.pop(0)
    if energies.shape != (len(config["atomic_numbers"]),):
        raise ValueError(f"it has energies of shape {energies.shape} for {len(config['atomic_numbers'])} elements")

    def make(rngs: nnx.Rngs, dtype: str) -> Nequix:
        return Nequix(config, energies, rngs=rngs, dtype=dtype)

    shapes = binding.to_trees(nnx.eval_shape(lambda: make(nnx.Rngs(0), "float32")))[0]
    return make, parameters(config, leaves, shapes)


def arrays(file: io.BytesIO) -> Iterator[np.ndarray]:
    """Yield the arrays that follow one another in a file, in version 1.0 of NumPy's format.

    Raises:
        ValueError: they are damaged, are not float32, or announce more numbers than follow.
    """
    while (magic := file.read(8)).startswith(b"\x93"):
        if magic != b"\x93NUMPY\1\0":
            raise ValueError(f"an array begins with {magic!r}")
        shape, fortran, dtype = np.lib.format.read_array_header_1_0(file)
        if dtype != np.dtype("<f4") or fortran:
            raise ValueError(f"it has an array of dtype {dtype}, expected float32 in C order")
        content = file.read(math.prod(shape) * dtype.itemsize)  # no more than the file has
        yield np.frombuffer(content, dtype).reshape(shape).astype(np.float64)  # before they are scaled


def check(config: Any) -> None:
    """Check the configuration of a file."""
    sizes = {"lmax": 10, "n_layers": 100, "radial_basis_size": 1000, "radial_mlp_size": 10_000, "radial_mlp_layers": 20}
    if not isinstance(config, dict):
        raise ValueError("its first line is not the configuration of a network")
    for name, most in sizes.items():
        if type(config[name]) is not int or not 1 <= config[name] <= most:
            raise ValueError(f"expected {name} from 1 to {most}, got {config[name]!r:.60}")
    for name in ("cutoff", "avg_n_neighbors", "scale", "shift", "radial_polynomial_p"):
        if not is_number(config[name]):
            raise ValueError(f"expected a number for {name}, got {config[name]!r:.60}")
    numbers = config["atomic_numbers"]
    if not isinstance(numbers, list) or not all(type(z) is int and 1 <= z <= 118 for z in numbers):
        raise ValueError(f"expected atomic numbers from 1 to 118, got {numbers!r:.60}")


def parameters(config: dict[str, Any], leaves: list[np.ndarray], shapes: dict[str, Any]) -> dict[str, Any]:
    """Return the parameters of a file as a tree of names.

    Args:
        config: the configuration.
        leaves: the parameters in the order of the file.
        shapes: the tree of the network.
    """
    remaining = iter(leaves)

    def take(branch: dict[str, Any]) -> dict[str, Any]:
        return {name: next(remaining) for name in sorted(branch)}

    def layer(shapes: dict[str, Any]) -> dict[str, Any]:
        # Perceptrons of irreps divide by the root of the number of inputs, those of Nequix do not.
        network = [next(remaining) for _ in range(config["radial_mlp_layers"] + 1)]
        convolution = {
            "multi_layer_perceptron": {f"linear_{i}": {"w": w * w.shape[0] ** 0.5} for i, w in enumerate(network)},
            "linear_up": take(shapes["convolution"]["linear_up"]),
            "linear_down": take(shapes["convolution"]["linear_down"]),
        }
        made = {"convolution": convolution, "skip": take(shapes["skip"])}
        if config["layer_norm"]:
            count, pieces = shapes["normalization"]["weights"].shape[0], []
            while sum(map(len, pieces)) < count:
                pieces.append(next(remaining).ravel())
            made["normalization"] = {"weights": np.concatenate(pieces)}
        return made

    try:
        made = [layer(shapes["layers"][str(i)]) for i in range(config["n_layers"])]
        tree = {"layers": {str(i): of_layer for i, of_layer in enumerate(made)}, "readout": take(shapes["readout"])}
    except StopIteration:
        raise ValueError("it is truncated: parameters are missing") from None
    if next(remaining, None) is not None:
        raise ValueError("it has more parameters than its configuration has")
    return tree
