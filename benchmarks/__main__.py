"""Run every benchmark: `python -m benchmarks`, or those that are named behind it."""

import importlib
import sys

NAMES = ("clock", "credit", "rewards")


def main() -> None:
    for name in sys.argv[1:] or NAMES:
        print(f"\n{name}\n{'=' * len(name)}")
        importlib.import_module(f"benchmarks.{name}").main()


if __name__ == "__main__":
    main()
