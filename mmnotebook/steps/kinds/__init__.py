"""The step kinds, a module for each kind. The constant `KIND` of a module describes the kind."""
