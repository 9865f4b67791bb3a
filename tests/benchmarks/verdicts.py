"""False alarms of the verdicts over many seeds of every scheme, and the simulation behind `nodes_degenerate`.

`python -m tests.benchmarks.verdicts` prints the share of seeds of each scheme and size for which a verdict fails; the
config is kan-run's default otherwise. `--nodes` prints quantiles of `node_distance` against the number of inputs.
"""

import argparse
import collections
import os
import sys

import numpy as np

from kancli.config import memory
from kancli.config.validation import validate
from kancli.inits import SCHEMES
from kancli.inits.initialise import declared
from kancli.runs.build import build_model, sample_inputs
from kancli.runs.forward import forward_and_measure
from kancli.runs.stopwatch import Stopwatch
from kancli.stats.network_stats import join
from kancli.stats.parameters import Declared
from kancli.stats.verdicts import judge

SIZES = ([2, 5, 1], [8, 16, 16, 1], [32, 64, 10])
INPUTS = (2, 3, 4, 8, 16, 20, 32, 64, 128, 256)
CASES = {
    "symmetric": {"scheme": "default", "noise_scale_base": 0},
    "default": {"scheme": "default"},
    "lecun": {"scheme": "lecun"},
    "pykan_0_2_8": {"scheme": "pykan_0_2_8"},
}
LEVELS = (0.001, 0.01, 0.5, 0.99, 0.999)


def computed(width, init, seeds, level):
    """The statistics of many seeds of a config, and its bounds."""
    settings = validate({"width": width, "init": init, "n_seeds": seeds, "stats": {"level": level}})
    model = build_model(settings)
    laws = [{name: Declared(*moments) for name, moments in layer.items()} for layer in declared(model, settings.init)]
    step = memory.group_size(settings.width, settings.grid.size + settings.k, settings.inputs.count())
    parts = []
    for begin in range(0, seeds, step):
        members = slice(begin, min(begin + step, seeds))
        x = sample_inputs(settings, range(members.start, members.stop))
        part = forward_and_measure(settings, model.member(members), x, laws, Stopwatch(), keep=None)
        parts.append(part.stats)
    return join(parts), vars(settings.verdicts)


def alarms(width, init, seeds, level):
    """The number of seeds for which each verdict fails and warns."""
    stats, bounds = computed(width, init, seeds, level)
    counts = collections.Counter()
    for member in range(seeds):
        for verdict in judge(stats.member(member), bounds, ensemble=False):
            counts[verdict.name, verdict.verdict] += 1
    return counts


def print_alarms(schemes, sizes, seeds, level):
    print("| scheme | width | fails | warns |\n|---|---|---|---|")
    for name in schemes:
        for width in sizes:
            counts = alarms(width, {"scheme": name}, seeds, level)
            cells = [
                ", ".join(f"{verdict} {count / seeds:.1%}" for (verdict, said), count in counts.items() if said == what)
                for what in ("fail", "warn")
            ]
            print(f"| {name} | {'-'.join(map(str, width))} | {' | '.join(cells)} |", flush=True)


def print_nodes(inputs, seeds):
    print("node_distance, quantiles over seeds\n| case | width |", *(f"{level} |" for level in LEVELS))
    for name, init in CASES.items():
        for n_in in inputs:
            for n_out in (2, 5, 64):
                stats, _ = computed([n_in, n_out, 1], init, seeds if n_in * n_out < 2000 else seeds // 10, "basic")
                quantiles = np.quantile(stats.layers[0].layer["node_distance"], LEVELS)
                print(f"| {name} | {n_in}-{n_out} |", *(f"{value:.3g} |" for value in quantiles), flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("-n", "--seeds", type=int, default=1000)
    parser.add_argument("--level", default="full", choices=("basic", "full"))
    parser.add_argument("--schemes", nargs="+", default=list(SCHEMES), choices=list(SCHEMES))
    parser.add_argument("--sizes", type=int, nargs="+", default=range(len(SIZES)), help="which of the three sizes")
    parser.add_argument("--nodes", action="store_true", help="node_distance against the number of inputs instead")
    parser.add_argument("--inputs", type=int, nargs="+", default=INPUTS)
    args = parser.parse_args()
    if args.nodes:
        print_nodes(args.inputs, args.seeds)
    else:
        print_alarms(args.schemes, [SIZES[size] for size in args.sizes], args.seeds, args.level)
    return os.EX_OK


if __name__ == "__main__":
    sys.exit(main())
