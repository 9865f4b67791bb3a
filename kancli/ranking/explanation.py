"""The chapter `kan-run explain rank`: what each number of a ranking is, and where its formula comes from."""

from __future__ import annotations

from rich import box
from rich.table import Table

# The share of 95 % intervals that hold the true ratio, by seeds a task, for normal logs and for exponential ones:
# measured by `python -m tests.benchmarks.ranking_coverage`.
COVERAGE_OF_TASK = {3: (0.75, 0.70), 5: (0.91, 0.87), 10: (0.94, 0.91), 20: (0.95, 0.93)}
COVERAGE_OVER_TASKS = {3: (0.95, 0.93), 5: (0.95, 0.94), 10: (0.95, 0.93), 20: (0.95, 0.94)}  # five tasks

COVERED = (
    "How often the 95 % intervals hold the true ratio: few seeds of one task say little, those of five tasks enough."
)
RANKING = {
    "ratio": "exp(mean of log(metric / metric of the baseline)) over pairs: the geometric mean ratio. A pair has one"
    " task, one seed, and equal values of all other swept keys. A scheme with several values of a knob counts as"
    " several schemes",
    "interval, per task": "bootstrap over the pairs, 2000 resamples from a private fixed stream, percentiles widened"
    " for few pairs: at Phi(sqrt(n/(n-1)) t), t the 2.5 % quantile of Student's t at n - 1 degrees of freedom"
    " (Hesterberg, The American Statistician 69, 2015, section on expanded percentile intervals)",
    "interval, over tasks": "the mean over tasks of their mean logs; pairs are resampled within each task (stratified:"
    " Agarwal et al., arXiv 2108.13264), with degrees of freedom by Welch (1947) and Satterthwaite (1946). It speaks of"
    " these tasks and new seeds, not of other tasks",
    "middle": "interquartile mean of the log ratios of all pairs: without the lowest and the highest quarter (Agarwal"
    " et al., arXiv 2108.13264); percentile interval of the same resamples",
    "answer": "lower or higher: the interval over tasks lies beyond 1/rope to rope; no difference that matters: it lies"
    " within; else undecided (region of practical equivalence: Kruschke, AMPPS 1, 2018). rank.rope=1.1",
    "runs": "pairs in which the scheme is lower; p of the sign test in ranking.json, per_run",
    "tasks, p": "tasks whose ratio is below 1; two-sided Wilcoxon signed-rank test of the tasks' mean log ratios"
    " (Wilcoxon 1945; scipy), tasks as blocks (Demšar, JMLR 7, 2006), corrected over the schemes by Holm (1979). This"
    " speaks of other tasks like these: many tasks that improve by a hair make p small and the answer 'no difference"
    " that matters'",
    "smallest p": "2^(1 - tasks), where all tasks agree; half of it one-sided. With four tasks it is .125, .0625"
    " one-sided: nothing can be claimed of other tasks",
    "rank": "mean over tasks of the rank of the tasks' mean logs; Friedman's test (1937) by its chi-square; mean ranks"
    " differ by the Nemenyi test where they are q sqrt(k(k+1)/(6 tasks)) apart, q the 5 % point of the studentized"
    " range of k schemes over sqrt(2) (Demšar 2006)",
    "performance profile": "share of pairs on which a scheme is within a factor of the best one (Dolan and Moré,"
    " Mathematical Programming 91, 2002), tasks counting alike",
    "searched": "rank.search=power_law: one row for all combinations of its swept knobs. Seeds are halved, every"
    " other one. For each task and half, the combination is chosen that has the lowest mean log of the metric on the"
    " other tasks without a pole, tasks counting alike, over the other half of the seeds; the networks of this task"
    " and half with that combination are the row (cross-fitting: Chernozhukov et al., Econometrics Journal 21, 2018)."
    " So it says what a search brings on a task and seeds that it has not seen. Each metric chooses by itself",
    "medians": "rank.published=true: the median over the seeds of a task and scheme; of several networks the median"
    " over them of those medians; a lost network counts as infinite. ratio: to the published number of the same"
    " networks",
    "lost": "a network that failed or diverged loses each pair and is in no profile. In means it counts as the worst"
    " network of its task, and as no better than an untrained one: a loss at least the first one, a relative error of"
    " 1, all steps. Steps to a loss that is never reached are lost too. A metric of 0 counts as the least positive one"
    " of its task",
    "reference": "model=mlp, a multilayer perceptron with as many parameters, is no initialisation: it has its ratio to"
    " the baseline, its interval and its runs, and is in no rank, test, profile or answer on the initialisations",
    "seconds": "wall time of a run. Jobs that train together share it, so it compares schemes only where each job ran"
    " alone; of several members the first has it",
    "singular": "tasks with a pole on the domain: a few samples decide their errors. They are listed, and left out of"
    " all means and tests",
}


def coverage_table() -> Table:
    """How often the intervals hold the true ratio, by the number of seeds."""
    table = Table(box=box.SIMPLE_HEAD, show_edge=False, padding=(0, 1, 0, 0))
    for title in ("seeds", "task: normal logs", "skewed logs", "over 5 tasks: normal logs", "skewed logs"):
        table.add_column(title, justify="right")
    for n, shares in COVERAGE_OF_TASK.items():
        table.add_row(str(n), *(f"{100 * share:.0f} %" for share in (*shares, *COVERAGE_OVER_TASKS[n])))
    return table
