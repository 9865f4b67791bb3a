"""Other libraries' models as tensors: read, written and initialised. No library is imported.

One file for each library has the names of its tensors, a reader to `LayerSpec` and a writer from it.
"""
