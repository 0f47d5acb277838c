"""Public models that others trained, computed with irreps layers: SevenNet, Nequix and MACE."""

from .loading import MODELS, PretrainedError, load, recognize

__all__ = ["MODELS", "PretrainedError", "load", "recognize"]
