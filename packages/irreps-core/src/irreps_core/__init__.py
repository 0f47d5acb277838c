"""The mathematics of O(3)."""
