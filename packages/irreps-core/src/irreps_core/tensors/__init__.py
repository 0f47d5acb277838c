"""Cartesian tensors, index symmetries and Voigt notation."""
