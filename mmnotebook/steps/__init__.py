"""The step kinds, each in a module of `kinds`; validation, wording, layout and drawing."""
