"""Parametrisations of rotations and the conversions between them."""
