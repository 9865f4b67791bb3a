"""False alarms of the verdicts over many seeds of every preset, and the simulation behind `nodes_degenerate`.

`python -m tests.benchmarks.verdicts` prints the share of seeds of each preset of init and size for which a verdict
fails; the config is kan-run's default otherwise. `--nodes` prints quantiles of `node_distance` of the first layer
against its number of inputs, and the share of seeds that fail.
"""

import argparse
import collections
import os
import sys

import numpy as np
import torch

from kancli.config import memory
from kancli.config.compose import compose
from kancli.config.presets import Presets, builtin_folder
from kancli.config.validation import validate
from kancli.runs.build import build_model, sample_inputs
from kancli.runs.experiment import declared_laws
from kancli.runs.forward import forward_and_measure
from kancli.runs.stopwatch import Stopwatch
from kancli.stats.network_stats import join
from kancli.stats.nodes import NodeValues, node_distance
from kancli.stats.verdicts import judge

SIZES = ([2, 5, 1], [8, 16, 16, 1], [32, 64, 10])
INPUTS = (2, 3, 4, 8, 16, 20, 32, 64, 128, 256)  # one input is never judged
OUTPUTS = (2, 5, 64)
CASES = ("symmetric", "default", "linear", "noisy", "baseline", "lecun", "glorot", "efficient_kan", "pykan_0_2_8")
LEVELS = (0.001, 0.01, 0.5, 0.99, 0.999)
GROUP = 2**22  # values entering the layer at a time
PRESETS = Presets([builtin_folder()])


def settings_of(init, width, seeds, level):
    words = [f"init={init}", f"width={list(width)}", f"n_seeds={seeds}", f"stats={level}", "figures=none"]
    return validate(compose(words, PRESETS).config)


def computed(settings):
    """The statistics of all seeds of a config."""
    model = build_model(settings)
    laws = declared_laws(model, settings.init)
    step = memory.group_size(settings.width, settings.grid.size + settings.k, settings.inputs.count())
    parts = []
    for begin in range(0, settings.n_seeds, step):
        members = slice(begin, min(begin + step, settings.n_seeds))
        x = sample_inputs(settings, range(members.start, members.stop))
        part = forward_and_measure(settings, model.member(members), x, laws, Stopwatch(), keep=None)
        parts.append(part.stats)
    return join(parts)


@torch.no_grad()
def node_distances(settings):
    """`node_distance` of the first layer for each seed, NaN where it has none; without the other statistics."""
    model, parts = build_model(settings), []
    step = max(1, GROUP // (settings.width[0] * settings.inputs.count()))
    for begin in range(0, settings.n_seeds, step):
        seeds = range(settings.n_seeds)[begin : begin + step]
        x, layer = sample_inputs(settings, seeds), model.member(slice(seeds.start, seeds.stop)).layers[0]
        entering, leaving = (NodeValues(similarity=True) for _ in range(2))
        entering.update(x)
        leaving.update(layer(x))
        with np.errstate(all="ignore"):
            parts.append(node_distance(entering, leaving))
    return np.concatenate(parts)


def alarms(init, width, seeds, level):
    """The number of seeds for which each verdict fails and warns."""
    settings = settings_of(init, width, seeds, level)
    stats, counts = computed(settings), collections.Counter()
    for member in range(seeds):
        for verdict in judge(stats.member(member), vars(settings.verdicts), ensemble=False):
            counts[verdict.name, verdict.verdict] += 1
    return counts


def print_alarms(presets, sizes, seeds, level):
    print("| preset | width | fails | warns |\n|---|---|---|---|")
    for name in presets:
        for width in sizes:
            counts = alarms(name, width, seeds, level)
            cells = [
                ", ".join(f"{verdict} {count / seeds:.1%}" for (verdict, said), count in counts.items() if said == what)
                for what in ("fail", "warn")
            ]
            print(f"| {name} | {'-'.join(map(str, width))} | {' | '.join(cells)} |", flush=True)


def print_nodes(presets, inputs, outputs, seeds):
    print("node_distance, quantiles over seeds\n| preset | width |", *(f"{level} |" for level in LEVELS), "fails |")
    for name in presets:
        for n_in in inputs:
            for n_out in outputs:
                settings = settings_of(name, [n_in, n_out, 1], seeds, "basic")
                distances = node_distances(settings)
                quantiles = np.quantile(distances, LEVELS)
                failing = np.mean(distances <= settings.verdicts.nodes_degenerate[1])
                cells = [*(f"{value:.3g} |" for value in quantiles), f"{failing:.1%} |"]
                print(f"| {name} | {n_in}-{n_out} |", *cells, flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    presets = PRESETS.options("init")
    parser.add_argument("-n", "--seeds", type=int, default=1000)
    parser.add_argument("--level", default="full", choices=("basic", "full"))
    parser.add_argument("--presets", nargs="+", choices=presets, help="of init [all; with --nodes nine of them]")
    parser.add_argument("--sizes", type=int, nargs="+", default=range(len(SIZES)), help="which of the three sizes")
    parser.add_argument("--nodes", action="store_true", help="node_distance against the number of inputs instead")
    parser.add_argument("--inputs", type=int, nargs="+", default=INPUTS)
    parser.add_argument("--outputs", type=int, nargs="+", default=OUTPUTS)
    args = parser.parse_args()
    if args.nodes:
        print_nodes(args.presets or CASES, args.inputs, args.outputs, args.seeds)
    else:
        print_alarms(args.presets or presets, [SIZES[size] for size in args.sizes], args.seeds, args.level)
    return os.EX_OK


if __name__ == "__main__":
    sys.exit(main())
