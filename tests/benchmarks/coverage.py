"""How often the 95 % intervals over members hold the mean of many: of each statistic, over groups of 5, 10 and 20.

Run from the root of the repository: `python -m tests.benchmarks.coverage`. The exit code is 1 if a statistic that has
an interval has less than 93 % at 10 members. The least numbers by scale stand in `kancli.stats.scales.COVERAGE`.
"""

import argparse
import sys
from collections import defaultdict

import numpy as np

from kancli.config.compose import compose
from kancli.config.presets import Presets, builtin_folder
from kancli.config.validation import validate
from kancli.runs.experiment import compute
from kancli.stats.columns import flat
from kancli.stats.scales import COVERAGE_SIZES, Scale
from kancli.stats.summary import scale_of, summary_statistics

LEAST, AT = 0.93, 10
N_GROUPS = 10_000
NETWORKS = {
    "default": ["n_seeds=20000"],
    "efficient_kan": ["init=efficient_kan", "n_seeds=20000"],
    "default, stats=full": ["stats=full", "stats.ntk.n=32", "n_seeds=20000"],
    "efficient_kan, full": ["init=efficient_kan", "stats=full", "stats.ntk.n=32", "n_seeds=20000"],
}


def member_values(words):
    """By layer and column, the values of all members `[s]`: of layers, the first node and edge, and the network."""
    settings = validate(compose([*words, "figures=none", "activations.n=0"], Presets([builtin_folder()])).config)
    stats = compute(settings).network_stats
    values = {
        ("", f"{name}_{column}"): array for name, entry in stats.network.items() for column, array in entry.items()
    }
    for number, layer in enumerate(stats.layers):
        for kind, entries in (("layer", layer.layer), ("node", layer.nodes), ("edge", layer.edges)):
            values |= {(f"{kind} of layer {number}", column): array for column, array in flat(entries).items()}
    return {
        place: np.reshape(array, (len(array), -1))[:, 0].astype(float)
        for place, array in values.items()
        if isinstance(array, np.ndarray)
    }


def coverage(values, scale, size, n_groups=N_GROUPS):
    """The share of random groups of members whose interval holds the mean of all; None if the members agree."""
    values = values[np.isfinite(values)]
    if not len(values) or np.ptp(values) <= 1e-9 * abs(values).max():
        return None
    groups = np.random.default_rng(size).choice(values, (size, n_groups))
    summary, truth = summary_statistics(groups, scale), summary_statistics(values, scale)["mean"]
    return float(np.mean((summary["low"] <= truth) & (truth <= summary["high"])))


def coverages(words, n_groups=N_GROUPS):
    """By place and column of the statistics that have an interval, the coverage at each size."""
    found = {}
    for place, values in member_values(words).items():
        scale = scale_of(place[1])
        if scale is not Scale.NONE:
            shares = [coverage(values, scale, size, n_groups) for size in COVERAGE_SIZES]
            if None not in shares:
                found[place] = shares
    return found


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--groups", type=int, default=N_GROUPS, help="groups of members [10000]")
    n_groups = parser.parse_args().groups
    of_scale, missed = defaultdict(list), 0
    print(f"{'network':20} {'statistic':45} {'scale':7}" + "".join(f"{size:>6}" for size in COVERAGE_SIZES))
    for network, words in NETWORKS.items():
        for (place, column), shares in coverages(words, n_groups).items():
            of_scale[scale_of(column)].append(shares)
            low = shares[COVERAGE_SIZES.index(AT)] < LEAST
            missed += low
            numbers = "".join(f"{share:6.3f}" for share in shares)
            print(f"{network:20} {f'{column} {place}':45} {scale_of(column).name:7}{numbers}{' LOW' if low else ''}")
    for scale, rows in of_scale.items():
        print(f"Scale.{scale.name}: {tuple(round(float(least), 3) for least in np.min(rows, axis=0))},  # {len(rows)}")
    return int(missed > 0)


if __name__ == "__main__":
    sys.exit(main())
