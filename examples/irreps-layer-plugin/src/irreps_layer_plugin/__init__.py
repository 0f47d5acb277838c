"""The layer :class:`FeedForward` for every framework, as a plugin of irreps_ops."""

from ._feed_forward import FeedForward as FeedForward

__version__ = "0.1.0"
