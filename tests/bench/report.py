"""What a benchmark found: medians, one table, its section of RESULTS.md."""
import dataclasses
import os
import platform
import re
import statistics
import subprocess

RESULTS = os.path.join(os.path.dirname(os.path.abspath(__file__)), "RESULTS.md")
OURS = "ours"


@dataclasses.dataclass
class Row:
    """One line of the table: a figure of ours (or who's), by itself or against a rival's, and what it should be."""
    figure: str
    rival: str = None
    predicted: str = ""
    at_least: float = None
    at_most: float = None
    who: str = OURS

    def label(self):
        return self.figure if self.who == OURS else f"{self.figure}: {self.who}"

    def rival_label(self):
        return (self.rival or "").replace("|", "\\|")  # ends a cell otherwise

    def goal(self):
        if self.at_least is not None:
            return f"≥ {self.at_least:g}"
        return "" if self.at_most is None else f"≤ {self.at_most:g}"

    def verdict(self, value):
        if not self.goal():
            return ""
        met = value >= self.at_least if self.at_least is not None else value <= self.at_most
        return "met" if met else "**missed**"


class Samples:
    """Figures of each contestant, one a round."""

    def __init__(self, units):
        self.units = units  # figure -> how to write it
        self.values = {}

    def add(self, figure, who, value):
        self.values.setdefault((figure, who), []).append(value)

    def has(self, figure, who):
        return (figure, who) in self.values

    def median(self, figure, who):
        return statistics.median(self.values[figure, who])

    def text(self, figure, who):
        values = self.values[figure, who]
        middle = self.median(figure, who)
        spread = f" ± {50 * (max(values) - min(values)) / middle:.0f} %" if len(values) > 1 else ""
        return self.units[figure].format(middle) + spread

    def cells(self, row):
        """None for a rival that was not there."""
        if not self.has(row.figure, row.rival or row.who) or not self.has(row.figure, row.who):
            return None
        value = self.median(row.figure, row.who)
        theirs, ratio = "", ""
        if row.rival:
            value /= self.median(row.figure, row.rival)
            theirs, ratio = self.text(row.figure, row.rival), f"{value:.2f}"
        return [row.label(), self.text(row.figure, row.who), row.rival_label(), theirs, ratio, row.predicted, row.goal(),
                row.verdict(value)]


def table(samples, rows):
    head = ["", "measured", "against", "it", "ratio", "predicted", "goal", ""]
    lines = [head] + [cells for cells in map(samples.cells, rows) if cells]
    widths = [max(len(line[i]) for line in lines) for i in range(len(head))]
    lines.insert(1, ["-" * width for width in widths])
    return "\n".join("| " + " | ".join(cell.ljust(width) for cell, width in zip(line, widths)) + " |"
                     for line in lines)


def first_line(*argv):
    return subprocess.run(argv, capture_output=True, text=True, check=True).stdout.partition("\n")[0]


def machine():
    with open("/proc/cpuinfo", encoding="utf-8") as cpuinfo:
        model = re.search(r"model name\s*: (.*)", cpuinfo.read())
    return f"{model.group(1) if model else platform.machine()}, {os.cpu_count()} cores, Linux {platform.release()}"


def rounds_wanted():
    return int(os.environ.get("ROUNDS", 3))


def rotated(contestants, i):
    """Another one begins each round."""
    contestants = list(contestants)
    first = i % len(contestants)
    return contestants[first:] + contestants[:first]


def is_full(rounds):
    """A quick run is shown only."""
    return rounds >= 3


def publish(name, rounds, versions, found):
    text = f"`make bench BENCH={name}`, {rounds} rounds, on {machine()};\n{versions}.\n\n{found}"
    print(text)
    if is_full(rounds):
        write_section(name, text)


def write_section(name, text):
    """Between the two marks of RESULTS.md; what stands around them is written by hand."""
    begin, end = f"<!-- {name}: written by run.sh -->\n", f"<!-- {name}: end -->\n"
    with open(RESULTS, encoding="utf-8") as file:
        before, _, rest = file.read().partition(begin)
    _, found, after = rest.partition(end)
    if not found:
        before, after = f"{before.rstrip()}\n\n## {name}\n\n", ""
    with open(RESULTS, "w", encoding="utf-8") as file:
        file.write(f"{before}{begin}\n{text}\n\n{end}{after}")
