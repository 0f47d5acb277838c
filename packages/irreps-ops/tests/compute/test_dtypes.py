"""With JAX's float64 switched off, under strict promotion of dtypes: the same results, in float32."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

PROGRAM = """
import jax, jax.numpy as jnp, numpy as np
import irreps_core as ic, irreps_ops as irr

jax.config.update("jax_numpy_dtype_promotion", "strict")
jax.config.update("jax_numpy_rank_promotion", "raise")

# One program, because compiling each operation on its own would take longer.
@jax.jit
def compute(key):
    x, y = ic.normal("2x0e + 1o", key, (3,)), ic.normal("1o", key, (3,))
    results, gradients = [irr.tensor_product(x, y), irr.elementwise_tensor_product(x, x)], []
    for layer, inputs in [
        (irr.Linear("0e + 1o", biases=True), (x,)),
        (irr.Linear("0e + 1o"), (jnp.ones((3, 2)), x)),
        (irr.Linear("0e + 1o", num_indexed_weights=2), (jnp.array([0, 1, 0]), x)),
        (irr.MultiLayerPerceptron([4, 2], jax.nn.silu, with_bias=True), (x.filter("0e"),)),
    ]:
        params = irr.init(layer, key, *inputs)
        results.append(irr.apply(layer, params, *inputs))
        gradients.append(jax.grad(lambda p: jnp.sum(irr.apply(layer, p, *inputs).array))(params))
    # NumPy's float64 is taken as JAX takes it.
    results.append(irr.tensor_product(ic.IrrepsArray("1o", np.ones(3)), y))
    # Large names make large numbers: they must not overflow 32 bits.
    return results, gradients, [irr.bindings.named_key(key, str(i)) for i in range(20)]

results, gradients, keys = compute(jax.random.key(0))
found = [*(r.array for r in results), *jax.tree.leaves(gradients)]
assert len(found) == 7 + 11, len(found)
assert all(a.dtype == jnp.float32 for a in found), [a.dtype for a in found]
assert all(np.isfinite(a).all() for a in found)
assert {k.shape for k in keys} == {()}
"""


@pytest.mark.parametrize("x64", ["0", "1"])
def test_everything_works_whatever_the_default_float(x64, tmp_path):
    program = PROGRAM if x64 == "0" else PROGRAM.replace("jnp.float32", "jnp.float64")
    script = Path(tmp_path) / "program.py"
    script.write_text(program)
    done = subprocess.run(
        [sys.executable, "-W", "error", str(script)],
        env={**os.environ, "JAX_ENABLE_X64": x64, "JAX_DISABLE_MOST_OPTIMIZATIONS": "1"},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
