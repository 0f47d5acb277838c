"""The gate of many rows: values, and values with a vector-Jacobian product, beside e3nn-jax.

    python benchmarks/gate.py [--rows 20000] [--channels 64] [--repeat 100]

The libraries take turns, so that what else the machine does falls on all of them alike. README.md says how to read the
table.
"""

import argparse
from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np
import report
from side_by_side import OURS, Candidate, Comparison, optional
from workloads.derivatives import value_and_pullback

import irreps_core as ic
import irreps_ops as irr


def gates(irreps: str) -> dict[str, Callable[[jax.Array], jax.Array]]:
    functions = {OURS: lambda a: irr.gate(ic.IrrepsArray(irreps, a)).array}
    if e3nn := optional("e3nn_jax"):
        functions["e3nn-jax"] = lambda a: e3nn.gate(e3nn.IrrepsArray(irreps, a)).array
    return functions


def comparisons(rows: int, channels: int) -> list[Comparison]:
    """The gate whose result is channels x (0e + 1o + 2e)."""
    irreps = f"{3 * channels}x0e + {channels}x1o + {channels}x2e"
    rng = np.random.default_rng(0)
    x = jnp.asarray(rng.normal(size=(rows, ic.Irreps(irreps).dim)), jnp.float32)
    cotangent = jnp.asarray(rng.normal(size=(rows, irr.gate(irreps).dim)), jnp.float32)
    functions = gates(irreps)
    values = {name: Candidate(f, (x,)) for name, f in functions.items()}
    both = {name: Candidate(value_and_pullback(f), (cotangent, x)) for name, f in functions.items()}
    return [Comparison("gate", "value", values), Comparison("gate", "value and gradient", both)]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=20_000)
    parser.add_argument("--channels", type=int, default=64)
    parser.add_argument("--repeat", type=int, default=100)
    options = parser.parse_args()
    report.measure(comparisons(options.rows, options.channels), options.repeat)


if __name__ == "__main__":
    main()
