"""Executors of the compute core and the cost model that chooses among them."""
