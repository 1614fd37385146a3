"""The lowering of steps to Beam transforms, one module per step kind."""
