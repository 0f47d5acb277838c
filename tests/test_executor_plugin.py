"""An executor from somebody else: that of the documentation, as a distribution that announces it by an entry point."""

import doctest
import importlib
import sys
from collections.abc import Iterator
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import irreps_core as ic
import irreps_ops as irr
from irreps_core import plugins
from irreps_core.plugins import PluginLoadError
from irreps_ops.testing import check_executor

PAGE = Path(__file__).parent.parent / "docs" / "compute-core.md"


def executor_of_the_page() -> str:
    """The source of the one class that the page defines."""
    examples = doctest.DocTestParser().get_examples(PAGE.read_text().replace("\n```", "\n\n```"))
    (source,) = [example.source for example in examples if example.source.startswith("class ")]
    return source


@pytest.fixture
def installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """A distribution with one module, in a folder on the path; the name of the module."""
    module = "irreps_toy_executor"
    (tmp_path / f"{module}.py").write_text(
        "import jax\nimport numpy as np\nfrom irreps_ops.compute import Access, Index\n\n\n"
        + executor_of_the_page()
        + "\n\nexecutor = NumpyExecutor()\n"
    )
    info = tmp_path / f"{module}-0.1.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: irreps-toy-executor\nVersion: 0.1\n")
    (info / "entry_points.txt").write_text(f"[irreps.executors]\nnumpy = {module}:executor\nlost = {module}:lost\n")
    monkeypatch.delenv("IRREPS_DISABLE_PLUGINS", raising=False)
    monkeypatch.syspath_prepend(str(tmp_path))
    plugins.refresh()
    yield module
    sys.modules.pop(module, None)
    plugins.refresh()


def test_the_page_is_enough_to_write_one() -> None:
    assert len(executor_of_the_page().splitlines()) <= 60


def test_it_is_found_selected_and_refused_with_a_reason(installed: str) -> None:
    assert {"numpy", "lost", "reference", "xla"} <= set(irr.executors())
    assert installed not in sys.modules

    polynomial = irr.compute.Polynomial(
        (irr.compute.Operand(3, (4,), name="x"),) * 2,
        (irr.compute.Operand(5, (4,), name="z"),),
        (
            irr.compute.Path(
                (0, 1), 0, ("u", "u", "u"), irr.compute.Coefficients.from_dense(ic.clebsch_gordan(1, 1, 2))
            ),
        ),
    )
    x, y = (jnp.asarray(np.random.default_rng(seed).normal(size=(5, 3, 4))) for seed in (0, 1))
    mine = irr.compute.evaluate(polynomial, [x, y], executor="numpy")[0]
    assert installed in sys.modules
    np.testing.assert_allclose(mine, irr.compute.evaluate(polynomial, [x, y])[0], rtol=1e-12, atol=1e-13)

    contraction = irr.compute.Contraction(polynomial, 200_000, (), "float32")
    reason = "it takes at most 100,000 elements, got 200000"
    assert irr.compute.why_not("numpy", contraction) == reason
    large = [jax.ShapeDtypeStruct((200_000, 3, 4), jnp.float32)] * 2
    with pytest.raises(ValueError, match=f"numpy: {reason}"):
        jax.eval_shape(lambda *a: irr.compute.evaluate(polynomial, a, executor="numpy"), *large)
    jax.eval_shape(lambda *a: irr.compute.evaluate(polynomial, a, executor=("numpy", "xla")), *large)
    assert irr.compute.cheapest("numpy", "xla")(contraction).name == "xla"
    with pytest.raises(PluginLoadError, match=r"'lost' from irreps-toy-executor 0.1 failed to import.*no attribute"):
        irr.compute.evaluate(polynomial, [x, y], executor="lost")


def test_an_operation_and_its_forces_run_on_it(installed: str) -> None:
    a = ic.normal("2x0e + 2x1o", jax.random.key(0), (3,), dtype=jnp.float64)
    b = ic.normal("0e + 1o", jax.random.key(1), (3,), dtype=jnp.float64)

    def energy(b: ic.IrrepsArray) -> jax.Array:
        return jnp.sum(jnp.sin(irr.tensor_product(a, b).array))

    runs = []
    executor = importlib.import_module(installed).executor
    original = type(executor).add
    type(executor).add = lambda *given: (runs.append(1), original(*given))[1]
    forces = irr.use_executor(jax.grad(energy), "numpy")(b)
    assert runs
    np.testing.assert_allclose(forces.array, jax.grad(energy)(b).array, rtol=1e-11, atol=1e-12)


def test_it_conforms(installed: str) -> None:
    """In float64; the page runs all checks, in float32."""
    table = check_executor("numpy", dtypes=["float64"], only="random polynomials")
    assert table == "the executor 'numpy' in float64\nok       random polynomials and their gradients"
