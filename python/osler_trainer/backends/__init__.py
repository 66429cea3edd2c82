"""The two ways to load and adapt a model; everything around them is shared."""
