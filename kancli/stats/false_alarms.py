"""Shares of seeds for which a verdict fails, by scheme and size: measured by `python -m tests.benchmarks.verdicts`."""

SEEDS = {"2-5-1": 1000, "8-16-16-1": 1000, "32-64-10": 100}
# Of each scheme's own defaults, with kan-run's defaults otherwise and stats=full; what is not listed fails for no seed.
FAILING = {
    ("default", "2-5-1"): {"nodes_degenerate": 0.007},
    ("efficient_kan", "8-16-16-1"): {"signal_contracts": 0.357},
    ("efficient_kan_fixed", "8-16-16-1"): {"signal_contracts": 0.357},
    ("pykan_0_2_8", "8-16-16-1"): {"signal_contracts": 0.359},
}
# What a scheme is known for: a right verdict, not a false alarm.
KNOWN = {
    "efficient_kan": "signal_contracts",
    "efficient_kan_fixed": "signal_contracts",
    "pykan_0_2_8": "signal_contracts",
}
