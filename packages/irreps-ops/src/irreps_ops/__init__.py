"""Equivariant operations and framework-free layers."""
