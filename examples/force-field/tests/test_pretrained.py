"""Public models: small ones against the modules of e3nn that they were trained with; published ones, where they are.

The files of SevenNet are those of its wheel (uv sync --group pretrained); the variable IRREPS_NEQUIX names that of
Nequix MP-1.
"""

import io
import itertools
import json
import os
import pickle
import zipfile
from collections.abc import Callable
from importlib import metadata
from pathlib import Path
from typing import Any

import ase.io
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk

import irreps_core as ic
import irreps_ops as irr
from force_field import commands
from force_field.calculator import ForceFieldCalculator
from force_field.cli import main
from force_field.data import DataError
from force_field.export import loader
from force_field.graphs import Bucket, pad, to_graph
from force_field.pretrained import PretrainedError, load, recognize
from irreps_compat import e3nn

WATER = Atoms("OH2", positions=[[0, 0.2, 0.12], [0.1, 0.76, -0.48], [0, -0.76, -0.48]])
NUMBERS = {8: 0, 1: 1, 6: 2}  # the species of an element
SENDERS, RECEIVERS = np.array([(j, i) for i in range(3) for j in range(3) if i != j]).T
FEATURES = ("4x0e", "4x0e+2x1e+1x2e", "4x0e")
GATED = ("7x0e+2x1e+1x2e", "4x0e")
CONFIG: dict[str, Any] = {
    "_type_map": NUMBERS,
    "irreps_manual": list(FEATURES),
    "lmax": 2,
    "radial_basis": {"radial_basis_name": "bessel", "bessel_basis_num": 3},
    "cutoff_function": {"cutoff_function_name": "XPLOR", "cutoff_on": 1.2},
    "cutoff": 2.0,
    "num_convolution_layer": 2,
    "weight_nn_hidden_neurons": [5],
    "self_connection_type": "linear",
    "is_parity": False,
}


def mid_irreps(before: str, after: str, by_output: bool) -> tuple[irr.Irreps, list[tuple[Any, ...]]]:
    """The paths of a convolution of SevenNet: all that lead to irreps of the output, sorted by degree."""
    first = irr.Irreps(before)
    found = [
        (i, j, (mul, ir))
        for i, (mul, one) in enumerate(first)
        for j in range(3)
        for ir in one * irr.Irreps("0e+1e+2e")[j].ir
        if ir in irr.Irreps(after)
    ]
    places = np.argsort([ir.l for _, _, (_, ir) in found], kind="stable").tolist()
    mid = irr.Irreps([found[n][2] for n in places])
    instructions = [(i, j, places.index(n), "uvu", True) for n, (i, j, _) in enumerate(found)]
    return mid, sorted(instructions, key=lambda ins: ins[2]) if by_output else instructions


def small_sevennet(convention: str, by_output: bool) -> dict[str, np.ndarray]:
    """A random state dict."""
    rng = np.random.default_rng(0)

    def linear(name: str, before: Any, after: Any) -> None:
        count = irr.FunctionalLinear(before, after).num_weights
        state[f"{name}.linear.weight"] = rng.normal(size=count)

    state: dict[str, np.ndarray] = {"edge_embedding.basis_function.coeffs": np.array([1.5, 3.0, 5.0])}
    linear("onehot_to_feature_x", "3x0e", FEATURES[0])
    for i, gated in enumerate(GATED):
        mid, instructions = mid_irreps(FEATURES[i], gated, by_output)
        product = irr.FunctionalTensorProduct(FEATURES[i], "0e+1e+2e", mid, instructions)
        linear(f"{i}_self_connection_intro", FEATURES[i], gated)
        linear(f"{i}_self_interaction_1", FEATURES[i], FEATURES[i])
        linear(f"{i}_self_interaction_2", mid.simplify(), gated)
        state[f"{i}_convolution.denominator"] = np.array([1.7 + i])
        state[f"{i}_convolution.weight_nn.layer0.weight"] = rng.normal(size=(3, 5))
        state[f"{i}_convolution.weight_nn.layer1.weight"] = rng.normal(size=(5, product.num_weights))
        for ls in itertools.product((1, 2), repeat=3) if i else []:
            coefficients = ic.clebsch_gordan_sign(convention, *ls) * ic.clebsch_gordan(*ls)
            state["{}_convolution.convolution._compiled_main_left_right._w3j_{}_{}_{}".format(i, *ls)] = coefficients
    linear("reduce_input_to_hidden", FEATURES[-1], "2x0e")
    linear("reduce_hidden_to_energy", "2x0e", "0e")
    state["rescale_atomic_energy.shift"] = np.array([-3.0, -1.0, -2.0])
    state["rescale_atomic_energy.scale"] = np.array([0.5, 2.0, 1.5])
    return state


def by_modules_of_e3nn(state: dict[str, np.ndarray], config: dict[str, Any], by_output: bool, convention: str) -> Any:
    """The energies of the atoms of water, from converted modules of e3nn, whose outputs are those of e3nn."""

    def linear(name: str, before: Any, after: Any, x: irr.IrrepsArray) -> irr.IrrepsArray:
        return irr.apply(*e3nn.linear(state, f"{name}.linear", before, after), x)

    species = np.array([NUMBERS[z] for z in WATER.numbers.tolist()])
    vectors = irr.IrrepsArray("1e", jnp.asarray(WATER.positions[SENDERS] - WATER.positions[RECEIVERS]))
    r = np.linalg.norm(WATER.positions[SENDERS] - WATER.positions[RECEIVERS], axis=1)
    u = r / 2.0
    if config["cutoff_function"]["cutoff_function_name"] == "XPLOR":
        envelope = np.where(r < 1.2, 1, (4 - r**2) ** 2 * (4 + 2 * r**2 - 3 * 1.44) / (4 - 1.44) ** 3)
    else:
        envelope = 1 - 28 * u**6 + 48 * u**7 - 21 * u**8
    basis = 2 / 2.0 * np.sin(state["edge_embedding.basis_function.coeffs"] * r[:, None]) / r[:, None]
    normalize = config.get("_normalize_sph", False)
    harmonics = irr.spherical_harmonics("0e+1e+2e", vectors, normalize=normalize)
    one_hot = irr.IrrepsArray("3x0e", jnp.eye(3)[species])
    x = linear("onehot_to_feature_x", "3x0e", FEATURES[0], one_hot)
    for i, gated in enumerate(GATED):
        before, after = irr.Irreps(FEATURES[i]), irr.Irreps(FEATURES[i + 1])
        skip = linear(f"{i}_self_connection_intro", before, gated, x)
        x = linear(f"{i}_self_interaction_1", before, before, x)
        sizes = [3, 5, state[f"{i}_convolution.weight_nn.layer1.weight"].shape[1]]
        network = e3nn.fully_connected_net(state, f"{i}_convolution.weight_nn", sizes, jax.nn.silu)
        weights = irr.apply(*network, jnp.asarray(basis * envelope[:, None]))
        mid, instructions = mid_irreps(FEATURES[i], gated, by_output)
        options: Any = {"internal_weights": False, "convention": convention}
        layer, _ = e3nn.tensor_product({}, "", before, "0e+1e+2e", mid, instructions, **options)
        messages = jax.vmap(lambda *operands, layer=layer: irr.apply(layer, {}, *operands))(
            weights, x[SENDERS], harmonics
        )
        summed = irr.scatter_sum(messages, dst=RECEIVERS, output_size=3) / state[f"{i}_convolution.denominator"].item()
        x = linear(f"{i}_self_interaction_2", mid.simplify(), gated, summed.rechunk(mid.simplify())) + skip
        gates = irr.Irreps([(mul, "0e") for mul, ir in after if ir.l > 0])
        acts = [jax.nn.silu], [jax.nn.silu] * len(gates)
        layer, _ = e3nn.gate({}, "", after.filter("0e"), acts[0], gates, acts[1], after.filter(drop="0e"))
        x = irr.apply(layer, {}, x)
    x = linear("reduce_hidden_to_energy", "2x0e", "0e", linear("reduce_input_to_hidden", FEATURES[-1], "2x0e", x))
    shift, scale = (state[f"rescale_atomic_energy.{name}"][species] for name in ("shift", "scale"))
    return x.array[:, 0] * scale + shift


def energies_of(path: Path) -> np.ndarray:
    """The energies of the atoms of water."""
    model = load(path)
    graph = to_graph(WATER, model.elements, model.cutoff)
    batch = pad([graph], Bucket(1, 3, len(graph.senders)), np.float64)
    vectors = irr.edge_vectors(batch.nodes.positions, batch.senders, batch.receivers)
    energies = jax.jit(model)(batch, vectors)
    return np.asarray(energies) + np.array(model.reference_energies)[graph.nodes.species]


def write(path: Path, config: dict[str, Any], state: dict[str, np.ndarray]) -> None:
    """Write a file like those of torch.save, with NumPy arrays for tensors."""
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        archive.writestr("c/data.pkl", pickle.dumps({"config": config, "model_state_dict": state}, 2))
    path.write_bytes(content.getvalue())


POLYNOMIAL = {"cutoff_function": {"cutoff_function_name": "poly_cut", "poly_cut_p_value": 6}, "_normalize_sph": True}


@pytest.mark.parametrize(
    ("version", "convention", "changes"), [("0.9.1", "e3nn-0.4", {}), ("0.11.0", "e3nn", POLYNOMIAL)]
)
def test_sevennet_computes_what_its_modules_do(
    version: str, convention: str, changes: dict[str, Any], tmp_path: Path
) -> None:
    by_output = version == "0.11.0"
    state, config = small_sevennet(convention, by_output), {**CONFIG, **changes, "version": version}
    names = {"1_convolution.denominator": "1 convolution.denumerator", "edge_embedding.": "EdgeEmbedding."}
    earlier = dict(state)
    for new, old in names.items() if version == "0.9.1" else ():
        earlier = {key.replace(new, old): value for key, value in earlier.items()}
    write(tmp_path / "a.pth", config, earlier)
    expected = jax.jit(lambda: by_modules_of_e3nn(state, config, by_output, convention))()
    np.testing.assert_allclose(energies_of(tmp_path / "a.pth"), expected, rtol=1e-6)


NEQUIX: dict[str, Any] = {
    "atomic_numbers": [1, 8], "cutoff": 2.0, "hidden_irreps": "4x0e + 2x1o", "lmax": 1, "n_layers": 2,
    "radial_basis_size": 3, "radial_mlp_size": 5, "radial_mlp_layers": 1, "radial_polynomial_p": 4.0,
    "avg_n_neighbors": 1.5, "scale": 0.5, "shift": 0.25, "index_weights": False, "layer_norm": True,
}  # fmt: skip


def nequix_leaves() -> list[np.ndarray]:
    """Random parameters of a small network, in the order of its file."""
    rng = np.random.default_rng(0)
    first = [(3, 5), (5, 4), (2, 2), (2, 6), (2, 2), (2, 6), (6,), (2,)]
    second = [(3, 5), (5, 6), (4, 4), (2, 2), (6, 4), (4, 4), (4,)]
    return [rng.normal(size=shape).astype(np.float32) for shape in [(2,), *first, *second, (4, 1)]]


def nequix_file(leaves: list[np.ndarray], **changes: Any) -> bytes:
    file = io.BytesIO()
    file.write(json.dumps({**NEQUIX, **changes}).encode() + b"\n")
    for leaf in leaves:
        np.save(file, leaf)
    return file.getvalue()


def nequix_by_hand(leaves: list[np.ndarray]) -> np.ndarray:
    """The energies of the atoms of water; every linear map of the formulas divides by the root of its inputs."""
    energies, *leaves = (leaf.astype(float) for leaf in leaves)
    species = np.array([[1, 8].index(z) for z in WATER.numbers.tolist()])
    vectors = WATER.positions[SENDERS] - WATER.positions[RECEIVERS]
    r = np.linalg.norm(vectors, axis=1)
    u, k = r / 2.0, np.arange(1, 4) * np.pi
    envelope = 1 - 15 * u**4 + 24 * u**5 - 10 * u**6
    basis = (2 / 2.0) * np.sin(k * u[:, None]) / r[:, None] * envelope[:, None]
    y = 3**0.5 * vectors / r[:, None]

    def silu(x: np.ndarray) -> np.ndarray:
        return x / (1 + np.exp(-x))

    def act(x: np.ndarray) -> np.ndarray:
        return np.asarray(irr.normalize_function(jax.nn.silu)(jnp.asarray(x)))

    def map_(w: np.ndarray, x: np.ndarray) -> np.ndarray:
        return np.einsum("uw,nu...->nw...", w, x) / len(w) ** 0.5

    def summed(messages: np.ndarray) -> np.ndarray:
        total = np.zeros((3, *messages.shape[1:]))
        np.add.at(total, RECEIVERS, messages)
        return total / 1.5**0.5

    w1, w2, up, down0, down1, skip, norm0, norm1 = leaves[:8]
    x = np.eye(2)[species]
    w, sent = silu(basis @ w1) @ w2, map_(up, x)[SENDERS]
    scalars = map_(down0, summed(sent * w[:, :2])) + map_(skip, x)
    vector = map_(down1, summed(sent[:, :, None] * w[:, 2:, None] * y[:, None, :]))
    size = (np.sum(scalars**2, axis=1) + np.sum(vector**2, axis=(1, 2)) / 9) / 2
    scalars, vector = scalars * norm0 / size[:, None] ** 0.5, vector * norm1[:, None] / size[:, None, None] ** 0.5
    scalars, vector = act(scalars[:, :4]), act(scalars[:, 4:])[:, :, None] * vector
    w1, w2, up0, up1, down0, skip, norm0 = leaves[8:15]
    w, sent0, sent1 = silu(basis @ w1) @ w2, map_(up0, scalars)[SENDERS], map_(up1, vector)[SENDERS]
    product = np.concatenate([sent0, np.einsum("eui,ei->eu", sent1, y) / 3**0.5], axis=1)
    scalars = map_(down0, summed(product * w)) + map_(skip, scalars)
    scalars = act(scalars * norm0 / np.mean(np.sum(scalars**2, axis=1, keepdims=True)[:, None], axis=1) ** 0.5)
    return 0.5 * map_(leaves[15], scalars)[:, 0] + 0.25 + energies[species]


def test_nequix_computes_its_formulas(tmp_path: Path) -> None:
    (tmp_path / "a.nqx").write_bytes(nequix_file(nequix_leaves()) + b"\n")
    np.testing.assert_allclose(energies_of(tmp_path / "a.nqx"), nequix_by_hand(nequix_leaves()), rtol=1e-9)


def test_a_public_model_is_used_and_simulated(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    model, data, out = (tmp_path / name for name in ("a.nqx", "water.xyz", "out.xyz"))
    model.write_bytes(nequix_file(nequix_leaves()))
    ase.io.write(data, WATER, format="extxyz")
    divided = ["--atoms-per-part", "2"]
    assert main(["use", "nequix", "--checkpoint", str(model), "--data", str(data), "--out", str(out), *divided]) == 0
    printed = capsys.readouterr().out
    assert "2 elements" in printed
    atoms = ase.io.read(out)
    expected = nequix_by_hand(nequix_leaves()).sum()
    np.testing.assert_allclose(atoms.get_potential_energy(), expected, rtol=1e-7)
    assert f"energy {expected:.6f} eV" in printed
    assert main(["md", str(model), "--data", str(data), "--steps", "2", "--out", str(tmp_path / "md.xyz")]) == 0
    assert "energy drift" in capsys.readouterr().out
    words = ["--data", str(data), "--out", str(tmp_path / "relaxed.xyz")]
    assert main(["relax", str(model), *words, "--optimizer", "bfgs", "--steps", "2"]) == 1
    assert "NOT CONVERGED after 2 steps" in capsys.readouterr().out
    assert main(["phonons", str(model), "--data", str(data), "--out", str(tmp_path / "ph.csv")]) == 0
    assert capsys.readouterr().out.count("1/cm") == 9
    assert len((tmp_path / "ph.csv").read_text().splitlines()) == 2
    assert (tmp_path / "ph.png").read_bytes()[:4] == b"\x89PNG"
    assert main(["phonons", str(model), "--data", str(data), "--supercell", "2", "1", "1"]) == 2
    assert "one cell in directions that are not periodic" in capsys.readouterr().err
    assert main(["export", str(model), "--out", str(tmp_path / "a.program")]) == 0
    program = loader.load(tmp_path / "a.program")
    pairs = loader.neighbors(WATER.positions, WATER.cell.array, WATER.pbc, program.cutoff)
    energies, *_ = program(WATER.numbers, WATER.positions, WATER.cell.array, *pairs)
    np.testing.assert_allclose(energies.sum(), expected, rtol=1e-7)
    monkeypatch.setattr(commands, "equivariance_error", lambda *_: 0.0)  # which would compile it for both dtypes
    assert main(["evaluate", str(model), "--data", str(out), *divided]) == 0
    assert "forces, mean absolute error" in capsys.readouterr().out
    assert main(["md", str(model)]) == 2
    assert "give --data" in capsys.readouterr().err


BAD: dict[str, tuple[bytes, str]] = {
    "text": (b"hello", "is not a model of sevennet or nequix"),
    "empty": (b"", "is not a model of"),
    "half a zip": (b"PK\3\4" + bytes(100), "is not a model of sevennet that is supported"),
    "half a configuration": (b'{"cutoff": 2', "is not a model of nequix that is supported"),
    "no parameters": (nequix_file([]), "no parameters"),
    "missing parameters": (nequix_file(nequix_leaves()[:-1]), "truncated"),
    "half an array": (nequix_file(nequix_leaves())[:-4], "is not a model of nequix"),
    "more parameters": (nequix_file([*nequix_leaves(), np.ones(3, np.float32)]), "more parameters"),
    "other shapes": (nequix_file(nequix_leaves(), hidden_irreps="4x0e + 3x1o"), "truncated"),
    "a wrong shape": (nequix_file([*nequix_leaves()[:-1], np.ones((5, 1), np.float32)]), "belong to another model"),
    "an endless network": (nequix_file(nequix_leaves(), n_layers=10**9), "n_layers from 1 to 100"),
    "no cutoff": (nequix_file(nequix_leaves(), cutoff="far"), "a number for cutoff"),
    "no irreps": (nequix_file(nequix_leaves(), hidden_irreps="many"), "is not a model of nequix"),
    "NaN": (nequix_file([*nequix_leaves()[:-1], np.full((4, 1), np.nan, np.float32)]), "not finite"),
    "objects": (nequix_file([np.array([None])]), "dtype object"),
    "a huge array": (nequix_file([np.ones(2, np.float32)]).replace(b"(2,)", b"(9999999999999,)"), "cannot reshape"),
    "another version of the format": (nequix_file(nequix_leaves()).replace(b"Y\1", b"Y\7"), "an array begins with"),
}  # fmt: skip


@pytest.mark.parametrize("name", BAD)
def test_files_that_are_no_models_are_refused(name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    content, expected = BAD[name]
    path = tmp_path / "model"
    path.write_bytes(content)
    with pytest.raises(PretrainedError, match=str(path)) as caught:
        load(path)
    assert expected in str(caught.value)
    assert main(["use", "nequix", "--checkpoint", str(path)]) == 2
    message = capsys.readouterr().err
    assert message.startswith("force-field use: ")
    assert message.count("\n") == 1


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"is_parity": True}, "is_parity = False"),
        ({"use_modality": True}, "use_modality = False"),
        ({"self_connection_type": "nequip"}, "self_connection_type = 'linear'"),
        ({"irreps_manual": False}, "irreps_manual"),
        ({"cutoff": None}, "is not a model of sevennet"),
    ],
)
def test_other_networks_of_sevennet_are_refused(change: dict[str, Any], expected: str, tmp_path: Path) -> None:
    write(tmp_path / "a.pth", {**CONFIG, "version": "0.9.1", **change}, small_sevennet("e3nn-0.4", False))
    with pytest.raises(PretrainedError) as caught:
        load(tmp_path / "a.pth")
    assert expected in str(caught.value)


def test_own_checkpoints_are_not_taken_for_public_models(tmp_path: Path) -> None:
    for length in (0x227B, 0x4B50):  # whose bytes are those of '{"' and of 'PK'
        (tmp_path / "a").write_bytes(length.to_bytes(8, "little") + b'{"a": 1}')
        assert recognize(tmp_path / "a") is None
    assert recognize(tmp_path) is None
    assert recognize(tmp_path / "none") is None


SALT = Atoms(
    "NaCl",
    positions=[[0, 0, 0], [2.815, 0, 0]],
    cell=[[1, 2.815, 2.815], [2.815, 0, 2.815], [2.815, 2.815, 0]],
    pbc=True,
)
FLAT_WATER = Atoms("OH2", positions=[[0, 0.2, 0.12], [0, 0.76, -0.48], [0, -0.76, -0.48]])
SILICON = bulk("Si", "diamond", a=5.43)
MOVED = SILICON.copy()
MOVED.positions[0] += [0.1, 0.05, -0.05]


def sevennet_file(name: str) -> Path:
    try:
        files = metadata.distribution("sevenn")
    except metadata.PackageNotFoundError:
        pytest.skip("the weights of SevenNet are not installed: uv sync --group pretrained")
    return Path(str(files.locate_file(f"sevenn/pretrained_potentials/{name}")))


def nequix_published(name: str) -> Path:
    if "IRREPS_NEQUIX" not in os.environ:
        pytest.skip(f"the variable IRREPS_NEQUIX does not name the file {name}")
    return Path(os.environ["IRREPS_NEQUIX"])


# Energies, forces and stresses (in the order of ASE) that the tests of the projects publish, in float32.
PUBLISHED: dict[str, tuple[Callable[[str], Path], str, list[tuple[Atoms, float, Any, Any]]]] = {
    "7net-0, 11 July 2024": (sevennet_file, "SevenNet_0__11Jul2024/checkpoint_sevennet_0.pth", [
        (SALT, -3.779199, [12.666697, 0.04726403, 0.04775861],
         [-0.6439122, -0.03643947, -0.03643981, 0.00599139, 0.04544507, 0.04543639]),
        (FLAT_WATER, -12.782808303833008, [0.0, -13.619621, 7.5937047], None),
    ]),
    "7net-0, 22 May 2024": (sevennet_file, "SevenNet_0__22May2024/checkpoint_sevennet_0.pth", [
        (SALT, -3.4140868186950684, [12.628037, 0.0075093508, 0.013480943],
         [-0.65014917, -0.01990843, -0.02000658, 0.00589222, 0.03291973, 0.03286226]),
        (FLAT_WATER, -12.808363914489746, [0.0, -13.0241165, 6.93116236], None),
    ]),
    "7net-l3i5": (sevennet_file, "SevenNet_l3i5/checkpoint_l3i5.pth", [
        (SALT, -3.611131191253662, [13.430887, 0.08655541, 0.08754013],
         [-0.6818918, -0.04104544, -0.04107663, 0.00565416, 0.04793138, 0.04794561]),
        (FLAT_WATER, -12.700481414794922, None, None),
    ]),
    "nequix-mp-1": (nequix_published, "nequix-mp-1.nqx", [
        (SILICON, -10.834069, [0.0, 0.0, 0.0], [-0.026995424] * 3 + [0.0] * 3),
        (MOVED, -10.753344, [-1.1041114, -0.45131257, 0.45131272],
         [-0.025367301, -0.0278149154, -0.0278149098, -0.0241314191, -0.0106064761, 0.0106064798]),
    ]),
}  # fmt: skip


@pytest.mark.parametrize("name", PUBLISHED)
def test_published_energies_forces_and_stresses(name: str) -> None:
    locate, file, values = PUBLISHED[name]
    calculator = ForceFieldCalculator(load(locate(file)))
    for structure, energy, forces, stress in values:
        atoms = structure.copy()
        atoms.calc = calculator
        np.testing.assert_allclose(atoms.get_potential_energy(), energy, rtol=1e-6)
        if forces is not None:
            np.testing.assert_allclose(atoms.get_forces()[0], forces, atol=2e-5)
        if stress is not None:
            np.testing.assert_allclose(atoms.get_stress(), stress, atol=1e-6)
    unknown = Atoms("Og")
    unknown.calc = calculator
    with pytest.raises(DataError, match="Og"):
        unknown.get_potential_energy()
