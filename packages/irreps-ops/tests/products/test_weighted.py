"""Tensor products with weights: every connection mode as a sum written out, normalization, weights of every shape."""

import itertools
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import irreps_core as ic
import irreps_ops as irr

# For each mode the sum over multiplicities, with weights.
SUMS = {
    "uvw": "uvw,ui,vj,ijk->wk",
    "uvu": "uv,ui,vj,ijk->uk",
    "uvv": "uv,ui,vj,ijk->vk",
    "uuw": "uw,ui,uj,ijk->wk",
    "uuu": "u,ui,uj,ijk->uk",
    "uvuv": "uv,ui,vj,ijk->uvk",
}
MODES = [*SUMS, "uvu<v", "u<vw"]
MIXED = ("4x0e + 3x1o", "0e + 2x1o", "5x0e + 3x1o + 2x1e + 2e")
MIRROR = -ic.quaternion_to_matrix(np.array([0.1, -0.7, 0.5, 0.4]))


def multiplicities(mode: str) -> tuple[int, int, int]:
    mul1 = 3
    mul2 = 3 if mode.startswith("uu") or "<" in mode else 2
    out = {"uvw": 4, "uuw": 4, "u<vw": 4, "uvv": mul2, "uvuv": mul1 * mul2, "uvu<v": 3}.get(mode, mul1)
    return mul1, mul2, out


def by_hand(mode: str, w: np.ndarray, x: np.ndarray, y: np.ndarray, C: np.ndarray) -> np.ndarray:
    if "<" in mode:
        u, v = zip(*itertools.combinations(range(len(x)), 2), strict=True)
        return by_hand("uuu" if mode == "uvu<v" else "uuw", w, x[list(u)], y[list(v)], C)
    z = np.einsum(SUMS[mode], w, x, y, C)
    return z.reshape(-1, z.shape[-1])


def by_definition(f: irr.FunctionalTensorProduct, w: np.ndarray, x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """The sum of all couplings, for one element and the weights of all couplings in one array."""
    x, y = ic.IrrepsArray(f.irreps_in1, x), ic.IrrepsArray(f.irreps_in2, y)
    out = [np.zeros((mul, ir.dim)) for mul, ir in f.irreps_out]
    for c in f.couplings:
        size = np.prod(c.path_shape) if c.has_weight else 0
        own, w = (w[:size].reshape(c.path_shape), w[size:]) if c.has_weight else (np.ones(c.path_shape), w)
        degrees = (f.irreps_in1[c.i_in1].ir.l, f.irreps_in2[c.i_in2].ir.l, f.irreps_out[c.i_out].ir.l)
        C = c.path_weight * ic.clebsch_gordan(*degrees)
        out[c.i_out] += by_hand(c.connection_mode, own, x.chunks[c.i_in1], y.chunks[c.i_in2], C)
    return np.concatenate([z.reshape(-1) for z in out])


def random(*shape: int, seed: int = 0) -> Any:
    return np.random.default_rng([seed, *shape]).normal(size=shape)


def case(
    mode: str, has_weight: bool = True, ir: tuple[str, str, str] = ("1o", "2e", "1o")
) -> irr.FunctionalTensorProduct:
    mul1, mul2, mul = multiplicities(mode)
    irreps = [f"{m}x{i}" for m, i in zip((mul1, mul2, mul), ir, strict=True)]
    return irr.FunctionalTensorProduct(*irreps, [(0, 0, 0, mode, has_weight)])


def fully_connected() -> irr.FunctionalFullyConnectedTensorProduct:
    return irr.FunctionalFullyConnectedTensorProduct(*MIXED)


def product_of(f: irr.FunctionalTensorProduct, w: Any, x: Any, y: Any, **options: Any) -> Any:
    return f(w, ic.IrrepsArray(f.irreps_in1, x), ic.IrrepsArray(f.irreps_in2, y), **options).array


EVERY_MODE = list(itertools.product(MODES, (True, False)))


@pytest.fixture(scope="module")
def every_mode() -> dict[tuple[str, bool], tuple[Any, ...]]:
    """For each mode, with weights and without, weights, inputs and the product, by one compiled program."""
    functions = {key: case(*key) for key in EVERY_MODE}
    inputs = {
        key: (random(f.num_weights), random(5, f.irreps_in1.dim), random(5, f.irreps_in2.dim))
        for key, f in functions.items()
    }

    @jax.jit
    def multiply(inputs: Any) -> Any:
        return {key: product_of(functions[key], *arrays) for key, arrays in inputs.items()}

    found = multiply(inputs)
    return {key: (functions[key], *inputs[key], found[key]) for key in EVERY_MODE}


@pytest.mark.parametrize("key", EVERY_MODE, ids=lambda key: f"{key[0]} with{'' if key[1] else 'out'} weights")
def test_every_mode_is_its_sum(every_mode: Any, key: tuple[str, bool]) -> None:
    f, w, x, y, z = every_mode[key]
    np.testing.assert_allclose(z, [by_definition(f, w, *rows) for rows in zip(x, y, strict=True)], atol=1e-13)


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("gradient", [0.0, 0.3, "path"])
@pytest.mark.parametrize("normalization", ["component", "norm"])
def test_variance_one_gives_variance_one(mode: str, gradient: Any, normalization: Any) -> None:
    """Exactly: weights and inputs are independent, so that the variances of all products of multiplicities add up."""
    mul1, mul2, mul = multiplicities(mode)
    f = irr.FunctionalTensorProduct(
        f"{mul1}x1o+{mul1}x0e",
        f"{mul2}x2e+{mul2}x1o",
        f"{mul}x1o",
        [(0, 0, 0, mode, True), (1, 1, 0, mode, True)],
        irrep_normalization=normalization,
        gradient_normalization=gradient,
    )
    one = np.ones((1, 1, 1))
    total = 0.0
    for c, dims in zip(f.couplings, [(3, 5), (1, 3)], strict=True):
        (products, *rest) = by_hand(mode, np.ones(c.path_shape), np.ones((mul1, 1)), np.ones((mul2, 1)), one).ravel()
        assert all(count == products for count in rest)
        # The squares of the Clebsch-Gordan coefficients sum to 1, for each of the three components to 1/3.
        square = 1 / 3 if normalization == "component" else 1 / np.prod(dims)
        total += products * (c.path_weight * c.weight_std) ** 2 * square
    np.testing.assert_allclose(total, 1)


def test_path_normalization_weighs_elements_or_paths_equally() -> None:
    def couplings(normalization: Any) -> tuple[irr.Coupling, ...]:
        asked = [(0, 0, 0, "uvw", False), (1, 0, 0, "uvw", False, 4.0)]
        return irr.FunctionalTensorProduct("6x0e + 2x0e", "0e", "0e", asked, path_normalization=normalization).couplings

    by_element, by_path = (couplings(kind) for kind in ("element", "path"))
    np.testing.assert_allclose([c.path_weight for c in by_element], [8**-0.5, 2 * 8**-0.5])
    np.testing.assert_allclose([c.path_weight for c in by_path], [12**-0.5, 2 * 4**-0.5])


def test_variances_of_inputs_and_output_scale_the_path() -> None:
    args = ("2x0e", "0e", "0e", [(0, 0, 0, "uvw", False)])
    (c,) = irr.FunctionalTensorProduct(*args, in1_var=[4.0], in2_var=[0.25], out_var=[9.0]).couplings
    np.testing.assert_allclose(c.path_weight, 3 / 2**0.5)


def test_couplings_add_up_and_weights_may_be_one_array_or_several() -> None:
    f = fully_connected()
    assert f.num_weights == sum(np.prod(c.path_shape) for c in f.couplings)
    w, x, y = random(f.num_weights), random(f.irreps_in1.dim), random(f.irreps_in2.dim)
    turned = [ic.IrrepsArray(of, a).transform_by_matrix(MIRROR).array for of, a in zip(MIXED, (x, y), strict=False)]

    @jax.jit
    def evaluate(w: Any, x: Any, y: Any, turned: Any) -> Any:
        matrix = f.matrix(w, ic.IrrepsArray(f.irreps_in2, y))
        one, several = (product_of(f, weights, x, y) for weights in (w, f.split_weights(w)))
        return one, several, x @ matrix, product_of(f, w, *turned)

    *found, mirrored = evaluate(w, x, y, turned)
    for z in found:
        np.testing.assert_allclose(z, by_definition(f, w, x, y), atol=1e-12)
    expected = ic.IrrepsArray(f.irreps_out, np.asarray(found[0])).transform_by_matrix(MIRROR)
    np.testing.assert_allclose(mirrored, expected.array, atol=1e-12, err_msg="not equivariant")


def test_forces_training_agrees_with_the_reference_executor() -> None:
    """The gradient of a loss on forces contains every second derivative."""
    f = irr.FunctionalFullyConnectedTensorProduct("2x0e + 1o", "0e + 1o", "2x0e + 2x1o")
    arguments = random(f.num_weights), random(3, f.irreps_in1.dim), random(3, f.irreps_in2.dim)

    @jax.jit
    def gradients(*arguments: Any) -> Any:
        def of(executor: str) -> Any:
            def energy(*args: Any) -> Any:
                return jnp.sum(jnp.sin(product_of(f, *args, executor=executor)))

            def force_loss(*args: Any) -> Any:
                return sum(jnp.sum(g**2) for g in jax.grad(energy, (1, 2))(*args))

            return jax.grad(force_loss, (0, 1, 2))(*arguments)

        return of("xla"), of("reference")

    for a, b in zip(*gradients(*arguments), strict=True):
        np.testing.assert_allclose(a, b, atol=1e-12, rtol=1e-12)


LEADING = [
    ((), (4,), (4,)),
    ((4,), (4,), (4,)),
    ((4,), (1,), (4,)),
    ((), (4,), ()),
    ((3, 1), (4,), (3, 4)),
    ((3, 1), (1, 4), (1, 1)),
    ((), (), ()),
    ((1,), (), ()),
    ((), (0,), (0,)),
]


@pytest.mark.parametrize("mode", ["uvu", "uvw"])
def test_leading_axes_broadcast(mode: str) -> None:
    """The weights of "uvw" are more numbers than the data, those of "uvu" fewer."""
    f = case(mode) if mode == "uvu" else irr.FunctionalTensorProduct("3x0e", "2x0e", "2x0e", [(0, 0, 0, mode, True)])
    sizes = f.num_weights, f.irreps_in1.dim, f.irreps_in2.dim
    inputs = [[random(*shape, n) for shape, n in zip(shapes, sizes, strict=True)] for shapes in LEADING]
    found = jax.jit(lambda inputs: [product_of(f, *arrays) for arrays in inputs])(inputs)
    for shapes, arrays, z in zip(LEADING, inputs, found, strict=True):
        leading = np.broadcast_shapes(*shapes)
        assert z.shape == (*leading, f.irreps_out.dim)
        full = [np.broadcast_to(a, (*leading, a.shape[-1])) for a in arrays]
        for index in np.ndindex(*leading):
            np.testing.assert_allclose(z[index], by_definition(f, *(a[index] for a in full)), atol=1e-13)


def test_vmap_over_weights_and_data_in_any_combination() -> None:
    f = case("uvw")
    sizes = f.num_weights, f.irreps_in1.dim, f.irreps_in2.dim
    combinations = [axes for axes in itertools.product((None, 0), repeat=3) if any(a == 0 for a in axes)]
    inputs = [[random(*([3] if a == 0 else []), n) for a, n in zip(axes, sizes, strict=True)] for axes in combinations]

    @jax.jit
    def evaluate(inputs: Any) -> Any:
        pairs = zip(combinations, inputs, strict=True)
        return [jax.vmap(lambda *args: product_of(f, *args), axes)(*arrays) for axes, arrays in pairs]

    for axes, arrays, z in zip(combinations, inputs, evaluate(inputs), strict=True):
        for i in range(3):
            one = [a[i] if axis == 0 else a for a, axis in zip(arrays, axes, strict=True)]
            np.testing.assert_allclose(z[i], by_definition(f, *one), atol=1e-13)


def test_zeros_stay_known_to_be_zero() -> None:
    f = fully_connected()
    x = ic.IrrepsArray(MIXED[0], random(f.irreps_in1.dim), zero_flags=[False, True])
    assert f(random(f.num_weights), x, ic.IrrepsArray(MIXED[1], random(7))).zero_flags == (False, False, True, True)
    assert f.output_mask.all()
    assert not irr.FunctionalTensorProduct("0e", "0e", "0e + 1o", [(0, 0, 0, "uuu", True)]).output_mask[1:].any()


def test_a_product_without_couplings_is_zero() -> None:
    f = irr.FunctionalTensorProduct("0x0e", "0e", "0x0e + 1o", [(0, 0, 0, "uvw", True)])
    z = f(np.ones((5, 0)), ic.IrrepsArray("0x0e", np.ones((4, 1, 0))), ic.ones("0e"))
    assert z.shape == (4, 5, 3)
    assert z.zero_flags == (True, True)
    assert f.polynomial().paths == ()


def test_float32_stays_float32() -> None:
    f = case("uvw")
    arrays = [jax.ShapeDtypeStruct((2, n), np.float32) for n in (f.num_weights, f.irreps_in1.dim, f.irreps_in2.dim)]
    with jax.numpy_dtype_promotion("strict"):
        assert jax.eval_shape(lambda *arrays: product_of(f, *arrays), *arrays).dtype == np.float32


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
        ((0, 0, 0, "uvw", True, -1.0), "path_weight of 0 or more, got -1.0"),
        ((0, 0, 0, "uvw", True, "much"), "path_weight of 0 or more, got 'much'"),
        ((0, 0, 0, "uvw", True, 10**400), "path_weight of 0 or more, got 1000"),
        ((0, 0, 0, "uvw", True, True), "path_weight of 0 or more, got True"),
        ((0, 0, 0, "uvw", True, 1.0, 1.0), "instruction is"),
        ((0, 0, 0, "uvw", "yes"), "instruction is .* True or False, got"),
        ((0.0, 0, 0, "uvw", True), "instruction is .* integers"),
        ((True, 0, 0, "uvw", True), "instruction is .* integers"),
        (([0], 0, 0, "uvw", True), "instruction is .* integers"),
        ((0, 0, 0, ["uvw"], True), "connection mode .* must be one of uvw"),
        ((0, 0, 0, "u" * 10**6, True), "connection mode .{1,400} must be one of uvw"),
        ("uvw", "instruction is"),
        (3, "instruction is .* got 3"),
    ],
)
def test_errors_name_the_wrong_instruction(instruction: tuple, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        irr.FunctionalTensorProduct("3x1o", "2x1o", "4x0e + 2o", [instruction])


@pytest.mark.parametrize("instructions", [3, "uvw", None])
def test_instructions_are_a_list(instructions: Any) -> None:
    with pytest.raises(ValueError, match="instructions must be a list of tuples"):
        irr.FunctionalTensorProduct("1o", "1o", "0e", instructions)


@pytest.mark.parametrize("variance", [-1.0, np.nan, np.inf, "1", True, 10**400, None])
def test_variances_are_numbers_of_0_or_more(variance: Any) -> None:
    with pytest.raises(ValueError, match=r"number variance of 0 or more, got"):
        irr.FunctionalTensorProduct("1o", "1o", "0e", [(0, 0, 0, "uvw", True)], in1_var=[variance])


def test_errors_name_wrong_weights_data_and_options() -> None:
    f = case("uvw")
    x, y = ic.ones(f.irreps_in1), ic.ones(f.irreps_in2)
    with pytest.raises(ValueError, match=r"shape \(\.\.\., 24\), got \(5,\)"):
        f(np.ones(5), x, y)
    with pytest.raises(ValueError, match=r"w\[0,0,0\] 3x1o,2x2e,4x1o must have shape"):
        f([np.ones((3, 2))], x, y)
    with pytest.raises(ValueError, match="expected 1 arrays of weights, got 2"):
        f([np.ones((3, 2, 4))] * 2, x, y)
    with pytest.raises(ValueError, match="1o"):
        f(np.ones(f.num_weights), y, y)
    with pytest.raises(ValueError, match="in1_var must be 1 variances"):
        irr.FunctionalTensorProduct("0e", "0e", "0e", [], in1_var=[1.0, 2.0])
    with pytest.raises(ValueError, match="path_normalization"):
        irr.FunctionalTensorProduct("0e", "0e", "0e", [], path_normalization="paths")
    with pytest.raises(ValueError, match="irrep_normalization"):
        irr.FunctionalTensorProduct("0e", "0e", "0e", [], irrep_normalization="components")
    with pytest.raises(ValueError, match="convention"):
        irr.FunctionalTensorProduct("0e", "0e", "0e", [], convention="mace")


def test_descriptions_are_values() -> None:
    one, other = fully_connected(), fully_connected()
    assert one == other
    assert hash(one) == hash(other)
    assert one != irr.FunctionalFullyConnectedTensorProduct(*MIXED, path_normalization="path")
    with pytest.raises(AttributeError):
        one.irreps_in1 = ic.Irreps("0e")


def test_explain_counts_the_terms_of_the_description() -> None:
    text = case("uvw").polynomial().explain()
    assert f"{np.count_nonzero(ic.clebsch_gordan(1, 2, 1))} terms" in text
