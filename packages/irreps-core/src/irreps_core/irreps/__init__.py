"""Irrep, MulIrrep and Irreps: immutable descriptions of representations of O(3)."""
