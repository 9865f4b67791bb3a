"""Sweeps: many runs from one command line. `command` is what `kan-run -m` and `kan-run resume` do: `expansion` makes
jobs of the words, `plan` freezes them, `local` has them run by `working`, `table` and `gathering` tell what they found.
"""
