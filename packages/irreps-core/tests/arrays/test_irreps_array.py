"""IrrepsArray on NumPy and on JAX arrays: data, indexing, arithmetic, rearranging, reductions."""

import copy
import pickle
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import irreps_core as ic
from irreps_core import Irreps, IrrepsArray

try:
    import jax.numpy as jnp
except ImportError:
    BACKENDS = [np]
else:
    BACKENDS = [np, jnp]


@pytest.fixture(params=BACKENDS, ids=lambda xp: xp.__name__.removesuffix(".numpy"))
def xp(request: pytest.FixtureRequest) -> Any:
    return request.param


def data(xp: Any, irreps: Any, *leading: int, seed: int = 0) -> IrrepsArray:
    irreps = Irreps(irreps)
    return IrrepsArray(irreps, xp.asarray(np.random.default_rng(seed).normal(size=(*leading, irreps.dim))))


def kind(x: IrrepsArray) -> type:
    return type(x.array)


def assert_same(x: IrrepsArray, irreps: Any, array: Any) -> None:
    assert x.irreps == Irreps(irreps)
    np.testing.assert_allclose(np.asarray(x.array), np.asarray(array), atol=1e-12)
    for chunk, zero, s, item in zip(x.chunks, x.zero_flags, x.irreps.slices(), x.irreps, strict=True):
        part = np.asarray(x.array)[..., s]
        if zero:
            assert chunk is None
            assert not part.any()
        else:
            np.testing.assert_array_equal(np.asarray(chunk), part.reshape(*x.shape[:-1], item.mul, item.ir.dim))


def test_the_last_axis_must_match() -> None:
    with pytest.raises(ValueError, match=r"length 5, got shape \(3, 4\)"):
        IrrepsArray("2x0e + 1o", np.ones((3, 4)))
    with pytest.raises(ValueError, match="length 1"):
        IrrepsArray("0e", np.ones(()))
    with pytest.raises(ValueError, match="2 zero flags, got 1"):
        IrrepsArray("0e + 1o", np.ones(4), zero_flags=[True])
    with pytest.raises(TypeError, match="list"):
        IrrepsArray("0e", [1.0])
    with pytest.raises(ValueError, match="malformed"):
        IrrepsArray("0x", np.ones(1))


def test_immutable_copies_and_pickles(xp: Any) -> None:
    x = data(xp, "0e + 1o", 2)
    with pytest.raises(AttributeError, match="immutable"):
        x.array = x.array  # type: ignore[misc]  # that this fails is the test
    with pytest.raises(AttributeError, match="immutable"):
        del x.irreps
    with pytest.raises(TypeError, match="unhashable"):
        hash(x)
    for twin in (copy.copy(x), copy.deepcopy(x), pickle.loads(pickle.dumps(x))):
        assert_same(twin, x.irreps, x.array)
        assert kind(twin) is kind(x)


def test_properties_and_printing(xp: Any) -> None:
    x = data(xp, "2x0e + 1o", 4)
    assert (x.shape, x.ndim, len(x)) == ((4, 5), 2, 4)
    assert x.dtype == x.array.dtype
    assert [row.shape for row in x] == [(5,)] * 4
    assert repr(IrrepsArray("0e", np.ones(1))) == "1x0e [1.]"
    assert repr(x).startswith("2x0e+1x1o\n[[")
    assert x.astype(np.float32).dtype == np.float32
    with pytest.raises(TypeError, match="chunks"):
        iter(x[0])
    with pytest.raises(TypeError, match="irreps"):
        len(x[0])


def test_chunks_are_views_in_numpy() -> None:
    x = data(np, "2x0e + 3x1o + 2e", 4)
    assert all(np.shares_memory(chunk, x.array) for chunk in x.chunks)


def test_from_chunks_and_back(xp: Any) -> None:
    x = data(xp, "2x0e + 3x1o + 0x1e + 2e", 4, 5)
    assert_same(ic.from_chunks(x.irreps, x.chunks, (4, 5)), x.irreps, x.array)
    chunks = x.chunks
    chunks[1] = None
    y = ic.from_chunks(x.irreps, chunks, (4, 5))
    assert y.zero_flags == (False, True, False, False)
    assert_same(y, x.irreps, y.array)
    assert kind(y) is kind(x)
    empty = ic.from_chunks("", [], (2,), x.dtype, backend=xp)
    assert empty.shape == (2, 0)


@pytest.mark.parametrize(
    ("args", "message"),
    [
        (("0e + 1o", [None], (), float), "2 chunks"),
        (("0e", [np.ones((1, 2))], ()), r"\(1, 1\), got \(1, 2\)"),
        (("0e", [None], ()), "dtype"),
    ],
)
def test_from_chunks_refuses(args: tuple, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        ic.from_chunks(*args)
    with pytest.raises(TypeError, match="float"):
        ic.from_chunks("0e", [1.0], ())


def test_creation(xp: Any) -> None:
    z = ic.zeros("0e + 1o", (2,), np.float32, backend=xp)
    assert (z.shape, z.dtype, z.zero_flags) == ((2, 4), np.float32, (True, True))
    assert ic.ones("0e + 1o", (2,), backend=xp).array.sum() == 8
    x = data(xp, "0e + 1o", 2)
    assert kind(ic.zeros_like(x)) is kind(x) is kind(ic.ones_like(x))
    assert ic.zeros_like(x).shape == ic.ones_like(x).shape == x.shape
    assert ic.as_irreps_array(x) is x
    assert ic.as_irreps_array(x.array).irreps == "4x0e"
    assert type(ic.as_irreps_array(x.array).array) is type(x.array)
    assert type(ic.as_irreps_array([1.0, 2.0], backend=xp).array) is type(x.array)
    with pytest.raises(ValueError, match="axis"):
        ic.as_irreps_array(xp.ones(()))


@pytest.mark.parametrize("normalization", ["component", "norm"])
def test_normal(normalization: str) -> None:
    rng = np.random.default_rng(0)
    x = ic.normal("2x0e + 3x2e", rng, (20000,), normalization=normalization)
    variance = np.var(x.array, axis=0)
    expected = [1] * 2 + [1 if normalization == "component" else 1 / 5] * 15
    np.testing.assert_allclose(variance, expected, rtol=0.06)
    unit = ic.normal("2x0e + 3x2e", rng, (10,), normalize=True)
    np.testing.assert_allclose(ic.norm(unit).array, 1, rtol=1e-12)


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64, None])
def test_normal_has_the_dtype_that_was_asked_for(xp: Any, dtype: Any) -> None:
    key = np.random.default_rng(0) if xp is np else pytest.importorskip("jax").random.key(0)
    for options in ({}, {"normalize": True}, {"normalization": "norm"}):
        assert ic.normal("0e + 1o", key, (2,), dtype=dtype, **options).dtype == (dtype or np.float64)


def test_normal_refuses() -> None:
    with pytest.raises(TypeError, match="random key"):
        ic.normal("0e", 3)
    with pytest.warns(UserWarning, match="random key"):
        ic.normal("0e")
    with pytest.raises(ValueError, match="banana"):
        ic.normal("0e", np.random.default_rng(0), normalization="banana")


# Indexing


def test_leading_axes_index_like_arrays(xp: Any) -> None:
    x = data(xp, "2x0e + 1o", 4, 3)
    mask = xp.asarray([True, False, True, False])
    places = xp.asarray([3, 0, 0])
    simple = [0, -1, slice(1, 3), (1, 2), (slice(None), 1), (..., slice(None)), None, (slice(None), None), ..., ()]
    for index in [*simple, mask, places, (places, places - 1), (0, ..., slice(None))]:
        entries = index if isinstance(index, tuple) else (index,)
        in_numpy = tuple(np.asarray(i) if hasattr(i, "dtype") else i for i in entries)
        assert_same(x[index], x.irreps, np.asarray(x.array)[in_numpy])


def test_the_last_axis_indexes_by_irreps_and_between_irreps(xp: Any) -> None:
    x = data(xp, "2x0e + 1o + 2x1o + 2e", 4)
    assert_same(x[..., "2e"], "2e", x.array[:, 11:])
    assert_same(x[1, "1o + 2x1o"], "1o + 2x1o", x.array[1, 2:11])
    assert_same(x[:, Irreps("1x1o")], "1o", x.array[:, 2:5])
    assert_same(x[..., 1:8], "0e + 1o + 1o", x.array[:, 1:8])
    assert_same(x[2, 5:], "2x1o + 2e", x.array[2, 5:])
    assert_same(x[..., :-5], "2x0e + 1o + 2x1o", x.array[:, :-5])
    assert_same(x.slice_by_mul[1:4], "0e + 1o + 1o", x.array[:, 1:8])
    assert_same(x.slice_by_dim[2:5], "1o", x.array[:, 2:5])
    assert_same(x.slice_by_chunk[2:], "2x1o + 2e", x.array[:, 5:])
    assert_same(x.slice_by_chunk[::2], "2x0e + 2x1o", np.asarray(x.array)[:, [0, 1, 5, 6, 7, 8, 9, 10]])


@pytest.mark.parametrize(
    ("index", "message"),
    [
        ((..., "1o"), "occurs 2 times"),
        ((..., "3e"), "does not occur"),
        (("0e",), r"x\[..., '0e'\]"),
        (("0e", 0), "last entry"),
        ((0, 1), r"x\[..., 1:2\]"),
        ((..., 3), r"x\[..., 3:4\]"),
        ((..., slice(0, 2)), "inside an irrep"),
        ((0, None, None, slice(None), None), "after the irreps axis"),
        ((0, 0, 0), "too many"),
        ((..., 0, ...), "one ellipsis"),
        ((..., slice(None, None, 2)), "cannot index"),
    ],
)
def test_other_indices_of_the_last_axis_are_refused(index: tuple, message: str) -> None:
    x = data(np, "0e + 1o + 1o", 3)
    with pytest.raises(IndexError, match=message):
        x[index]


def test_updates(xp: Any) -> None:
    x = data(xp, "2x0e + 1o", 4)
    y = data(xp, "2x0e + 1o", seed=1)
    expected = np.array(x.array)
    expected[1] = np.asarray(y.array)
    assert_same(x.at[1].set(y), x.irreps, expected)
    expected = np.array(x.array)
    expected[:, 2:] = 0
    assert_same(x.at[..., "1o"].set(0), x.irreps, expected)
    expected = np.array(x.array)
    expected[2, 2:] += np.asarray(y.array)[2:]
    assert_same(x.at[2, "1o"].add(y[..., "1o"]), x.irreps, expected)
    expected = np.array(x.array)
    np.add.at(expected, np.array([1, 1]), np.asarray(y.array))
    assert_same(x.at[xp.asarray([1, 1])].add(y), x.irreps, expected)
    expected = np.array(x.array)
    expected[:, :1] = 7
    assert_same(x.at[..., 0:1].set(7.0), x.irreps, expected)
    with pytest.raises(ValueError, match="not equivariant"):
        x.at[0].set(1.0)
    with pytest.raises(ValueError, match="expected values of irreps"):
        x.at[0].set(data(xp, "0e"))


def test_updates_and_zero_flags(xp: Any) -> None:
    z = ic.zeros("0e + 1o", (3,), backend=xp)
    assert z.at[0].set(0).zero_flags == (True, True)
    assert z.at[0, "0e"].set(1.0).zero_flags == z.at[0, "0e"].add(2).zero_flags == (False, True)
    assert z.at[0, "1o"].add(data(xp, "1o")).zero_flags == (True, False)
    part = ic.from_chunks("0e + 1o", [xp.ones((1, 1)), None], (), xp.ones(1).dtype)
    assert z.at[0].add(part).zero_flags == z.at[0].set(part).zero_flags == (False, True)
    assert z.at[0].set(z[1]).zero_flags == (True, True)
    assert_same(z.at[0, "1o"].add(data(xp, "1o")), z.irreps, z.at[0, "1o"].add(data(xp, "1o")).array)


# Arithmetic


def test_sums_and_differences(xp: Any) -> None:
    x, y = data(xp, "2x0e + 1o", 4), data(xp, "2x0e + 1o", 4, seed=1)
    assert_same(x + y, x.irreps, x.array + y.array)
    assert_same(x - y, x.irreps, x.array - y.array)
    assert_same(-x, x.irreps, -x.array)
    assert_same(0 + x, x.irreps, x.array)
    assert_same(sum([x, y]), x.irreps, x.array + y.array)
    assert_same(x + y.rechunk("0e + 0e + 1o"), x.irreps, x.array + y.array)
    s = data(xp, "3x0e", 4)
    assert_same(s + 1.0, s.irreps, s.array + 1)
    assert_same(1.0 - s, s.irreps, 1 - s.array)
    assert_same(s.array + s, s.irreps, 2 * s.array)
    assert kind(np.float64(2.0) * x) is kind(x)


def test_scaling(xp: Any) -> None:
    x = data(xp, "2x0e + 1o", 4)
    each = xp.asarray([[1.0, 2.0, 3.0]])
    expected = np.asarray(x.array) * np.array([1, 2, 3, 3, 3])
    assert_same(x * 2.0, x.irreps, 2 * x.array)
    assert_same(2.0 * x, x.irreps, 2 * x.array)
    assert_same(x * xp.ones((4, 1)), x.irreps, x.array)
    assert_same(x * each, x.irreps, expected)
    assert_same(each * x, x.irreps, expected)
    assert_same(x / each, x.irreps, np.asarray(x.array) / np.array([1, 2, 3, 3, 3]))
    assert_same(x / 2.0, x.irreps, x.array / 2)
    scalars = IrrepsArray("2x0e + 0o", each)
    assert_same(x * scalars, "2x0e + 1e", expected)
    assert_same(scalars * x, "2x0e + 1e", expected)
    assert_same(x / scalars, "2x0e + 1e", np.asarray(x.array) / np.array([1, 2, 3, 3, 3]))
    cut = IrrepsArray("0o + 2x0e", each)
    assert_same(x * cut, "0o + 0e + 1o", expected)


def test_powers_and_reciprocals(xp: Any) -> None:
    s, odd = data(xp, "2x0e", 4), data(xp, "0e + 0o", 4)
    assert_same(1.0 / s, s.irreps, 1 / s.array)
    assert_same(1.0 / odd, odd.irreps, 1 / odd.array)
    assert_same(s**2, s.irreps, s.array**2)
    assert_same(odd**2, "0e + 0e", odd.array**2)
    assert_same(odd**3, "0e + 0o", odd.array**3)


def test_comparisons(xp: Any) -> None:
    x = IrrepsArray("0e + 1o", xp.asarray([1.0, 2.0, 3.0, 4.0]))
    y = IrrepsArray("0e + 1o", xp.asarray([1.0, 2.0, 3.0, 5.0]))
    assert (x == y).irreps == "0e + 0e"
    assert np.asarray((x == y).array).tolist() == [True, False]
    assert np.asarray((x != y).array).tolist() == [False, True]
    assert np.asarray((x[..., "0e"] == 1.0).array).tolist() == [True]


def test_truth_values_are_those_of_numpy(xp: Any) -> None:
    x = data(xp, "0e + 1o", 2)
    for ambiguous in (x, x[0], data(xp, "2x0e"), x[:0], x.filter(drop="0e + 1o"), x == x, x != x):
        with pytest.raises(ValueError, match=r"ambiguous.*allclose\(x\.array"):
            bool(ambiguous)
        # NumPy before 2.2 warns of an empty array.
        with pytest.raises((ValueError, DeprecationWarning), match="ambiguous"):
            bool(np.asarray(ambiguous.array) == 0)
    for number in (0.0, 2.0):
        assert bool(IrrepsArray("0e", xp.full((1, 1), number))) is bool(number)
        assert bool(IrrepsArray("0o", xp.full(1, number))) is bool(number)


def test_an_assertion_of_equality_does_not_pass_silently(xp: Any) -> None:
    x, y = data(xp, "0e + 1o", 4), data(xp, "0e + 1o", 4, seed=1)
    with pytest.raises(ValueError, match="ambiguous"):
        assert x == y
    with pytest.raises(ValueError, match="ambiguous"):
        assert x == x
    with pytest.raises(AssertionError):
        assert x[0, "0e"] == y[0, "0e"]


def test_scalars_convert_to_numpy_and_other_irreps_do_not(xp: Any) -> None:
    x = data(xp, "3x0e", 2)
    np.testing.assert_array_equal(np.asarray(x), np.asarray(x.array), strict=True)
    assert np.asarray(x, np.float32).dtype == np.float32
    assert not np.shares_memory(np.array(x), np.asarray(x.array))
    assert np.asarray(data(xp, "", 2)).shape == (2, 0)
    for irreps in ("0e + 1o", "0o", "1o"):
        for convert in (np.asarray, np.array, lambda x: np.testing.assert_allclose(x, x)):
            with pytest.raises(TypeError, match=r"lose its irreps: write x\.array"):
                convert(data(xp, irreps, 2))


NOT_EQUIVARIANT = {
    "vector + number": lambda x, y: x + 1.0,
    "number - vector": lambda x, y: 1.0 - x,
    "other irreps": lambda x, y: x + y,
    "difference of other irreps": lambda x, y: x - y,
    "wrong number of factors": lambda x, y: x * np.ones((4, 2)),
    "wrong number of divisors": lambda x, y: x / np.ones((4, 2)),
    "division by vectors": lambda x, y: y / x,
    "number / vector": lambda x, y: 1.0 / x,
    "vector ** 2": lambda x, y: x**2,
    "odd scalar ** 0.5": lambda x, y: IrrepsArray("0o", np.ones(1)) ** 0.5,
    "vector == number": lambda x, y: x == 1.0,
    "comparison of other irreps": lambda x, y: x == y,
    "odd scalar + number": lambda x, y: IrrepsArray("0o", np.ones(1)) + 1.0,
}


@pytest.mark.parametrize("name", NOT_EQUIVARIANT)
def test_what_is_not_equivariant_is_refused(name: str) -> None:
    x, y = data(np, "2x0e + 1o", 4), data(np, "3x0e + 1e", 4)
    with pytest.raises(ValueError, match="not equivariant"):
        NOT_EQUIVARIANT[name](x, y)


def test_other_refusals() -> None:
    x = data(np, "2x0e + 1o", 4)
    with pytest.raises(ValueError, match="numbers of irreps differ"):
        x * data(np, "0e")
    with pytest.raises(ValueError, match="tensor_product"):
        x * x
    with pytest.raises(ValueError, match="known to be zero"):
        x / ic.zeros("3x0e", (4,), backend=np)
    for operation in (lambda: x + "a", lambda: x * "a", lambda: x / None, lambda: x == "a"):
        with pytest.raises(TypeError, match="cannot compute"):
            operation()


def test_zero_flags_survive_arithmetic(xp: Any) -> None:
    x = ic.from_chunks("0e + 1o", [None, xp.ones((1, 3))], ())
    y = ic.from_chunks("0e + 1o", [xp.ones((1, 1)), None], ())
    assert (x + x).zero_flags == (True, False)
    assert (x + y).zero_flags == (False, False)
    assert (2 * x).zero_flags == (-x).zero_flags == (x * xp.ones(2)).zero_flags == (True, False)
    assert (x * IrrepsArray("2x0e", xp.ones(2))).zero_flags == (True, False)


# Rearranging


@settings(max_examples=200, deadline=None)
@given(
    st.lists(st.tuples(st.integers(0, 3), st.tuples(st.integers(0, 2), st.sampled_from([1, -1]))), max_size=5),
    st.lists(st.booleans(), min_size=5, max_size=5),
)
def test_rearranging_keeps_every_irrep(terms: list, zero: list) -> None:
    x = data(np, terms, 2)
    chunks = [None if z else c for z, c in zip(zero, x.chunks, strict=False)]
    x = ic.from_chunks(x.irreps, chunks, (2,), float, backend=np)
    for irreps in (x.irreps.simplify(), x.irreps.unify(), x.irreps.remove_zero_multiplicities()):
        assert_same(x.rechunk(irreps), irreps, x.array)
    assert_same(x.simplify(), x.irreps.simplify(), x.array)
    grouped = x.regroup()
    assert grouped.irreps == x.irreps.regroup()
    for _, ir in grouped.irreps:
        columns = [
            np.arange(s.start, s.stop) for s, item in zip(x.irreps.slices(), x.irreps, strict=True) if item.ir == ir
        ]
        np.testing.assert_array_equal(grouped.filter(ir).array, x.array[:, np.concatenate(columns)])
    assert_same(grouped, grouped.irreps, grouped.array)
    shown = [s for s, z in zip(x.irreps.slices(), x.zero_flags, strict=True) if not z]
    known = np.concatenate([np.zeros((2, 0)), *(x.array[:, s] for s in shown)], axis=-1)
    assert_same(x.remove_zero_chunks(), x.irreps.filter(mask=[not z for z in x.zero_flags]), known)


def test_filter_and_extend(xp: Any) -> None:
    x = data(xp, "2x0e + 1o + 2e", 3)
    assert_same(x.filter("0e + 2e"), "2x0e + 2e", np.asarray(x.array)[:, [0, 1, 5, 6, 7, 8, 9]])
    assert_same(x.filter(drop="1o"), "2x0e + 2e", np.asarray(x.array)[:, [0, 1, 5, 6, 7, 8, 9]])
    assert_same(x.filter(lmax=1), "2x0e + 1o", x.array[:, :5])
    assert_same(x.filter(mask=[False, True, False]), "1o", x.array[:, 2:5])
    assert_same(x.filter("5e"), "", x.array[:, :0])
    y = x.filter("1o").extend_with_zeros("2x0e + 1o + 1o")
    assert y.zero_flags == (True, False, True)
    assert_same(y, "2x0e + 1o + 1o", np.concatenate([np.zeros((3, 2)), x.array[:, 2:5], np.zeros((3, 3))], -1))
    with pytest.raises(ValueError, match="1x2e has no place"):
        x.extend_with_zeros("2x0e + 1o")
    with pytest.raises(ValueError, match="rechunk"):
        x.rechunk("1o + 2x0e + 2e")


def test_filter_by_mask_of_equal_items(xp: Any) -> None:
    x = data(xp, "1o + 1o", 2)
    assert_same(x.filter(mask=[False, True]), "1o", x.array[:, 3:])


def test_multiplicities_and_axes(xp: Any) -> None:
    x = data(xp, "4x0e + 2x1o", 5, 3)
    y = x.mul_to_axis()
    assert (y.shape, y.irreps) == ((5, 3, 2, 5), Irreps("2x0e + 1o"))
    np.testing.assert_array_equal(np.asarray(y.array)[..., 1, :2], np.asarray(x.array)[..., 2:4])
    assert_same(y.axis_to_mul(), x.irreps, x.array)
    for axis in (0, 1, 2, -2, -3, -4):
        moved = x.mul_to_axis(2, axis=axis)
        assert_same(moved.axis_to_mul(axis=axis), x.irreps, x.array)
        assert moved.shape[axis % 4] == 2
    flat = y.axis_to_irreps()
    assert_same(flat, "2x0e + 1o + 2x0e + 1o", np.asarray(y.array).reshape(5, 3, 10))
    assert_same(flat.irreps_to_axis(2), y.irreps, y.array)
    for axis in (0, 1):
        assert_same(y.axis_to_irreps(axis).irreps_to_axis(y.shape[axis], axis), y.irreps, y.array)
    with pytest.raises(ValueError, match="3 does not divide"):
        x.mul_to_axis(3)
    with pytest.raises(ValueError, match="last one"):
        x.axis_to_mul(-1)
    with pytest.raises(ValueError, match="does not exist"):
        x.axis_to_mul(7)
    assert_same(data(xp, "2x0e", 3).axis_to_irreps(), "6x0e", data(xp, "2x0e", 3).array.reshape(6))
    assert data(xp, "6x0e").irreps_to_axis(3).irreps == "2x0e"
    for length in (0, 2, 4):
        with pytest.raises(ValueError, match="same sequence"):
            data(xp, "2x0e + 1o").irreps_to_axis(length)


def test_reshape_and_broadcast(xp: Any) -> None:
    x = data(xp, "0e + 1o", 6)
    assert_same(x.reshape((2, 3, -1)), x.irreps, np.asarray(x.array).reshape(2, 3, 4))
    assert_same(x.reshape(2, 3, 4), x.irreps, np.asarray(x.array).reshape(2, 3, 4))
    assert x.broadcast_to((5, 6, -1)).shape == (5, 6, 4)
    with pytest.raises(ValueError, match="4 or -1"):
        x.reshape((3, 8))
    with pytest.raises(ValueError, match="4 or -1"):
        x.broadcast_to((5, 6, 3))


# Reductions and combinations


def test_sum_and_mean(xp: Any) -> None:
    x = data(xp, "3x0e + 2x1o", 4, 5)
    a = np.asarray(x.array)
    for name, ours in (("sum", ic.sum), ("mean", ic.mean)):
        reduce = getattr(np, name)
        assert_same(ours(x, axis=0), x.irreps, reduce(a, axis=0))
        assert_same(ours(x, axis=(0, 1), keepdims=True), x.irreps, reduce(a, axis=(0, 1), keepdims=True))
        last = np.concatenate([reduce(a[..., :3], -1, keepdims=True), reduce(a[..., 3:].reshape(4, 5, 2, 3), -2)], -1)
        assert_same(ours(x, axis=-1), "0e + 1o", last)
        assert_same(ours(x), "0e + 1o", reduce(last, axis=(0, 1)))
    with pytest.raises(ValueError, match="axis 3"):
        ic.sum(x, axis=3)


def test_norm_and_dot(xp: Any) -> None:
    x, y = data(xp, "2x0e + 2x1o", 4), data(xp, "2x0e + 2x1o", 4, seed=1)
    a, b = np.asarray(x.array), np.asarray(y.array)

    def per_irrep(p: np.ndarray) -> np.ndarray:
        return np.concatenate([p[:, :2], p[:, 2:].reshape(4, 2, 3).sum(-1)], -1)

    assert_same(ic.norm(x), "2x0e + 2x0e", np.sqrt(per_irrep(a * a)))
    assert_same(ic.norm(x, squared=True), "2x0e + 2x0e", per_irrep(a * a))
    assert_same(ic.norm(x, per_irrep=False), "0e", np.linalg.norm(a, axis=-1, keepdims=True))
    assert_same(ic.dot(x, y, per_irrep=True), "2x0e + 2x0e", per_irrep(a * b))
    assert_same(ic.dot(x, y), "0e", (a * b).sum(-1, keepdims=True))
    with pytest.raises(ValueError, match="equal irreps"):
        ic.dot(x, data(xp, "0e", 4))
    z = ic.zeros("0e + 1o", (4,), backend=xp)
    assert ic.dot(z, z).zero_flags == (True,)


def test_cross(xp: Any) -> None:
    x, y = data(xp, "2x1o + 1e", 4), data(xp, "1o + 2x1e", 4, seed=1)
    expected = np.cross(np.asarray(x.array).reshape(4, 3, 3), np.asarray(y.array).reshape(4, 3, 3)).reshape(4, 9)
    assert_same(ic.cross(x, y), "1e + 1o + 1e", expected)
    without = ic.IrrepsArray("0x2e + 2x1o + 1e", x.array)  # no vector, but nothing that is none either
    np.testing.assert_allclose(ic.cross(without, y).array, expected, rtol=1e-6)
    with pytest.raises(ValueError, match="vectors"):
        ic.cross(data(xp, "0e"), x)
    with pytest.raises(ValueError, match="equally many"):
        ic.cross(data(xp, "1o"), x)


def test_concatenate_stack_where(xp: Any) -> None:
    x, y = data(xp, "0e + 1o", 2, 3), data(xp, "0e + 1o", 2, 3, seed=1)
    a, b = np.asarray(x.array), np.asarray(y.array)
    for last in (-1, 2):
        assert_same(ic.concatenate([x, y], axis=last), "0e + 1o + 0e + 1o", np.concatenate([a, b], -1))
    for axis in (0, 1):
        assert_same(ic.concatenate([x, y], axis=axis), x.irreps, np.concatenate([a, b], axis))
    assert_same(ic.concatenate([x, x.array[..., :2]]), "0e + 1o + 2x0e", np.concatenate([a, a[..., :2]], -1))
    for axis in (0, 1, 2, -2):
        assert_same(ic.stack([x, y], axis), x.irreps, np.stack([a, b], axis))
    mask = xp.asarray(np.random.default_rng(2).random((2, 3, 2)) > 0.5)
    each = np.asarray(mask)[..., [0, 1, 1, 1]]
    assert_same(ic.where(mask, x, y), x.irreps, np.where(each, a, b))
    assert_same(ic.where(mask[..., :1], x, y), x.irreps, np.where(each[..., :1], a, b))
    for function in (ic.concatenate, ic.stack):
        with pytest.raises(ValueError, match="at least one"):
            function([])
    with pytest.raises(ValueError, match="equal irreps"):
        ic.stack([x, data(xp, "4x0e", 2, 3)])
    with pytest.raises(ValueError, match="equal irreps"):
        ic.concatenate([x, data(xp, "4x0e", 2, 3)], axis=0)
    with pytest.raises(ValueError, match="last one"):
        ic.stack([x, y], axis=-1)
    with pytest.raises(ValueError, match="mask"):
        ic.where(xp.ones((2, 3, 3), bool), x, y)


# Rotations


def test_transformations_agree_with_the_matrices(xp: Any) -> None:
    x = data(xp, "2x0e + 0o + 2x1o + 1e + 2e", 5)
    q = np.random.default_rng(1).normal(size=4)
    axis, angle = np.array([0.3, -0.5, 0.8]), 0.9
    for k in (0, 1):
        D = x.irreps.D_from_quaternion(q, k)
        assert_same(x.transform_by_quaternion(q, k), x.irreps, np.asarray(x.array) @ D.T)
        assert_same(x.transform_by_quaternion(q, k, inverse=True), x.irreps, np.asarray(x.array) @ D)
        D = x.irreps.D_from_angles(0.1, 2.0, -1.0, k)
        assert_same(x.transform_by_angles(0.1, 2.0, -1.0, k), x.irreps, np.asarray(x.array) @ D.T)
        D = x.irreps.D_from_axis_angle(axis, angle, k)
        assert_same(x.transform_by_axis_angle(axis, angle, k), x.irreps, np.asarray(x.array) @ D.T)
        D = x.irreps.D_from_log_coordinates(axis, k)
        assert_same(x.transform_by_log_coordinates(axis, k), x.irreps, np.asarray(x.array) @ D.T)
    R = np.linalg.qr(np.random.default_rng(3).normal(size=(5, 3, 3)))[0]
    D = x.irreps.D_from_matrix(R)
    assert_same(x.transform_by_matrix(R), x.irreps, np.einsum("bij,bj->bi", D, np.asarray(x.array)))


def test_vectors_rotate_as_vectors(xp: Any) -> None:
    R = np.linalg.qr(np.random.default_rng(3).normal(size=(3, 3)))[0]
    v = data(xp, "1o", 7)
    assert_same(v.transform_by_matrix(R), "1o", np.asarray(v.array) @ R.T)


def test_known_zeros_stay_known(xp: Any) -> None:
    x = ic.from_chunks("0e + 1o", [None, xp.ones((1, 3))], ())
    assert x.transform_by_angles(0.1, 0.2, 0.3).zero_flags == (True, False)
    assert x.transform_by_angles(0.1, 0.2, 0.3).dtype == x.dtype
