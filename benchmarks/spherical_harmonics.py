"""Spherical harmonics of many vectors: values, and values with a vector-Jacobian product, beside the peers.

    python benchmarks/spherical_harmonics.py [--vectors 100000] [--lmax 3 6 10] [--repeat 30]

The libraries take turns, so that what else the machine does falls on all of them alike. README.md says how to read the
table. Peers that are not installed are left out.
"""

import argparse
import functools
from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np
import report
from side_by_side import OURS, Candidate, Comparison, optional
from workloads.derivatives import value_and_pullback

import irreps_ops as io


def peers(lmax: int) -> dict[str, Callable[[jax.Array], jax.Array]]:
    """Functions of vectors (N, 3) that give solid harmonics (N, (lmax+1)²), each with its own normalization."""
    degrees = list(range(lmax + 1))
    functions = {OURS: lambda v: io.sh(degrees, v, False)}
    if e3nn := optional("e3nn_jax"):
        functions["e3nn-jax"] = lambda v: e3nn.sh(degrees, v, False)
    if sphericart := optional("sphericart.jax"):
        functions["sphericart-jax"] = functools.partial(sphericart.solid_harmonics, l_max=lmax)
    if e3x := optional("e3x"):
        functions["e3x"] = lambda v: e3x.so3.solid_harmonics(v, max_degree=lmax)
    return functions


def comparisons(v: jax.Array, lmax: int) -> list[Comparison]:
    functions = peers(lmax)
    normal = np.random.default_rng(1).normal(size=(len(v), (lmax + 1) ** 2))
    cotangent = jnp.asarray(normal, jnp.float32)
    values = {name: Candidate(f, (v,)) for name, f in functions.items()}
    both = {name: Candidate(value_and_pullback(f), (cotangent, v)) for name, f in functions.items()}
    tasks = {"value": values, "value and gradient": both}
    return [Comparison(f"lmax {lmax}", task, c, tolerance=None) for task, c in tasks.items()]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--vectors", type=int, default=100_000)
    parser.add_argument("--lmax", type=int, nargs="+", default=[3, 6, 10])
    parser.add_argument("--repeat", type=int, default=30)
    options = parser.parse_args()
    v = jnp.asarray(np.random.default_rng(0).normal(size=(options.vectors, 3)), jnp.float32)
    report.measure((c for lmax in options.lmax for c in comparisons(v, lmax)), options.repeat)


if __name__ == "__main__":
    main()
