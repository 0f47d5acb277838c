"""Names that e3nn-jax renamed: each does what it did, and none is listed."""

import datetime
import pydoc

import numpy as np
import pytest

import irreps_core as ic
from irreps_core.arrays._irreps_array import RENAMED as OF_ARRAYS
from irreps_core.irreps._renamed import RENAMED as OF_IRREPS

RNG = np.random.default_rng(0)
X = ic.from_chunks("2x1o + 0e + 2x1o", [RNG.normal(size=(4, 2, 3)), None, RNG.normal(size=(4, 2, 3))], (4,))


def same(a, b):
    assert a.irreps == b.irreps
    assert a.zero_flags == b.zero_flags
    np.testing.assert_array_equal(a.array, b.array)


def test_of_the_data():
    assert X.contiguous is X.array
    assert [None if c is None else c.shape for c in X.list] == [(4, 2, 3), None, (4, 2, 3)]
    same(X.remove_nones(), X.remove_zero_chunks())
    same(X.replace_none_with_zeros(), ic.IrrepsArray(X.irreps, X.array))
    same(X.sorted(), X.sort())
    same(X.filtered("1o"), X.filter("1o"))
    same(X.filtered(drop="1o"), X.filter(drop="1o"))
    same(X.convert("1o + 1o + 0e + 2x1o"), X.rechunk("1o + 1o + 0e + 2x1o"))
    same(X._convert("1o + 1o + 0e + 2x1o"), X.rechunk("1o + 1o + 0e + 2x1o"))
    same(X.repeat_irreps_by_last_axis(), X.axis_to_irreps())
    same(X.repeat_mul_by_last_axis(), X.axis_to_mul())
    vectors = X.filter("1o")
    same(vectors.factor_mul_to_last_axis(), vectors.mul_to_axis())
    same(vectors.factor_mul_to_last_axis(2), vectors.mul_to_axis(2))


def test_split_by_places_and_by_irreps():
    first, second = X.split([1])
    same(ic.concatenate([first, second]), X)
    assert first.irreps == "2x1o"
    parts = X.split(["1o", "1o + 0e", "2x1o"])
    assert [part.irreps for part in parts] == ["1o", "1o + 0e", "2x1o"]
    np.testing.assert_array_equal(ic.concatenate(parts).array, X.array)
    with pytest.raises(ValueError, match="2x1o"):
        X.split(["1o", "2x1o"])


def test_of_the_class():
    same(ic.IrrepsArray.from_list(X.irreps, X.chunks, (4,)), X)
    same(ic.IrrepsArray.from_list("2x0e", [None], (4,)), ic.zeros("2x0e", (4,)))
    assert ic.IrrepsArray.from_list("", [], (2, 2)).shape == (2, 2, 0)
    same(ic.IrrepsArray.from_any(X.irreps, X.chunks), X)
    same(ic.IrrepsArray.from_any(X.irreps, X.array), X.replace_none_with_zeros())
    same(ic.IrrepsArray.from_any("4x1o", X.remove_nones()), X.remove_nones().simplify())
    same(ic.IrrepsArray.cat([X, X]), ic.concatenate([X, X]))
    same(ic.IrrepsArray.cat([X, X], axis=0), ic.concatenate([X, X], axis=0))
    same(ic.IrrepsArray.zeros_like(X), ic.zeros_like(X))
    assert ic.IrrepsArray.zeros("1o", (2,)).zero_flags == (True,)
    np.testing.assert_array_equal(ic.IrrepsArray.ones("1o", (2,)).array, np.ones((2, 3)))
    same(ic.IrrepsArray.as_irreps_array(np.ones(3)), ic.as_irreps_array(np.ones(3)))
    same(ic.IrrepsArray(X.irreps, X.array, chunks=X.chunks), X)
    with pytest.raises(ValueError, match="zeros"):
        ic.IrrepsArray.from_any("1o", [None])


def test_random_numbers():
    irreps = ic.Irreps("2x0e + 1o")
    x = irreps.randn(np.random.default_rng(1), (3, -1, 2), normalization="norm")
    assert x.shape == (3, 5, 2)
    np.testing.assert_allclose(np.linalg.norm(x[:, 2:], axis=1), 1)
    assert ic.IrrepsArray.randn(irreps, np.random.default_rng(1), (3,)).shape == (3, 5)
    with pytest.raises(ValueError, match="-1"):
        irreps.randn(np.random.default_rng(1), (3, 5))
    with pytest.raises(ValueError, match="normalization"):
        irreps.randn(np.random.default_rng(1), (-1,), normalization="integral")


def test_plain_arrays_are_rotated():
    irreps, angles = ic.Irreps("0e + 1o + 2e"), (0.1, 0.2, 0.3)
    x = RNG.normal(size=(2, 9))
    expected = ic.IrrepsArray(irreps, x).transform_by_angles(*angles, 1).array
    q, (axis, angle) = ic.angles_to_quaternion(*angles), ic.angles_to_axis_angle(*angles)
    np.testing.assert_allclose(irreps.transform_by_angles(x, *angles, 1), expected)
    np.testing.assert_allclose(irreps.transform_by_quaternion(x, q, 1), expected, atol=1e-14)
    np.testing.assert_allclose(irreps.transform_by_axis_angle(x, axis, angle, 1), expected, atol=1e-14)
    np.testing.assert_allclose(irreps.transform_by_matrix(x, -ic.angles_to_matrix(*angles)), expected, atol=1e-14)


@pytest.mark.parametrize("owner", [ic.IrrepsArray, ic.Irreps])
def test_former_names_work_and_are_not_listed(owner):
    instance, table = (X, OF_ARRAYS) if owner is ic.IrrepsArray else (X.irreps, OF_IRREPS)
    page = pydoc.render_doc(owner, renderer=pydoc.plaintext)
    assert " chunks" in page or " simplify" in page
    for name in table:
        assert hasattr(instance, name)
        assert name not in {*dir(owner), *dir(instance)}
        assert f" {name}(" not in page.replace(f"irreps_core.{name}(", "")
    with pytest.raises(AttributeError, match="has no attribute 'contigous'"):
        _ = instance.contigous


def test_a_class_has_its_former_static_names_only():
    assert ic.IrrepsArray.sorted(X).irreps == X.sort().irreps
    with pytest.raises(AttributeError, match="type object 'IrrepsArray' has no attribute 'from_lists'"):
        _ = ic.IrrepsArray.from_lists


def test_the_tables_are_dated_and_name_what_there_is_today():
    for renamed in (*OF_ARRAYS.values(), *OF_IRREPS.values()):
        assert datetime.date(2022, 8, 1) < datetime.date.fromisoformat(renamed.date) < datetime.date(2023, 7, 1)
        owner, name = renamed.today.split(".")
        assert name in dir({"irreps_core": ic, "IrrepsArray": ic.IrrepsArray}[owner])
    assert [r.release for r in OF_ARRAYS.values()] == sorted(
        (r.release for r in OF_ARRAYS.values()), key=lambda release: [int(part) for part in release.split(".")]
    )
