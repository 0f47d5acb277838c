"""Haiku binding."""
