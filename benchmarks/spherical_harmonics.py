"""Spherical harmonics of many vectors: values, and values with a vector-Jacobian product, beside the peers.

    python benchmarks/spherical_harmonics.py [--vectors 100000] [--lmax 3 6 10] [--repeat 30]

The libraries take turns, so that what else the machine does falls on all of them alike; minimum and median in
milliseconds, then the seconds to trace and compile. Peers that are not installed are left out.
"""

import argparse
import functools
import importlib
import statistics
import time
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

import irreps_ops as io


def peers(lmax: int) -> dict[str, Callable[[jax.Array], jax.Array]]:
    """Functions of vectors (N, 3) that give solid harmonics (N, (lmax+1)²)."""
    degrees = list(range(lmax + 1))
    functions = {"irreps-ops": lambda v: io.sh(degrees, v, False)}
    if e3nn := optional("e3nn_jax"):
        functions["e3nn-jax"] = lambda v: e3nn.sh(degrees, v, False)
    if sphericart := optional("sphericart.jax"):
        functions["sphericart-jax"] = functools.partial(sphericart.solid_harmonics, l_max=lmax)
    if e3x := optional("e3x"):
        functions["e3x"] = lambda v: e3x.so3.solid_harmonics(v, max_degree=lmax)
    return functions


def optional(name: str) -> Any:
    """The module, or None."""
    try:
        return importlib.import_module(name)
    except ImportError:
        return None


def value_and_pullback(function: Callable[[jax.Array], jax.Array]) -> Callable[..., Any]:
    def both(v: jax.Array, cotangent: jax.Array) -> Any:
        y, pullback = jax.vjp(function, v)
        return y, pullback(cotangent)[0]

    return both


def compiled(function: Callable[..., Any], *args: jax.Array) -> tuple[Callable[..., Any], float]:
    start = time.perf_counter()
    executable = jax.jit(function).lower(*args).compile()
    return executable, time.perf_counter() - start


def compare(title: str, functions: dict[str, Callable[..., Any]], args: tuple[jax.Array, ...], repeat: int) -> None:
    ready = {name: compiled(function, *args) for name, function in functions.items()}
    seconds: dict[str, list[float]] = {name: [] for name in ready}
    for turn in range(repeat + 1):
        for name, (executable, _) in ready.items():
            start = time.perf_counter()
            jax.block_until_ready(executable(*args))
            if turn > 0:
                seconds[name].append(time.perf_counter() - start)
    for name, times in seconds.items():
        fastest, median = 1e3 * min(times), 1e3 * statistics.median(times)
        print(f"{title:24} {name:16} {fastest:9.2f} {median:9.2f} {ready[name][1]:7.2f} s", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--vectors", type=int, default=100_000)
    parser.add_argument("--lmax", type=int, nargs="+", default=[3, 6, 10])
    parser.add_argument("--repeat", type=int, default=30)
    options = parser.parse_args()
    rng = np.random.default_rng(0)
    v = jnp.asarray(rng.normal(size=(options.vectors, 3)), jnp.float32)
    print(f"JAX {jax.__version__} on {jax.devices()[0].device_kind}; {options.vectors} vectors, float32")
    print(f"{'':41} {'min ms':>9} {'median':>9} compile")
    for lmax in options.lmax:
        functions = peers(lmax)
        compare(f"lmax {lmax}: value", functions, (v,), options.repeat)
        cotangent = jnp.asarray(rng.normal(size=(options.vectors, (lmax + 1) ** 2)), jnp.float32)
        both = {name: value_and_pullback(function) for name, function in functions.items()}
        compare(f"lmax {lmax}: value, gradient", both, (v, cotangent), options.repeat)


if __name__ == "__main__":
    main()
