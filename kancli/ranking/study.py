"""The chapter `kan-run explain study`: what the studies repeat, at which sizes, and what they do otherwise."""

from __future__ import annotations

from kancli.tasks.catalogue import STUDY

CHAPTER = {
    "what it is": f"{STUDY} (ICLR 2026), with its code and result files,"
    " github.com/srigas/KAN_Initialization_Schemes; and the growing grids of github.com/srigas/kan_grid (arXiv"
    " 2601.18672). One command trains all networks, writes the table and ranks the schemes: kan-run -m"
    " experiment=study_feynman. Any part can be changed by typing it: seed='range(3)' train.steps=500"
    " init=baseline,glorot. --dry-run shows the number of networks and the time",
    "study_functions": "small: f1 to f5, 8 schemes, 10 seeds, [2,8,8,1], G = 5. full: 12 schemes, 5 seeds, the"
    " paper's 96 networks: one to four hidden layers of 2 to 64 nodes, G = 5, 10, 20, 40. published: f1, f2, f3 with"
    " baseline and glorot",
    "study_feynman": "small: the 15 functions without a pole, 8 schemes, 10 seeds, [d,8,8,1], G = 5. full: 20"
    " functions, 12 schemes, 5 seeds, [d,32,32,32,1], G = 20. published: six functions with baseline, glorot and"
    " power_law",
    "study_pde": "small: four equations, 8 schemes, 10 seeds, [2,8,8,1], G = 5, 1000 steps of the paper's 5000. full:"
    " 12 schemes, 5 seeds, 72 networks, G = 5, 10, 20. published: Allen-Cahn, Burgers and Helmholtz with baseline,"
    " lecun, lecun_norm and glorot",
    "study_knots": "one hidden layer of 10 nodes, Adam at 0.01, 2000 steps, G = 3, 6, 9, 12 from steps 0, 500, 1000,"
    " 1500; four functions of that repository and f1 to f5, 10 seeds. small: 8 schemes, knots at equal steps over"
    " [-1, 1]. full: 11 schemes, without lecun_norm, which standardises over the samples; knots at quantiles of the"
    " samples, laid anew with each finer grid, as published",
    "schemes": "all laws that differ. The small size has 8: default, pykan_0_2_8, efficient_kan, baseline, lecun,"
    " glorot, kat, power_law; for equations lecun_norm in place of efficient_kan, for growing grids glorot_fine in"
    " place of lecun. full adds pykan_0_0_5, lecun_norm, glorot_fine and glorot_paper. Presets that are other values"
    " of one law, such as noisy, and pykan_fit, which moves the knots first, are left out: type init=...",
    "reference": "the small size also trains a multilayer perceptron with as many parameters (model=mlp), on the same"
    " data, by the same steps",
    "power law": "one fixed pair, alpha 0.25 and beta 1.75, as published; and a search, the row power_law (searched):"
    " 4 pairs in study_functions and 2 in study_feynman and study_pde at the small size, the paper's 81 pairs in"
    " study_feynman at full size. explain rank says how the search is scored. study_functions at full size has the"
    " fixed pair alone; study.search=power_law alpha=0.25,0.5 beta=1.5,1.75 add a search to any sweep",
    "published numbers": "study.published=true with study.size=full trains the networks that have published numbers,"
    " and prints the median over seeds of the last training loss and of the relative L2 error beside each published"
    " one, and their ratio. Of networks of another size there is no ratio. The published loss is that before the last"
    " step, ours after it. The data are drawn by kancli's streams, not by jax's, whose numbers depend on its version",
    "corrected: lecun_norm": "on equations the published lecun_norm is the baseline: a cell overwrites its model by"
    " one without a scheme. Here it is trained",
    "corrected: the power law's search": "the published pair is the one of the lowest training loss among 81, and"
    " that training loss is its result, at 3 runs where others have 5. Here no network is scored with a pair that its"
    " own task or seed has chosen. One file of results has the headers of its two exponents exchanged, and is not"
    " used",
    "corrected: seeds of layers": "there every layer starts from the same seed, so layers of one shape are equal."
    " Here each layer has a stream of its own; stream=source has the published draws, for baseline and power_law",
    "corrected: residual-based weights": "there gradients flow through the weights of the residual. Here they do not:"
    " task.rba=detached; task.rba=published is the published form, task.rba=detached,published sweeps over both, and"
    " study.published=true takes it",
    "corrected: singular functions": "five of the Feynman functions have a pole on the domain, and a few samples"
    " decide their errors. They are trained at full size, listed, and left out of all means and tests",
    "corrected: missing runs": "the published rows of the power law on equations have duplicates and gaps. Here"
    " resume runs what is missing, and a network that diverges counts as a loss",
}
