"""Generators and Clebsch-Gordan coefficients of SU(2) and SO(3)."""
