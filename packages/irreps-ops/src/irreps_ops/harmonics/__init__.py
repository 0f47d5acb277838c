"""Spherical and solid harmonics, and Legendre functions."""
