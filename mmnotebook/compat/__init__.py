"""The private parts of other packages that this package uses, in one module per package.

Only these modules use private parts. Each docstring names the file of the other package on which
the code depends ("Relies on"). When a new release of another package appears, check its module and
run `tests/unit/test_compat.py`.
"""
