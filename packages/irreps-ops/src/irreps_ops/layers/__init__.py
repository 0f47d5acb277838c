"""Layers that know no framework, one in each file."""
