"""How much memory `kan-run` takes with a million samples: its highest resident size, and its wall time."""

import resource
import sys
import tempfile

from tests.benchmarks.timing import run, verdict

UNIT = 1 if sys.platform == "darwin" else 1024  # bytes, of ru_maxrss


def main():
    with tempfile.TemporaryDirectory() as folder:
        seconds, _ = run([sys.executable, "-m", "kancli", "inputs.n=1000000"], folder, says="outputs")
    peak = UNIT * resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
    print(f"kan-run inputs.n=1000000: {seconds:.2f} s")
    return 0 if verdict("peak resident size", peak / 1e9, " GB", at_most=1.5) else 1


if __name__ == "__main__":
    sys.exit(main())
