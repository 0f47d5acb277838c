"""Programs and weights of other libraries: their names for our operations, and their state dicts in our layers."""
