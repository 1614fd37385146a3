"""Private parts of other packages that this one uses: one module per package, one function each.

A module here is the only place that knows of such a thing, and says which file of the other package
it leans on. A new release of that package is checked here, and in `tests/unit/test_compat.py`.
"""
