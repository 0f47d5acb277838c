"""Makes golden pairs with PyTorch's e3nn: modules, their state dicts, inputs and outputs, in float64.

Needs torch and e3nn, each version in an environment of its own:

    python make_e3nn_torch.py                                            # e3nn 0.6.0, writes e3nn_torch.npz
    TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD=1 python make_e3nn_torch.py         # e3nn 0.4.4, writes e3nn_torch_0.4.npz

A file has two arrays: `cases`, JSON, and `values`, all numbers one after the other. Each case is a module as it is made
here, and its arrays: the state dict under the prefix "net.m", inputs, the output, and what training did to the state.
"""

import json
import zlib
from pathlib import Path
from typing import Any

import e3nn
import numpy as np
import torch
from e3nn import nn, o3

HERE = Path(__file__).parent
ROWS = 3
ACTS = {
    "silu": torch.nn.functional.silu,
    "tanh": torch.tanh,
    "sigmoid": torch.sigmoid,
    "relu": torch.relu,
    "abs": torch.abs,
}
CLASSES = {
    "linear": o3.Linear,
    "tensor_product": o3.TensorProduct,
    "fully_connected_tensor_product": o3.FullyConnectedTensorProduct,
    "elementwise_tensor_product": o3.ElementwiseTensorProduct,
    "full_tensor_product": o3.FullTensorProduct,
    "tensor_square": o3.TensorSquare,
    "fully_connected_net": nn.FullyConnectedNet,
    "gate": nn.Gate,
    "batch_norm": nn.BatchNorm,
    "norm_activation": nn.NormActivation,
}

# For each connection mode a product with paths of every kind: scalars, the cross product, degrees whose coefficients
# have other signs in 0.4.
MODES = {
    "uvw": ("2x0e+3x1o+2x2e", "2x1o+0e+2e", "2x0e+3x1o+2x1e+2e+2x2o"),
    "uvu": ("3x0e+3x1o+3x2e", "2x1o+0e+2e", "3x0e+3x1o+3x1e+3x2e+3x2o"),
    "uvv": ("2x0e+3x1o+2e", "2x1o+2x0e+2x2e", "2x0e+2x1o+2x1e+2x2e+2x2o"),
    "uuw": ("3x0e+3x1o+3x2e", "3x1o+3x0e+3x2e", "2x0e+3x1o+2x1e+2e+2x2o"),
    "uuu": ("3x0e+3x1o+3x2e", "3x1o+3x0e+3x2e", "3x0e+3x1o+3x1e+3x2e+3x2o"),
    "uvuv": ("2x0e+2x1o+2x2e", "3x1o+3x0e+3x2e", "6x0e+6x1o+6x1e+6x2e+6x2o"),
    "uvu<v": ("4x0e+4x1o+4x2e", "4x1o+4x0e+4x2e", "6x0e+6x1o+6x1e+6x2e+6x2o"),
    "u<vw": ("4x0e+4x1o+4x2e", "4x1o+4x0e+4x2e", "2x0e+3x1o+2x1e+2e+2x2o"),
}
# uuw without weights needs one output.
PLAIN = {mode: MODES[mode] for mode in ("uvu", "uvv", "uuu", "uvuv", "uvu<v")}
PLAIN["uuw"] = ("3x0e+3x1o+3x2e", "3x1o+3x0e+3x2e", "0e+1o+1e+2e+2o")
VARIANCES = {"in1_var": [2.0, 0.5, 1.5], "in2_var": [0.25, 3.0, 1.0], "out_var": [1.0, 2.0, 0.5, 3.0, 1.5]}
# The options of each mode, in turn.
OPTIONS: list[dict[str, Any]] = [
    {},
    {"path_normalization": "path", **VARIANCES},
    {"irrep_normalization": "norm", "path_normalization": "none", **VARIANCES},
    {"irrep_normalization": "none", "in1_var": VARIANCES["in1_var"]},
    {"irrep_normalization": "norm", "out_var": VARIANCES["out_var"]},
    {"path_normalization": "none"},
    {"irrep_normalization": "none", "path_normalization": "path"},
    {"irrep_normalization": "norm", "path_normalization": "path"},
]


EXTERNAL = {"internal_weights": False, "shared_weights": False}


def paths(irreps: tuple[str, str, str], mode: str, has_weight: bool) -> list[tuple[Any, ...]]:
    """All paths; every third has a factor."""
    in1, in2, out = (o3.Irreps(i) for i in irreps)
    found = [
        (a, b, c, mode, has_weight)
        for a, (_, ir1) in enumerate(in1)
        for b, (_, ir2) in enumerate(in2)
        for c, (_, ir) in enumerate(out)
        if ir in ir1 * ir2
    ]
    return [(*ins, 0.5 + n) if n % 3 == 2 else ins for n, ins in enumerate(found)]


def products() -> dict[str, tuple[str, list[Any], dict[str, Any]]]:
    """Tensor products with instructions."""
    found = {}
    for n, (mode, irreps) in enumerate(MODES.items()):
        found[f"{mode}, weights"] = ("tensor_product", [*irreps, paths(irreps, mode, True)], OPTIONS[n])
    for n, (mode, irreps) in enumerate(PLAIN.items()):
        found[f"{mode}, no weights"] = ("tensor_product", [*irreps, paths(irreps, mode, False)], OPTIONS[-n])
    found["uvu, weights of each row"] = ("tensor_product", [*MODES["uvu"], paths(MODES["uvu"], "uvu", True)], EXTERNAL)
    shared = {"internal_weights": False, "shared_weights": True}
    found["uvw, weights from outside"] = ("tensor_product", [*MODES["uvw"], paths(MODES["uvw"], "uvw", True)], shared)
    mixed = [
        (0, 0, 0, "uvu", True),
        (0, 0, 0, "uuu", True, 2.0),
        (0, 0, 0, "uvu", True, 0.5),
        (0, 0, 1, "uuu", False),
        (1, 0, 2, "uvv", True),
    ]
    found["modes mixed"] = ("tensor_product", ["2x1o+0e", "2x1o+1e", "2x0e+2x1e+2x1o+2e", mixed], {})
    return found


A, B, C = "2x0e+1o+3x0e+2x1o", "1o+2x0e+2e", "2x0e+0e+2x1o+1e+2e+2x2o"
NEW: dict[str, tuple[str, list[Any], dict[str, Any]]] = {
    "linear": ("linear", ["2x0e+1o+0e+3x1o", "4x0e+2x1o+2e"], {"biases": True}),
    "linear, by path": ("linear", ["2x0e+1o+3x0e", "2x0e+2x1o+3x0e"], {"path_normalization": "path"}),
    "linear, instructions": (
        "linear",
        ["2x0e+1o+3x0e", "2x0e+2x1o+3x0e"],
        {"instructions": [(2, 0), (0, 2), (1, 1)], "biases": [False, False, True]},
    ),
    "linear, twice": (
        "linear",
        ["2x0e+3x0e", "2x0e"],
        {"instructions": [(0, 0), (1, 0), (0, 0)], "path_normalization": "path"},
    ),
    "linear, channels": ("linear", ["2x0e+1o+0e", "2x0e+2x1o"], {"f_in": 2, "f_out": 3, "biases": True}),
    "linear, channels by path": ("linear", ["2x0e+0e", "0e"], {"f_in": 2, "f_out": 3, "path_normalization": "path"}),
    "linear, weights of each row": ("linear", ["2x0e+1o", "0e+2x1o"], EXTERNAL),
    **products(),
    "fully connected": ("fully_connected_tensor_product", [A, B, C], {}),
    "fully connected, by path": (
        "fully_connected_tensor_product",
        [A, B, C],
        {"path_normalization": "path", "irrep_normalization": "norm"},
    ),
    "fully connected, not normalized": (
        "fully_connected_tensor_product",
        [A, B, C],
        {"path_normalization": "none", "in1_var": [1.0, 2.0, 3.0, 0.5], "out_var": [1.0, 2.0, 3.0, 0.5, 1.0, 2.0]},
    ),
    "elementwise": ("elementwise_tensor_product", ["3x1o+2x2e", "2x0e+2x1o+0o"], {}),
    "elementwise, filtered": (
        "elementwise_tensor_product",
        ["3x1o", "2x1o+2e"],
        {"filter_ir_out": ["0e", "1o"], "irrep_normalization": "norm"},
    ),
    "full": ("full_tensor_product", ["2x1o+2e+0o", "2x1o+2x2e"], {}),
    "full, filtered": (
        "full_tensor_product",
        ["2x1o+2e+0o", "1o+2x2e"],
        {"filter_ir_out": ["0e", "1o", "2o"], "irrep_normalization": "norm"},
    ),
    "square": ("tensor_square", ["3x1o+2x2e+0e"], {}),
    "square, norm": (
        "tensor_square",
        ["2x1o+2e"],
        {"irrep_normalization": "norm", "filter_ir_out": ["0e", "2e"]},
    ),
    "square, weights": ("tensor_square", ["3x1o+2x2e+0e", "2x0e+1o+2x2e+1e"], {}),
    "square, weights, norm": ("tensor_square", ["2x1o+2e", "2x0e+2e"], {"irrep_normalization": "norm"}),
    "net": ("fully_connected_net", [[3, 5, 4]], {"act": "silu"}),
    "net, variances": ("fully_connected_net", [[3, 5, 4]], {"act": "tanh", "variance_in": 2.0, "variance_out": 3.0}),
    "net, activated": ("fully_connected_net", [[3, 4]], {"act": "relu", "variance_out": 3.0, "out_act": True}),
    "net, linear": ("fully_connected_net", [[3, 4, 2]], {}),
    "gate": ("gate", ["3x0e+2x0o", ["silu", "tanh"], "2x0e+0o+2x0e", ["sigmoid", "tanh", "sigmoid"], "2x1o+3x2e"], {}),
    "gate, scalars": ("gate", ["2x0o+0e+0e", ["abs", "silu", None], "", [], ""], {}),
    "gate, order": ("gate", ["0e", ["tanh"], "3x0o", ["tanh"], "1e+0o+1o"], {}),
    "batch norm": ("batch_norm", ["2x0e+0o+2x1o+0e"], {}),
    "batch norm, options": (
        "batch_norm",
        ["2x0e+0o+2x1o+0e"],
        {"eps": 0.1, "momentum": 0.3, "reduce": "max", "normalization": "norm"},
    ),
    "batch norm, not affine": ("batch_norm", ["0e+1o"], {"affine": False}),
    "batch norm, no bias": ("batch_norm", ["0e+1o"], {"include_bias": False}),
    "batch norm, instance": ("batch_norm", ["2x0e+1o"], {"instance": True}),
    "norm activation": ("norm_activation", ["2x0e+2x1o", "sigmoid"], {"bias": True}),
    "norm activation, epsilon": ("norm_activation", ["0o+1o", "silu"], {"epsilon": 0.5}),
}
OLD_NAMES = ["linear", "uvw, weights", "uvu, no weights", "uvu, weights of each row", "fully connected"]
OLD_NAMES += ["elementwise", "full", "square, weights", "net", "gate"]
OLD = {name: NEW[name] for name in OLD_NAMES}


def module_of(kind: str, args: list[Any], options: dict[str, Any]) -> torch.nn.Module:
    """The module, its functions by their names."""

    def real(value: Any) -> Any:
        if isinstance(value, str) and value in ACTS:
            return ACTS[value]
        if isinstance(value, list) and any(isinstance(v, str) and v in ACTS for v in value):
            return [v and ACTS[v] for v in value]
        return value

    args = [real(value) for value in args]
    if kind in ("norm_activation", "batch_norm"):
        args[0] = o3.Irreps(args[0])
    return CLASSES[kind](*args, **{key: real(value) for key, value in options.items()})


def coarse(generator: np.random.Generator, *shape: int) -> np.ndarray:
    """Normal numbers, rounded, which takes little room in a file."""
    return np.round(generator.normal(size=shape) * 8) / 8


def inputs_of(kind: str, args: list[Any], options: dict[str, Any], module: Any, generator: Any) -> list[np.ndarray]:
    """Of the module's own order: data, then weights."""
    if kind == "fully_connected_net":
        return [coarse(generator, ROWS, args[0][0])]
    if kind == "batch_norm":
        return [coarse(generator, 4, 5, module.irreps.dim)]
    if kind == "linear":
        channels = (options["f_in"],) if "f_in" in options else ()
        found = [coarse(generator, ROWS, *channels, module.irreps_in.dim)]
    elif kind in ("gate", "norm_activation", "tensor_square"):
        found = [coarse(generator, ROWS, module.irreps_in.dim)]
    else:
        found = [coarse(generator, ROWS, irreps.dim) for irreps in (module.irreps_in1, module.irreps_in2)]
    if options.get("internal_weights") is False:
        rows = () if options["shared_weights"] else (ROWS,)
        found.append(coarse(generator, *rows, module.weight_numel))
    return found


def made(name: str, kind: str, args: list[Any], options: dict[str, Any]) -> dict[str, np.ndarray]:
    """The arrays of a case."""
    generator = np.random.default_rng(zlib.crc32(name.encode()))
    module = module_of(kind, args, options)
    with torch.no_grad():
        for key, value in module.named_parameters():
            shift = 2 if kind == "batch_norm" and key == "weight" else 0
            value[:] = torch.tensor(coarse(generator, *value.shape) + shift)
        for key, value in module.named_buffers():
            if key.startswith("running"):
                value[:] = torch.tensor(coarse(generator, *value.shape)) ** 2 + 0.5
        inputs = inputs_of(kind, args, options, module, generator)
        tensors = [torch.tensor(x) for x in inputs]
        state = torch.nn.ModuleDict({"net": torch.nn.ModuleDict({"m": module})}).state_dict()
        arrays = {f"state {key}": value.numpy().copy() for key, value in state.items()}
        arrays |= {f"in {n}": x for n, x in enumerate(inputs)}
        module.eval()
        arrays["out"] = module(*tensors).numpy()
        if kind == "batch_norm":
            module.train()
            arrays["out, training"] = module(*tensors).numpy()
            arrays |= {f"then {key}": value.numpy().copy() for key, value in module.named_buffers()}
    return arrays


def main() -> None:
    """Write the file of this version of e3nn."""
    torch.set_default_dtype(torch.float64)
    old = e3nn.__version__.startswith("0.4")
    cases, values = [], []
    for name, (kind, args, options) in (OLD if old else NEW).items():
        arrays = made(name, kind, args, options)
        shapes = {key: value.shape for key, value in arrays.items()}
        cases.append({"name": name, "kind": kind, "args": args, "options": options, "arrays": shapes})
        values += [np.asarray(value, np.float64).ravel() for value in arrays.values()]
    header = json.dumps({"e3nn": e3nn.__version__, "torch": torch.__version__, "cases": cases})
    file = HERE / ("e3nn_torch_0.4.npz" if old else "e3nn_torch.npz")
    np.savez_compressed(file, cases=np.frombuffer(header.encode(), np.uint8), values=np.concatenate(values))


if __name__ == "__main__":
    main()
