"""The layer `BatchNorm` against NumPy: moments, running averages, masks. The conformance kit tests its symmetry."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import irreps_core as ic
import irreps_ops as irr

KEY = jax.random.key(0)
IRREPS = ic.Irreps("2x0e + 2x1o + 0o")
X = ic.IrrepsArray(IRREPS, np.random.default_rng(0).normal([5, 5, 0, 0, 0, 0, 0, 0, 1], 3, (6, 4, 9)))
PLACES = [slice(0, 1), slice(1, 2), slice(2, 5), slice(5, 8), slice(8, 9)]


def run(layer, x, state=None, mask=None, is_training=True):
    @jax.jit
    def compiled(array, state, mask):
        data = ic.IrrepsArray(x.irreps, array, zero_flags=x.zero_flags)
        return irr.apply(layer, parameters(layer, x), data, state=state, mask=mask, is_training=is_training)

    return compiled(x.array, first_state(layer, x) if state is None else state, mask)


def parameters(layer, x):
    """Weights 1 + 1/4, 1 + 2/4, ... and biases 1/4, 2/4, ..."""
    start = {"weight": 1, "bias": 0}
    specs = irr.bindings.parameter_specs(layer, x)
    return {name: start[name] + np.arange(1, s.shape[0] + 1).astype(s.dtype) / 4 for name, s in specs.items()}


def first_state(layer, x):
    names = {
        name for name, spec in irr.bindings.layer_specs(layer, x).items() if isinstance(spec, irr.bindings.StateSpec)
    }
    if not names:
        return {}
    assert names == {"running_mean", "running_var"}
    scalars = sum(mul for mul, ir in x.irreps if ir.is_scalar())
    return {"running_mean": np.zeros(scalars, x.dtype), "running_var": np.ones(x.irreps.num_irreps, x.dtype)}


def test_the_initial_state_is_zeros_and_ones():
    found = irr.init_state(irr.BatchNorm(), KEY, X)
    jax.tree.map(np.testing.assert_array_equal, found, first_state(irr.BatchNorm(), X))


def by_hand(x, layer, mean=None, var=None):
    """Output and statistics by the formula of the docstring, in loops."""
    x = np.asarray(x)
    out, means, variances = np.array(x), [], []
    for c, place in enumerate(PLACES):
        part = x[..., place]
        if c < 2:
            means.append(part.mean())
            part = part - (means[-1] if mean is None else mean[c])
        square = (part**2).sum(-1) / (1 if layer.normalization == "norm" else part.shape[-1])
        variances.append((square.mean(1) if layer.reduce == "mean" else square.max(1)).mean())
        used = variances[-1] if var is None else var[c]
        part = part / np.sqrt((1 - layer.eps) * used + layer.eps)
        if layer.affine:
            part = part * (1 + (c + 1) / 4) + ((c + 1) / 4 if c < 2 else 0)
        out[..., place] = part
    return out, np.array(means), np.array(variances)


@pytest.mark.parametrize("reduce", ["mean", "max"])
@pytest.mark.parametrize("normalization", ["norm", "component"])
def test_training_and_evaluation_are_as_defined(reduce, normalization):
    layer = irr.BatchNorm(reduce=reduce, normalization=normalization, momentum=0.3, eps=0.01)
    y, state = run(layer, X)
    expected, mean, var = by_hand(X.array, layer)
    np.testing.assert_allclose(y.array, expected, atol=1e-13)
    np.testing.assert_allclose(state["running_mean"], 0.3 * mean, atol=1e-14)
    np.testing.assert_allclose(state["running_var"], 0.7 + 0.3 * var, atol=1e-13)
    y, again = run(layer, X, state, is_training=False)
    np.testing.assert_allclose(
        y.array, by_hand(X.array, layer, state["running_mean"], state["running_var"])[0], atol=1e-13
    )
    assert all((again[name] == state[name]).all() for name in state)


@pytest.mark.parametrize(("normalization", "size"), [("norm", [1, 1, 1, 1, 1]), ("component", [1, 1, 3, 3, 1])])
def test_moments_are_those_wanted(normalization, size):
    y, _ = run(irr.BatchNorm(affine=False, eps=1e-9, normalization=normalization), X)
    np.testing.assert_allclose(jnp.mean(y.array[..., :2], axis=(0, 1)), 0, atol=1e-13)
    squares = [jnp.mean(jnp.sum(y.array[..., place] ** 2, axis=-1)) for place in PLACES]
    np.testing.assert_allclose(squares, size, rtol=1e-8)


def test_running_averages_converge_to_the_statistics():
    layer = irr.BatchNorm(momentum=0.5)
    start = first_state(layer, X)
    state, _ = jax.lax.scan(lambda state, _: (run(layer, X, state)[1], None), start, length=60)
    _, mean, var = by_hand(X.array, layer)
    np.testing.assert_allclose(state["running_mean"], mean, rtol=1e-13)
    np.testing.assert_allclose(state["running_var"], var, rtol=1e-13)


@pytest.mark.parametrize("reduce", ["mean", "max"])
def test_a_mask_removes_elements_of_the_batch(reduce):
    layer = irr.BatchNorm(reduce=reduce)
    mask = np.array([True, False, True, True, False, True])
    keep = np.flatnonzero(mask)
    y, state = run(layer, X, mask=mask)
    kept = ic.IrrepsArray(IRREPS, X.array[keep])
    expected, expected_state = run(layer, kept)
    np.testing.assert_allclose(np.asarray(y.array)[keep], expected.array, atol=1e-13)
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, atol=1e-14), state, expected_state)
    # Padding may hold NaN, also in derivatives.
    poisoned = ic.IrrepsArray(IRREPS, np.where(mask[:, None, None], X.array, np.nan))
    y, same = run(layer, poisoned, mask=mask)
    np.testing.assert_allclose(np.asarray(y.array)[keep], expected.array, atol=1e-13)
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, atol=1e-14), same, expected_state)
    slope = jax.jit(
        jax.grad(lambda x: jnp.sum(jnp.where(mask[:, None, None], run(layer, x, mask=mask)[0].array, 0) ** 3))
    )
    of_kept = jax.jit(jax.grad(lambda x: jnp.sum(run(layer, x)[0].array ** 3)))
    np.testing.assert_allclose(np.asarray(slope(X).array)[keep], of_kept(kept).array, atol=1e-11)
    _, untouched = run(layer, X, mask=np.zeros(6, bool))
    jax.tree.map(np.testing.assert_array_equal, untouched, first_state(layer, X))


def test_instances_are_batches_by_themselves():
    y, state = run(irr.BatchNorm(instance=True), X)
    assert state == {}
    # The statistics of one element are those of a batch of its samples.
    for i in (0, 5):
        expected, _ = run(irr.BatchNorm(), ic.IrrepsArray(IRREPS, X.array[i]))
        np.testing.assert_allclose(y.array[i], expected.array, atol=1e-13)
    np.testing.assert_array_equal(run(irr.BatchNorm(instance=True), X, is_training=False)[0].array, y.array)


def test_zero_flags_change_no_number():
    array = np.where(np.arange(9) < 8, 0, X.array)
    known = ic.IrrepsArray(IRREPS, array, zero_flags=(True, True, False))
    state = {"running_mean": jnp.array([1.0, 2.0]), "running_var": jnp.arange(1.0, 6.0)}
    for training in (True, False):
        one, other = (
            run(irr.BatchNorm(), x, state, is_training=training) for x in (known, ic.IrrepsArray(IRREPS, array))
        )
        jax.tree.map(lambda a, b: np.testing.assert_array_equal(a, b), one[1], other[1])
        np.testing.assert_array_equal(one[0].array, other[0].array)


def test_the_state_has_no_derivatives_and_those_of_zero_data_are_finite():
    layer = irr.BatchNorm()
    slope = jax.grad(lambda x: sum(jnp.sum(leaf) for leaf in jax.tree.leaves(run(layer, x)[1])))
    assert (jax.jit(slope)(X).array == 0).all()
    zero = np.zeros((3, 1, 9), np.float32)
    curvature = jax.jit(jax.hessian(lambda a: jnp.sum(run(layer, ic.IrrepsArray(IRREPS, a))[0].array ** 3)))
    with jax.debug_nans(True):
        assert jnp.isfinite(curvature(zero)).all()


def test_empty_batches_keep_shape_dtype_and_state():
    for shape in [(0,), (3, 0)]:
        x = ic.IrrepsArray(IRREPS, np.zeros((*shape, 9), np.float32))
        with jax.numpy_dtype_promotion("strict"), jax.debug_nans(True):
            y, state = run(irr.BatchNorm(), x)
        assert (y.shape, y.dtype) == ((*shape, 9), jnp.float32)
        assert all(leaf.dtype == jnp.float32 for leaf in jax.tree.leaves(state))
        if shape[0] == 0:
            assert float(state["running_var"][0]) == 1
    _, state = run(irr.BatchNorm(), ic.IrrepsArray("1o", np.ones((2, 3), np.float32)))
    assert state["running_mean"].shape == (0,)


def test_errors_name_the_argument_and_its_value():
    with pytest.raises(ValueError, match=r"reduce must be one of \('mean', 'max'\), got 'sum'"):
        irr.BatchNorm(reduce="sum")
    with pytest.raises(ValueError, match="normalization must be one of"):
        irr.BatchNorm(normalization="integral")
    with pytest.raises(ValueError, match="eps must be between 0 and 1, got 2"):
        irr.BatchNorm(eps=2)
    with pytest.raises(ValueError, match=r"data of shape \(batch, ..., irreps.dim\), got shape \(9,\)"):
        run(irr.BatchNorm(), ic.IrrepsArray(IRREPS, X.array[0, 0]))
    with pytest.raises(ValueError, match=r"mask of shape \(6,\), \(batch,\), got \(6, 4\)"):
        run(irr.BatchNorm(), X, mask=jnp.ones((6, 4)))
    with pytest.raises(ValueError, match="1x2e"):
        run(irr.BatchNorm(irreps="2e"), X)
