"""The products of features with spherical harmonics, channel by channel, summed over neighbours.

Between operations features are ``IrrepsArray`` of `channels` x each degree. Inside, the component comes first and the
channel last, in memory next to one another, which is what a CPU's vector units like.
"""

import jax
import jax.numpy as jnp
import numpy as np

from irreps_core import Irrep, Irreps, IrrepsArray, clebsch_gordan, from_chunks

Path = tuple[Irrep, Irrep, Irrep]

_EXACT = jax.lax.Precision.HIGHEST


def paths(irreps1: Irreps, irreps2: Irreps, irreps_out: Irreps) -> list[Path]:
    """Which irrep of the first and of the second give which wanted irrep, ordered by the last.

    Example:
        >>> paths(Irreps("8x0e"), Irreps("0e + 1o"), Irreps("8x0e + 8x1o"))
        [(0e, 0e, 0e), (0e, 1o, 1o)]
    """
    pairs = [(ir1, ir2) for _, ir1 in irreps1 for _, ir2 in irreps2]
    return [(ir1, ir2, ir) for _, ir in irreps_out for ir1, ir2 in pairs if ir in ir1 * ir2]


def component_first(x: IrrepsArray) -> dict[Irrep, jax.Array]:
    """The chunks of (..., channels x irrep) as arrays (..., 2l + 1, channels)."""
    return {ir: jnp.swapaxes(chunk, -1, -2) for (_, ir), chunk in zip(x.irreps, x.chunks, strict=True)}


def coupling(path: Path) -> np.ndarray:
    """Clebsch-Gordan coefficients C[i, j, k] such that components of variance 1 give components of variance 1."""
    ir1, ir2, ir = path
    return ir.dim**0.5 * clebsch_gordan(ir1.l, ir2.l, ir.l)


def coupling_table(irreps1: Irreps, irreps2: Irreps, found: list[Path]) -> np.ndarray:
    """The coefficients of all paths in one array (components of 2, components of all results, components of 1).

    Multiplicities do not count: irreps are taken once each.
    """
    starts1, starts2 = _starts(irreps1), _starts(irreps2)
    blocks = []
    for ir1, ir2, ir in found:
        block = np.zeros((sum(ir.dim for _, ir in irreps2), ir.dim, sum(ir.dim for _, ir in irreps1)))
        i, j = starts1[ir1], starts2[ir2]
        block[j : j + ir2.dim, :, i : i + ir1.dim] = coupling((ir1, ir2, ir)).transpose(1, 2, 0)
        blocks.append(block)
    return np.concatenate(blocks, axis=1)


def _starts(irreps: Irreps) -> dict[Irrep, int]:
    ends = np.cumsum([ir.dim for _, ir in irreps]).tolist()
    return {ir: end - ir.dim for (_, ir), end in zip(irreps, ends, strict=True)}


def convolve(
    x: IrrepsArray,
    harmonics: IrrepsArray,
    weights: jax.Array,
    senders: jax.Array | np.ndarray,
    receivers: jax.Array | np.ndarray,
    irreps_out: Irreps,
) -> IrrepsArray:
    """Sum over the neighbours of each atom of weight * (features of the neighbour (x) spherical harmonics).

    m[n, p, c, k] = sum over edges e to n of w[e, p, c] sum_ij C_p[i, j, k] x[sender(e), c, i] Y[e, j]

    Args:
        x: (atoms, channels x irreps).
        harmonics: (edges, irreps), multiplicity 1.
        weights: (edges, paths, channels).
        senders: (edges,).
        receivers: (edges,).
        irreps_out: which irreps to compute.

    Returns:
        (atoms, (paths to the irrep * channels) x irrep, for each irrep of `irreps_out`).
    """
    found = paths(x.irreps, harmonics.irreps, irreps_out)
    table = jnp.asarray(coupling_table(x.irreps, harmonics.irreps, found), x.dtype)
    sent = jnp.concatenate(list(component_first(x).values()), axis=-2)[senders]
    # First the small matrix of each edge that takes the sender's components to those of all messages.
    matrix = jnp.tensordot(harmonics.array, table, axes=1, precision=_EXACT)
    product = matrix * sent if sent.shape[-2] == 1 else jnp.einsum("eki,eic->ekc", matrix, sent, precision=_EXACT)
    edges, channels = product.shape[0], product.shape[-1]
    items, chunks, path, component = [], [], 0, 0
    for ir in dict.fromkeys(ir for _, _, ir in found):
        count = sum(p[2] == ir for p in found)
        part = product[:, component : component + count * ir.dim].reshape(edges, count, ir.dim, channels)
        message = weights[:, path : path + count, None, :] * part
        summed = jax.ops.segment_sum(message, receivers, x.shape[0])
        items.append((count * channels, ir))
        chunks.append(jnp.swapaxes(summed, -1, -2).reshape(-1, count * channels, ir.dim))
        path, component = path + count, component + count * ir.dim
    return from_chunks(items, chunks, x.shape[:-1], x.dtype)
