"""Coefficients to values on the sphere and back, beside e3nn-jax; and the first call in a fresh process.

    python benchmarks/signals.py [--lmax 2 6 20] [--batch 32] [--repeat 30]

README.md says how to read the table. e3nn-jax is left out where it is not installed.
"""

import argparse
import importlib.util
import subprocess
import sys

import jax
import jax.numpy as jnp
import numpy as np
import report
from side_by_side import OURS, Candidate, Comparison, optional
from workloads.derivatives import value_and_pullback

import irreps_core as ic
import irreps_ops as irr

COLD = """
import time
import jax.numpy as jnp
import {module} as module
from {arrays} import IrrepsArray
x = IrrepsArray(module.s2_irreps(20), jnp.ones(441))
start = time.perf_counter()
module.to_s2grid(x, 42, 41, quadrature="soft").grid_values.block_until_ready()
print(time.perf_counter() - start)
"""


def first_calls() -> None:
    for module, arrays in (("irreps_ops", "irreps_core"), ("e3nn_jax", "e3nn_jax")):
        if importlib.util.find_spec(module):
            code = COLD.format(module=module, arrays=arrays)
            runs = [float(subprocess.check_output([sys.executable, "-W", "ignore", "-c", code])) for _ in range(3)]
            print(f"to_s2grid of degree 20, first call, {module:12} {min(runs):8.3f} s", flush=True)


def comparisons(lmax: int, batch: int) -> list[Comparison]:
    irreps, grid = irr.s2_irreps(lmax), (2 * lmax + 2, 2 * lmax + 1)
    rng = np.random.default_rng(lmax)
    x = jnp.asarray(rng.normal(size=(batch, irreps.dim)), jnp.float32)
    f = jnp.asarray(rng.normal(size=(batch, *grid)), jnp.float32)
    libraries = {OURS: (irr, ic.IrrepsArray)}
    if e3nn := optional("e3nn_jax"):
        libraries["e3nn-jax"] = (e3nn, e3nn.IrrepsArray)
    tasks = {"to": {}, "from": {}, "to and gradient": {}}
    for name, (module, array) in libraries.items():

        def to(x: jax.Array, module=module, array=array) -> jax.Array:
            return module.to_s2grid(array(str(irreps), x), *grid, quadrature="soft").grid_values

        def back(f: jax.Array, module=module) -> jax.Array:
            return module.from_s2grid(module.SphericalSignal(f, "soft"), str(irreps)).array

        tasks["to"][name] = Candidate(to, (x,))
        tasks["from"][name] = Candidate(back, (f,))
        tasks["to and gradient"][name] = Candidate(value_and_pullback(to), (f, x))
    return [Comparison(f"lmax {lmax}", task, candidates) for task, candidates in tasks.items()]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--lmax", type=int, nargs="+", default=[2, 6, 20])
    parser.add_argument("--batch", type=int, default=32)
    parser.add_argument("--repeat", type=int, default=30)
    options = parser.parse_args()
    first_calls()
    report.measure((c for lmax in options.lmax for c in comparisons(lmax, options.batch)), options.repeat)


if __name__ == "__main__":
    main()
