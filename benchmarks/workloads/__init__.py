"""Workloads: one file each, with our implementation and those of other libraries."""
