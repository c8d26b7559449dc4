"""How long functions and files are. `make shape` prints it, test_shape.py keeps it."""

import statistics
import sys

from tests.house.tree import ROOT, functions, sources

FUNCTION_MAX = 50
FUNCTION_P90_MAX = 25
FILE_MAX = 400


def function_lengths(package: str) -> dict[str, int]:
    return {name: lines for path in sources(package) for name, lines in functions(path)}


def file_lengths() -> dict[str, int]:
    return {str(path): (ROOT / path).read_text("utf-8").count("\n") for path in sources()}


def p90(lengths: list[int]) -> float:
    return statistics.quantiles(lengths, n=10)[-1] if len(lengths) > 1 else 0.0


def main() -> None:
    packages = sorted({path.parts[0] for path in sources()})
    for package in packages:
        lengths = list(function_lengths(package).values())
        files = [lines for name, lines in file_lengths().items() if name.startswith(f"{package}/")]
        sys.stdout.write(
            f"{package:<12} {len(files):>3} files, {sum(files):>6} lines, longest {max(files):>3}   "
            f"{len(lengths):>4} functions, median {statistics.median(lengths):>4.1f}, p90 {p90(lengths):>4.1f}, "
            f"longest {max(lengths):>3}\n"
        )


if __name__ == "__main__":
    main()
