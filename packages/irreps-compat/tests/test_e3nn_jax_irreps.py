"""`Irrep`, `MulIrrep` and `Irreps` compare as those of e3nn-jax do, and calculations with them keep their types."""

import copy
import pickle

import jax
import numpy as np
import pytest

import irreps_compat.e3nn_jax as e3nn
import irreps_core as ic

TYPES = (e3nn.Irrep, e3nn.MulIrrep, e3nn.Irreps)


def test_degree_without_parity_is_even():
    irreps = e3nn.Irreps([0, "1o", (2, "1e"), 3])
    assert irreps == ic.Irreps("0e + 1o + 2x1e + 3e")
    for given in (None, "1o", ic.Irrep("1o"), ic.MulIrrep(2, "1o"), irreps):
        assert e3nn.Irreps(given) == ic.Irreps(given)
    with pytest.raises(ValueError, match="expected irreps"):
        e3nn.Irreps(1)


@pytest.mark.parametrize("other", [e3nn, ic])
def test_irrep_equals_every_multiple_of_it(other):
    assert e3nn.Irrep("1o") == other.MulIrrep(3, "1o") == e3nn.Irrep("1o")
    assert e3nn.Irrep("1o") != other.MulIrrep(3, "1e")
    assert e3nn.MulIrrep(3, "1o") == other.MulIrrep(3, "1o")
    assert e3nn.MulIrrep(3, "1o") != other.MulIrrep(2, "1o")
    assert other.Irrep("1o") in tuple(e3nn.Irreps("2x0e + 3x1o"))
    assert e3nn.Irrep("1o") in tuple(other.Irreps("2x0e + 3x1o"))
    assert e3nn.Irrep("1e") not in tuple(other.Irreps("2x0e + 3x1o"))


def test_irreps_equal_the_tuple_of_their_items():
    irreps = e3nn.Irreps("2x0e + 3x1o")
    assert irreps == tuple(irreps) == irreps
    assert (irreps != tuple(irreps)) is False
    assert irreps == ic.Irreps("2x0e + 3x1o") == irreps == "2x0e + 3x1o"
    assert irreps != tuple(irreps[:1])
    assert irreps != 1


def test_types_of_irreps_core_agree_and_count_as_instances():
    for cls, core, argument in zip(TYPES, (ic.Irrep, ic.MulIrrep, ic.Irreps), ("1o", (2, "1o"), "1o"), strict=True):
        ours, theirs = cls(argument), core(argument)
        assert ours == theirs == ours
        assert hash(ours) == hash(theirs)
        assert isinstance(theirs, cls)
        assert isinstance(ours, core)
        assert not isinstance("1o", cls)
        assert type(cls(theirs)) is cls


def test_results_have_the_types_of_e3nn_jax():
    irreps, core, irrep = e3nn.Irreps("2x0e + 1o"), ic.Irreps("1o"), e3nn.Irrep("1o")
    sums = [irreps + core, core + irreps, "1o" + irreps, irrep + core, ic.Irrep("1o") + irrep, sum([irreps, irreps])]
    multiples = [2 * irreps, irreps * 2, irreps // 1, irreps.repeat(2), irreps.set_mul(3), 3 * irrep]
    parts = [irreps[:1], irreps.slice_by_mul[1:], irreps.slice_by_dim[2:], irreps.slice_by_chunk[:1]]
    others = [irreps.filter("1o"), irreps.regroup(), irreps.simplify(), irreps.unify(), irreps.sort().irreps]
    made = [e3nn.Irreps.spherical_harmonics(2), e3nn.tensor_product("1o", "1o"), irreps.remove_zero_multiplicities()]
    assert {type(x) for x in sums + multiples + parts + others + made} == {e3nn.Irreps}
    products = [*irrep * "1o", *irrep * ic.Irrep("1o"), *ic.Irrep("1o") * irrep]
    assert {type(x) for x in [*products, *e3nn.Irrep.iterator(1), irreps[0].ir, e3nn.irrep.l1o]} == {e3nn.Irrep}
    assert {type(x) for x in irreps} == {e3nn.MulIrrep}
    assert type(e3nn.IrrepsArray(irreps, np.ones(5)).irreps) is e3nn.Irreps


@pytest.mark.parametrize("value", [e3nn.Irrep("1o"), e3nn.MulIrrep(2, "1o"), e3nn.Irreps("2x0e + 1o")])
def test_copies_and_pickles_are_equal(value):
    for made in (copy.copy(value), copy.deepcopy(value), pickle.loads(pickle.dumps(value))):
        assert type(made) is type(value)
        assert (made, hash(made)) == (value, hash(value))


def test_static_in_pytrees():
    leaves, structure = jax.tree.flatten([e3nn.Irrep("1o"), e3nn.MulIrrep(2, "1o"), e3nn.Irreps("2x0e + 1o")])
    assert leaves == []
    assert jax.tree.unflatten(structure, leaves)[2] == "2x0e + 1o"
