"""The "uvu" products of OpenEquivariance's benchmark, without a graph, with weights for each sample of the batch.

The product of features and spherical harmonics, channel by channel and separate for each path, is multiplied by a
weight for each irrep of the output.
"""

from collections.abc import Callable, Iterator

import jax
import jax.numpy as jnp
import numpy as np
from side_by_side import OURS, Candidate, Comparison, optional

import irreps_ops as irr

from .derivatives import pullback

SIZES = {"tiny": {"batch": 3}, "cpu": {"batch": 2_000}, "gpu": {"batch": 50_000}}
BOTH_PARITIES = {lmax: "+".join(f"{{n}}x{l}o+{{n}}x{l}e" for l in range(lmax + 1)) for lmax in (1, 2, 3)}
HARMONICS = "0e+1o+2e+3o"
# Name: irreps of the features, of the harmonics, and of the output (None: those of the features).
PROBLEMS = {
    "mace-large": ("128x0e+128x1o+128x2e", HARMONICS, "0e+1o+2e+3o"),
    "mace-medium": ("128x0e+128x1o", HARMONICS, "0e+1o+2e"),
    "nequip-lips": (BOTH_PARITIES[2].format(n=32), "0e+1o+2e", None),
    "nequip-revmd17-aspirin": (BOTH_PARITIES[1].format(n=64), "0e+1o", None),
    "nequip-revmd17-toluene": (BOTH_PARITIES[2].format(n=64), "0e+1o+2e", None),
    "nequip-revmd17-benzene": (BOTH_PARITIES[3].format(n=64), HARMONICS, None),
    "nequip-water": (BOTH_PARITIES[1].format(n=32), "0e+1o", None),
    "nequix-mp-1-first": ("89x0e", HARMONICS, "0e+1o+2e+3o"),
    "nequix-mp-1": ("128x0e+64x1o+32x2e+32x3o", HARMONICS, None),
    "SevenNet-l3i5": ("128x0e+64x1e+32x2e+32x3e", "0e+1e+2e+3e", None),
}
TINY = {"mixed": ("3x0e+2x1o", "0e+1o", None)}


def ours(irreps: irr.Irreps, harmonics: irr.Irreps, irreps_out: irr.Irreps) -> Callable[..., jax.Array]:
    """Return the product as a function of weights, features and harmonics."""

    def forward(weights: jax.Array, x: jax.Array, y: jax.Array) -> jax.Array:
        instructions, result = uvu(irreps, harmonics, irreps_out)
        product = irr.FunctionalTensorProduct(irreps, harmonics, result, instructions)
        return product(weights, irr.IrrepsArray(irreps, x), irr.IrrepsArray(harmonics, y)).array

    return forward


def e3nn_jax(irreps: irr.Irreps, harmonics: irr.Irreps, irreps_out: irr.Irreps) -> Callable[..., jax.Array]:
    """Return the same function for e3nn-jax, by its plain tensor product."""
    e3nn = optional("e3nn_jax")

    def forward(weights: jax.Array, x: jax.Array, y: jax.Array) -> jax.Array:
        x, y = e3nn.IrrepsArray(str(irreps), x), e3nn.IrrepsArray(str(harmonics), y)
        return (e3nn.tensor_product(x, y, filter_ir_out=e3nn.Irreps(str(irreps_out))) * weights).array

    return forward


def e3nn_jax_uvu(irreps: irr.Irreps, harmonics: irr.Irreps, irreps_out: irr.Irreps) -> Callable[..., jax.Array]:
    """Return its tensor product with instructions, mapped over the batch."""
    e3nn, legacy = optional("e3nn_jax"), optional("e3nn_jax.legacy")

    def forward(weights: jax.Array, x: jax.Array, y: jax.Array) -> jax.Array:
        instructions, result = uvu(irreps, harmonics, irreps_out)
        product = legacy.FunctionalTensorProduct(str(irreps), str(harmonics), str(result), instructions)
        mapped = e3nn.utils.vmap(product.left_right)
        starts = np.cumsum([mul for mul, _ in result])[:-1]
        ws = [w[..., None] for w in jnp.split(weights, starts, axis=-1)]
        return mapped(ws, e3nn.IrrepsArray(str(irreps), x), e3nn.IrrepsArray(str(harmonics), y)).array

    return forward


def uvu(
    irreps: irr.Irreps, harmonics: irr.Irreps, wanted: irr.Irreps
) -> tuple[list[tuple[int, int, int, str, bool]], irr.Irreps]:
    """Return an instruction for each path, sorted by its output irrep, and the irreps of the output."""
    paths = [
        (i, j, mul, ir)
        for i, (mul, ir1) in enumerate(irreps)
        for j, (_, ir2) in enumerate(harmonics)
        for ir in ir1 * ir2
        if ir in wanted
    ]
    paths.sort(key=lambda path: path[3])
    instructions = [(i, j, k, "uvu", True) for k, (i, j, _, _) in enumerate(paths)]
    return instructions, irr.Irreps([(mul, ir) for *_, mul, ir in paths])


def comparisons(size: str) -> Iterator[Comparison]:
    """Yield forward and backward pass of each problem."""
    batch = SIZES[size]["batch"]
    for name, (features, harmonics, wanted) in (TINY if size == "tiny" else PROBLEMS).items():
        irreps = irr.Irreps(features).regroup(), irr.Irreps(harmonics), irr.Irreps(wanted or features)
        result = irr.tensor_product(irreps[0], irreps[1], filter_ir_out=irreps[2])
        rng = np.random.default_rng(0)
        dims = result.dim, result.num_irreps, irreps[0].dim, irreps[1].dim
        cotangent, *args = (jnp.asarray(rng.normal(size=(batch, dim)), jnp.float32) for dim in dims)
        forwards = {OURS: ours(*irreps)}
        if optional("e3nn_jax"):
            forwards |= {"e3nn-jax": e3nn_jax(*irreps), "e3nn-jax, instructions": e3nn_jax_uvu(*irreps)}
        sizes = {"batch": batch, "irreps": features, "harmonics": harmonics, "irreps_out": str(irreps[2])}
        forward = {n: Candidate(f, tuple(args)) for n, f in forwards.items()}
        yield Comparison("uvu", f"forward {name}", forward, sizes=sizes)
        backward = {n: Candidate(pullback(f), (cotangent, *args)) for n, f in forwards.items()}
        yield Comparison("uvu", f"backward {name}", backward, sizes=sizes)
