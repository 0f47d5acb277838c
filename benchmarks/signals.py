"""Benchmark of transforms between coefficients and values on the sphere against e3nn-jax, cold start included.

    python benchmarks/signals.py [--lmax 2 6 20] [--batch 32] [--repeat 30]

README.md describes the table. e3nn-jax is left out if it is not installed.
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

import irreps_ops as irr

COLD = """
import time
import jax.numpy as jnp
import {module} as module
from {module} import IrrepsArray
x = IrrepsArray(module.s2_irreps(20), jnp.ones(441))
start = time.perf_counter()
module.to_s2grid(x, 42, 41, quadrature="soft").grid_values.block_until_ready()
print(time.perf_counter() - start)
"""


def first_calls() -> None:
    """Print the time of the first call of `to_s2grid` in a fresh process."""
    for module in ("irreps_ops", "e3nn_jax"):
        if importlib.util.find_spec(module):
            code = COLD.format(module=module)
            runs = [float(subprocess.check_output([sys.executable, "-W", "ignore", "-c", code])) for _ in range(3)]
            print(f"to_s2grid of degree 20, first call, {module:12} {min(runs):8.3f} s", flush=True)


def comparisons(lmax: int, batch: int) -> list[Comparison]:
    """Return comparisons of the transforms in both directions."""
    irreps, grid = irr.s2_irreps(lmax), (2 * lmax + 2, 2 * lmax + 1)
    rng = np.random.default_rng(lmax)
    x = jnp.asarray(rng.normal(size=(batch, irreps.dim)), jnp.float32)
    f = jnp.asarray(rng.normal(size=(batch, *grid)), jnp.float32)
    libraries = {OURS: (irr, irr.IrrepsArray)}
    if e3nn := optional("e3nn_jax"):
        libraries["e3nn-jax"] = (e3nn, e3nn.IrrepsArray)
    measures = {"to": {}, "from": {}, "to and gradient": {}}
    for name, (module, array) in libraries.items():

        def to(x: jax.Array, module=module, array=array) -> jax.Array:
            return module.to_s2grid(array(str(irreps), x), *grid, quadrature="soft").grid_values

        def back(f: jax.Array, module=module) -> jax.Array:
            return module.from_s2grid(module.SphericalSignal(f, "soft"), str(irreps)).array

        measures["to"][name] = Candidate(to, (x,))
        measures["from"][name] = Candidate(back, (f,))
        measures["to and gradient"][name] = Candidate(value_and_pullback(to), (f, x))
    return [Comparison(f"lmax {lmax}", measure, candidates) for measure, candidates in measures.items()]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--lmax", type=int, nargs="+", default=[2, 6, 20])
    parser.add_argument("--batch", type=int, default=32)
    parser.add_argument("--repeat", type=int, default=30)
    options = parser.parse_args()
    first_calls()
    report.run_all((c for lmax in options.lmax for c in comparisons(lmax, options.batch)), options.repeat)


if __name__ == "__main__":
    main()
