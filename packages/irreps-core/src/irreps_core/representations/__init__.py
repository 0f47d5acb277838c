"""Wigner D matrices and representation matrices of direct sums."""
