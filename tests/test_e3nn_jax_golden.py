"""Checkpoints of e3nn-jax, stored in a file, load into the modules of irreps and give the same numbers.

Where e3nn-jax is installed, test_e3nn_jax_checkpoints.py compares with e3nn-jax itself. golden/make_e3nn_jax.py makes
the file.
"""

import json
from functools import partial
from pathlib import Path

import haiku as hk
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import linen

import irreps_core as ic
import irreps_flax.linen
import irreps_haiku

ACTS = {"silu": jax.nn.silu, "tanh": jnp.tanh}
with np.load(Path(__file__).parent / "golden" / "e3nn_jax.npz") as file:
    VALUES, CASES = file["values"], json.loads(str(file["cases"]))


def unpacked(tree):
    if isinstance(tree, list):
        return [unpacked(value) for value in tree]
    if "at" not in tree:
        return {name: unpacked(value) for name, value in tree.items()}
    size = int(np.prod(tree["shape"]))
    array = jnp.asarray(VALUES[tree["at"] :][:size].reshape(tree["shape"]), tree["dtype"])
    return ic.IrrepsArray(tree["irreps"], array) if "irreps" in tree else array


def composed(package, modules):
    """Return a function that applies the modules one after another."""

    def model(*x):
        for name, options in modules:
            given = {key: ACTS.get(value, value) if isinstance(value, str) else value for key, value in options.items()}
            x = (getattr(package, name)(**given)(*x),)
        return x[0]

    return model


def run_haiku(modules, variables, inputs):
    params, state = variables
    f = hk.transform_with_state(composed(irreps_haiku, modules))
    out, new = f.apply(params, state, None, *inputs)
    return out, [params, new]


def run_flax(modules, variables, inputs):
    class Model(linen.Module):
        @linen.compact
        def __call__(self, *x):
            return composed(irreps_flax.linen, modules)(*x)

    out, new = Model().apply(variables, *inputs, mutable=["batch_stats"])
    return out, {**variables, **new}


@pytest.mark.parametrize(
    "case", CASES, ids=lambda case: "-".join([case["framework"], *(name for name, _ in case["modules"])])
)
def test_a_checkpoint_of_e3nn_jax_loads_and_gives_its_numbers(case):
    arrays = {name: unpacked(case[name]) for name in ("inputs", "variables", "output", "after")}
    run = {"haiku": run_haiku, "flax": run_flax}[case["framework"]]
    # Compiled, because each operation would otherwise be compiled on its own.
    found, after = jax.jit(partial(run, case["modules"]))(arrays["variables"], arrays["inputs"])
    expected = arrays["output"]
    if isinstance(expected, ic.IrrepsArray):
        assert found.irreps == expected.irreps
        found, expected = found.array, expected.array
    np.testing.assert_allclose(found, expected, rtol=1e-13, atol=1e-13)
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-13, atol=1e-13), after, arrays["after"])
