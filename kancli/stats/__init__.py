"""Statistics of a network, their glossary, and verdicts on them.

Import from the modules: `options` loads neither torch nor numpy.

To add a statistic, compute it in `layer_stats` (of the backward pass: `gradients`) and explain it in `glossary`.
To add a verdict on it, give its bounds in `options.Verdicts` and its values in `verdicts.verdict_inputs`.
Then run `pytest --rewrite-golden tests/cli/test_help.py tests/runs/test_summary.py`, and read the diff of the files.
"""
