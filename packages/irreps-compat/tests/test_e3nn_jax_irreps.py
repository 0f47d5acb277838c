"""`Irrep`, `MulIrrep` and `Irreps` compare as those of e3nn-jax do, and calculations with them keep their types."""

import copy
import pickle

import jax
import jax.numpy as jnp
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
    with pytest.raises(ValueError, match="expected a degree and a parity"):
        e3nn.Irreps([(32, 1)])


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


def test_comparisons_that_decide_the_structure_of_programs():
    irreps = e3nn.Irreps("1o")
    assert irreps == "1o"
    assert irreps != "1o"  # both are true in e3nn-jax
    assert (irreps != e3nn.Irreps("1o")) is False
    assert e3nn.Irrep("1o") == (1, -1)
    assert {(1, -1): 7}[e3nn.Irrep("1o")] == 7
    assert e3nn.Irrep("1o") != (1, 1)
    assert e3nn.Irrep("1o") != "nonsense"
    assert {tuple(irreps)} == {irreps}


@pytest.mark.parametrize("make", [e3nn.Irreps, ic.Irreps])
def test_hashes_of_the_two_libraries_never_meet(make):
    """Methods and functions that compare by hash accept the irreps of both."""
    x = e3nn.normal("2x0e + 1o + 1e", jax.random.key(0))
    assert x.irreps.filter(make("1o")) == e3nn.Irreps("1o")
    assert x.irreps.filter(drop=[ir for _, ir in make("1o")]) == e3nn.Irreps("2x0e + 1e")
    assert x.filter(make("1o")).irreps == e3nn.Irreps("1o")
    assert e3nn.tensor_product(x, x, filter_ir_out=make("0o")).irreps == ic.Irreps("2x0o")
    assert make("0e").is_scalar()
    assert {type(ir) for _, ir in ic.Irreps(make("0e + 1o"))} == {ic.Irrep}
    basis = e3nn.reduced_symmetric_tensor_product_basis(make("1o"), 2, keep_ir=make("2e"))
    assert basis.irreps == e3nn.Irreps("2e")


def test_data_has_irreps_that_compare_as_in_e3nn_jax():
    x = e3nn.ones("0e + 1o", (2,))
    vectors = x.filter("1o")
    made = [x + x, x[0], e3nn.norm(x), e3nn.tensor_product(x, x), e3nn.concatenate([x, x]), e3nn.gate(x.filter("0e"))]
    made += [e3nn.vmap(e3nn.norm)(x), e3nn.grad(e3nn.norm)(vectors[0]), e3nn.mean(x), x.at[0].set(0)]
    made += [e3nn.spherical_harmonics("1o", vectors, True), e3nn.IrrepsArray.from_list("1o", [None], ()), x.list[1:]]
    made += [jax.jit(lambda x: x * 2)(x), jax.vmap(lambda x: x.rechunk(x.irreps))(x), copy.deepcopy(x)]
    for value in made:
        if not isinstance(value, list):
            assert type(value) is e3nn.IrrepsArray
            assert type(value.irreps) is e3nn.Irreps
            assert value.irreps != str(value.irreps)
    e3nn.vmap(lambda x: [made.append(x)])(x)
    assert type(made[-1]) is e3nn.IrrepsArray


def test_types_of_irreps_core_agree_and_count_as_instances():
    for cls, core, argument in zip(TYPES, (ic.Irrep, ic.MulIrrep, ic.Irreps), ("1o", (2, "1o"), "1o"), strict=True):
        ours, theirs = cls(argument), core(argument)
        assert ours == theirs == ours
        assert isinstance(theirs, cls)
        assert isinstance(ours, core)
        assert not isinstance("1o", cls)
        assert type(cls(theirs)) is cls
        assert type(core(ours)) is core


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


def test_data_is_true_if_it_has_rows() -> None:
    # A public SEGNN asks ``if not y``.
    assert e3nn.IrrepsArray("0e + 1o", jnp.zeros((2, 4)))
    assert e3nn.IrrepsArray("0e", jnp.zeros(1))
    assert not e3nn.IrrepsArray("1o", jnp.zeros((0, 3)))
