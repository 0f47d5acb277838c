"""Layers with the arguments, defaults and parameter names of e3nn-jax's framework modules."""
