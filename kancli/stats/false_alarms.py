"""Measured false-alarm rates of the verdicts, and the node distances behind the bounds of `nodes_degenerate`.

Measured by `python -m tests.benchmarks.verdicts`, the latter with `--nodes`.
"""

SEEDS, WIDTHS = 1000, ("2-5-1", "8-16-16-1", "32-64-10")
# By preset of init and width, with kan-run's defaults otherwise and stats=full; what is not listed fails for no seed.
FAILING = {
    ("default", "2-5-1"): {"nodes_degenerate": 0.007},
    ("efficient_kan", "8-16-16-1"): {"signal_contracts": 0.357},
    ("efficient_kan_fixed", "8-16-16-1"): {"signal_contracts": 0.357},
    ("linear", "2-5-1"): {"nodes_degenerate": 1.0},
    ("linear", "8-16-16-1"): {"nodes_degenerate": 1.0, "off_grid": 0.011},
    ("linear", "32-64-10"): {"nodes_degenerate": 1.0},
    ("pykan_0_2_8", "8-16-16-1"): {"signal_contracts": 0.359},
    ("pykan_fit", "8-16-16-1"): {"signal_contracts": 0.359},
    ("symmetric", "2-5-1"): {"nodes_degenerate": 0.528},
    ("symmetric", "8-16-16-1"): {"nodes_degenerate": 0.995},
    ("symmetric", "32-64-10"): {"nodes_degenerate": 0.99},
    ("very_noisy", "8-16-16-1"): {"off_grid": 0.962, "gradient_explodes": 0.001},
    ("very_noisy", "32-64-10"): {"off_grid": 0.104},
}
# What a preset is known for: a right verdict, not a false alarm.
KNOWN = {
    "efficient_kan": ("signal_contracts",),
    "efficient_kan_fixed": ("signal_contracts",),
    "linear": ("nodes_degenerate", "off_grid"),  # equal nodes, whose sums grow by sqrt(n_in) in each layer
    "pykan_0_2_8": ("signal_contracts",),
    "pykan_fit": ("signal_contracts",),
    "symmetric": ("nodes_degenerate",),
    "very_noisy": ("off_grid",),
}

NODE_INPUTS = (2, 4, 8, 16, 32, 64, 128, 256)
# By preset of init, the median of `node_distance` of [n_in, 5, 1] at each n_in, and the least of the 1 % quantiles.
NODE_DISTANCES = {
    "symmetric": (0.04, 0.033, 0.032, 0.032, 0.034, 0.037, 0.044, 0.056, 0.024),
    "default": (0.089, 0.089, 0.091, 0.096, 0.1, 0.12, 0.15, 0.2, 0.043),
    "linear": (0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0),
    "noisy": (0.41, 0.36, 0.35, 0.38, 0.45, 0.57, 0.75, 0.94, 0.26),
    "baseline": (1.2, 1.1, 1.1, 1.1, 1.2, 1.2, 1.2, 1.1, 0.53),
    "lecun": (2.8, 2.2, 1.9, 1.7, 1.6, 1.4, 1.3, 1.2, 0.75),
    "glorot": (1.4, 1.3, 1.3, 1.3, 1.4, 1.3, 1.2, 1.2, 0.64),
    "efficient_kan": (1.1, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 0.32),
    "pykan_0_2_8": (1.1, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 0.33),
}
