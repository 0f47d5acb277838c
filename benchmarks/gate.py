"""Benchmark of the gate: values, and values with a vector-Jacobian product, against e3nn-jax.

    python benchmarks/gate.py [--batch 20000] [--channels 64] [--repeat 100]

The libraries take turns, so that other load on the machine affects all of them alike. README.md describes the table.
"""

import argparse
from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np
import report
from side_by_side import OURS, Candidate, Comparison, optional
from workloads.derivatives import value_and_pullback

import irreps_ops as irr


def gates(irreps: str) -> dict[str, Callable[[jax.Array], jax.Array]]:
    """Return the gate of each library, as a function of plain arrays."""
    functions = {OURS: lambda a: irr.gate(irr.IrrepsArray(irreps, a)).array}
    if e3nn := optional("e3nn_jax"):
        functions["e3nn-jax"] = lambda a: e3nn.gate(e3nn.IrrepsArray(irreps, a)).array
    return functions


def comparisons(batch: int, channels: int) -> list[Comparison]:
    """Return comparisons of the gate whose output is channels x (0e + 1o + 2e)."""
    irreps = f"{3 * channels}x0e + {channels}x1o + {channels}x2e"
    rng = np.random.default_rng(0)
    x = jnp.asarray(rng.normal(size=(batch, irr.Irreps(irreps).dim)), jnp.float32)
    cotangent = jnp.asarray(rng.normal(size=(batch, irr.gate(irreps).dim)), jnp.float32)
    functions = gates(irreps)
    values = {name: Candidate(f, (x,)) for name, f in functions.items()}
    both = {name: Candidate(value_and_pullback(f), (cotangent, x)) for name, f in functions.items()}
    return [Comparison("gate", "value", values), Comparison("gate", "value and gradient", both)]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--batch", type=int, default=20_000)
    parser.add_argument("--channels", type=int, default=64)
    parser.add_argument("--repeat", type=int, default=100)
    options = parser.parse_args()
    report.run_all(comparisons(options.batch, options.channels), options.repeat)


if __name__ == "__main__":
    main()
