"""Flax binding."""
