# SPDX-License-Identifier: Apache-2.0
"""The two kinds of picture: dots on a logarithmic scale of factors, and bars. Text in, SVG out."""
import math
from xml.sax.saxutils import escape

WIDTH = 980
MARGIN = 28
STYLE = """<style>
text{font-family:Inter,"Helvetica Neue","Segoe UI",system-ui,sans-serif;fill:#1e293b;font-size:13px}
.title{font-size:21px;font-weight:700}.sub{fill:#64748b}.group{font-weight:700;font-size:12px;
letter-spacing:.06em;fill:#64748b}.tick{fill:#64748b;font-size:12px}.value{font-weight:600}
.small{font-size:12px}
</style>"""
TICKS = (1.2, 1.5, 2, 3, 5, 7, 10, 15, 20, 30, 50, 70, 100)


def text(x, y, words, css="", anchor="start", fill=None):
    colour = f' style="fill:{fill}"' if fill else ""
    return (f'<text x="{x:.1f}" y="{y:.1f}" class="{css}" text-anchor="{anchor}"{colour}>'
            f"{escape(words)}</text>")


def line(x1, y1, x2, y2, colour, width=1.0, extra=""):
    return (f'<line x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}" stroke="{colour}" '
            f'stroke-width="{width}" {extra}/>')


def rect(x, y, width, height, colour, extra=""):
    return (f'<rect x="{x:.1f}" y="{y:.1f}" width="{max(0, width):.1f}" height="{height:.1f}" '
            f'fill="{colour}" {extra}/>')


def picture(height, title, subtitle, parts):
    frame = (f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height:.0f}" '
             f'role="img" aria-label="{escape(title)}">')
    back = rect(0.5, 0.5, WIDTH - 1, height - 1, "#ffffff", 'rx="14" stroke="#e2e8f0"')
    head = [text(MARGIN, 42, title, "title"), text(MARGIN, 64, subtitle, "sub")]
    return "\n".join([frame, STYLE, back, *head, *parts, "</svg>"]) + "\n"


def legend(contenders, y):
    parts, x = [], MARGIN
    for contender in contenders:
        parts.append(f'<circle cx="{x + 6}" cy="{y - 4}" r="6" fill="{contender["colour"]}"/>')
        css = "value" if contender["key"] == "wring" else ""
        parts.append(text(x + 18, y, contender["label"], css))
        x += 46 + 7.4 * len(contender["label"])
    return parts


class LogScale:
    def __init__(self, low, high, left, right):
        self.low, self.high, self.left, self.right = low, high, left, right

    def x(self, value):
        value = min(max(value, self.low), self.high)
        at = math.log(value / self.low) / math.log(self.high / self.low)
        return self.left + at * (self.right - self.left)

    def ticks(self):
        """Those whose labels have room; that of 1 is the longest and always there."""
        out = [1]
        for tick in TICKS:
            room = 52 if out[-1] == 1 else 34
            if 1 < tick <= self.high and self.x(tick) - self.x(out[-1]) > room:
                out.append(tick)
        return out


def dot(scale, y, spread, colour, is_ours):
    parts = [line(scale.x(spread.low), y, scale.x(spread.high), y, colour, 4,
                  'stroke-opacity=".35" stroke-linecap="round"')]
    radius = 7 if is_ours else 5.5
    parts.append(f'<circle cx="{scale.x(spread.median):.1f}" cy="{y:.1f}" r="{radius}" '
                 f'fill="{colour}" stroke="#fff" stroke-width="1.6"/>')
    return parts


def dots(title, subtitle, groups, contenders):
    """`groups`: [(heading, [(label, {contender key: Spread})])]; the scale's 1 is the floor."""
    row_height, top = 27, 132
    values = [spread.median for _, rows in groups for _, cells in rows for spread in cells.values()]
    scale = LogScale(min(0.9, *values) * 0.97, max(2.0, *values) * 1.06, 290, WIDTH - 100)
    height = top + sum(34 * bool(heading) + row_height * len(rows) for heading, rows in groups) + 24
    parts = legend(contenders, 96)
    for tick in scale.ticks():
        is_floor = tick == 1
        parts.append(line(scale.x(tick), top - 6, scale.x(tick), height - 18,
                          "#475569" if is_floor else "#e2e8f0", 1.6 if is_floor else 1))
        label = "the floor" if is_floor else f"{tick:g} ×"
        parts.append(text(scale.x(tick), top - 13, label, "tick", "middle"))
    parts.append(text(WIDTH - MARGIN, top - 13, "wring", "tick", "end"))
    y = top
    for heading, rows in groups:
        if heading:
            y += 34
            parts.append(text(MARGIN, y - 12, heading.upper(), "group"))
        for label, cells in rows:
            y += row_height
            parts += dot_row(scale, y - row_height / 2, label, cells, contenders)
    return picture(height, title, subtitle, parts)


def dot_row(scale, y, label, cells, contenders):
    parts = [text(MARGIN, y + 4, label),
             line(scale.left, y, scale.right, y, "#f1f5f9", 1)]
    for contender in reversed(contenders):  # ours is drawn last, on top
        if contender["key"] in cells:
            parts += dot(scale, y, cells[contender["key"]], contender["colour"],
                         contender["key"] == "wring")
    if "wring" in cells:
        parts.append(text(WIDTH - MARGIN, y + 4, f"{cells['wring'].median:.2f} ×", "value small",
                          "end", "#c2410c"))
    return parts


def bar_panel(x, y, width, title, bars, label_width):
    """`bars`: [(label, [(value, opacity)], value text, colour, is_ours)]."""
    parts = [text(x, y, title, "value")]
    longest = max((sum(value for value, _ in pieces) for _, pieces, *_ in bars), default=0) or 1
    room = width - label_width - 14 - 7.2 * max((len(words) for _, _, words, *_ in bars), default=0)
    for at, (label, pieces, words, colour, is_ours) in enumerate(bars):
        top = y + 12 + at * 25
        parts.append(text(x, top + 14, label, "small value" if is_ours else "small"))
        left = x + label_width
        for value, opacity in pieces:
            length = room * value / longest
            parts.append(rect(left, top, length, 19, colour,
                              f'fill-opacity="{opacity}" rx="3"'))
            left += length
        parts.append(text(left + 7, top + 14, words, "small value" if is_ours else "small"))
    return parts


def bars(title, subtitle, panels, columns):
    """`panels`: [(title, bars)], set in so many columns."""
    gap, label_width = 34, 104
    width = (WIDTH - 2 * MARGIN - gap * (columns - 1)) / columns
    parts, y = [], 104
    for start in range(0, len(panels), columns):
        line_of = panels[start:start + columns]
        for at, (heading, content) in enumerate(line_of):
            parts += bar_panel(MARGIN + at * (width + gap), y, width, heading, content, label_width)
        y += 25 * max(len(content) for _, content in line_of) + 56
    return picture(y - 22, title, subtitle, parts)
