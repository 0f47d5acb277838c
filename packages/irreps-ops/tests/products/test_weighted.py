"""The general tensor product: every connection mode as sums written out, its normalization, weights of every shape."""

import itertools
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import irreps_core as ic
import irreps_ops as irr
from irreps_core.testing import assert_equivariant

# For each mode the sum over multiplicities, with weights and without.
SUMS = {
    "uvw": ("uvw,ui,vj,ijk->wk", "w"),
    "uvu": ("uv,ui,vj,ijk->uk", "u"),
    "uvv": ("uv,ui,vj,ijk->vk", "v"),
    "uuw": ("uw,ui,uj,ijk->wk", "w"),
    "uuu": ("u,ui,uj,ijk->uk", "u"),
    "uvuv": ("uv,ui,vj,ijk->uvk", "uv"),
}
MODES = [*SUMS, "uvu<v", "u<vw"]


def multiplicities(mode: str) -> tuple[int, int, int]:
    mul1 = 3
    mul2 = 3 if mode.startswith("uu") or "<" in mode else 2
    out = {"uvw": 4, "uuw": 4, "u<vw": 4, "uvv": mul2, "uvuv": mul1 * mul2, "uvu<v": 3}.get(mode, mul1)
    return mul1, mul2, out


def by_hand(mode: str, w: np.ndarray, x: np.ndarray, y: np.ndarray, C: np.ndarray) -> np.ndarray:
    if "<" in mode:
        u, v = zip(*itertools.combinations(range(len(x)), 2), strict=True)
        return by_hand("uuu" if mode == "uvu<v" else "uuw", w, x[list(u)], y[list(v)], C)
    z = np.einsum(SUMS[mode][0], w, x, y, C)
    return z.reshape(-1, z.shape[-1])


def random(*shape: int, seed: int = 0) -> Any:
    return np.random.default_rng([seed, *shape]).normal(size=shape)


def case(
    mode: str, has_weight: bool = True, ir: tuple[str, str, str] = ("1o", "2e", "1o")
) -> irr.FunctionalTensorProduct:
    mul1, mul2, mul = multiplicities(mode)
    irreps = [f"{m}x{i}" for m, i in zip((mul1, mul2, mul), ir, strict=True)]
    return irr.FunctionalTensorProduct(*irreps, [(0, 0, 0, mode, has_weight)])


@pytest.mark.parametrize("has_weight", [True, False])
@pytest.mark.parametrize("mode", MODES)
def test_every_mode_is_its_sum(mode: str, has_weight: bool) -> None:
    f = case(mode, has_weight)
    (ins,) = f.couplings
    x, y = random(5, f.irreps_in1.dim), random(5, f.irreps_in2.dim)
    w = random(*ins.path_shape) if has_weight else np.ones(ins.path_shape)
    scaled = ins.path_weight * ic.clebsch_gordan(1, 2, 1)
    z = f([w] if has_weight else [], ic.IrrepsArray(f.irreps_in1, x), ic.IrrepsArray(f.irreps_in2, y))
    for row in range(5):
        expected = by_hand(mode, w, x[row].reshape(-1, 3), y[row].reshape(-1, 5), scaled)
        np.testing.assert_allclose(z.array[row], expected.reshape(-1), atol=1e-13)


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("gradient", [0.0, 0.3, "path"])
@pytest.mark.parametrize("normalization", ["component", "norm"])
def test_variance_one_gives_variance_one(mode: str, gradient: Any, normalization: Any) -> None:
    mul1, mul2, mul = multiplicities(mode)
    irreps = (f"{mul1}x1o+{mul1}x0e", f"{mul2}x2e+{mul2}x1o", f"{mul}x1o")
    f = irr.FunctionalTensorProduct(
        *irreps,
        [(0, 0, 0, mode, True), (1, 1, 0, mode, True)],
        irrep_normalization=normalization,
        gradient_normalization=gradient,
    )
    keys = jax.random.split(jax.random.key(1), 4)
    rows = 4000
    w = [
        ins.weight_std * jax.random.normal(key, (rows, *ins.path_shape))
        for ins, key in zip(f.couplings, keys, strict=False)
    ]
    x, y = (ic.normal(i, key, (rows,), normalization=normalization) for i, key in zip(irreps, keys[2:], strict=False))
    z = f(w, x, y).chunks[0]
    size = jnp.mean(z**2) if normalization == "component" else jnp.mean(jnp.sum(z**2, axis=-1))
    np.testing.assert_allclose(size, 1.0, rtol=0.1)


def test_path_normalization_is_what_it_says() -> None:
    def couplings(normalization: Any) -> tuple[irr.Coupling, ...]:
        asked = [(0, 0, 0, "uvw", False), (1, 0, 0, "uvw", False, 4.0)]
        return irr.FunctionalTensorProduct(
            "6x0e + 2x0e", "0e", "0e", asked, path_normalization=normalization
        ).couplings

    by_element, by_path = (couplings(kind) for kind in ("element", "path"))
    np.testing.assert_allclose([i.path_weight for i in by_element], [8**-0.5, 2 * 8**-0.5])
    np.testing.assert_allclose([i.path_weight for i in by_path], [12**-0.5, 2 * 4**-0.5])


def test_variances_of_inputs_and_output() -> None:
    args = ("2x0e", "0e", "0e", [(0, 0, 0, "uvw", False)])
    (ins,) = irr.FunctionalTensorProduct(*args, in1_var=[4.0], in2_var=[0.25], out_var=[9.0]).couplings
    np.testing.assert_allclose(ins.path_weight, 3 / 2**0.5)


MIXED = ("4x0e + 3x1o", "0e + 2x1o", "5x0e + 3x1o + 2x1e + 2e")


def test_the_layer_has_a_parameter_for_each_path_and_is_the_product() -> None:
    x, y = ic.IrrepsArray(MIXED[0], random(4, 13)), ic.IrrepsArray(MIXED[1], random(7))
    layer = irr.FullyConnectedTensorProduct(MIXED[2])
    parameters = irr.init(layer, jax.random.key(0), x, y)
    f = fully_connected()
    assert sorted(parameters) == sorted(f.parameter_name(ins) for ins in f.couplings)
    weights = [parameters[f.parameter_name(ins)] for ins in f.couplings]
    np.testing.assert_allclose(irr.apply(layer, parameters, x, y).array, f(weights, x, y).array, atol=1e-13)
    scaled = irr.FullyConnectedTensorProduct(MIXED[2], gradient_normalization="element")
    w = irr.init(scaled, jax.random.key(0), x, y)["w[0,0,0] 4x0e,1x0e,5x0e"]
    assert jnp.std(w) < 1  # the normalization is in the weights
    only = x.filter(keep="0e").extend_with_zeros(MIXED[0])
    assert len(irr.init(layer, jax.random.key(0), only, y)) < len(parameters)
    whole = irr.FullyConnectedTensorProduct(MIXED[2], irreps_in1=MIXED[0], irreps_in2=MIXED[1])
    assert sorted(irr.init(whole, jax.random.key(0), only, y)) == sorted(parameters)
    with pytest.raises(ValueError, match=r"irreps_in1=4x0e\+3x1o, got input of irreps 1x0e"):
        irr.init(whole, jax.random.key(0), y, y)


def fully_connected() -> irr.FunctionalFullyConnectedTensorProduct:
    return irr.FunctionalFullyConnectedTensorProduct(*MIXED)


def test_several_instructions_add_up_and_weights_may_lie_in_one_array() -> None:
    f = fully_connected()
    assert f.num_weights == sum(np.prod(ins.path_shape) for ins in f.couplings)
    w = random(f.num_weights)
    x, y = ic.IrrepsArray(MIXED[0], random(f.irreps_in1.dim)), ic.IrrepsArray(MIXED[1], random(f.irreps_in2.dim))
    out = [np.zeros((mul, ir.dim)) for mul, ir in f.irreps_out]
    for ins, part in zip(f.couplings, f.split_weights(jnp.asarray(w)), strict=True):
        degrees = (f.irreps_in1[ins.i_in1].ir.l, f.irreps_in2[ins.i_in2].ir.l, f.irreps_out[ins.i_out].ir.l)
        C = ins.path_weight * ic.clebsch_gordan(*degrees)
        out[ins.i_out] += by_hand("uvw", part, x.chunks[ins.i_in1], y.chunks[ins.i_in2], C)
    expected = np.concatenate([z.reshape(-1) for z in out])
    np.testing.assert_allclose(f(w, x, y).array, expected, atol=1e-13)
    np.testing.assert_allclose(f(f.split_weights(jnp.asarray(w)), x, y).array, expected, atol=1e-13)
    np.testing.assert_allclose(x.array @ f.matrix(w, y), expected, atol=1e-12)


def test_reference_and_derivatives_agree() -> None:
    f = fully_connected()
    w, x, y = random(f.num_weights), random(7, f.irreps_in1.dim), random(7, f.irreps_in2.dim)

    def scalar(executor: str, *args: Any) -> Any:
        w, x, y = args
        z = f(w, ic.IrrepsArray(f.irreps_in1, x), ic.IrrepsArray(f.irreps_in2, y), executor=executor)
        return jnp.sum(jnp.sin(z.array))

    def force_loss(executor: str, *args: Any) -> Any:
        return sum(jnp.sum(g**2) for g in jax.grad(scalar, (2, 3))(executor, *args))

    # The gradient of a loss on forces has all that the second order has.
    ours, theirs = (
        jax.jit(jax.grad(force_loss, (1, 2, 3)), static_argnums=0)(e, w, x, y) for e in ("xla", "reference")
    )
    for a, b in zip(ours, theirs, strict=True):
        np.testing.assert_allclose(a, b, atol=1e-12, rtol=1e-12)


@pytest.mark.parametrize(
    ("w_shape", "x_shape", "y_shape"),
    [
        ((), (4,), (4,)),
        ((4,), (4,), (4,)),
        ((4,), (1,), (4,)),
        ((), (4,), ()),
        ((3, 1), (4,), (3, 4)),
        ((), (), ()),
        ((), (0,), (0,)),
    ],
)
def test_leading_axes_broadcast(w_shape: tuple, x_shape: tuple, y_shape: tuple) -> None:
    f = case("uvu")
    w = random(*w_shape, f.num_weights)
    x = ic.IrrepsArray(f.irreps_in1, random(*x_shape, f.irreps_in1.dim))
    y = ic.IrrepsArray(f.irreps_in2, random(*y_shape, f.irreps_in2.dim))
    z = f(w, x, y)
    leading = np.broadcast_shapes(w_shape, x_shape, y_shape)
    assert z.shape == (*leading, f.irreps_out.dim)
    full = [np.broadcast_to(a, (*leading, a.shape[-1])) for a in (w, x.array, y.array)]
    for index in np.ndindex(*leading):
        one = f(full[0][index], ic.IrrepsArray(x.irreps, full[1][index]), ic.IrrepsArray(y.irreps, full[2][index]))
        np.testing.assert_allclose(z.array[index], one.array, atol=1e-13)


def test_vmap_over_weights_and_data_in_any_combination() -> None:
    f = case("uvw")
    for axes in itertools.product((None, 0), repeat=3):
        if axes == (None, None, None):
            continue
        shapes = [(3, f.num_weights), (3, f.irreps_in1.dim), (3, f.irreps_in2.dim)]
        arrays = [random(*(s if a == 0 else s[1:])) for s, a in zip(shapes, axes, strict=True)]

        def apply(w: Any, x: Any, y: Any) -> Any:
            return f(w, ic.IrrepsArray(f.irreps_in1, x), ic.IrrepsArray(f.irreps_in2, y)).array

        ours = jax.vmap(apply, axes)(*arrays)
        for i in range(3):
            one = apply(*(a[i] if axis == 0 else a for a, axis in zip(arrays, axes, strict=True)))
            np.testing.assert_allclose(ours[i], one, atol=1e-13)


def test_what_is_zero_stays_known_to_be() -> None:
    f = fully_connected()
    x = ic.IrrepsArray(MIXED[0], random(f.irreps_in1.dim)).filter(keep="0e").extend_with_zeros(MIXED[0])
    y = ic.IrrepsArray(MIXED[1], random(f.irreps_in2.dim))
    z = f(random(f.num_weights), x, y)
    assert z.zero_flags == (False, False, True, True)
    assert f.output_mask.all()
    assert not irr.FunctionalTensorProduct("0e", "0e", "0e + 1o", [(0, 0, 0, "uuu", True)]).output_mask[1:].any()


def test_is_equivariant() -> None:
    f = fully_connected()
    w = random(f.num_weights)
    assert_equivariant(lambda x, y: f(w, x, y), jax.random.key(0), *MIXED[:2], dtype=jnp.float64)


def test_float32_stays_float32() -> None:
    f = case("uvw")
    x, y = (ic.IrrepsArray(i, random(2, i.dim).astype(np.float32)) for i in (f.irreps_in1, f.irreps_in2))
    with jax.numpy_dtype_promotion("strict"):
        assert f(jnp.ones(f.num_weights, jnp.float32), x, y).dtype == jnp.float32


@pytest.mark.parametrize(
    ("instruction", "message"),
    [
        ((0, 0, 0, "uvw"), "instruction is"),
        ((0, 0, 0, "uwv", True), "connection mode .* must be one of uvw"),
        ((0, 1, 0, "uvw", True), "irreps_in2=2x1o has no item 1"),
        ((-1, 0, 0, "uvw", True), "has no item -1"),
        ((0, 0, 1, "uvw", True), "2o is not in 1o x 1o"),
        ((0, 0, 0, "uuu", True), "equal multiplicities, got 3x1o and 2x1o"),
        ((0, 0, 0, "uvu", True), "makes 3x0e, but the output has 4x0e"),
        ((0, 0, 0, "uvw", True, -1.0), "must be 0 or more, got -1.0"),
    ],
)
def test_instructions_that_cannot_be(instruction: tuple, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        irr.FunctionalTensorProduct("3x1o", "2x1o", "4x0e + 2o", [instruction])


def test_other_bad_input() -> None:
    f = case("uvw")
    x, y = ic.ones(f.irreps_in1), ic.ones(f.irreps_in2)
    with pytest.raises(ValueError, match=r"shape \(\.\.\., 24\), got \(5,\)"):
        f(jnp.ones(5), x, y)
    with pytest.raises(ValueError, match=r"w\[0,0,0\] 3x1o,2x2e,4x1o must have shape"):
        f([jnp.ones((3, 2))], x, y)
    with pytest.raises(ValueError, match="expected 1 arrays of weights, got 2"):
        f([jnp.ones((3, 2, 4))] * 2, x, y)
    with pytest.raises(ValueError, match="1o"):
        f(jnp.ones(f.num_weights), y, y)
    with pytest.raises(ValueError, match="in1_var must be 1 variances"):
        irr.FunctionalTensorProduct("0e", "0e", "0e", [], in1_var=[1.0, 2.0])
    with pytest.raises(ValueError, match="path_normalization"):
        irr.FunctionalTensorProduct("0e", "0e", "0e", [], path_normalization="paths")


def test_explain_counts_the_terms_of_the_description() -> None:
    text = case("uvw").polynomial().explain()
    assert f"{np.count_nonzero(ic.clebsch_gordan(1, 2, 1))} terms" in text
