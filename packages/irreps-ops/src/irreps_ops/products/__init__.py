"""Tensor products, linear maps and symmetric contractions, and their lowering to polynomials."""
