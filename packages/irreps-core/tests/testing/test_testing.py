"""The tests of equivariance, tested on functions that are equivariant and on functions that are not."""

import subprocess
import sys
from typing import Any, NamedTuple

import numpy as np
import pytest

import irreps_core as ic
from irreps_core import Irreps, IrrepsArray
from irreps_core import testing as ict

SEED = 0


def normal(irreps: str, shape: tuple[int, ...] = (), dtype: Any = np.float64) -> IrrepsArray:
    irreps = Irreps(irreps)
    return IrrepsArray(irreps, np.random.default_rng(1).standard_normal((*shape, irreps.dim)).astype(dtype))


def failure(*args: Any, **kwargs: Any) -> str:
    with pytest.raises(AssertionError) as info:
        ict.assert_equivariant(*args, **kwargs)
    return str(info.value)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize(
    ("fun", "args"),
    [
        (lambda x: 2 * x, ["2x0e + 0o + 3x1o + 2e + 3e"]),
        (ic.norm, ["2x1o + 2e"]),
        (ic.cross, ["1o", "1o"]),
        (ic.cross, ["1o", "1e"]),
        (ic.dot, ["2x1o + 2e", "2x1o + 2e"]),
        (lambda x: {"a": x, "b": (x + x, [ic.norm(x), None])}, ["1o"]),
    ],
)
def test_equivariant_functions_pass(fun: Any, args: list[str], dtype: Any) -> None:
    ict.assert_equivariant(fun, np.random.default_rng(SEED), *args, dtype=dtype)
    ict.assert_equivariant(fun, 7, *args, dtype=dtype, leading_shape=(2, 3))
    ict.assert_equivariant(fun, SEED, *(normal(x, (4,), dtype) for x in args))
    errors = ict.equivariance_error(fun, SEED, *args, dtype=dtype)
    assert set(errors) == {"rotation", "mirror"}
    assert max(errors.values()) < 100 * np.finfo(dtype).eps


def absolute(x: IrrepsArray) -> IrrepsArray:
    return IrrepsArray(x.irreps, abs(x.array))


def test_failure_names_transformation_place_and_size() -> None:
    def breaks_vectors(x: IrrepsArray) -> dict[str, Any]:
        return {"fine": ic.norm(x), "broken": [x["2x0e"], ic.concatenate([x["2x0e"], absolute(x["1o"])])]}

    message = failure(breaks_vectors, SEED, "2x0e + 1o")
    assert "breaks_vectors is not equivariant under a rotation g" in message
    assert "output['broken'][1], item 1x1o (components 2:5)" in message
    assert "rotation: error" in message
    assert "mirror: error" in message
    assert message.count("FAILS") == 2


@pytest.mark.parametrize("culprit", [0, 1, 2])
def test_failure_names_the_argument(culprit: int) -> None:
    def fun(*xs: IrrepsArray) -> IrrepsArray:
        return sum((absolute(x) if i == culprit else x for i, x in enumerate(xs)), start=0 * xs[0])

    message = failure(fun, SEED, "1o", "1o", "1o")
    assert f"because of: argument {culprit} (1x1o), also with zeros for the other arguments" in message


def test_failure_of_arguments_together() -> None:
    def elementwise(x: IrrepsArray, s: IrrepsArray, y: IrrepsArray) -> IrrepsArray:
        return IrrepsArray("1o", s.array * x.array * y.array)

    message = failure(elementwise, SEED, "1o", "0e", "1e")
    assert "because of: argument 0 (1x1o), argument 2 (1x1e): together" in message


def test_failure_of_the_only_vector_and_of_no_argument_at_all() -> None:
    def constant(x: IrrepsArray) -> IrrepsArray:
        return IrrepsArray("1o", np.ones(3))

    assert "because of: argument 0 (1x1o)" in failure(constant, SEED, "1o")
    assert "because of: the function itself" in failure(constant, SEED, "0e")


def test_refusing_zeros_does_not_hide_the_failure() -> None:
    def picky(x: IrrepsArray, y: IrrepsArray) -> IrrepsArray:
        if not x.array.any():
            raise ZeroDivisionError
        return absolute(x) + y

    assert "because of: argument 0" in failure(picky, SEED, "1o", "1o")


def test_mirrors_alone_find_a_parity_error() -> None:
    def wrong_parity(x: IrrepsArray, y: IrrepsArray) -> IrrepsArray:
        return IrrepsArray("1o", ic.cross(x, y).array)  # it is 1e

    message = failure(wrong_parity, SEED, "1o", "1o")
    assert "under a mirror g" in message
    assert "holds" in message.splitlines()[1]
    ict.assert_equivariant(wrong_parity, SEED, "1o", "1o", mirrors=False)
    errors = ict.equivariance_error(wrong_parity, SEED, "1o", "1o")
    assert errors["rotation"] < 1e-14
    assert errors["mirror"] > 0.5


def test_translations() -> None:
    def relative(x: IrrepsArray, v: IrrepsArray) -> IrrepsArray:
        return x[1:] - x[:-1] + v[1:]

    ict.assert_equivariant(relative, SEED, "1o", "1o", positions=0, leading_shape=(4,))
    message = failure(relative, SEED, "1o", "1o", positions=[1], leading_shape=(4,))
    assert "under a translation g" in message
    assert "because of: argument 1 (1x1o)" in message
    assert message.count("holds") == 2
    errors = ict.equivariance_error(lambda x: x, SEED, "2x1o", positions=0)
    assert errors["translation"] > 0.01
    assert errors["mirror"] < 1e-14


def test_all_positions_are_moved_by_one_vector() -> None:
    ict.assert_equivariant(lambda x, y: x - y, SEED, "1o", normal("1o"), positions=(0, 1))


def test_transformations_are_exact_whatever_the_dtype() -> None:
    # In float32 alone a degree of 20 would lose more than the rounding of the result.
    error = ict.equivariance_error(lambda x: x, SEED, "20e", dtype=np.float32)["rotation"]
    assert error < 2 * np.finfo(np.float32).eps


def test_tolerances() -> None:
    def slightly_off(x: IrrepsArray) -> IrrepsArray:
        return x + IrrepsArray("1o", np.array([1e-6, 0, 0]))

    failure(slightly_off, SEED, "1o")
    ict.assert_equivariant(slightly_off, SEED, "1o", dtype=np.float32)
    ict.assert_equivariant(slightly_off, SEED, "1o", atol=1e-5)
    failure(slightly_off, SEED, "1o", dtype=np.float32, atol=1e-9, rtol=1e-9)


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_values_that_are_not_finite_fail(bad: float) -> None:
    assert "not equivariant" in failure(lambda x: IrrepsArray("0e", np.full(1, bad)), SEED, "1o")


def test_invariant_arrays_and_numbers_in_and_out() -> None:
    def fun(x: IrrepsArray, index: np.ndarray, factor: float) -> tuple[Any, ...]:
        return x[index] * factor, ic.norm(x).array, 3, "text", None

    ict.assert_equivariant(fun, SEED, normal("1o + 2e", (5,)), np.array([0, 2]), 0.5)
    assert "output[1]" in failure(lambda x: (x, x.array), SEED, "1o")


def test_integers_become_floats() -> None:
    ict.assert_equivariant(lambda x: x, SEED, IrrepsArray("1o", np.arange(3)))


def test_complex_data() -> None:
    ict.assert_equivariant(lambda x: 1j * x, SEED, IrrepsArray("1o", np.arange(3) + 1j))


class Graph(NamedTuple):
    nodes: IrrepsArray
    senders: np.ndarray


def test_arguments_may_be_containers() -> None:
    graph = Graph(normal("1o + 2e", (3,)), np.array([0, 1]))
    ict.assert_equivariant(lambda g: Graph(2 * g.nodes, g.senders), SEED, graph)
    assert "output.nodes" in failure(lambda g: g._replace(nodes=absolute(g.nodes)), SEED, graph).replace(
        "[0]", ".nodes"
    )


def test_output_of_changing_structure() -> None:
    def unstable(x: IrrepsArray) -> Any:
        return x if x.array[0] > 0 else (x, x)

    with pytest.raises(AssertionError, match="changes its structure under a"):
        ict.assert_equivariant(unstable, SEED, "1o", draws=20)


def test_bad_input() -> None:
    with pytest.raises(TypeError, match=r"expected an argument that is an IrrepsArray .* got ndarray"):
        ict.assert_equivariant(lambda x: x, SEED, np.ones(3))
    with pytest.raises(TypeError, match=r"a JAX key, a numpy\.random.Generator or an integer seed, got NoneType"):
        ict.assert_equivariant(lambda x: x, None, "1o")
    with pytest.raises(ValueError, match="argument 0, which must have irreps 1o, got 1x2e"):
        ict.assert_equivariant(lambda x: x, SEED, "2e", positions=0)
    with pytest.raises(ValueError, match="argument 2, but there are 1"):
        ict.assert_equivariant(lambda x: x, SEED, "1o", positions=2)
    with pytest.raises(ValueError, match="argument 1, which must have irreps 1o, got float"):
        ict.assert_equivariant(lambda x, y: x, SEED, "1o", 1.0, positions=1)


def test_equivariance_test_gives_both_sides() -> None:
    one, other = ict.equivariance_test(ic.norm, SEED, normal("1o"))
    np.testing.assert_allclose(one.array, other.array)
    one, other = ict.equivariance_test(lambda x: {"y": absolute(x)}, SEED, "1o")
    assert np.max(abs(one["y"].array - other["y"].array)) > 1e-3
    one, other = ict.equivariance_test(lambda x: IrrepsArray("0e", x.array), SEED, "0o")
    np.testing.assert_allclose(one.array, -other.array)


def test_seeds_repeat() -> None:
    def fun(x: IrrepsArray) -> IrrepsArray:
        return absolute(x)

    assert failure(fun, 3, "1o") == failure(fun, 3, "1o") != failure(fun, 4, "1o")


def test_random_irreps() -> None:
    rng = np.random.default_rng(SEED)
    drawn = [ict.random_irreps(rng, lmax=2, mul_max=3, length_max=2) for _ in range(300)]
    items = [item for irreps in drawn for item in irreps]
    assert {len(irreps) for irreps in drawn} == {1, 2}
    assert {item.mul for item in items} == {1, 2, 3}
    assert {item.ir for item in items} == set(ic.Irrep.iterator(2))
    assert ict.random_irreps(5) == ict.random_irreps(5)


def test_output_dtype() -> None:
    ict.assert_output_dtype_matches_input_dtype(lambda x: 2 * x, normal("1o"))
    ict.assert_output_dtype_matches_input_dtype(lambda x, factor: {"y": x * factor}, np.ones(3), factor=2.0)
    with pytest.raises(AssertionError, match=r"output\['y'\] is float64 for float32 arguments"):
        ict.assert_output_dtype_matches_input_dtype(lambda x: {"y": x.astype("float64")}, normal("1o"))
    with pytest.raises(AssertionError, match=r"output is float16 for float32 arguments"):
        ict.assert_output_dtype_matches_input_dtype(lambda x: x.astype("float16"), np.ones(3))


JAX_FREE = """
import sys
sys.modules["jax"] = None  # importing it fails
import numpy as np
import irreps_core as ic
from irreps_core.testing import assert_equivariant, assert_output_dtype_matches_input_dtype, random_irreps
assert_equivariant(lambda d: {"y": (2 * d["x"], [d["x"]])}, 0, {"x": ic.IrrepsArray("1o", np.ones(3))})
try:
    assert_equivariant(lambda x: ((x,), ic.IrrepsArray("1o", abs(x.array))), 0, "1o")
except AssertionError as error:
    assert "output[1], item 1x1o" in str(error), error
else:
    raise SystemExit("not caught")
assert_output_dtype_matches_input_dtype(lambda x: (x, [x]), ic.IrrepsArray("1o", np.ones(3)))
random_irreps(0)
assert "hypothesis" not in sys.modules and "pytest" not in sys.modules
sys.modules["hypothesis"] = None
from irreps_core.testing import irreps_strategy
try:
    irreps_strategy()
except ImportError as error:
    assert "pip install irreps-core[testing]" in str(error), error
else:
    raise SystemExit("no hint")
"""


def test_without_jax_and_without_hypothesis() -> None:
    run = subprocess.run([sys.executable, "-c", JAX_FREE], capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stderr
