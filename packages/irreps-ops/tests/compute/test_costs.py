"""What decides how fast a result comes, against its definition: no wrong value would show a fault here."""

import itertools
import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import export

import irreps_core as ic
from irreps_ops.compute import (
    Access,
    Coefficients,
    Contraction,
    Index,
    Operand,
    Path,
    Polynomial,
    _cost_model,
    cheapest,
)
from irreps_ops.compute._dispatch import choose, default_choice, may_take_whole_batches, takes_whole_batches
from irreps_ops.compute._tiled_map import map_in_tiles
from irreps_ops.compute.executors import _monomial_contraction, _monomial_plan, _pairwise, _xla
from irreps_ops.compute.executors._reference import ReferenceExecutor
from irreps_ops.testing._executor_cases import executor_cases, random_cases

ELEMENTWISE, THIN = _cost_model.ELEMENTWISE, _cost_model.THIN
SYMBOL: Any = export.symbolic_shape("n")[0]


# Tiles ---------------------------------------------------------------------------------------------------------------
def test_the_length_of_tiles() -> None:
    for batch, count in itertools.product(range(1, 40), range(1, 12)):
        found, longest = _cost_model.tile_length(batch, count), math.ceil(batch / count)
        divisors = [n for n in range(1, longest + 1) if batch % n == 0 and n > longest // 2]
        assert found == max(divisors, default=longest)
    assert _cost_model.tile_length(SYMBOL, 3) is SYMBOL


def test_a_batch_is_cut_once_a_tile_is_full_several_times_over() -> None:
    numbers, full = 10, _cost_model.TILE_BYTES / (10 * 4)
    for tiles in (0.5, 1, _cost_model.FEWEST_TILES - 0.9, 2.3 * _cost_model.FEWEST_TILES):
        expected = math.ceil(tiles) if math.ceil(tiles) >= _cost_model.FEWEST_TILES else 1
        assert _cost_model.tile_count(int(tiles * full), numbers, 4) == expected
    assert _cost_model.tile_count(SYMBOL, 10**9, 8) == _cost_model.tile_count(10**9, SYMBOL, 8) == 1


def test_accelerators_process_more_at_once() -> None:
    for platform in (None, "cpu"):
        assert not _cost_model.is_accelerator(platform)
        assert _cost_model.tiles_at_once(platform, 1) == 1
    assert _cost_model.is_accelerator("cuda")
    assert _cost_model.tiles_at_once("cuda", 1) == _cost_model.ROWS_AT_ONCE
    assert _cost_model.tiles_at_once("cuda", _cost_model.ROWS_AT_ONCE // 3) == 3
    assert _cost_model.tiles_at_once("cuda", 2 * _cost_model.ROWS_AT_ONCE) == 1
    assert _cost_model.tiles_at_once("cuda", SYMBOL) == 1
    assert _cost_model.intermediate_bytes("cuda") > 10 * _cost_model.intermediate_bytes("cpu")
    assert _cost_model.estimated(SYMBOL) == _cost_model.TYPICAL_SIZE
    assert _cost_model.estimated(3) == 3


def test_tiles_keep_what_is_known_to_be_zero(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_cost_model, "TILE_BYTES", 256)
    x = ic.IrrepsArray("0e + 1o", jnp.ones((500, 4)).at[:, 1:].set(0), zero_flags=(False, True))
    assert map_in_tiles(lambda x: 2 * x, x).zero_flags == (False, True)
    y = map_in_tiles(lambda x: 2 * x, ic.IrrepsArray("0e + 1o", x.array))
    assert y.zero_flags == (False, False)
    np.testing.assert_array_equal(y.array, 2 * x.array)


# The order of a contraction pair by pair -----------------------------------------------------------------------------
def step(a: str, b: str, keep: set[str], sizes: Mapping[str, int]) -> tuple[float, int]:
    """Return the cost of a product of two tensors, and the size of the result."""
    size = math.prod(sizes[letter] for letter in {*a, *b} & keep)
    summed, kept = ({*a} & {*b}) - keep, ({*a} & {*b} & keep) - {_monomial_plan.BATCH}
    each = 1 if summed and not kept else ELEMENTWISE  # of a matrix product, or written out
    return each * math.prod(sizes[letter] for letter in {*a, *b}) + ELEMENTWISE * size, size


def all_orders(tensors: Sequence[str], wanted: str, sizes: Mapping[str, int]) -> Iterator[tuple[float, int]]:
    """Return cost and intermediate numbers of each order of contraction."""
    if len(tensors) == 1:
        yield 0, 0
    for a, b in itertools.combinations(range(len(tensors)), 2):
        rest = [t for n, t in enumerate(tensors) if n not in (a, b)]
        keep = set(wanted).union(*rest)
        cost, size = step(tensors[a], tensors[b], keep, sizes)
        result = "".join(letter for letter in {*tensors[a], *tensors[b]} if letter in keep)
        for later, numbers in all_orders([*rest, result], wanted, sizes):
            yield cost + later, (size if rest else 0) + numbers


def operand(components: int, channels: tuple[int, ...] = (), access: Any = Access.BATCHED) -> Operand:
    return Operand(components, channels, access)


def terms(*shape: int, seed: int = 0) -> Coefficients:
    return Coefficients.from_dense(np.random.default_rng(seed).normal(size=shape))


# Paths, and the tensors that they consist of: Z is the batch, A, B, ... are components, of which single ones are taken.
PAIRWISE = {
    "fully connected": (
        [operand(1, (4, 3, 2), Access.BROADCAST), operand(3, (4,)), operand(5, (3,)), operand(3, (2,))],
        ("uvw", "u", "v", "w"),
        (["uvw", "ZBu", "ZCv", "BCD"], "ZDw"),
    ),
    "channel by channel": (
        [operand(3, (8,), Index("senders")), operand(3), operand(1, (8,)), operand(5, (8,))],
        ("u", "", "u", "u"),
        (["ZAu", "ZB", "Zu", "ABD"], "ZDu"),
    ),
    "sum over the batch": (
        [operand(3, (4,)), operand(2, (4, 3)), operand(4, (3,)), operand(1, (), Access.BROADCAST)],
        ("u", "uv", "v", ""),
        (["ZAu", "ZBuv", "ZCv", "ABCD"], "D"),
    ),
}


@pytest.mark.parametrize("name", PAIRWISE)
def test_the_cheapest_of_all_orders(name: str) -> None:
    operands, subscripts, (tensors, wanted) = PAIRWISE[name]
    path = Path((0, 1, 2), 0, subscripts, terms(*(o.components for o in operands)))
    polynomial = Polynomial(tuple(operands[:-1]), (operands[-1],), (path,))
    for batch in (1, 100):
        contraction = Contraction(polynomial, batch, tuple((name, 7) for name in polynomial.indices), "float32")
        sizes = {"Z": batch, **polynomial.extents(path)} | {
            letter: o.components for letter, o in zip("ABCD", operands, strict=True)
        }
        cost, intermediate = _pairwise.pairwise_cost(contraction, polynomial.paths[0])
        orders = list(all_orders(tensors, wanted, sizes))
        assert cost == min(found for found, _ in orders)
        assert (cost, intermediate) in orders


def test_long_products_take_the_cheapest_pair_first() -> None:
    tensors, sizes = (
        ("ab", "bc", "cd", "de", "ef", "fg", "gh"),
        dict(zip("abcdefgh", (9, 8, 2, 7, 6, 5, 4, 3), strict=True)),
    )
    assert len(tensors) == _cost_model.ALL_ORDERS + 1
    plan = _pairwise._plan(tensors, "ah", tuple(sizes.items()))

    def first(a: int, b: int) -> float:
        keep = set("ah").union(*(t for n, t in enumerate(tensors) if n not in (a, b)))
        return step(tensors[a], tensors[b], keep, sizes)[0]

    assert first(*plan.pairs[0]) == min(first(a, b) for a, b in itertools.combinations(range(len(tensors)), 2))
    assert len(plan.pairs) == len(tensors) - 1


@pytest.mark.parametrize(("components", "expected"), [((0, 1, 2, 3), set()), ((1, 2), {"slice"}), ((0, 3), {"gather"})])
def test_components_are_gathered_only_where_they_are_apart(components: tuple[int, ...], expected: set[str]) -> None:
    x, places = jnp.arange(8.0).reshape(2, 4), np.array(components)
    for take, options in ((_pairwise._take, {"axis": 1}), (_monomial_contraction._take, {})):
        program = str(jax.make_jaxpr(lambda x, take=take, options=options: take(x, places, **options))(x))
        assert {name for name in ("slice", "gather") if f"{name}[" in program} == expected
        np.testing.assert_array_equal(take(x, places, **options), np.asarray(x)[:, places])


# Monomials -----------------------------------------------------------------------------------------------------------
def price(count: int, n_right: int, n_left: int) -> int:
    """Cost of some matrices of one shape, and of the monomials that they multiply."""
    return count * (max(min(n_right, n_left), THIN) * max(n_right, n_left) + ELEMENTWISE * (n_right + n_left))


@pytest.mark.parametrize(
    "sizes", [[(1, 3), (3, 1)], [(30, 40), (20, 50)], [(60, 60)] * 4, [(100, 100), (3, 3), (2, 2)], [(5, 90), (90, 5)]]
)
def test_blocks_are_packed_at_the_lowest_price(sizes: list[tuple[int, int]]) -> None:
    """Of monomials that never meet, each group in a block of its own or with others."""
    right_of = np.repeat(range(len(sizes)), [r for r, _ in sizes])
    left_of = np.repeat(range(len(sizes)), [n for _, n in sizes])
    pairs = np.argwhere(right_of[:, None] == left_of)
    pairs = pairs[np.random.default_rng(0).permutation(len(pairs))]
    found = _monomial_plan._packed(pairs[:, 1], pairs[:, 0])
    loads = [
        [
            np.sum([size for size, block in zip(sizes, chosen, strict=True) if block == b] or [(0, 0)], 0)
            for b in range(count)
        ]
        for count in range(1, len(sizes) + 1)
        for chosen in itertools.product(range(count), repeat=len(sizes))
    ]
    assert price(*found.shape) == min(price(len(load), *map(int, np.max(load, 0))) for load in loads)
    count, n_right, n_left = found.shape
    for position, size in ((found.right, n_right), (found.left, n_left)):
        assert len({*position.tolist()}) == len(position)
        assert position.max() < count * size
    np.testing.assert_array_equal(found.right[pairs[:, 0]] // n_right, found.left[pairs[:, 1]] // n_left)


def test_each_path_is_evaluated_in_the_cheaper_way() -> None:
    through = set()
    for case in [*executor_cases(), *random_cases(20, seed=2)]:
        contraction = Contraction(case.polynomial, max(case.batch, 1), tuple(case.sizes.items()), "float64")
        chosen = _xla._evaluations(contraction)
        sums = {one.sum for one in chosen if one.factors > 1}
        for path, one in zip(case.polynomial.paths, chosen, strict=True):
            pairwise, monomials = _xla._pairwise(contraction, path), _xla._through_monomials(contraction, path)
            joins = monomials is not None and monomials.factors == 1 and monomials.sum in sums
            cheaper = monomials is not None and monomials.factors > 1 and monomials.cost < pairwise.cost
            assert (one.plan is not None) == (joins or cheaper)
            through.add((joins, cheaper))
    assert {(False, False), (False, True)} <= through


# The choice of an executor -------------------------------------------------------------------------------------------
class Whole(ReferenceExecutor):
    """Takes whole batches of fewer than ten elements."""

    takes_whole_batches = True

    def why_not(self, contraction: Contraction) -> str | None:
        return None if contraction.exported or contraction.batch < 10 else "too many"


@pytest.mark.parametrize(
    ("choice", "may", "small", "large"),
    [
        (None, False, False, False),
        ("xla", False, False, False),
        (Whole(), True, True, False),
        (("xla", Whole()), True, False, False),
        ((Whole(), "xla"), True, True, False),
        (("reference", "xla"), False, False, False),
        (cheapest("reference", "xla"), False, False, False),
        (cheapest("reference", Whole()), True, False, False),
        (cheapest(Whole()), True, True, False),
        (lambda contraction: "xla", True, False, False),
        (lambda contraction: Whole(), True, True, False),
    ],
)
def test_who_takes_whole_batches(choice: Any, may: bool, small: bool, large: bool, monkeypatch: Any) -> None:
    monkeypatch.setenv("IRREPS_EXECUTORS", " reference ,, xla ")
    contractions = [Contraction(Polynomial((), (), ()), batch, (), "float32") for batch in (9, 10)]
    assert may_take_whole_batches(choice) == may
    assert [takes_whole_batches(one, choice) for one in contractions] == [small, large]
    assert default_choice() == cheapest("reference", "xla")


def test_a_contraction_of_symbolic_size_counts_as_exported() -> None:
    assert choose(Contraction(Polynomial((), (), ()), SYMBOL, (), "float32"), Whole()).name == "reference"
