"""The private parts of other packages that this package uses, in one module per package.

Only these modules use private parts. Each docstring names the file of the other package on which it
depends ("Relies on"). When a new release of that package appears, check these modules and run
`tests/unit/test_compat.py`.
"""
