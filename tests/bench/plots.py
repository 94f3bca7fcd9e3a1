"""Draws what the benchmarks found, as SVG files in docs/bench: bars, and cumulative distributions.

A drawing has a background of its own, so that it can be read on a light page and on a dark one.
"""
import html
import math
import os

FOLDER = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "docs", "bench")
WIDTH, MARGIN = 760, 24
BAR, GAP = 22, 12
COLOURS = ["#2f6fde", "#e07b39", "#3a9a5b", "#b04fc4", "#8a8f98", "#c4a000"]
LIMIT = "#8a8f98"
LEAST_MS = 0.1
STYLE = """
    text { font: 13px system-ui, sans-serif; fill: #22262b } .title { font-size: 16px; font-weight: 600 }
    .paper { fill: #ffffff } .grid { stroke: #d9dde2 } .axis { stroke: #22262b }
    @media (prefers-color-scheme: dark) {
        text { fill: #e6e9ed } .paper { fill: #16191d } .grid { stroke: #353a41 } .axis { stroke: #e6e9ed }
    }"""


class Drawing:
    def __init__(self, title, height):
        self.height = height
        self.parts = [f'<rect class="paper" width="{WIDTH}" height="{height}" rx="6"/>']
        self.text(MARGIN, 30, title, "title")

    def add(self, element, **attributes):
        words = " ".join(f'{name.replace("_", "-")}="{value}"' for name, value in attributes.items())
        self.parts.append(f"<{element} {words}/>")

    def text(self, x, y, text, style="", anchor="start"):
        self.parts.append(f'<text x="{x:.1f}" y="{y:.1f}" class="{style}" text-anchor="{anchor}">{html.escape(text)}</text>')

    def line(self, x1, y1, x2, y2, style="grid"):
        self.parts.append(f'<line x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}" class="{style}"/>')

    def path(self, points, colour):
        steps = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
        self.parts.append(f'<polyline points="{steps}" fill="none" stroke="{colour}" stroke-width="2"/>')

    def save(self, name):
        os.makedirs(FOLDER, exist_ok=True)
        with open(os.path.join(FOLDER, f"{name}.svg"), "w", encoding="utf-8") as file:
            file.write(f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {self.height}" width="{WIDTH}" '
                       f'height="{self.height}">\n<style>{STYLE}\n</style>\n' + "\n".join(self.parts) + "\n</svg>\n")


def nice_steps(largest):
    """Some four round numbers up to the largest."""
    power = 10 ** math.floor(math.log10(largest / 4))
    step = next(step * power for step in (1, 2, 2.5, 5, 10) if step * power * 5 >= largest)
    return [i * step for i in range(int(largest / step) + 1)]


def bars(name, title, unit, values, limit=None):
    """values: (label, value), ours with labels that begin with "ours". limit: the label that the others are compared with."""
    left = MARGIN + 7.2 * max(len(label) for label, _ in values)
    right, top = WIDTH - 120, 56
    bottom = top + len(values) * (BAR + GAP)
    drawing = Drawing(title, bottom + 52)
    largest = max(value for _, value in values)
    full = dict(values).get(limit)
    for step in nice_steps(largest):
        x = left + (right - left) * step / largest
        drawing.line(x, top - 6, x, bottom)
        drawing.text(x, bottom + 18, f"{step:,.10g}", anchor="middle")
    drawing.text(right, bottom + 38, unit, anchor="end")
    for i, (label, value) in enumerate(values):
        y, length = top + i * (BAR + GAP), (right - left) * value / largest
        colour = COLOURS[0] if label.startswith("ours") else LIMIT if label == limit else COLOURS[1]
        drawing.add("rect", x=f"{left:.1f}", y=y, width=f"{length:.1f}", height=BAR, fill=colour, rx=2)
        drawing.text(left - 8, y + 16, label, anchor="end")
        share = f"  ({value / full:.2f})" if full and label != limit else ""
        drawing.text(left + length + 6, y + 16, f"{value:,.4g}{share}" if value < 1000 else f"{value:,.0f}{share}")
    drawing.line(left, top - 6, left, bottom, "axis")
    drawing.save(name)


def cumulative(name, title, series):
    """series: name -> ages in ms. Which share of the changes was there after how long; a logarithmic axis."""
    left, right, top, bottom = 64, WIDTH - 206, 72, 346
    drawing = Drawing(title, bottom + 52)
    drawing.text(MARGIN, 56, "share of the changes")
    shown = [age for ages in series.values() for age in percentiles(ages)]
    low, high = math.floor(math.log10(min(shown))), math.ceil(math.log10(max(shown)))

    def place(age):
        return left + (right - left) * (math.log10(age) - low) / (high - low)

    for power in range(low, high + 1):
        for digit in (1, 2, 5):
            if digit > 1 and power == high:
                continue
            drawing.line(place(digit * 10 ** power), top, place(digit * 10 ** power), bottom)
            if digit == 1 or high - low < 3:
                drawing.text(place(digit * 10 ** power), bottom + 18, f"{digit * 10 ** power:g}", anchor="middle")
    drawing.text(right, bottom + 38, "commit until the hash can be read, ms", anchor="end")
    for percent in range(0, 101, 25):
        y = bottom - (bottom - top) * percent / 100
        drawing.line(left, y, right, y)
        drawing.text(left - 8, y + 4, f"{percent} %", anchor="end")
    drawing.line(left, bottom, right, bottom, "axis")
    for i, (label, ages) in enumerate(series.items()):
        points = percentiles(ages)
        drawing.path([(place(age), bottom - (bottom - top) * (j + 0.5) / len(points)) for j, age in enumerate(points)], COLOURS[i])
        drawing.add("rect", x=right + 16, y=top + i * 24, width=14, height=14, fill=COLOURS[i], rx=2)
        drawing.text(right + 36, top + i * 24 + 12, label)
    drawing.save(name)


def percentiles(ages, steps=400):
    """None below the start of the axis."""
    ages = sorted(max(age, LEAST_MS) for age in ages)
    return [ages[(2 * i + 1) * len(ages) // (2 * steps)] for i in range(steps)]
