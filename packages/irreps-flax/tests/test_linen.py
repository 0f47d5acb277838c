"""The linen modules under linen's own machinery: setup, compact, scan, vmap, remat, partitioning, names."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import linen

import irreps_core as ic
import irreps_flax.linen as modules

KEY = jax.random.key(0)
X = ic.normal("2x0e + 1o", jax.random.key(1), (4,), dtype=jnp.float32)


class Compact(linen.Module):
    @linen.compact
    def __call__(self, x: ic.IrrepsArray) -> ic.IrrepsArray:
        x = modules.Linear("8x0e + 1o", biases=True)(x)
        x = modules.Linear("8x0e + 1o", name="second")(x)
        return modules.MultiLayerPerceptron([4, 1], jax.nn.silu)(x.filter("0e"))


class Setup(linen.Module):
    def setup(self) -> None:
        self.shared = modules.Linear("2x0e + 1o", force_irreps_out=True)

    def __call__(self, x: ic.IrrepsArray) -> ic.IrrepsArray:
        return self.shared(self.shared(x))


def test_names_are_those_of_linen():
    variables = Compact().init(KEY, X)
    assert {"/".join(path): leaf.shape for path, leaf in jax_paths(variables["params"])} == {
        "Linear_0/b[0] 8x0e": (8,),
        "Linear_0/w[0,0] 2x0e,8x0e": (2, 8),
        "Linear_0/w[1,1] 1x1o,1x1o": (1, 1),
        "second/w[0,0] 8x0e,8x0e": (8, 8),
        "second/w[1,1] 1x1o,1x1o": (1, 1),
        "MultiLayerPerceptron_0/linear_0/w": (8, 4),
        "MultiLayerPerceptron_0/linear_1/w": (4, 1),
    }
    assert len(jax.tree.leaves(Setup().init(KEY, X))) == 2


def jax_paths(tree):
    return [([key.key for key in path], leaf) for path, leaf in jax.tree_util.tree_leaves_with_path(tree)]


@pytest.mark.parametrize("model", [Compact(), Setup()])
def test_jit_and_grad(model):
    variables = model.init(KEY, X)
    expected = model.apply(variables, X)
    np.testing.assert_allclose(jax.jit(model.apply)(variables, X).array, expected.array, rtol=1e-5)
    gradient = jax.jit(jax.grad(lambda v: model.apply(v, X).array.sum()))(variables)
    assert jax.tree.structure(gradient) == jax.tree.structure(variables)


def test_scan_over_layers():
    class Step(linen.Module):
        @linen.compact
        def __call__(self, x, _):
            return modules.Linear("2x0e + 1o", force_irreps_out=True, name="linear")(x), None

    scan = linen.scan(Step, variable_axes={"params": 0}, split_rngs={"params": True}, length=3)()
    variables = scan.init(KEY, X, None)
    found, _ = scan.apply(variables, X, None)
    expected = X
    for i in range(3):
        expected = modules.Linear("2x0e + 1o", force_irreps_out=True).apply(
            {"params": jax.tree.map(lambda p, i=i: p[i], variables["params"]["linear"])}, expected
        )
    np.testing.assert_allclose(found.array, expected.array, atol=1e-5)


def test_statistics_and_noise_within_scan_and_remat():
    class Step(linen.Module):
        @linen.compact
        def __call__(self, x: ic.IrrepsArray, _: None) -> tuple[ic.IrrepsArray, None]:
            x = modules.Dropout(0.5, name="dropout")(x)
            return modules.BatchNorm(momentum=0.5, name="norm")(x), None

    axes, keys = {"params": 0, "batch_stats": 0}, {"params": True, "dropout": True}
    scan = linen.scan(linen.remat(Step), variable_axes=axes, split_rngs=keys, length=2)()
    variables = scan.init({"params": KEY, "dropout": KEY}, X, None)
    found = []
    for i in range(2):
        (y, _), new = scan.apply(variables, X, None, rngs={"dropout": jax.random.key(i)}, mutable=["batch_stats"])
        found.append(y.array)
    assert not jnp.allclose(found[0], found[1])
    statistics = new["batch_stats"]["norm"]["running_var"]
    assert statistics.shape == (2, 3)
    assert not jnp.allclose(statistics[0], statistics[1])


def test_vmap_and_remat():
    many = linen.vmap(modules.Linear, variable_axes={"params": 0}, split_rngs={"params": True})("4x0e")
    variables = many.init(KEY, X)
    assert variables["params"]["w[0,0] 2x0e,4x0e"].shape == (4, 2, 4)
    assert many.apply(variables, X).shape == (4, 4)
    plain, checkpointed = modules.Linear("4x0e"), linen.remat(modules.Linear)("4x0e")
    np.testing.assert_array_equal(
        checkpointed.apply(plain.init(KEY, X), X).array, plain.apply(plain.init(KEY, X), X).array
    )


def test_parameters_may_carry_partitions():
    initializer = linen.with_partitioning(jax.nn.initializers.ones, (None, "model"))
    linear = modules.Linear("4x0e", parameter_initializer=lambda: initializer)
    variables = linear.init(KEY, X)
    assert linen.get_partition_spec(variables)["params"]["w[0,0] 2x0e,4x0e"] == jax.sharding.PartitionSpec(
        None, "model"
    )
    np.testing.assert_allclose(linear.apply(variables, X).array, linear.apply(linen.unbox(variables), X).array)


def test_modules_are_values():
    assert modules.Linear("0e", biases=True) == modules.Linear([(1, "0e")], biases=True)
    assert hash(modules.MultiLayerPerceptron([4], None)) == hash(modules.MultiLayerPerceptron([4], None))
    assert modules.Linear("0e").clone(biases=True).biases
    assert "irreps_out" in repr(modules.Linear("0e"))


def test_attributes_are_irreps_also_where_linen_makes_tuples_plain():
    """Linen makes tuples plain where it binds a module; the irreps of our modules stay irreps, and modules equal."""
    seen = []

    class Parent(linen.Module):
        irreps: ic.Irreps
        child: linen.Module

        def setup(self) -> None:
            self.other = modules.Linear(self.irreps)

        def __call__(self, x: ic.IrrepsArray) -> ic.IrrepsArray:
            y = self.other(self.child(x))
            seen.extend([self.child.irreps_out, self.child.irreps_in, self.other.irreps_out])
            return y

    linear = modules.Linear("2x0e + 1o", irreps_in="2x0e + 1o")
    parent = Parent(ic.Irreps("0e + 1o"), linear)
    variables = parent.init(KEY, X)
    assert parent.apply(variables, X).irreps == "0e + 1o"
    assert all(isinstance(irreps, ic.Irreps) for irreps in seen)
    assert seen[-3:] == ["2x0e + 1o", "2x0e + 1o", "0e + 1o"]
    bound = linear.bind(linear.init(KEY, X))
    assert isinstance(bound.irreps_out, ic.Irreps)
    assert bound.clone(parent=None) == linear
    assert hash(bound.clone(parent=None)) == hash(linear)


def test_bad_use_is_named():
    with pytest.raises(ValueError, match="'banana'"):
        modules.Linear("0e", path_normalization="banana")
    linear = modules.Linear("4x0e")
    variables = linear.init(KEY, X)
    with pytest.raises(ValueError, match=r"'w\[0,0\] 2x0e,4x0e' must have shape \(5, 2, 4\), got \(2, 4\)"):
        linear.apply(variables, jnp.ones((4, 5)), X)
    with pytest.raises(ValueError, match="scalars"):
        modules.MultiLayerPerceptron([4], None).init(KEY, X)


def test_other_irreps_are_refused_with_the_path_of_the_module():
    class Block(linen.Module):
        @linen.compact
        def __call__(self, x: ic.IrrepsArray) -> ic.IrrepsArray:
            return modules.Linear("0e", irreps_in="2x0e + 1o")(x)

    class Model(linen.Module):
        @linen.compact
        def __call__(self, x: ic.IrrepsArray) -> ic.IrrepsArray:
            return Block()(x)

    variables = Model().init(KEY, X)
    match = r"Linear 'Block_0/Linear_0' was made for irreps_in=2x0e\+1x1o, got input of irreps 2x0e"
    with pytest.raises(ValueError, match=match):
        Model().apply(variables, X.filter("0e"))
    with pytest.raises(ValueError, match=r"'w\[0,0\] 1x1o,4x1o' is missing, there are \['w\[0,0\] 2x0e,4x0e'\]"):
        modules.Linear("4x0e + 4x1o").apply(modules.Linear("4x0e").init(KEY, X), X.filter("1o"))
