"""Benchmark of tensor products: plain, in aligned frames (eSCN), on a grid and in Fourier space (Gaunt).

    python benchmarks/products.py [--lmax 2 4 6] [--batch 100] [--channels 16] [--only mixed] [--repeat 20]

* *harmonics*: all irreps of x (x) Y(v), by `tensor_product` and by `tensor_product_with_spherical_harmonics`.
* *mixed*: linear maps of that product back to the irreps of x, by a fully connected product and by `LinearSHTP`. These
  are different maps with equal outputs, so their values differ.
* *functions*: the product of two functions on the sphere with irreps 0e + 1o + 2e + ..., projected on the same irreps:
  as a sum over paths with Gaunt coefficients, on a grid, and in Fourier space.

x has the given number of channels of each irrep up to lmax; *harmonics* takes a quarter of them, because it has many
paths. README.md describes the table.
"""

import argparse
import itertools
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import report
from side_by_side import Candidate, Comparison, optional

import irreps_ops as irr

KEY = jax.random.key(0)


def random(lmax: int, batch: int, channels: int) -> tuple[irr.Irreps, jax.Array, jax.Array]:
    """Return irreps up to lmax, random data of these irreps, and random vectors."""
    irreps = channels * irr.Irreps.spherical_harmonics(lmax)
    rng = np.random.default_rng(lmax)
    x, v = (jnp.asarray(rng.normal(size=(batch, dim)), jnp.float32) for dim in (irreps.dim, 3))
    return irreps, x, v


def harmonics(lmax: int, batch: int, channels: int) -> Comparison:
    """Return the comparison of full products with spherical harmonics."""
    irreps, x, v = random(lmax, batch, max(channels // 4, 1))
    libraries = {"irreps-ops": (irr, irr.IrrepsArray)}
    if e3nn := optional("e3nn_jax"):
        libraries["e3nn-jax"] = (e3nn, e3nn.IrrepsArray)
    candidates = {}
    for name, (module, array) in libraries.items():

        def plain(x: jax.Array, v: jax.Array, module=module, array=array) -> jax.Array:
            y = module.spherical_harmonics(range(lmax + 1), array("1o", v), True)
            return module.tensor_product(array(str(irreps), x), y).array

        def aligned(x: jax.Array, v: jax.Array, module=module, array=array) -> jax.Array:
            x, v = array(str(irreps), x), array("1o", v)
            return module.tensor_product_with_spherical_harmonics(x, v, lmax).array

        candidates[name] = Candidate(plain, (x, v))
        candidates[f"{name}, aligned"] = Candidate(aligned, (x, v))
    return Comparison(f"lmax {lmax}", "harmonics", candidates)


def mixed(lmax: int, batch: int, channels: int) -> Comparison:
    """Return the comparison of linear maps of products with spherical harmonics."""
    irreps, x, v = random(lmax, batch, channels)
    connected, shtp = irr.FullyConnectedTensorProduct(irreps), irr.LinearSHTP(irreps)
    data, vector = irr.IrrepsArray(irreps, x), irr.IrrepsArray("1o", v)

    def with_harmonics(params: dict, x: jax.Array, v: jax.Array) -> jax.Array:
        y = irr.spherical_harmonics(range(2 * lmax + 1), irr.IrrepsArray("1o", v), True)
        return irr.apply(connected, params, irr.IrrepsArray(irreps, x), y).array

    def aligned(params: dict, x: jax.Array, v: jax.Array) -> jax.Array:
        return irr.apply(shtp, params, irr.IrrepsArray(irreps, x), irr.IrrepsArray("1o", v)).array

    y = irr.spherical_harmonics(range(2 * lmax + 1), vector, True)
    params = irr.init(shtp, KEY, data, vector)
    candidates = {
        "irreps-ops": Candidate(with_harmonics, (irr.init(connected, KEY, data, y), x, v)),
        "irreps-ops, aligned": Candidate(aligned, (params, x, v)),
    }
    if e3nn := optional("e3nn_jax"):
        from e3nn_jax.experimental.linear_shtp import LinearSHTP

        def theirs(params: dict, x: jax.Array, v: jax.Array) -> jax.Array:
            layer, arrays = LinearSHTP(e3nn.Irreps(str(irreps))), (str(irreps), "1o")
            apply = lambda *a: layer.apply({"params": params}, *map(e3nn.IrrepsArray, arrays, a)).array  # noqa: E731
            return jax.vmap(apply)(x, v)

        candidates["e3nn-jax, aligned"] = Candidate(theirs, (params, x, v))
    return Comparison(f"lmax {lmax}", "mixed", candidates, tolerance=None)


def functions(lmax: int, batch: int, channels: int) -> Comparison:
    """Return the comparison of products of functions on the sphere."""
    irreps, x, _ = random(lmax, batch, channels)
    y = jnp.asarray(np.random.default_rng(100).normal(size=x.shape), jnp.float32)
    paths = [
        (i, j, k, "uuu", True)
        for i, j, k in itertools.product(range(lmax + 1), repeat=3)
        if abs(i - j) <= k <= i + j and (i + j + k) % 2 == 0
    ]
    product = irr.FunctionalTensorProduct(irreps, irreps, irreps, paths)
    weights = np.concatenate(
        [np.full(channels, gaunt(*p[:3]) / i.path_weight) for p, i in zip(paths, product.couplings, strict=True)]
    )

    def by_paths(x: jax.Array, y: jax.Array) -> jax.Array:
        w = jnp.asarray(weights, jnp.float32)
        return product(w, irr.IrrepsArray(irreps, x), irr.IrrepsArray(irreps, y)).array

    def by_values(method: Any) -> Any:
        def function(x: jax.Array, y: jax.Array) -> jax.Array:
            x, y = irr.IrrepsArray(irreps, x), irr.IrrepsArray(irreps, y)
            return irr.gaunt_tensor_product(x, y, filter_ir_out=irreps, method=method).array

        return function

    candidates = {"irreps-ops": Candidate(by_paths, (x, y))}
    for method in ("grid", "fourier"):
        candidates[f"irreps-ops, {method}"] = Candidate(by_values(method), (x, y))
    return Comparison(f"lmax {lmax}", "functions", candidates, reference="irreps-ops")


def gaunt(l1: int, l2: int, l3: int) -> float:
    """Return the factor of the Clebsch-Gordan coefficients in a product of functions on the sphere."""
    return irr.clebsch_gordan(l1, l2, l3)[l1, l2, l3] * ((2 * l1 + 1) * (2 * l2 + 1) * (2 * l3 + 1)) ** 0.5


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--lmax", type=int, nargs="+", default=[2, 4, 6])
    parser.add_argument("--batch", type=int, default=100)
    parser.add_argument("--channels", type=int, default=16)
    parser.add_argument("--repeat", type=int, default=20)
    parser.add_argument("--only", nargs="+", default=["harmonics", "mixed", "functions"])
    options = parser.parse_args()
    measures = {measure.__name__: measure for measure in (harmonics, mixed, functions)}
    report.run_all(
        (measures[measure](lmax, options.batch, options.channels) for measure in options.only for lmax in options.lmax),
        options.repeat,
    )


if __name__ == "__main__":
    main()
