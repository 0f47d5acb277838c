"""Layers and bindings by name, as objects, and the module classes made of them."""

import inspect
from dataclasses import dataclass

import pytest

import irreps_ops as irr
from irreps_core.plugins import PluginLoadError


def test_layers_by_name():
    assert set(irr.bindings.layers()) >= {"Linear", "MultiLayerPerceptron"}
    assert irr.bindings.layers() == tuple(sorted(irr.bindings.layers()))
    for name in ("Linear", "MultiLayerPerceptron"):
        assert irr.bindings.layer(name) is getattr(irr, name)
        assert irr.bindings.layer(getattr(irr, name)) is getattr(irr, name)


def test_every_layer_is_documented_and_a_value():
    for name in irr.bindings.layers():
        found = irr.bindings.layer(name)
        assert found.__doc__
        assert found.__dataclass_params__.frozen
        assert found.__hash__ is not None


def test_unknown_names_are_answered_with_what_there_is():
    with pytest.raises(PluginLoadError, match=r"'Liner'.*MultiLayerPerceptron.*Did you mean 'Linear'"):
        irr.bindings.layer("Liner")
    with pytest.raises(PluginLoadError, match=r"'torch'.*irreps.bindings"):
        irr.bindings.binding("torch")


def test_providers_of_bindings_are_known_without_them(monkeypatch):
    from importlib.metadata import EntryPoints

    from irreps_core import plugins

    monkeypatch.setattr(plugins, "_installed", lambda: EntryPoints([]))
    for name, package in (("haiku", "irreps-haiku"), ("nnx", "irreps-flax"), ("linen", "irreps-flax")):
        with pytest.raises(PluginLoadError, match=f"pip install {package}"):
            irr.bindings.binding(name)


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


@pytest.mark.parametrize("wrong", [Melted, WithoutCall, NoDataclass, 3, irr.Linear("0e")])
def test_what_is_no_layer_class_is_refused(wrong):
    with pytest.raises(TypeError, match="frozen dataclass with the methods example and __call__"):
        irr.bindings.layer(wrong)


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
        return irr.bindings.module_class(self.Base, layer, keywords={"extra": (int, 0)})


def test_a_binding_may_be_an_object():
    mine = MyBinding()
    assert irr.bindings.binding(mine) is mine
    with pytest.raises(TypeError, match="module"):
        irr.bindings.binding(object())


def test_module_classes_look_like_their_layer():
    module = MyBinding().module(irr.Linear)
    assert module.__name__ == "Linear"
    assert module.__doc__ == irr.Linear.__doc__
    parameters = inspect.signature(module).parameters
    assert list(parameters) == [*inspect.signature(irr.Linear).parameters, "extra"]
    assert list(inspect.signature(module.__init__).parameters) == ["self", *parameters]
    made = module("0e", 4, biases=True, extra=2)
    assert made.layer == irr.Linear("0e", 4, biases=True)
    assert made.extra == 2
    assert list(inspect.signature(made).parameters) == ["inputs"]  # of calls, not of the class


def test_modules_are_attributes_of_their_package():
    lookup = irr.bindings.module_lookup("my_package", MyBinding())
    assert lookup("Linear").layer_class is irr.Linear
    for name in ("Liner", "_Linear", "__path__"):
        with pytest.raises(AttributeError, match=f"'my_package' has no attribute '{name}'.*MultiLayerPerceptron"):
            lookup(name)
