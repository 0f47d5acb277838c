"""Makes golden checkpoints with e3nn-jax's modules, of haiku and of flax, in float64: ``python make_e3nn_jax.py``.

Needs e3nn-jax (0.21.0), dm-haiku and flax. The file e3nn_jax.npz has two arrays: `cases`, JSON, and `values`, all
numbers one after the other. A case is the framework, the modules of a model one after the other with their options,
its inputs, variables (of haiku: parameters and state) with random values, the output, and the variables after it.
"""

import json
from pathlib import Path
from typing import Any

import e3nn_jax
import e3nn_jax.flax
import e3nn_jax.haiku
import flax.linen
import haiku as hk
import jax
import jax.numpy as jnp
import numpy as np

ACTS = {"silu": jax.nn.silu, "tanh": jnp.tanh}
LINEAR = {"irreps_out": "4x0e + 2e + 2x1o"}
MLP = {"list_neurons": [7, 3], "act": "silu"}
X, Y, SCALARS = ("2x0e + 1o + 0e", 3, 4), ("0e + 1o", 3, 4), ("5x0e", 3)
WEIGHTS, INDICES = 5, [[0, 1, 1, 0], [1, 1, 0, 0], [0, 0, 0, 1]]
STATISTICS = ("3x0e + 2x1o + 0o", 3, 4)
# (modules with their options, inputs): irreps and leading axes, a number of plain features, or indices.
BOTH = [
    ([("Linear", {**LINEAR, "biases": True})], [X]),
    ([("Linear", {**LINEAR, "path_normalization": "path", "gradient_normalization": "element"})], [X]),
    ([("Linear", {**LINEAR, "force_irreps_out": True, "simplify_irreps_internally": False})], [X]),
    ([("Linear", {**LINEAR, "channel_out": 6})], [X]),
    ([("Linear", {**LINEAR, "path_normalization": 0.3, "gradient_normalization": 0.4})], [WEIGHTS, X]),
    ([("Linear", {**LINEAR, "num_indexed_weights": 2, "biases": True})], [INDICES, X]),
    ([("MultiLayerPerceptron", {**MLP, "with_bias": True})], [SCALARS]),
    ([("MultiLayerPerceptron", {**MLP, "gradient_normalization": 0.3, "output_activation": "tanh"})], [SCALARS]),
    ([("BatchNorm", {})], [STATISTICS]),
    # Two modules of a kind: the second is linear_1, or Linear_1.
    ([("Linear", {"irreps_out": "4x0e + 2x1o"}), ("BatchNorm", {}), ("Linear", {"irreps_out": "3x0e"})], [X]),
]
HAIKU = [
    ([("BatchNorm", {"reduce": "max", "normalization": "norm", "momentum": 0.4, "eps": 0.1})], [STATISTICS]),
    ([("BatchNorm", {"instance": True, "irreps": "3x0e + 2x1o + 0o"})], [STATISTICS]),
    ([("FullyConnectedTensorProduct", {"irreps_out": "2x0e + 2x1o + 2e"})], [X, Y]),
    ([("SymmetricTensorProduct", {"orders": [1, 2, 3], "keep_irrep_out": "0e + 1o"})], [("0e + 1o + 2e", 3, 2)]),
]


class Pack:
    """Arrays out of a tree, into one row of numbers; in the tree stays where they are."""

    def __init__(self) -> None:
        self.values: list[np.ndarray] = []
        self.length = 0

    def __call__(self, x: Any) -> Any:
        if isinstance(x, dict):
            return {name: self(value) for name, value in x.items()}
        if isinstance(x, list | tuple):
            return [self(value) for value in x]
        array = np.asarray(getattr(x, "array", x))
        at, self.length = self.length, self.length + array.size
        self.values.append(array.astype(np.float64).ravel())
        irreps = {"irreps": str(x.irreps)} if isinstance(x, e3nn_jax.IrrepsArray) else {}
        return {"at": at, "shape": array.shape, "dtype": str(array.dtype)} | irreps


def made(spec: Any) -> Any:
    if isinstance(spec, list):
        return jnp.array(spec)
    if isinstance(spec, int):
        return made((f"{spec}x0e", 3, 4)).array
    irreps, *shape = spec
    return e3nn_jax.normal(irreps, jax.random.key(7), tuple(shape), dtype=jnp.float64)


def options_of(options: dict[str, Any]) -> dict[str, Any]:
    acts = {name: ACTS[value] for name, value in options.items() if isinstance(value, str) and value in ACTS}
    return {**options, **acts}


def random_like(tree: Any) -> Any:
    """Normal numbers; where there are variances, positive ones."""
    paths, structure = jax.tree_util.tree_flatten_with_path(tree)
    values = [jax.random.normal(jax.random.key(i), leaf.shape, jnp.float64) for i, (_, leaf) in enumerate(paths)]
    names = [str(path[-1].key) for path, _ in paths]
    return structure.unflatten([jnp.exp(v) if "var" in name else v for name, v in zip(names, values, strict=True)])


def by_haiku(modules: list[Any], inputs: list[Any]) -> tuple[Any, Any, Any]:
    def model(*x: Any) -> Any:
        for name, options in modules:
            x = (getattr(e3nn_jax.haiku, name)(**options_of(options))(*x),)
        return x[0]

    f = hk.transform_with_state(model)
    variables = random_like(f.init(jax.random.key(0), *inputs))
    out, state = f.apply(*variables, None, *inputs)
    return variables, out, (variables[0], state)


def by_flax(modules: list[Any], inputs: list[Any]) -> tuple[Any, Any, Any]:
    class Model(flax.linen.Module):
        @flax.linen.compact
        def __call__(self, *x: Any) -> Any:
            for name, options in modules:
                x = (getattr(e3nn_jax.flax, name)(**options_of(options))(*x),)
            return x[0]

    variables = random_like(Model().init(jax.random.key(0), *inputs))
    out, new = Model().apply(variables, *inputs, mutable=["batch_stats"])
    return variables, out, {**variables, **new}


if __name__ == "__main__":
    jax.config.update("jax_enable_x64", True)
    pack, cases = Pack(), []
    for framework, make, table in (("haiku", by_haiku, BOTH + HAIKU), ("flax", by_flax, BOTH)):
        for modules, specs in table:
            inputs = [made(spec) for spec in specs]
            variables, out, after = make(modules, inputs)
            arrays = {"inputs": inputs, "variables": variables, "output": out, "after": after}
            cases.append({"framework": framework, "modules": modules, **pack(arrays)})
    np.savez_compressed(
        Path(__file__).parent / "e3nn_jax.npz", cases=json.dumps(cases), values=np.concatenate(pack.values)
    )
