"""The scope, from which a layer gets parameters, state and random keys, and its implementation without a framework."""
