"""Run every benchmark one after the other and render docs/benchmarks.md; one that fails is named at the end."""

from __future__ import annotations

import argparse
import subprocess
import sys
from pathlib import Path

import results

HERE = Path(__file__).parent
SCRIPTS = ("mnist_tfc.py", "mnist_networks.py", "float_twins.py", "smallest.py", "techniques.py", "post_training.py",
           "robustness.py", "resnet_chain.py", "cooperative.py", "finn_foldings.py", "finn_conv.py", "third_party.py",
           "performance_model.py", "random_graphs.py", "fifo_sizing.py", "lut_per_mac.py", "unrolled.py", "codebooks.py",
           "lut_model.py", "budget.py", "steps.py", "sim_speed.py", "train_speed.py", "hls4ml_models.py", "finn_backend.py",
           "finn_board.py", "back_ends.py", "search_digits.py")
_LIMIT_S = 3 * 3600


def main() -> int:
    """Exit 1 if any benchmark failed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("only", nargs="*", choices=[[], *(name.removesuffix(".py") for name in SCRIPTS)], help="default: all")
    wanted = parser.parse_args().only
    failed = []
    for name in SCRIPTS:
        if wanted and name.removesuffix(".py") not in wanted:
            continue
        print(f"== {name}", flush=True)
        if subprocess.run([sys.executable, str(HERE / name)], check=False, timeout=_LIMIT_S).returncode != 0:
            failed.append(name)
    print(results.render())
    if failed:
        print(f"failed: {', '.join(failed)}", file=sys.stderr)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
