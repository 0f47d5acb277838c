"""What help(), editors and type checkers see of the modules of each binding."""

import ast
import inspect
import runpy
from pathlib import Path

import pytest

import irreps_flax.linen
import irreps_flax.nnx
import irreps_haiku
import irreps_ops as irr
from irreps_ops.bindings._registry import LAYERS
from irreps_ops.bindings.stubs import binding_stub

MODULES = {"haiku": irreps_haiku, "nnx": irreps_flax.nnx, "linen": irreps_flax.linen}
STUBS = runpy.run_path(str(Path(__file__).parent / "make_stubs.py"))["STUBS"]

# e3nn_jax.haiku's: names, order, kinds and defaults. A name of the module may follow, as everywhere in Haiku.
E3NN_JAX = {
    "Linear": "irreps_out, channel_out=None, *, irreps_in=None, biases=False, path_normalization=None, "
    "gradient_normalization=None, parameter_initializer=None, instructions=None, num_indexed_weights=None, "
    "weights_per_channel=False, force_irreps_out=False, simplify_irreps_internally=True, name=None",
    "MultiLayerPerceptron": "list_neurons, act, *, gradient_normalization=None, output_activation=True, "
    "with_bias=False, name=None",
    "BatchNorm": "*, irreps=None, eps=1e-4, momentum=0.1, affine=True, reduce='mean', instance=False, "
    "normalization=None",
    "Dropout": "p, *, irreps=None",
    "SymmetricTensorProduct": "orders, keep_irrep_out=None, get_parameter=None",
}


def plain(parameters):
    return [(p.name, p.kind, p.default) for p in parameters]


@pytest.mark.parametrize("name", E3NN_JAX)
def test_signatures_in_haiku_are_those_of_e3nn_jax(name):
    namespace: dict = {}
    exec(f"def expected({E3NN_JAX[name]}): ...", namespace)  # its signature is the text's
    expected = plain(inspect.signature(namespace["expected"]).parameters.values())
    found = plain(inspect.signature(getattr(irreps_haiku, name)).parameters.values())
    assert found[: len(expected)] == expected
    assert found[len(expected) :] in ([], [("name", inspect.Parameter.KEYWORD_ONLY, None)])


def test_the_fully_connected_product_has_more_arguments_than_e3nn_jax():
    found = plain(inspect.signature(irreps_haiku.FullyConnectedTensorProduct).parameters.values())
    keyword = inspect.Parameter.KEYWORD_ONLY
    assert found[0][0] == "irreps_out"
    assert found[1:3] == [("irreps_in1", keyword, None), ("irreps_in2", keyword, None)]


@pytest.mark.parametrize("binding", MODULES)
@pytest.mark.parametrize("layer", irr.bindings.layers())
def test_calls_are_described_as_those_of_the_layer(binding, layer):
    own = inspect.signature(irr.bindings.layer(layer).__call__).parameters
    found = inspect.signature(getattr(MODULES[binding], layer).__call__).parameters
    assert list(found.values()) == [p for p in own.values() if p.name != "scope"]
    assert getattr(MODULES[binding], layer).__call__.__doc__ == irr.bindings.layer(layer).__call__.__doc__


@pytest.mark.parametrize("path", STUBS, ids=lambda path: path.parent.name + "." + path.stem)
def test_stubs_are_in_step(path):
    name, base = STUBS[path]
    text = path.read_text()
    assert text == binding_stub(name, base), "run: python tests/make_stubs.py"
    assert len(text.splitlines()) <= 250
    classes = {node.name: node for node in ast.parse(text).body if isinstance(node, ast.ClassDef)}
    assert set(classes) == {*LAYERS.builtin, "_Metaclass", "_Module"}
    for layer in LAYERS.builtin:
        node = classes[layer]
        init = next(part for part in node.body if isinstance(part, ast.FunctionDef) and part.name == "__init__")
        given = [arg.arg for arg in (*init.args.args, *init.args.kwonlyargs)]
        assert given == ["self", *inspect.signature(getattr(MODULES[name], layer)).parameters]
