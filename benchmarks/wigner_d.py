"""Wigner D of 1,000 random rotations, jitted: ours beside e3nn-jax, interleaved in one run.

uv run --no-default-groups --group peers python benchmarks/wigner_d.py
"""

import argparse
import importlib.util
import statistics
import time
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from irreps_core import Irreps, angles_to_quaternion
from irreps_core._wigner import wigner_D_blocks


def natural(lmax: int) -> str:
    return " + ".join(f"{l}{'eo'[l % 2]}" for l in range(lmax + 1))


def candidates(lmax: int) -> dict[str, Callable[..., Any]]:
    """Functions of the three Euler angles."""
    ours = Irreps(natural(lmax)).D_from_angles
    degrees = tuple(range(lmax + 1))
    functions = {
        "ours": ours,
        "ours, under vmap": jax.vmap(ours),
        "ours, list of blocks": lambda a, b, c: wigner_D_blocks(degrees, angles_to_quaternion(a, b, c)),
    }
    if importlib.util.find_spec("e3nn_jax"):
        import e3nn_jax

        functions["e3nn-jax, under vmap"] = jax.vmap(e3nn_jax.Irreps(natural(lmax)).D_from_angles)
    return {name: jax.jit(function) for name, function in functions.items()}


def floor(batch: int, dim: int) -> Callable[..., Any]:
    """Writing one array of that size: no function that returns it can be faster."""
    return jax.jit(lambda a, b, c: jnp.broadcast_to(a[0], (batch, dim, dim)) + 0)


def milliseconds(function: Callable[..., Any], angles: list[jax.Array]) -> float:
    start = time.perf_counter()
    jax.block_until_ready(function(*angles))
    return 1e3 * (time.perf_counter() - start)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--batch", type=int, default=1000)
    parser.add_argument("--repeat", type=int, default=30)
    arguments = parser.parse_args()
    rng = np.random.default_rng(0)
    angles = [jnp.asarray(rng.uniform(-3, 3, arguments.batch), jnp.float32) for _ in range(3)]
    print(f"{arguments.batch} rotations, float32, {jax.devices()[0].platform}, jax {jax.__version__}")
    for lmax in (6, 11):
        functions = candidates(lmax)
        compiling = {name: milliseconds(function, angles) for name, function in functions.items()}
        functions["floor: one array written"] = floor(arguments.batch, (lmax + 1) ** 2)
        milliseconds(functions["floor: one array written"], angles)
        times: dict[str, list[float]] = {name: [] for name in functions}
        for _ in range(arguments.repeat):
            for name, function in functions.items():
                times[name].append(milliseconds(function, angles))
        print(f"\ndegrees 0 .. {lmax}{'':19} min ms  median ms  first call s")
        for name, measured in times.items():
            first = f"{compiling[name] / 1e3:14.2f}" if name in compiling else ""
            print(f"  {name:28} {min(measured):8.2f} {statistics.median(measured):10.2f} {first}")


if __name__ == "__main__":
    main()
