"""Parametrizations of rotations, and conversions between them."""
