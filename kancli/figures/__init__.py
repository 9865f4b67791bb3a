"""Numbers and models to pictures. Import from the modules: `options` does not load matplotlib.

To add a figure, put a module with `plot(data, options)` into this package, and its name with one line of help into
`options.NAMES`. Then run `pytest --rewrite-golden tests/cli/test_help.py tests/figures/test_golden.py`, and read
the diff.
"""
