"""The step kinds, one module each: a module's `KIND` says all of it."""
