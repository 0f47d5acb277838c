"""Checks of arguments, and conversion of operands to one dtype. Shared by all chapters."""
