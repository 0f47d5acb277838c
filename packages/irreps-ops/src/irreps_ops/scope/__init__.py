"""The scope: how a layer asks for parameters, state and random keys, and how to run it without a framework."""
