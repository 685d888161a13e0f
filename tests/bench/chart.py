"""One SVG picture of a run: horizontal bars, grouped by workload, data set or event.

Plain text assembled by hand: the picture must render anywhere, without a script and without a font of
its own. Colours are CSS classes with a second set for readers who prefer dark, and the picture brings
its own background, so that it stays legible where a page does not follow the reader's preference.
"""

import math
from dataclasses import dataclass
from html import escape
from typing import Callable

import expiry
import summary

WIDTH, MARGIN, GUTTER = 960, 24, 32
COLUMN = (WIDTH - 2 * MARGIN - GUTTER) // 2
LABEL, VALUE = 104, 62
BAR, GAP, GROUP_GAP = 9, 2, 7
LIGHT = ("#1f6feb", "#d1703c", "#7a8794", "#2a9d6f", "#a05cc0", "#b8961f")
DARK = ("#58a6ff", "#f0a070", "#8b98a5", "#4fc796", "#c68be0", "#dcc04f")


@dataclass(frozen=True)
class Panel:
    """A titled group of bars. `length` maps a figure and its row's figures to a share of the full bar."""

    title: str
    note: str
    rows: dict[str, dict[str, float]]
    length: Callable[[float, list[float]], float]
    text: Callable[[float], str]


def draw(results):
    """The picture as SVG text."""
    names = summary.server_names(results)
    left = [panel for panel in (_cost_panel(results), _expiry_panel(results)) if panel.rows]
    right = [panel for panel in (_memory_panel(results), _stall_panel(results)) if panel.rows]
    top = 108
    left_parts, left_end = _column(left, names, MARGIN, top)
    right_parts, right_end = _column(right, names, MARGIN + COLUMN + GUTTER, top)
    height = max(left_end, right_end) + MARGIN
    subtitle = f"{results['when'][:10]}, {results['machine']['cpu']}; shorter bars are better everywhere"
    body = [
        f'<rect class="page" width="{WIDTH}" height="{height}" rx="6"/>',
        _text(MARGIN, 34, " and ".join(filter(None, [", ".join(names[:-1]), names[-1]])) + " compared", "title"),
        _text(MARGIN, 54, subtitle, "note"),
        *_legend(results),
        *left_parts,
        *right_parts,
    ]
    return "\n".join([_opening(height), _style(len(names)), *body, "</svg>", ""])


def _cost_panel(results):
    own = summary.medians(summary.own_cost(results))
    title = "Own cost, µs of CPU a request" if own else "Server CPU, µs a request"
    note = "bars scaled within each workload" + (", the kernel's share taken off" if own else "")
    rows = own or summary.medians(summary.cpu_per_request(results))
    return Panel(title, note, rows, _share_of_row, _decimals(2))


def _memory_panel(results):
    rows = summary.medians(summary.bytes_per_element(results))
    return Panel("Resident bytes per element", "bars scaled within each data set", rows, _share_of_row, _decimals(0))


def _stall_panel(results):
    rows = {row: {name: max(each) for name, each in by.items()} for row, by in summary.longest_waits(results).items()}
    return Panel("Longest wait of a PING, ms", "logarithmic scale", rows, _logarithmic, _decimals(2))


def _expiry_panel(results):
    """A lag as long as the wait stands for events that never came."""
    waits = [1000 * sample["wait_s"] for sample in results[expiry.SECTION]]
    rows = {f"{row:,} others": by for row, by in summary.medians(summary.expiry_p99(results)).items()}

    def text(figure):
        return f"over {figure:,.0f}" if figure >= max(waits) else f"{figure:,.1f}"

    return Panel("Lag of expired events, 99th percentile, ms", "logarithmic scale", rows, _logarithmic, text)


def _decimals(digits):
    return lambda figure: f"{figure:,.{digits}f}"


def _share_of_row(figure, row):
    return max(0.0, figure) / max(max(row), 1e-9)


_DECADES = (0.01, 0.1, 1, 10, 100, 1000, 10_000)


def _logarithmic(figure, _row):
    """Waits span five decades; on a linear scale all but the longest would vanish."""
    low, high = math.log10(_DECADES[0]), math.log10(_DECADES[-1])
    return min(1.0, max(0.0, (math.log10(max(figure, 1e-9)) - low) / (high - low)))


def _column(panels, names, x, y):
    parts = []
    for panel in panels:
        drawn, y = _panel(panel, names, x, y)
        parts += drawn
        y += 26
    return parts, y


def _panel(panel, names, x, y):
    parts = [_text(x, y, panel.title, "head"), _text(x, y + 15, panel.note, "note")]
    start = y + 26
    bars_x, full = x + LABEL, COLUMN - LABEL - VALUE
    group = len(names) * (BAR + GAP) + GROUP_GAP
    end = start + group * len(panel.rows)
    if panel.length is _logarithmic:
        parts += _decade_lines(bars_x, full, start, end - GROUP_GAP)
        end += 12
    for index, (label, by_server) in enumerate(panel.rows.items()):
        top = start + index * group
        middle = top + (group - GROUP_GAP) / 2 + 4
        parts.append(_text(bars_x - 8, middle, str(label), "label"))
        for place, name in enumerate(names):
            if name not in by_server:
                continue
            figure = by_server[name]
            bar_y = top + place * (BAR + GAP)
            width = max(1.0, full * panel.length(figure, list(by_server.values())))
            parts.append(f'<rect class="s{place}" x="{bars_x}" y="{bar_y}" width="{width:.1f}" height="{BAR}" rx="1.5"/>')
            parts.append(_text(bars_x + width + 5, bar_y + BAR - 0.5, panel.text(figure), "value"))
    return parts, end


def _decade_lines(x, full, top, bottom):
    parts = []
    for place, decade in enumerate(_DECADES):
        at = x + full * place / (len(_DECADES) - 1)
        parts.append(f'<path class="grid" d="M{at:.1f} {top}V{bottom}"/>')
        parts.append(_text(round(at, 1), bottom + 12, f"{decade:g}", "tick"))
    return parts


def _legend(results):
    parts, x = [], MARGIN
    for place, server in enumerate(results["servers"]):
        text = f"{server['name']} {server['version']}"
        parts.append(f'<rect class="s{place}" x="{x}" y="64" width="11" height="11" rx="2"/>')
        parts.append(_text(x + 16, 73.5, text, "legend"))
        x += 16 + 7 * len(text) + 18
    return parts


def _text(x, y, text, style):
    return f'<text class="{style}" x="{x:g}" y="{y:g}">{escape(text)}</text>'


def _opening(height):
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{height}" '
        f'viewBox="0 0 {WIDTH} {height}" role="img" aria-label="Benchmark results as bar charts">'
    )


def _style(servers):
    def colours(palette, page, ink, soft, grid):
        bars = "".join(f".s{place}{{fill:{palette[place % len(palette)]}}}" for place in range(servers))
        inks = f".title,.head,.label,.legend,.value{{fill:{ink}}}.note,.tick{{fill:{soft}}}.grid{{stroke:{grid}}}"
        return f".page{{fill:{page}}}{inks}{bars}"

    return (
        "<style>text{font:11px system-ui,-apple-system,'Segoe UI',Helvetica,Arial,sans-serif}"
        ".title{font-size:19px;font-weight:600}.head{font-size:14px;font-weight:600}"
        ".legend{font-size:12px}.label{text-anchor:end}.tick{text-anchor:middle;font-size:9px}.value{font-size:10px}.grid{stroke-width:1}"
        + colours(LIGHT, "#ffffff", "#1f2328", "#59636e", "#d8dee4")
        + "@media (prefers-color-scheme:dark){"
        + colours(DARK, "#0d1117", "#e6edf3", "#9198a1", "#30363d")
        + "}</style>"
    )
