"""Layers and bindings by name, as objects, and the module classes made of them."""

import inspect
from dataclasses import dataclass

import pytest

import irreps_ops as io
from irreps_core.plugins import PluginLoadError


def test_layers_by_name():
    assert set(io.layers()) >= {"Linear", "MultiLayerPerceptron"}
    assert io.layers() == tuple(sorted(io.layers()))
    for name in ("Linear", "MultiLayerPerceptron"):
        assert io.layer(name) is getattr(io, name)
        assert io.layer(getattr(io, name)) is getattr(io, name)


def test_every_layer_is_documented_and_a_value():
    for name in io.layers():
        found = io.layer(name)
        assert found.__doc__
        assert found.__dataclass_params__.frozen
        assert found.__hash__ is not None


def test_unknown_names_are_answered_with_what_there_is():
    with pytest.raises(PluginLoadError, match=r"'Liner'.*MultiLayerPerceptron.*Did you mean 'Linear'"):
        io.layer("Liner")
    with pytest.raises(PluginLoadError, match=r"'torch'.*irreps.bindings"):
        io.binding("torch")


def test_providers_of_bindings_are_known_without_them(monkeypatch):
    from importlib.metadata import EntryPoints

    from irreps_core import plugins

    monkeypatch.setattr(plugins, "_installed", lambda: EntryPoints([]))
    for name, package in (("haiku", "irreps-haiku"), ("nnx", "irreps-flax"), ("linen", "irreps-flax")):
        with pytest.raises(PluginLoadError, match=f"pip install {package}"):
            io.binding(name)


@dataclass
class Melted:
    def example(self, *irreps_in): ...
    def __call__(self, scope): ...


@dataclass(frozen=True)
class WithoutCall:
    def example(self, *irreps_in): ...


class NoDataclass:
    def example(self, *irreps_in): ...
    def __call__(self, scope): ...


@pytest.mark.parametrize("wrong", [Melted, WithoutCall, NoDataclass, 3, io.Linear("0e")])
def test_what_is_no_layer_class_is_refused(wrong):
    with pytest.raises(TypeError, match="frozen dataclass with the methods example and __call__"):
        io.layer(wrong)


class MyBinding:
    irreps_api = 1

    class Base:
        def __init__(self, *args, extra=0, **kwargs):
            self.layer = self.layer_class(*args, **kwargs)
            self.extra = extra

        def __call__(self, x):
            return x

    init = apply = to_trees = from_trees = None

    def module(self, layer):
        return io.module_class(self.Base, layer, keywords={"extra": (int, 0)})


def test_a_binding_may_be_an_object():
    mine = MyBinding()
    assert io.binding(mine) is mine
    with pytest.raises(TypeError, match="module"):
        io.binding(object())


def test_module_classes_look_like_their_layer():
    module = MyBinding().module(io.Linear)
    assert module.__name__ == "Linear"
    assert module.__doc__ == io.Linear.__doc__
    parameters = inspect.signature(module).parameters
    assert list(parameters) == [*inspect.signature(io.Linear).parameters, "extra"]
    assert list(inspect.signature(module.__init__).parameters) == ["self", *parameters]
    made = module("0e", 4, biases=True, extra=2)
    assert made.layer == io.Linear("0e", 4, biases=True)
    assert made.extra == 2
    assert list(inspect.signature(made).parameters) == ["inputs"]  # of calls, not of the class


def test_modules_are_attributes_of_their_package():
    lookup = io.module_lookup("my_package", MyBinding())
    assert lookup("Linear").layer_class is io.Linear
    for name in ("Liner", "_Linear", "__path__"):
        with pytest.raises(AttributeError, match=f"'my_package' has no attribute '{name}'.*MultiLayerPerceptron"):
            lookup(name)
