"""Benchmark of Wigner D matrices of random rotations against e3nn-jax, turn by turn in one process.

uv run --no-default-groups --group peers python benchmarks/wigner_d.py
"""

import argparse
from collections.abc import Callable, Iterator
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import report
from side_by_side import OURS, Candidate, Comparison, optional

from irreps_core import Irreps, angles_to_quaternion, wigner_D_blocks


def natural(lmax: int) -> str:
    """Return the irreps of degrees 0 to lmax, each with the parity of its spherical harmonic."""
    return "+".join(f"{l}{'eo'[l % 2]}" for l in range(lmax + 1))


def functions(lmax: int) -> dict[str, Callable[..., Any]]:
    """Return functions of the three Euler angles by name."""
    ours = Irreps(natural(lmax)).D_from_angles
    degrees = tuple(range(lmax + 1))
    found = {
        OURS: ours,
        f"{OURS}, under vmap": jax.vmap(ours),
        f"{OURS}, list of blocks": lambda a, b, c: wigner_D_blocks(degrees, angles_to_quaternion(a, b, c)),
        # Writing one array of this size is a lower bound for every function that returns it.
        "one array written": lambda a, b, c: jnp.broadcast_to(a[0], (len(a), (lmax + 1) ** 2, (lmax + 1) ** 2)) + 0,
    }
    if e3nn := optional("e3nn_jax"):
        found["e3nn-jax, under vmap"] = jax.vmap(e3nn.Irreps(natural(lmax)).D_from_angles)
    return found


def comparisons(angles: tuple[jax.Array, ...]) -> Iterator[Comparison]:
    """Yield a comparison for each largest degree."""
    for lmax in (6, 11):
        candidates = {name: Candidate(function, angles) for name, function in functions(lmax).items()}
        yield Comparison("Wigner D", f"lmax {lmax}", candidates, reference="e3nn-jax, under vmap", tolerance=None)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--batch", type=int, default=1000)
    parser.add_argument("--repeat", type=int, default=30)
    options = parser.parse_args()
    rng = np.random.default_rng(0)
    angles = tuple(jnp.asarray(rng.uniform(-3, 3, options.batch), jnp.float32) for _ in range(3))
    report.run_all(comparisons(angles), options.repeat)


if __name__ == "__main__":
    main()
