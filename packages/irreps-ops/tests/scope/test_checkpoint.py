"""Files of parameters: what goes in comes out, and what belongs to something else is refused with both sides named."""

import dataclasses
import json
import sys

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import irreps_core as ic
import irreps_ops as irr
from irreps_ops import checkpoint

LAYER = irr.MultiLayerPerceptron([4, 2], jax.nn.silu)
X = ic.normal("5x0e", jax.random.key(0), (3,))
TREE = irr.init(LAYER, jax.random.key(1), X)


@pytest.fixture
def path(tmp_path):
    pytest.importorskip("safetensors")
    checkpoint.save(tmp_path / "model.safetensors", TREE, layer=LAYER, irreps_in="5x0e", about={"steps": 3})
    return tmp_path / "model.safetensors"


def test_there_and_back(path):
    found = checkpoint.load(path, layer=LAYER, irreps_in="5x0e", like=TREE)
    jax.tree.map(np.testing.assert_array_equal, found.parameters, TREE)
    assert found.state == {}
    assert [p.name for p in path.parent.iterdir()] == ["model.safetensors"]


def test_the_header_says_what_they_belong_to(path):
    header = checkpoint.read_header(path)
    assert header == checkpoint.load(path).header
    assert header["layer"]["name"] == "MultiLayerPerceptron"
    assert header["layer"]["list_neurons"] == [4, 2]
    assert header["layer"]["act"] == "silu"
    assert header["irreps_in"] == ["5x0e"]
    assert header["normalization"] == "component"
    assert header["version"] == irr.__version__
    assert header["about"] == {"steps": 3}
    assert "polar axis y" in header["convention"]


def test_it_is_a_file_of_safetensors_with_plain_names(path):
    numpy = pytest.importorskip("safetensors.numpy")
    assert set(numpy.load_file(path)) == {"parameters/linear_0/w", "parameters/linear_1/w"}


@pytest.mark.parametrize("dtype", ["float64", "float32", "float16", "bfloat16", "int32", "uint8", "bool"])
def test_every_dtype(tmp_path, dtype):
    pytest.importorskip("safetensors")
    tree = {"a": {"b": jnp.asarray([0, 1, 1], dtype)}, "empty": jnp.zeros((2, 0), dtype), "scalar": jnp.ones((), dtype)}
    checkpoint.save(tmp_path / "x", tree, {"seen": jnp.ones(2, dtype)})
    found = checkpoint.load(tmp_path / "x")
    leaves = zip(*map(jax.tree.leaves, (found[:2], (tree, {"seen": jnp.ones(2, dtype)}))), strict=True)
    for one, other in leaves:
        assert (one.dtype, one.shape) == (other.dtype, other.shape)
        np.testing.assert_array_equal(np.asarray(one, float), np.asarray(other, float))
    cast = checkpoint.load(tmp_path / "x", dtype=jnp.float32).parameters["scalar"].dtype
    assert cast == (jnp.float32 if jnp.issubdtype(dtype, jnp.floating) else dtype)


@pytest.mark.parametrize(
    ("wanted", "message"),
    [
        (
            {"layer": irr.MultiLayerPerceptron([4, 3], jax.nn.silu)},
            r"layer.list_neurons is \[4, 2\], expected \[4, 3\]",
        ),
        ({"layer": irr.MultiLayerPerceptron([4, 2], jnp.tanh)}, r"layer.act is 'silu', expected 'tanh'"),
        ({"layer": irr.Linear("0e")}, r"another model: layer is {.*MultiLayerPerceptron.*}, expected {.*Linear"),
        ({"irreps_in": ("5x0e", 3)}, r"irreps_in is \['5x0e'\], expected \['5x0e', 3\]"),
        ({"like": {"linear_0": TREE["linear_0"]}}, r"'linear_1/w' is unknown to the model"),
        ({"like": TREE | {"b": jnp.ones(2)}}, "'b' is missing"),
        (
            {"like": TREE | {"linear_1": {"w": jnp.ones((4, 7))}}},
            r"has shape \(4, 2\), that of the model is \(4, 7\)",
        ),
    ],
)
def test_another_model_is_refused_with_both_sides(path, wanted, message):
    with pytest.raises(ValueError, match=message) as info:
        checkpoint.load(path, **wanted)
    assert str(path) in str(info.value)


def test_what_a_layer_leaves_open_is_no_difference(tmp_path):
    pytest.importorskip("safetensors")
    told, open_ = irr.Linear("3x0e", irreps_in="5x0e"), irr.Linear("3x0e")
    for written, read in ((told, open_), (open_, told)):
        checkpoint.save(tmp_path / "x", {}, layer=written)
        checkpoint.load(tmp_path / "x", layer=read)
    checkpoint.save(tmp_path / "x", {}, layer=told)
    with pytest.raises(ValueError, match=r"layer.irreps_in is '5x0e', expected '6x0e'"):
        checkpoint.load(tmp_path / "x", layer=irr.Linear("3x0e", irreps_in="6x0e"))


def rewritten(path, **changes):
    """The file with another header of ours."""
    data = path.read_bytes()
    size = int.from_bytes(data[:8], "little")
    header = json.loads(data[8 : 8 + size])
    header["__metadata__"] = {"irreps": json.dumps(json.loads(header["__metadata__"]["irreps"]) | changes)}
    text = json.dumps(header).encode()
    path.write_bytes(len(text).to_bytes(8, "little") + text + data[8 + size :])


def test_another_convention_or_a_newer_format_is_refused(path):
    rewritten(path, convention="polar axis z")
    with pytest.raises(ValueError, match="convention is 'polar axis z', expected 'e3nn: polar axis y"):
        checkpoint.load(path)
    rewritten(path, format=2)
    with pytest.raises(ValueError, match="has format 2, but this irreps-ops reads 1: install a newer version"):
        checkpoint.load(path)


def test_what_is_no_checkpoint_is_refused(path, tmp_path):
    (tmp_path / "text").write_text("hello")
    with pytest.raises(ValueError, match="not a checkpoint of irreps"):
        checkpoint.load(tmp_path / "text")
    with pytest.raises(ValueError, match="not a checkpoint of irreps"):
        checkpoint.read_header(tmp_path / "text")
    with pytest.raises(FileNotFoundError):
        checkpoint.load(tmp_path / "absent")
    path.write_bytes(path.read_bytes()[:-4])
    with pytest.raises(ValueError, match="damaged"):
        checkpoint.load(path)


def test_what_cannot_be_saved_is_refused(tmp_path):
    pytest.importorskip("safetensors")
    with pytest.raises(ValueError, match="'a/b' has a slash"):
        checkpoint.save(tmp_path / "x", {"a/b": jnp.ones(1)})
    with pytest.raises(ValueError, match="'parameters/a' is of type function: only arrays can be saved"):
        checkpoint.save(tmp_path / "x", {"a": test_there_and_back})
    with pytest.raises(TypeError, match="JSON"):
        checkpoint.save(tmp_path / "x", TREE, about={"f": test_there_and_back})
    assert not list(tmp_path.iterdir())


def test_float64_where_jax_has_it_switched_off(tmp_path):
    pytest.importorskip("safetensors")
    checkpoint.save(tmp_path / "x", {"w": jnp.ones(2, jnp.float64)})
    with jax.enable_x64(False):
        with pytest.raises(ValueError, match="float64 numbers, which JAX has disabled"):
            checkpoint.load(tmp_path / "x")
        assert checkpoint.load(tmp_path / "x", dtype=jnp.float32).parameters["w"].dtype == jnp.float32


def test_without_safetensors(monkeypatch, tmp_path):
    monkeypatch.setitem(sys.modules, "safetensors", None)
    with pytest.raises(ImportError, match=r"pip install irreps-ops\[checkpoint\]"):
        checkpoint.save(tmp_path / "x", TREE)


@dataclasses.dataclass
class Soft:
    """An activation with a field."""

    width: float
    irreps: ic.Irreps

    def __call__(self, x):
        return jnp.tanh(x / self.width)


def test_arguments_are_written_as_json():
    plain = checkpoint._plain
    assert plain(Soft(2.0, ic.Irreps("1o"))) == {"name": "Soft", "width": 2.0, "irreps": "1x1o"}
    assert plain({1: (np.float32(0.5), jnp.arange(2), None, True)}) == {"1": [0.5, [0, 1], None, True]}
    assert plain(jnp.tanh) == plain(jax.jit(jnp.tanh)) == "tanh"
    assert plain(object()) == "object"


@pytest.mark.parametrize("name", sorted(irr.bindings._registry.LAYERS.builtin))
def test_arguments_of_every_layer_are_in_the_header(name):
    """Whatever they are, JSON has them, and they are equal to themselves."""
    from irreps_ops.testing import layer_cases

    for case in layer_cases(name):
        header = checkpoint._layer_header(case.layer)
        assert json.loads(json.dumps(header)) == header == checkpoint._layer_header(case.layer)
