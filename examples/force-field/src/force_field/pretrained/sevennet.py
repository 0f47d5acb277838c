"""SevenNet, a NequIP network by Park et al., J. Chem. Theory Comput. 20, 4857 (2024), with its published weights.

The weights come from PyTorch and e3nn. Where the conventions differ, :mod:`irreps_compat.e3nn` converts them.
"""

import itertools
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx

import irreps_flax.nnx as layers
import irreps_ops as irr
from irreps_compat import e3nn

StateDict = Mapping[str, np.ndarray]
# e3nn sorts the paths of a convolution by their outputs; networks of earlier versions were trained with another order.
_SORTED_SINCE = (0, 11)
_SUPPORTED = {
    "_model_type": "E3_equivariant_model",
    "is_parity": False,
    "interaction_type": "nequip",
    "self_connection_type": "linear",
    "use_bias_in_linear": False,
    "readout_as_fcn": False,
    "use_modality": False,
    "act_radial": "silu",
}


@dataclass(frozen=True)
class SevenNetConfig:
    """The network.

    Attributes:
        elements: atomic numbers, in the order of the parameters.
        reference_energies: in eV, of each element.
        scales: of each element, in eV; the network's energy of an atom is multiplied by it.
        cutoff: in Å.
        cutoff_on: where the XPLOR cutoff begins to fall, in Å; None for the polynomial one.
        polynomial: order p of the polynomial cutoff.
        features: irreps of the atoms before the first and after each interaction.
        lmax: highest degree of the harmonics.
        normalize: whether harmonics are of directions, not of vectors.
        neighbors: of each interaction, the number by whose root sums over neighbours are divided.
        radial: numbers of Bessel functions and of neurons in the hidden layers of the radial networks.
    """

    elements: tuple[int, ...]
    reference_energies: tuple[float, ...]
    scales: tuple[float, ...]
    cutoff: float
    cutoff_on: float | None
    polynomial: int
    features: tuple[irr.Irreps, ...]
    lmax: int
    normalize: bool
    neighbors: tuple[float, ...]
    radial: tuple[int, ...]


def gate_irreps(features: irr.Irreps) -> irr.Irreps:
    """Return the input of the gate: the features, and a scalar for each of degree above zero."""
    return (features + irr.Irreps([(mul, "0e") for mul, ir in features if ir.l > 0])).regroup()


class SevenNet(nnx.Module):
    """The potential, see :class:`force_field.derivatives.Potential`."""

    energy_scale = 1.0

    def __init__(self, config: SevenNetConfig, *, rngs: nnx.Rngs, dtype: str) -> None:
        """Create a network with random parameters of this dtype."""
        make: Any = {"rngs": rngs, "param_dtype": dtype}
        self.config, self.elements, self.cutoff = config, config.elements, config.cutoff
        self.reference_energies = config.reference_energies
        self.act = e3nn.normalize2mom(jax.nn.silu)
        self.embedding = nnx.Param(jnp.zeros((len(config.elements), config.features[0].dim), dtype))
        self.frequencies = nnx.Param(jnp.zeros(config.radial[0], dtype))
        self.convolutions, self.skips = nnx.List(), nnx.List()
        harmonics = self.harmonics_irreps()
        for (before, after), neighbors in zip(itertools.pairwise(config.features), config.neighbors, strict=True):
            gated = gate_irreps(after)
            inputs = (before, harmonics, config.radial[0])
            self.convolutions.append(
                layers.MessagePassingConvolution(
                    inputs, gated, config.radial[1:], self.act, avg_num_neighbors=neighbors, **make
                )
            )
            self.skips.append(layers.Linear(before, gated, force_irreps_out=True, **make))
        last = config.features[-1].dim
        self.readout = layers.MultiLayerPerceptron(last, [last // 2, 1], None, **make)

    @property
    def hops(self) -> int:
        """Number of hops from neighbour to neighbour by which the energy of an atom reaches."""
        return len(self.convolutions)

    def harmonics_irreps(self) -> irr.Irreps:
        """Return the irreps of the harmonics, all even: the network does not distinguish mirror images."""
        return irr.Irreps([(1, (l, 1)) for l in range(self.config.lmax + 1)])

    def __call__(self, batch: irr.GraphBatch, vectors: jax.Array) -> jax.Array:
        """Return the energies of the atoms in eV, without reference energies."""
        config, species = self.config, batch.nodes.species
        as_irreps = irr.IrrepsArray("1e", vectors)
        distances = irr.norm(as_irreps).array[:, 0]
        harmonics = irr.spherical_harmonics(self.harmonics_irreps(), as_irreps, normalize=config.normalize)
        if config.cutoff_on is not None:
            envelope = irr.xplor_cutoff(distances, config.cutoff_on, config.cutoff)
        else:
            envelope = irr.poly_envelope(config.polynomial - 1, 2, config.cutoff)(distances)
        radial = 2 / config.cutoff * irr.sine_basis(distances, self.frequencies[...]) * envelope[:, None]
        edges = batch.edge_index()
        x = irr.IrrepsArray(config.features[0], self.embedding[...][species])
        for convolution, skip in zip(self.convolutions, self.skips, strict=True):
            x = irr.gate(convolution(x, harmonics, radial, edges) + skip(x), even_act=self.act, even_gate_act=self.act)
        scales = jnp.asarray(config.scales, vectors.dtype)
        return self.readout(x.array)[:, 0] * scales[species]


def read(path: Path) -> tuple[Any, dict[str, Any]]:
    """Return a function that makes the network of a checkpoint, and the parameters of the checkpoint.

    Raises:
        ValueError: the file is not a checkpoint, or of a network that is not supported.
    """
    content = e3nn.read_torch_file(path)
    if not isinstance(content, dict) or not {"config", "model_state_dict"} <= {*content}:
        raise ValueError("it has no config and model_state_dict")
    config, state = content["config"], with_present_names(content["model_state_dict"])
    for name, value in _SUPPORTED.items():
        if config.get(name, value) != value:
            raise ValueError(f"expected {name} = {value!r}, got {config[name]!r}")
    made = configuration(config, state)
    return lambda rngs, dtype: SevenNet(made, rngs=rngs, dtype=dtype), parameters(made, config, state)


def with_present_names(state: StateDict) -> StateDict:
    """Return a state dict in float64, before it is scaled, with the names that modules have since April 2024."""
    earlier = {"EdgeEmbedding": "edge_embedding", "reducing nn": "reduce", "denumerator": "denominator", " ": "_"}

    def present(name: str) -> str:
        for old, new in earlier.items():
            name = name.replace(old, new)
        return name

    return {present(name): np.asarray(array, np.float64) for name, array in state.items()}


def configuration(config: dict[str, Any], state: StateDict) -> SevenNetConfig:
    """Return the configuration of a checkpoint."""
    numbers = sorted(config["_type_map"], key=config["_type_map"].get)
    if [config["_type_map"][z] for z in numbers] != list(range(len(numbers))):
        raise ValueError("the species are not numbered from 0")
    count, interactions = len(numbers), config["num_convolution_layer"]
    if not config["irreps_manual"]:
        raise ValueError("expected irreps_manual, the irreps of the features, got none")
    cutoff, hidden = config["cutoff_function"], config["weight_nn_hidden_neurons"]
    name = cutoff["cutoff_function_name"]
    if name not in ("XPLOR", "poly_cut") or config["radial_basis"]["radial_basis_name"] != "bessel":
        raise ValueError(f"expected the cutoff XPLOR or poly_cut and a bessel basis, got {name!r}")
    shift, scale = (np.broadcast_to(state[f"rescale_atomic_energy.{n}"], count).tolist() for n in ("shift", "scale"))
    denominators = [float(state[f"{i}_convolution.denominator"].item()) for i in range(interactions)]
    return SevenNetConfig(
        elements=tuple(int(z) for z in numbers),
        reference_energies=tuple(shift),
        scales=tuple(scale),
        cutoff=float(config["cutoff"]),
        cutoff_on=float(cutoff["cutoff_on"]) if name == "XPLOR" else None,
        polynomial=int(cutoff.get("poly_cut_p_value", 6)),
        features=tuple(map(irr.Irreps, config["irreps_manual"])),
        lmax=config["lmax_edge"] if config.get("lmax_edge", -1) > 0 else config["lmax"],
        normalize=config.get("_normalize_sph", False),
        neighbors=tuple(d**2 for d in denominators),
        radial=(config["radial_basis"]["bessel_basis_num"], *hidden),
    )


def parameters(made: SevenNetConfig, config: dict[str, Any], state: StateDict) -> dict[str, Any]:
    """Return the parameters of a checkpoint as a tree of names."""
    count, first = len(made.elements), made.features[0]
    tree: dict[str, Any] = {
        "embedding": state["onehot_to_feature_x.linear.weight"].reshape(count, first.dim) / count**0.5,
        "frequencies": state["edge_embedding.basis_function.coeffs"],
        "readout": {
            f"linear_{i}": {"w": state[f"reduce_{name}.linear.weight"].reshape(-1, size)}
            for i, (name, size) in enumerate([("input_to_hidden", made.features[-1].dim // 2), ("hidden_to_energy", 1)])
        },
        "convolutions": {},
        "skips": {},
    }
    version = tuple(int(part) for part in config["version"].split(".")[:2])
    convention = "e3nn" if version >= _SORTED_SINCE else e3nn.convention(state)
    harmonics = irr.Irreps([(1, (l, 1)) for l in range(made.lmax + 1)])
    for i, (before, after) in enumerate(itertools.pairwise(made.features)):
        gated, messages, instructions = gate_irreps(after), *paths(before, harmonics, gate_irreps(after))
        if version >= _SORTED_SINCE:
            instructions = sorted(instructions, key=lambda ins: ins[2])
        network = [state[f"{i}_convolution.weight_nn.layer{k}.weight"] for k in range(len(made.radial))]
        network[-1] = e3nn.uvu_weights(network[-1], before, harmonics, messages, instructions, convention=convention)
        tree["convolutions"][str(i)] = {
            "linear_up": e3nn.linear(state, f"{i}_self_interaction_1.linear", before, before).params,
            "multi_layer_perceptron": {f"linear_{k}": {"w": w} for k, w in enumerate(network)},
            "linear_down": e3nn.linear(state, f"{i}_self_interaction_2.linear", messages.simplify(), gated).params,
        }
        tree["skips"][str(i)] = e3nn.linear(state, f"{i}_self_connection_intro.linear", before, gated).params
    return tree


def paths(features: irr.Irreps, harmonics: irr.Irreps, keep: irr.Irreps) -> tuple[irr.Irreps, list[tuple[Any, ...]]]:
    """Return the irreps of the messages, sorted, and the instructions of e3nn in the order of the inputs."""
    found = [
        (i, j, mul, ir)
        for i, (mul, ir1) in enumerate(features)
        for j, (_, ir2) in enumerate(harmonics)
        for ir in ir1 * ir2
        if ir in keep
    ]
    order = sorted(range(len(found)), key=lambda n: found[n][3].l)
    messages = irr.Irreps([found[n][2:] for n in order])
    return messages, [(i, j, order.index(n), "uvu", True) for n, (i, j, _, _) in enumerate(found)]
