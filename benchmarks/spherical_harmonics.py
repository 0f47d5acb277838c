"""Benchmark of spherical harmonics: values, and values with a vector-Jacobian product, against other libraries.

    python benchmarks/spherical_harmonics.py [--vectors 100000] [--lmax 3 6 10] [--repeat 30] [--without PEER ...]

The libraries take turns, so that other load on the machine affects all of them alike. README.md describes the table.
Libraries that are not installed are left out. Each library receives vectors with its own polar axis; its values are
converted to our order and normalization before they are compared. The exit status is 1 if values disagree.
"""

import argparse
import functools
import itertools
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import report
from side_by_side import OURS, Candidate, Comparison, optional
from workloads.derivatives import value_and_pullback

import irreps_ops as irr


@dataclass(frozen=True)
class Convention:
    """The solid harmonics of one library and its conventions.

    Attributes:
        harmonics: maps vectors of shape (N, 3) to values of shape (N, (lmax+1)²).
        factors: factors that convert its values to ours, of shape (1, (lmax+1)²).
        axes: our coordinates that are its first, second and third.
    """

    harmonics: Callable[[jax.Array], jax.Array]
    factors: np.ndarray
    axes: Sequence[int] = (0, 1, 2)

    def candidates(self, v: jax.Array, cotangent: jax.Array) -> tuple[Candidate, Candidate]:
        """Return the candidates for the value, and for value and gradient."""
        v = v[:, np.array(self.axes)]

        def gradient(result: Any) -> Any:
            value, (slope,) = result
            return self.factors * value, slope[:, np.argsort(self.axes)]

        value = Candidate(self.harmonics, (v,), lambda value: self.factors * value)
        return value, Candidate(value_and_pullback(self.harmonics), (self.factors * cotangent, v), gradient)


def conventions(lmax: int) -> dict[str, Convention]:
    """Return the solid harmonics of each installed library."""
    degrees = list(range(lmax + 1))
    component = np.ones((1, (lmax + 1) ** 2), np.float32)
    sizes = 2 * np.arange(lmax + 1) + 1
    norm = np.repeat(np.sqrt(sizes), sizes)[None].astype(np.float32)
    found = {OURS: Convention(lambda v: irr.sh(degrees, v, False), component)}
    if e3nn := optional("e3nn_jax"):
        found["e3nn-jax"] = Convention(lambda v: e3nn.sh(degrees, v, False), component)
    if sphericart := optional("sphericart.jax"):
        solid_harmonics = functools.partial(sphericart.solid_harmonics, l_max=lmax)
        found["sphericart-jax"] = Convention(solid_harmonics, (4 * np.pi) ** 0.5 * component, (2, 0, 1))
    if e3x := optional("e3x"):
        solid_harmonics = functools.partial(e3x.so3.solid_harmonics, max_degree=lmax, cartesian_order=False)
        found["e3x"] = Convention(solid_harmonics, norm, (2, 0, 1))
    if cuex := optional("cuequivariance_jax"):
        cue: Any = optional("cuequivariance")
        vector = cue.IrrepsAndLayout(cue.Irreps("O3", "1o"), cue.ir_mul)
        found["cuequivariance"] = Convention(
            lambda v: cuex.spherical_harmonics(degrees, cuex.RepArray(vector, v), normalize=False).array,
            component,
        )
    return found


def comparisons(vectors: int, lmax: int, without: Sequence[str] = ()) -> list[Comparison]:
    """Return comparisons of values, and of values and gradients."""
    v = jnp.asarray(np.random.default_rng(0).normal(size=(vectors, 3)), jnp.float32)
    normal = np.random.default_rng(1).normal(size=(vectors, (lmax + 1) ** 2))
    cotangent = jnp.asarray(normal, jnp.float32)
    pairs = {
        name: convention.candidates(v, cotangent)
        for name, convention in conventions(lmax).items()
        if name not in without
    }
    return [
        Comparison(f"lmax {lmax}", measure, {name: pair[i] for name, pair in pairs.items()})
        for i, measure in enumerate(["value", "value and gradient"])
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--vectors", type=int, default=100_000)
    parser.add_argument("--lmax", type=int, nargs="+", default=[3, 6, 10])
    parser.add_argument("--repeat", type=int, default=30)
    parser.add_argument(
        "--without",
        nargs="+",
        default=[],
        help="libraries to leave out; cuequivariance takes minutes to prepare degree 10",
    )
    options = parser.parse_args()
    of_degrees = (comparisons(options.vectors, lmax, options.without) for lmax in options.lmax)
    found = report.run_all(itertools.chain.from_iterable(of_degrees), options.repeat)
    sys.exit("\n".join(report.disagreements(found["measurements"])) or None)


if __name__ == "__main__":
    main()
