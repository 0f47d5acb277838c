"""A layer that irreps_ops does not have, for every framework: :class:`FeedForward`. It imports no framework."""

from ._feed_forward import FeedForward as FeedForward

__version__ = "0.1.0"
