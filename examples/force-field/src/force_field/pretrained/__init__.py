"""Public models that others trained, computed with irreps layers: SevenNet and Nequix."""

from .loading import MODELS, PretrainedError, load, recognize

__all__ = ["MODELS", "PretrainedError", "load", "recognize"]
