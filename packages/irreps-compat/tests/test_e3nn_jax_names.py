"""Every public name of e3nn-jax, and those of its early releases, has a counterpart that takes the same arguments."""

import importlib
import importlib.util
import inspect
import itertools
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import irreps_compat.e3nn_jax as compat
from irreps_compat.e3nn_jax._src._table import MODULES

LINES = (Path(__file__).parent / "e3nn_jax_names.txt").read_text().splitlines()
NAMES = {name: arguments.split() for name, _, arguments in (line.partition(":") for line in LINES if line[0] != "#")}
BINDINGS = {"haiku": "irreps_haiku", "flax": "irreps_flax", "equinox": "irreps_equinox"}
HAIKU = (
    "Linear",
    "FullyConnectedTensorProduct",
    "MultiLayerPerceptron",
    "BatchNorm",
    "Dropout",
    "SymmetricTensorProduct",
    "TensorSquare",
)
# Methods that e3nn-jax removed are found on instances.
INSTANCES = {"IrrepsArray": compat.ones("1o", ()), "Irreps": compat.Irreps("1o")}
# Arguments that stand at another place, each for a reason.
ORDER = {
    "IrrepsArray.factor_mul_to_last_axis",  # releases before 0.19 had the factor first
    "IrrepsArray.irreps_to_axis",  # raises NotImplementedError in e3nn-jax; ours needs the length
    "axis_angle_to_quaternion",
}
# Private modules, and names in them, of earlier releases.
EARLIER = {"core_tensor_product", "dropout", "symmetric_tensor_product", "util"}
EARLIER_NAMES = {("s2grid", name) for name in ("irfft", "rfft", "s2_grid", "s2grid", "s2grid_vectors")}
EARLIER_NAMES |= {("tensor_products", "naive_broadcast_decorator"), ("batchnorm", "BatchNorm")}


def found(name: str) -> Any:
    first, *rest = name.split(".")
    if first in INSTANCES and rest and rest[0] not in dir(getattr(compat, first)):
        return getattr(INSTANCES[first], rest[0])
    value = compat
    for part in (first, *rest):
        value = getattr(value, part) if hasattr(value, part) else importlib.import_module(f"{value.__name__}.{part}")
    return value


def framework_of(name: str) -> str:
    parts = name.split(".")
    framework = "haiku" if parts[0] in HAIKU else parts[0]
    if parts[0] == "experimental" and len(parts) > 2:
        framework = "flax" if "Flax" in parts[2] or parts[2] == "LinearSHTP" else "haiku"
        framework = framework if parts[2][0].isupper() else ""
    return framework if framework in BINDINGS else ""


def names_of(framework: str) -> list[str]:
    """The names of modules of a framework; with "" all others. Skips where the framework has no binding."""
    if framework:
        pytest.importorskip(BINDINGS[framework])
    return [name for name in NAMES if framework_of(name) == framework]


def refusal(function: Any, wanted: list[str], any_order: bool) -> str:
    """Which argument a function does not take as e3nn-jax does; empty if it takes all."""
    parameters = [p for p in inspect.signature(function).parameters.values() if p.name not in ("self", "cls", "scope")]
    kinds = {p.kind for p in parameters}
    names = {p.name for p in parameters if p.kind not in (p.POSITIONAL_ONLY, p.VAR_POSITIONAL, p.VAR_KEYWORD)}
    positional = [p.name for p in parameters if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)]
    keyword_only = False
    for i, name in enumerate(wanted):
        if name.startswith("*"):
            keyword_only = True
            if name == "*":
                continue
            kind = inspect.Parameter.VAR_KEYWORD if name.startswith("**") else inspect.Parameter.VAR_POSITIONAL
            if kind not in kinds:
                return name
            continue
        by_place = any_order or keyword_only or i < len(positional) or inspect.Parameter.VAR_POSITIONAL in kinds
        same_place = any_order or keyword_only or i >= len(positional) or positional[i] == name
        by_name = name in names or not kinds.isdisjoint(
            {inspect.Parameter.VAR_KEYWORD, inspect.Parameter.VAR_POSITIONAL}
        )
        if not (by_place and same_place and by_name):
            return name
    return ""


@pytest.mark.parametrize("framework", ["", *BINDINGS])
def test_every_name_is_documented_and_takes_the_arguments_of_e3nn_jax(framework):
    """The modules of a framework are called with the arguments of their layer, after its scope."""
    wrong = {}
    for name in names_of(framework):
        value = found(name.removesuffix(".__call__"))
        if name.endswith(".__call__"):
            value = getattr(value, "layer_class", value).__call__
        elif callable(value) and not inspect.getdoc(value):
            wrong[name] = "no docstring"
            continue
        missing = refusal(value, NAMES[name], name in ORDER) if NAMES[name] else ""
        if missing:
            wrong[name] = f"does not take {missing}"
    assert wrong == {}


def test_a_missing_argument_is_found():
    assert refusal(lambda a, b: None, ["a", "c"], False) == "c"
    assert refusal(lambda a, b: None, ["b", "a"], False) == "b"
    assert refusal(lambda a, *, b: None, ["a", "b"], False) == "b"
    assert refusal(lambda a, *, b: None, ["a", "*", "b"], False) == ""
    assert refusal(lambda a: None, ["a", "**b"], False) == "**b"


def test_the_list_has_every_name_of_e3nn_jax():
    e3nn_jax = pytest.importorskip("e3nn_jax")
    for name in e3nn_jax.__all__:
        assert name in NAMES or inspect.ismodule(getattr(e3nn_jax, name)), name
        assert hasattr(compat, name), name
    for module in ("legacy", "utils", "haiku", "flax"):
        for name in importlib.import_module(f"e3nn_jax.{module}").__all__:
            assert f"{module}.{name}" in NAMES
    for module in ("point_convolution", "transformer", "voxel_convolution", "voxel_pooling", "linear_shtp"):
        path = f"experimental.{module}"
        theirs = importlib.import_module(f"e3nn_jax.{path}")
        for name, value in vars(theirs).items():
            # Helpers that those modules do not hide.
            if name in ("normalize", "sl", "sum_tensors"):
                continue
            if not name.startswith("_") and getattr(value, "__module__", "") == theirs.__name__:
                assert f"{path}.{name}" in NAMES
    for cls in ("Irrep", "MulIrrep", "Irreps", "IrrepsArray", "SphericalSignal", "SO3Signal"):
        for name in dir(getattr(e3nn_jax, cls)):
            if not name.startswith("_"):
                assert hasattr(getattr(compat, cls), name), f"{cls}.{name}"


def kind_of(value: Any) -> str:
    """What programs can do with an attribute; e3nn-jax has functions for some of our classes, and the reverse."""
    if inspect.ismodule(value):
        return "module"
    if isinstance(value, Mapping):
        return "mapping"
    return "callable" if callable(value) else type(value).__name__


def test_every_name_is_of_the_kind_that_it_is_in_e3nn_jax():
    e3nn_jax = pytest.importorskip("e3nn_jax")
    assert compat.__version__ == e3nn_jax.__version__
    for name in e3nn_jax.__all__:
        assert kind_of(getattr(compat, name)) == kind_of(getattr(e3nn_jax, name)), name
    for cls in ("Irrep", "MulIrrep", "Irreps", "IrrepsArray", "SphericalSignal", "SO3Signal"):
        ours, theirs = getattr(compat, cls), getattr(e3nn_jax, cls)
        for name in dir(theirs):
            if not name.startswith("_") and hasattr(ours, name):  # attributes of instances are not compared
                assert callable(getattr(ours, name)) == callable(getattr(theirs, name)), f"{cls}.{name}"


def test_private_modules_have_the_names_of_e3nn_jax():
    pytest.importorskip("e3nn_jax")
    for path, text in MODULES.items():
        ours = importlib.import_module(f"irreps_compat.e3nn_jax._src.{path}")
        first = path.partition(".")[0]
        if first in EARLIER:
            continue
        theirs = importlib.import_module(f"e3nn_jax._src.{path}")
        for entry in text.split():
            name = entry.partition("=")[0]
            if (path, name) in EARLIER_NAMES or name in ("BatchNorm", "Linear", "MultiLayerPerceptron", "Dropout"):
                continue
            if name in ("FullyConnectedTensorProduct", "SymmetricTensorProduct"):  # these load a framework
                continue
            assert kind_of(getattr(ours, name)) == kind_of(getattr(theirs, name)), f"{path}.{name}"


IRREPS = ("1o", "1o + 1o", "2x1o", "0e + 1o", "")
OPERANDS = {
    "irreps": lambda e: [e.Irreps(x) for x in IRREPS],
    "irrep": lambda e: [e.Irrep("1o"), e.Irrep("1e"), e.Irrep("0e")],
    "mul_irrep": lambda e: [e.MulIrrep(1, e.Irrep("1o")), e.MulIrrep(2, e.Irrep("1o"))],
    "text": lambda e: [*IRREPS, "2x0e+3x1o", "nonsense"],
    "tuple": lambda e: [(1, -1), (1, 1), (2, (1, -1)), tuple(e.Irreps("1o")), (e.Irrep("1o"),), ()],
    "other": lambda e: [[(1, (1, -1))], [e.Irrep("1o")], None, 1],
}
RELATIONS = {
    "==": lambda a, b: a == b,
    "!=": lambda a, b: a != b,
    "in": lambda a, b: a in b,
    "<": lambda a, b: a < b,
    "equal hash": lambda a, b: a == b and hash(a) == hash(b),
    "in a set": lambda a, b: a in {b},
    "key": lambda a, b: {a: 1}.get(b),
}


def test_irreps_compare_as_those_of_e3nn_jax():
    """Over a table of operands; where e3nn-jax raises an error, nothing can depend on the result."""
    e3nn_jax = pytest.importorskip("e3nn_jax")
    theirs, ours = ([x for make in OPERANDS.values() for x in make(e)] for e in (e3nn_jax, compat))
    own = sum(len(OPERANDS[name](compat)) for name in ("irreps", "irrep", "mul_irrep"))
    wrong, compared = {}, 0
    for (i, a), (j, b) in itertools.product(enumerate(theirs), repeat=2):
        for name, relation in RELATIONS.items():
            if min(i, j) >= own:
                continue
            try:
                expected = relation(a, b)
            except Exception:
                continue
            compared += 1
            if relation(ours[i], ours[j]) != expected:
                wrong[f"{a!r} {name} {b!r}"] = expected
    assert wrong == {}
    assert compared > 1000
    for a, b in zip(theirs[:own], ours[:own], strict=True):
        assert (str(a), repr(a)) == (str(b), repr(b))


@pytest.mark.parametrize("path", ["element", "path", 0.3])
def test_instructions_have_the_text_of_e3nn_jax(path):
    """Programs name parameters by it, so the last digits count."""
    e3nn_jax = pytest.importorskip("e3nn_jax")
    theirs = importlib.import_module("e3nn_jax.legacy").FunctionalFullyConnectedTensorProduct
    for normalization, gradient in itertools.product(("component", "norm", "none"), ("element", "path", 0.7)):
        options = {"path_normalization": path, "gradient_normalization": gradient}
        products = [
            make("7x1o + 2x2e", "3x1o + 0e", "11x0e + 3x2e + 1o", irrep_normalization=normalization, **options)
            for make in (theirs, compat.legacy.FunctionalFullyConnectedTensorProduct)
        ]
        linears = [
            e.FunctionalLinear("3x0e + 2x1o + 7x0e", "5x0e + 1o", biases=True, **options) for e in (e3nn_jax, compat)
        ]
        for one, other in (products, linears):
            assert list(map(str, one.instructions)) == list(map(str, other.instructions))
            assert str(one) == str(other)


def test_removed_constructors_are_found_on_the_class():
    x = compat.IrrepsArray.from_list("0e + 1o", [None, np.ones((2, 1, 3))], (2,))
    assert x.list[0] is None
    assert compat.IrrepsArray.cat([x, x]).contiguous.shape == (2, 8)
    assert compat.IrrepsArray.ones("1o", ()).shape == (3,)


def test_a_name_that_is_not_there():
    with pytest.raises(AttributeError, match="nonsense"):
        getattr(compat, "nonsense")  # noqa: B009
    for module in (compat.haiku, compat.flax, compat.equinox):
        with pytest.raises(AttributeError, match="modules: "):
            getattr(module, "Nonsense")  # noqa: B009


@pytest.mark.parametrize("l", [1, 3])
def test_wigner_matrices_of_the_first_release_belong_together(l):
    """The generators are the derivatives of D at 1; the 3j symbols are invariant, of length 1."""
    turned = compat.wigner_rot_y(l, np.array(1e-6))
    np.testing.assert_allclose((turned - np.eye(2 * l + 1)) / 1e-6, compat.wigner_generator_y(l), atol=1e-4)
    x, y, z = compat.wigner_generator_x(l), compat.wigner_generator_y(l), compat.wigner_generator_z(l)
    np.testing.assert_allclose(x @ y - y @ x, z, atol=1e-12)
    D, C = compat.wigner_D(l, 0.1, 0.2, 0.3), compat.wigner_3j(l, l, 1)
    rotated = np.einsum("ijk,il,jm,kn->lmn", C, D, D, compat.wigner_D(1, 0.1, 0.2, 0.3))
    np.testing.assert_allclose(rotated, C, atol=1e-6)
    assert abs((C**2).sum() - 1) < 1e-12
