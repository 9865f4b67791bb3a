"""What is measured, what it is called, and when it is bad.

Import from the modules: `options` loads neither torch nor numpy.
"""
