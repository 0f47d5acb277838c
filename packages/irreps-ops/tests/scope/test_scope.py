"""The scope of no framework: parameters by name, made, found, refused."""

from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import irreps_core as ic
import irreps_ops as irr

normal = jax.nn.initializers.normal(1.0)


def two_floors(scope, x):
    """A layer within a layer, and a parameter asked for twice."""
    w = scope.parameter("w", (3,), x.dtype, normal)
    inner = scope.child("inner").child("deep").parameter("w", (3,), x.dtype, normal)
    again = scope.child("inner").child("deep").parameter("w", (3,), x.dtype, normal)
    return w * x + inner + again


X = jnp.ones(3)


def test_specs_are_a_tree_of_names():
    specs = irr.bindings.parameter_specs(two_floors, X)
    assert list(specs) == ["w", "inner"]
    assert specs["inner"]["deep"]["w"].shape == (3,)
    assert specs["w"].initializer is normal
    assert specs["w"] == irr.bindings.ParameterSpec((3,), jnp.dtype("float64"), normal)


def test_nothing_is_computed_for_the_specs():
    def layer(scope, x):
        w = scope.parameter("w", (x.shape[-1], 2), x.dtype, normal)
        return jax.pure_callback(lambda *_: pytest.fail("computed"), jax.ShapeDtypeStruct((2,), x.dtype), x @ w)

    huge = jax.ShapeDtypeStruct((10**9,), jnp.float32)
    assert irr.bindings.parameter_specs(layer, huge)["w"].shape == (10**9, 2)


def test_init_and_apply_agree():
    params = irr.init(two_floors, jax.random.key(0), X)
    np.testing.assert_allclose(
        irr.apply(two_floors, params, X), params["w"] * X + 2 * params["inner"]["deep"]["w"], atol=1e-15
    )


def test_each_parameter_has_a_key_of_its_name():
    """Another parameter, or another order, changes no value."""

    def other_order(scope, x):
        inner = scope.child("inner").child("deep").parameter("w", (3,), x.dtype, normal)
        return inner + scope.parameter("another", (3,), x.dtype, normal) + scope.parameter("w", (3,), x.dtype, normal)

    one, other = (irr.init(layer, jax.random.key(0), X) for layer in (two_floors, other_order))
    np.testing.assert_array_equal(one["w"], other["w"])
    np.testing.assert_array_equal(one["inner"]["deep"]["w"], other["inner"]["deep"]["w"])
    values = [other["w"], other["another"], other["inner"]["deep"]["w"]]
    assert len({float(v[0]) for v in values}) == 3
    assert not jnp.allclose(one["w"], irr.init(two_floors, jax.random.key(1), X)["w"])


def test_init_is_traceable():
    shapes = jax.eval_shape(lambda key: irr.init(two_floors, key, X), jax.random.key(0))
    assert shapes["inner"]["deep"]["w"].shape == (3,)
    many = jax.vmap(lambda key: irr.init(two_floors, key, X))(jax.random.split(jax.random.key(0), 5))
    assert many["w"].shape == (5, 3)
    np.testing.assert_array_equal(
        jax.jit(lambda key: irr.init(two_floors, key, X))(jax.random.key(0))["w"],
        irr.init(two_floors, jax.random.key(0), X)["w"],
    )


def test_keys_of_the_old_kind_will_do():
    layer = irr.Linear("0e")
    params = irr.init(layer, jax.random.PRNGKey(0), ic.normal("0e", jax.random.key(0)))
    assert list(params) == ["w[0,0] 1x0e,1x0e"]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda p: p.pop("w"), r"parameter 'w' is missing, there are \['inner'\]"),
        (lambda p: p.pop("inner"), r"parameter 'inner/deep/w' is missing, there are \[\]"),
        (lambda p: p.update(w=jnp.ones(4)), r"parameter 'w' must have shape \(3,\), got \(4,\)"),
        (
            lambda p: p.update(inner={"deep": {"w": jnp.ones((3, 1))}}),
            r"parameter 'inner/deep/w' must have shape \(3,\), got \(3, 1\)",
        ),
    ],
)
def test_wrong_parameters_are_named_with_their_path(change, message):
    params = irr.init(two_floors, jax.random.key(0), X)
    change(params)
    with pytest.raises(ValueError, match=message):
        irr.apply(two_floors, params, X)
    with pytest.raises(ValueError, match=message.replace(" '", " 'model/part/")):
        irr.apply(two_floors, params, X, path=lambda: "model/part")


def test_one_name_is_one_shape():
    def confused(scope, x):
        return scope.parameter("w", (2,), x.dtype, normal) + scope.parameter("w", (3,), x.dtype, normal)

    with pytest.raises(ValueError, match=r"parameter 'w' must have shape \(3,\), got \(2,\)"):
        irr.bindings.parameter_specs(confused, X)


def counter(scope, x, *, is_training=True):
    """A layer with state and noise, and one like it within."""
    scopes = scope, scope.child("inner")
    for each in scopes:
        count = each.state("count", (), x.dtype, jax.nn.initializers.zeros)
        if is_training:
            each.set_state("count", count + jnp.sum(x))
            x = x + jax.random.normal(each.key("noise"), x.shape, x.dtype)
    return x * scopes[1].parameter("w", (3,), x.dtype, normal), count


def test_state_is_a_tree_of_names():
    specs = irr.bindings.layer_specs(counter, X)
    assert sorted(specs) == ["count", "inner", "noise"]
    assert isinstance(specs["count"], irr.bindings.StateSpec)
    assert specs["noise"] == irr.bindings.KeySpec()
    assert "noise" not in irr.bindings.layer_specs(counter, X, is_training=False)
    key = jax.random.key(0)
    assert jax.tree.map(jnp.shape, irr.init(counter, key, X)) == {"inner": {"w": (3,)}}
    state = irr.init_state(counter, key, X)
    assert jax.tree.map(float, state) == {"count": 0, "inner": {"count": 0}}
    assert irr.init_state(two_floors, key, X) == {}


def test_state_is_read_written_and_given_back():
    key = jax.random.key(0)
    params, state = irr.init(counter, key, X), irr.init_state(counter, key, X)
    (_, count), new = jax.jit(lambda s: irr.apply(counter, params, X, state=s, key=key))(state)
    assert float(count) == 0
    assert float(new["count"]) == 3
    assert float(state["count"]) == 0
    (y, count), same = irr.apply(counter, params, X, state=new, is_training=False)
    np.testing.assert_array_equal(y, params["inner"]["w"])
    assert (float(count), same) == (float(new["inner"]["count"]), new)
    many = jax.vmap(lambda x: irr.apply(counter, params, x, state=state, key=key)[1])(jnp.ones((2, 3)))
    np.testing.assert_array_equal(many["count"], [3, 3])


def test_keys_are_different_each_time_and_the_same_again():
    def layer(scope):
        child = scope.child("inner")
        return [jax.random.key_data(s.key(name)) for s in (scope, child, child) for name in ("a", "b", "a")]

    one, again = (np.stack(irr.apply(layer, {}, key=jax.random.key(0))) for _ in range(2))
    np.testing.assert_array_equal(one, again)
    other = np.stack(irr.apply(layer, {}, key=jax.random.key(1)))
    assert len({tuple(key) for key in [*one, *other]}) == 18


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({}, r"the layer has state, 'count': create it with irreps_ops.init_state"),
        ({"state": {"inner": {"count": 0}}}, r"state 'count' is missing, there are \['inner'\]"),
        ({"state": {"count": jnp.zeros(2)}}, r"state 'count' must have shape \(\), got \(2,\)"),
        ({"state": {"count": jnp.zeros(())}}, r"the layer needs a random key, 'noise'"),
    ],
)
def test_missing_state_and_keys_are_named(given, message):
    with pytest.raises(ValueError, match=message):
        irr.apply(counter, {"inner": {"w": X}}, X, **given)


def test_a_name_is_one_thing():
    def both(scope, x):
        return scope.parameter("w", (), x.dtype, normal) + scope.state("w", (), x.dtype, normal)

    def writes(scope, x):
        scope.child("inner").set_state("count", x)

    def widens(scope, x):
        scope.state("count", (2,), x.dtype, normal)
        scope.set_state("count", x)

    with pytest.raises(ValueError, match="'w' as ParameterSpec and as StateSpec"):
        irr.bindings.layer_specs(both, X)
    with pytest.raises(ValueError, match="writes the state 'inner/count'"):
        irr.bindings.layer_specs(writes, X)
    with pytest.raises(ValueError, match=r"state 'count' must have shape \(2,\), got \(3,\)"):
        irr.bindings.layer_specs(widens, X)
    with pytest.raises(ValueError, match=r"state 'count' must have shape \(2,\), got \(3,\)"):
        irr.apply(widens, {}, X, state={"count": jnp.zeros(2)})


def test_what_is_known_to_be_zero_is_known_to_the_layer():
    x = ic.concatenate([ic.zeros("0e"), ic.normal("1o", jax.random.key(0))])
    layer = irr.Linear("0e + 1o")
    params = irr.init(layer, jax.random.key(0), x)
    assert list(params) == ["w[0,0] 1x1o,1x1o"]
    assert irr.apply(layer, params, x).irreps == "1o"


def test_examples_are_irreps_numbers_or_data():
    data = ic.IrrepsArray("1o", jax.ShapeDtypeStruct((7, 3), jnp.float32))
    x, features, same = irr.bindings.example_inputs("2x0e + 1o", 8, data, dtype=jnp.float64)
    assert (x.irreps, x.shape, x.dtype) == ("2x0e + 1o", (5,), jnp.float64)
    assert (features.shape, features.dtype) == ((8,), jnp.float64)
    assert same is data


def test_protocols_recognize_what_fits():
    class MyScope:
        def parameter(
            self, name: str, shape: tuple[int, ...], dtype: Any, initializer: irr.bindings.Initializer
        ) -> jax.Array:
            return initializer(jax.random.key(0), shape, dtype)

        def state(
            self, name: str, shape: tuple[int, ...], dtype: Any, initializer: irr.bindings.Initializer
        ) -> jax.Array:
            return initializer(jax.random.key(0), shape, dtype)

        def set_state(self, name: str, value: jax.Array) -> None:
            pass

        def key(self, name: str) -> jax.Array:
            return jax.random.key(0)

        def child(self, name: str) -> "MyScope":
            return self

    assert isinstance(MyScope(), irr.bindings.Scope)
    assert not isinstance(object(), irr.bindings.Scope)
    assert isinstance(irr.Linear("0e"), irr.bindings.Layer)
    # Any scope will do.
    y = irr.Linear("0e")(MyScope(), ic.IrrepsArray("0e", jnp.ones(1)))
    assert y.irreps == "0e"


@dataclass(frozen=True)
class Scale:
    """The example of a layer that fits on a page: one learned factor for each irrep."""

    def example(self, *irreps_in: Any, dtype: Any = jnp.float32) -> tuple[Any, ...]:
        return irr.bindings.example_inputs(*irreps_in, dtype=dtype)

    def __call__(self, scope: irr.bindings.Scope, x: ic.IrrepsArray) -> ic.IrrepsArray:
        factors = scope.parameter("factors", (x.irreps.num_irreps,), x.dtype, jax.nn.initializers.ones)
        return x * ic.IrrepsArray([(x.irreps.num_irreps, "0e")], factors)


def test_a_layer_takes_a_dozen_lines():
    x = ic.normal("2x0e + 1o", jax.random.key(0))
    params = irr.init(Scale(), jax.random.key(0), x)
    np.testing.assert_array_equal(irr.apply(Scale(), params, x).array, x.array)
    assert irr.bindings.layer(Scale) is Scale
