"""Selection rules: the irreps that occur in the products of two items."""

import itertools
from collections.abc import Iterable
from typing import NamedTuple, TypeAlias

from irreps_core import IntoIrreps, Irrep, Irreps

Keep: TypeAlias = IntoIrreps | Iterable[str | Irrep]


class AllowedProduct(NamedTuple):
    """Two items and an irrep of their product.

    Attributes:
        i_in1: place of the item of the first input.
        i_in2: place of the item of the second input.
        ir: the irrep.
    """

    i_in1: int
    i_in2: int
    ir: Irrep


def all_pairs(irreps1: Irreps, irreps2: Irreps) -> Iterable[tuple[int, int]]:
    """Return the places of each item of the first irreps with each of the second."""
    return itertools.product(range(len(irreps1)), range(len(irreps2)))


def allowed_products(
    irreps1: Irreps, irreps2: Irreps, pairs: Iterable[tuple[int, int]], keep: Keep
) -> list[AllowedProduct]:
    """Return each wanted irrep of the product of each pair of items, in the order of the pairs.

    Args:
        irreps1: irreps of the first input.
        irreps2: irreps of the second input.
        pairs: places of the items.
        keep: the wanted irreps; None for all.
    """
    allowed = [AllowedProduct(i, j, ir) for i, j in pairs for ir in irreps1[i].ir * irreps2[j].ir]
    wanted = Irreps([(1, product.ir) for product in allowed]).filter_mask(keep)
    return list(itertools.compress(allowed, wanted))
