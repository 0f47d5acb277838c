"""MACE, a network by Batatia et al., NeurIPS 2022, arXiv:2206.07697, with the weights of models such as MACE-MP-0.

Files of MACE execute code when they are read. The script :mod:`force_field.converters.mace_to_safetensors` runs where
PyTorch and MACE are installed, and writes the weights as they are to a file of the format safetensors. The conversion
to our conventions happens here.
"""

import itertools
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import safetensors.numpy
from flax import nnx

import irreps_flax.nnx as layers
import irreps_ops as irr
from irreps_compat import e3nn

StateDict = Mapping[str, np.ndarray]
FORMAT = "mace"
_SUPPORTED = {
    "class": "ScaleShiftMACE",
    "radial_type": "BesselBasis",
    "distance_transform": "NoneType",
    "apply_cutoff": True,
    "pair_repulsion": False,
    "joint_embedding": False,
}
_BLOCK, _READOUTS = "RealAgnosticResidualInteractionBlock", ("LinearReadoutBlock", "NonLinearReadoutBlock")


@dataclass(frozen=True)
class MaceConfig:
    """The network.

    Attributes:
        elements: atomic numbers, in the order of the parameters.
        reference_energies: in eV, of each element.
        scale: by which the energy of the network is multiplied, in eV.
        cutoff: in Å.
        polynomial: order p of the polynomial cutoff.
        features: irreps of the atoms before the first and after each interaction.
        lmax: highest degree of the harmonics.
        neighbors: of each interaction, the number by which sums over neighbours are divided.
        radial: numbers of Bessel functions and of neurons in the hidden layers of the radial networks.
        orders: of each interaction, the highest order of the products of features.
        readout: neurons in the hidden layer of the last readout.
    """

    elements: tuple[int, ...]
    reference_energies: tuple[float, ...]
    scale: float
    cutoff: float
    polynomial: int
    features: tuple[irr.Irreps, ...]
    lmax: int
    neighbors: tuple[float, ...]
    radial: tuple[int, ...]
    orders: tuple[int, ...]
    readout: int

    @property
    def messages(self) -> irr.Irreps:
        """The irreps of the messages: those of the harmonics, once for each channel."""
        return irr.Irreps(self.features[0].dim * irr.Irreps.spherical_harmonics(self.lmax)).regroup()


class Mace(nnx.Module):
    """The potential, see :class:`force_field.derivatives.Potential`."""

    energy_scale = 1.0

    def __init__(self, config: MaceConfig, *, rngs: nnx.Rngs, dtype: str) -> None:
        """Create a network with random parameters of this dtype."""
        make: Any = {"rngs": rngs, "param_dtype": dtype}
        self.config, self.elements, self.cutoff = config, config.elements, config.cutoff
        self.reference_energies = config.reference_energies
        act, count, messages = e3nn.normalize2mom(jax.nn.silu), len(config.elements), config.messages
        harmonics = irr.Irreps.spherical_harmonics(config.lmax)
        self.embedding = nnx.Param(jnp.zeros((count, config.features[0].dim), dtype))
        self.frequencies = nnx.Param(jnp.zeros(config.radial[0], dtype))
        self.convolutions, self.products, self.skips, self.readouts = (nnx.List() for _ in range(4))
        ends = zip(itertools.pairwise(config.features), config.neighbors, config.orders, strict=True)
        for (before, after), neighbors, order in ends:
            inputs = (before, harmonics, config.radial[0])
            self.convolutions.append(
                layers.MessagePassingConvolution(
                    inputs, messages, config.radial[1:], act, avg_num_neighbors=neighbors**2, **make
                )
            )
            self.products.append(
                layers.SymmetricContraction(messages, after, range(1, order + 1), num_species=count, **make)
            )
            self.skips.append(layers.Linear(before, after, num_indexed_weights=count, force_irreps_out=True, **make))
        for after in config.features[1:-1]:
            self.readouts.append(layers.Linear(after, "0e", **make))
        self.last_readout = layers.MultiLayerPerceptron(
            config.features[-1].dim, [config.readout, 1], act, output_activation=False, **make
        )

    @property
    def hops(self) -> int:
        """Number of hops from neighbour to neighbour by which the energy of an atom reaches."""
        return len(self.convolutions)

    def __call__(self, batch: irr.GraphBatch, vectors: jax.Array) -> jax.Array:
        """Return the energies of the atoms in eV, without reference energies."""
        config, species = self.config, batch.nodes.species
        as_irreps = irr.IrrepsArray("1o", vectors)
        distances = irr.norm(as_irreps).array[:, 0]
        harmonics = irr.spherical_harmonics(irr.Irreps.spherical_harmonics(config.lmax), as_irreps, normalize=True)
        envelope = irr.poly_envelope(config.polynomial - 1, 2, config.cutoff)(distances)
        radial = (2 / config.cutoff) ** 0.5 * irr.sine_basis(distances, self.frequencies[...]) * envelope[:, None]
        edges = batch.edge_index()
        x = irr.IrrepsArray(config.features[0], self.embedding[...][species])
        energies = jnp.zeros(species.shape[0], vectors.dtype)
        readouts = [*self.readouts, None]
        for convolution, product, skip, readout in zip(
            self.convolutions, self.products, self.skips, readouts, strict=True
        ):
            residual = skip(species, x)
            messages = convolution(x, harmonics, radial, edges)
            x = product(species, messages).rechunk(residual.irreps) + residual
            if readout is not None:
                energies += readout(x).array[:, 0]
        return config.scale * (energies + self.last_readout(x.array)[:, 0])


def is_ours(path: Path) -> bool:
    """Return whether a file is one of :mod:`force_field.converters.mace_to_safetensors`."""
    with path.open("rb") as file:
        length = int.from_bytes(file.read(8), "little")
        if not 2 <= length <= 1 << 24:
            return False
        try:
            metadata = json.loads(file.read(length)).get("__metadata__", {})
        except (ValueError, AttributeError, RecursionError):
            return False
    return isinstance(metadata, dict) and metadata.get("format") == FORMAT and "config" in metadata


def read(path: Path) -> tuple[Any, dict[str, Any]]:
    """Return a function that makes the network of a file, and its parameters.

    Raises:
        ValueError: the file is damaged, or of a network that is not supported.
    """
    content = path.read_bytes()
    try:
        loaded = safetensors.numpy.load(content)
    except safetensors.SafetensorError as error:
        raise ValueError(f"it is damaged: {error}") from None
    header = json.loads(content[8 : 8 + int.from_bytes(content[:8], "little")])
    config = json.loads(header["__metadata__"]["config"])
    state = {n: array.astype(np.float64) if array.dtype.kind == "f" else array for n, array in loaded.items()}
    made = configuration(config, state)
    return lambda rngs, dtype: Mace(made, rngs=rngs, dtype=dtype), parameters(made, state)


def configuration(config: dict[str, Any], state: StateDict) -> MaceConfig:
    """Return the configuration of a network."""
    for name, value in _SUPPORTED.items():
        if config[name] != value:
            raise ValueError(f"expected {name} = {value!r}, got {config[name]!r:.100}")
    count = len(config["interactions"])
    if count < 2 or config["interactions"] != [_BLOCK] * count:
        raise ValueError(
            f"expected two or more interactions of the class {_BLOCK}, got {config['interactions']!r:.200}"
        )
    if config["readouts"] != [*_READOUTS[:1] * (count - 1), _READOUTS[1]]:
        raise ValueError(f"expected linear readouts and one that is not linear, got {config['readouts']!r:.200}")
    if len(config["heads"]) != 1:
        raise ValueError(f"expected one head, got {config['heads']!r:.100}")
    elements = tuple(int(z) for z in state["atomic_numbers"])
    channels = state["node_embedding.linear.weight"].size // len(elements)
    hidden = [irr.Irreps(irreps) for irreps in config["hidden_irreps"]]
    if len({channels, *(mul for irreps in hidden for mul, _ in irreps)}) != 1:
        raise ValueError(f"expected features of {channels} channels, got {', '.join(map(str, hidden))}")
    networks = [state[f"interactions.0.conv_tp_weights.layer{k}.weight"] for k in range(_depth(state))]
    shift = float(state["scale_shift.shift"].item())
    products = [f"products.{i}.symmetric_contractions.contractions.0.U_matrix_" for i in range(count)]
    return MaceConfig(
        elements=elements,
        reference_energies=tuple((state["atomic_energies_fn.atomic_energies"].ravel() + shift).tolist()),
        scale=float(state["scale_shift.scale"].item()),
        cutoff=float(state["r_max"]),
        polynomial=int(config["polynomial"]),
        features=(irr.Irreps([(channels, "0e")]), *hidden),
        lmax=int(config["lmax"]),
        neighbors=tuple(map(float, config["neighbors"])),
        radial=tuple(matrix.shape[0] for matrix in networks),
        orders=tuple(sum(name.startswith(prefix) for name in state) for prefix in products),
        readout=state[f"readouts.{count - 1}.linear_2.weight"].size,
    )


def _depth(state: StateDict) -> int:
    """Return the number of matrices of the radial networks."""
    return sum(name.startswith("interactions.0.conv_tp_weights.layer") for name in state)


def parameters(made: MaceConfig, state: StateDict) -> dict[str, Any]:
    """Return the parameters as a tree of names."""
    count, messages, last = len(made.elements), made.messages, len(made.orders) - 1
    harmonics = irr.Irreps.spherical_harmonics(made.lmax)
    tree: dict[str, Any] = {
        "embedding": state["node_embedding.linear.weight"].reshape(count, -1) / count**0.5,
        "frequencies": state["radial_embedding.bessel_fn.bessel_weights"],
        "last_readout": {
            f"linear_{k}": {"w": state[f"readouts.{last}.linear_{k + 1}.weight"].reshape(-1, size)}
            for k, size in enumerate((made.readout, 1))
        },
    }
    branches: dict[str, dict[str, Any]] = {"convolutions": {}, "products": {}, "skips": {}, "readouts": {}}
    convention = e3nn.convention(state, default="e3nn")
    for i, (before, after) in enumerate(itertools.pairwise(made.features)):
        of_messages, instructions = paths(before, harmonics, messages)
        network = [state[f"interactions.{i}.conv_tp_weights.layer{k}.weight"] for k in range(len(made.radial))]
        network[-1] = e3nn.uvu_weights(network[-1], before, harmonics, of_messages, instructions, convention=convention)
        branches["convolutions"][str(i)] = {
            "linear_up": e3nn.linear(state, f"interactions.{i}.linear_up", before, before).params,
            "multi_layer_perceptron": {f"linear_{k}": {"w": w} for k, w in enumerate(network)},
            "linear_down": e3nn.linear(state, f"interactions.{i}.linear", of_messages.simplify(), messages).params,
        }
        branches["products"][str(i)] = {
            **contraction(state, f"products.{i}.symmetric_contractions", made, after, made.orders[i]),
            "linear": e3nn.linear(state, f"products.{i}.linear", after, after).params,
        }
        branches["skips"][str(i)] = by_species(state[f"interactions.{i}.skip_tp.weight"], before, after, count)
        if i < last:
            branches["readouts"][str(i)] = e3nn.linear(state, f"readouts.{i}.linear", after, "0e").params
    return {**tree, **branches}


def paths(features: irr.Irreps, harmonics: irr.Irreps, keep: irr.Irreps) -> tuple[irr.Irreps, list[tuple[Any, ...]]]:
    """Return the irreps of the messages, sorted, and the instructions of e3nn in their order."""
    found = [
        (i, j, mul, ir)
        for i, (mul, ir1) in enumerate(features)
        for j, (_, ir2) in enumerate(harmonics)
        for ir in ir1 * ir2
        if ir in keep
    ]
    found.sort(key=lambda path: path[3].l)
    instructions = [(i, j, place, "uvu", True) for place, (i, j, _, _) in enumerate(found)]
    return irr.Irreps([path[2:] for path in found]), instructions


def contraction(state: StateDict, name: str, made: MaceConfig, after: irr.Irreps, order: int) -> dict[str, np.ndarray]:
    """Return the weights of a symmetric contraction in our basis; the file has the polynomials of the other one."""
    wanted = [ir for _, ir in after]
    ours = irr.FunctionalSymmetricContraction(irr.Irreps.spherical_harmonics(made.lmax), range(1, order + 1), after)
    tree = {}
    for weights in ours.weights:
        prefix = f"{name}.contractions.{wanted.index(weights.irrep)}"
        theirs = state[
            f"{prefix}.weights_max" if weights.order == order else f"{prefix}.weights.{order - 1 - weights.order}"
        ]
        polynomials = state[f"{prefix}.U_matrix_{weights.order}"]
        if weights.irrep.l == 0:
            polynomials = polynomials[None]
        projection = ours.projection(weights.order, weights.irrep, np.moveaxis(polynomials, 0, -1))
        tree[weights.name] = np.einsum("pk,skc->spc", projection, theirs)
    return tree


def by_species(weights: np.ndarray, before: irr.Irreps, after: irr.Irreps, count: int) -> dict[str, np.ndarray]:
    """Return the weights of a product of features and one-hot species as those of a linear map for each species."""
    matrices, start = [], 0
    for mul, ir in before:
        for mul_out, ir_out in after:
            if ir == ir_out:
                size = mul * count * mul_out
                matrices.append(weights[start : start + size].reshape(mul, count, mul_out) / count**0.5)
                start += size
    if start != len(weights):
        raise ValueError(f"expected {start} weights of the self-connection, got {len(weights)}")
    flat = [np.concatenate([matrix[:, s].ravel() for matrix in matrices]) for s in range(count)]
    trees = [e3nn.linear({"weight": of_species}, "", before, after).params for of_species in flat]
    return {name: np.stack([np.asarray(tree[name]) for tree in trees]) for name in trees[0]}
