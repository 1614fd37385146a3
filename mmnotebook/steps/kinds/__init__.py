"""The step kinds, one module each: `KIND` of a module describes it."""
