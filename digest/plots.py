"""Small plots as inline SVG: steps and stacked bars that need no colour, no script and no library. Pure.

What tells the parts of a bar apart is their pattern; lines and extremes carry their figure beside them. Colours are
classes for the style sheet (`plots.css`), so light and dark are its business. Every plot says in <title> and <desc>
what it shows; the page puts the same figures in a table beneath.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from markupsafe import Markup

# Parts of a bar that can be told apart: hatched, dotted, lined, each over the paper; the first part is solid.
_PATTERNS = (
    Markup('<path class="stroke" d="M-1.5 1.5 1.5 -1.5M0 6 6 0M4.5 7.5 7.5 4.5"/>'),
    Markup('<circle class="on" cx="1.5" cy="1.5" r="1.1"/><circle class="on" cx="4.5" cy="4.5" r="1.1"/>'),
    Markup('<path class="stroke" d="M0 1.5H6M0 4.5H6"/>'),
)
MOST_PARTS = 1 + len(_PATTERNS)

_MANY, _MORE, _MOST = 10_000, 1_000_000, 1_000_000_000
_TOWERING = 6
_WIDTH_OF_A_LETTER = 0.6  # of the size of the letters; generous for figures and short words


@dataclass(frozen=True, slots=True)
class Frame:
    """The size of a plot in its own units, which are pixels where it is shown at full size."""

    width: int
    height: int
    letters: int


WIDE = Frame(520, 240, 14)
NARROW = Frame(270, 210, 14)


@dataclass(frozen=True, slots=True)
class Series:
    """One figure per place on the axis. None of them is negative."""

    name: str
    values: Sequence[int]


@dataclass(frozen=True, slots=True)
class Axis:
    """What stands under a plot: a full name for each place, and the few that are written out."""

    names: Sequence[str]
    marks: Sequence[tuple[int, str]]


@dataclass(frozen=True, slots=True)
class Caption:
    """`key` is unique on the page: ids are made of it."""

    key: str
    title: str
    description: str


def steps(series: Series, axis: Axis, caption: Caption, frame: Frame = WIDE) -> Markup:
    """How much there was at the end of each place on the axis: a line with a dot and a figure at either end."""
    values = series.values
    if not values:
        return _svg(caption, frame, [_nothing(frame)])
    field = _field(frame, 0, max(values), len(values))
    path = f"M{_n(field.edge(0))} {_n(field.y(values[0]))}" + "".join(
        f"V{_n(field.y(value))}H{_n(field.edge(place + 1))}" for place, value in enumerate(values)
    )
    base = _n(field.y(0))
    body = [
        Markup('<path class="under" d="{}V{}H{}Z"/>').format(path, base, _n(field.left)),
        *_grid(field, axis),
        Markup('<path class="line" d="{}"/>').format(path),
        *_ends(field, values),
        *_readings(field, axis, [[f"{value:,}"] for value in values]),
    ]
    return _svg(caption, frame, body)


def stacks(parts: Sequence[Series], axis: Axis, caption: Caption, frame: Frame = WIDE) -> Markup:
    """One bar for each place, its parts on top of each other; the highest carries its figure."""
    totals = [sum(each) for each in zip(*(part.values for part in parts), strict=True)]
    if not totals:
        return _svg(caption, frame, [_nothing(frame)])
    field = _field(frame, 0, end_of_axis(totals), len(totals))
    bars = []
    for place in range(len(totals)):
        below = 0
        for number, part in enumerate(parts):
            bars.append(_bar(field, place, below, below + part.values[place], _fill(caption, number)))
            below += part.values[place]
    said = [[f"{part.name} {part.values[place]:,}" for part in parts] for place in range(len(totals))]
    highest = totals.index(max(totals))
    body = [
        _patterns(caption, len(parts)),
        *_grid(field, axis),
        *bars,
        *_cuts(field, totals),
        *([_figure(field, highest, totals[highest])] if totals[highest] else []),
        *_readings(field, axis, said),
    ]
    return _svg(caption, frame, body)


def balance(series: Series, axis: Axis, caption: Caption, frame: Frame = WIDE) -> Markup:
    """Gains above the line and losses below it, which are hatched too; these figures may be negative."""
    values = series.values
    if not values:
        return _svg(caption, frame, [_nothing(frame)])
    gains, losses = [max(0, value) for value in values], [max(0, -value) for value in values]
    field = _field(frame, -end_of_axis(losses), end_of_axis(gains), len(values))
    bars = [
        _bar(field, place, min(0, value), max(0, value), _fill(caption, int(value < 0)))
        for place, value in enumerate(values)
    ]
    extremes = {values.index(end) for end in (max(values), min(values)) if end}
    body = [
        _patterns(caption, 2),
        *_grid(field, axis),
        *bars,
        *_cuts(field, values),
        *(_figure(field, place, values[place]) for place in sorted(extremes)),
        *_readings(field, axis, [[signed(value)] for value in values]),
    ]
    return _svg(caption, frame, body)


def swatch(number: int, key: str) -> Markup:
    """The pattern of one part, for the key beside a plot. `key` is unique on the page."""
    caption = Caption(key, "", "")
    return Markup(
        '<svg class="plot swatch" viewBox="0 0 22 14" width="22" height="14" aria-hidden="true" focusable="false">'
        '{}<g class="bar"><rect {} x=".75" y=".75" width="20.5" height="12.5"/></g></svg>'
    ).format(_patterns(caption, number + 1), _fill(caption, number))


def end_of_axis(values: Sequence[int]) -> int:
    """How far an axis must reach. A figure many times higher than all others does not flatten them: its bar is cut."""
    highest, *others = sorted(values, reverse=True)
    next_highest = others[0] if others else 0
    return 2 * next_highest if highest > _TOWERING * next_highest > 0 else highest


def ticks(low: int, high: int, most: int = 4) -> list[int]:
    """Round figures evenly apart, from at or below `low` to at or above `high`; at most `most` + 2 of them.

    Zero is one of them when it lies between.
    """
    span = max(high - low, 1)
    step = _round_step(-(-span // most))
    return list(range(low // step * step, -(-high // step) * step + 1, step)) if high > low else [low, low + step]


def short(value: int) -> str:
    """A figure on an axis: 950, 2,500, 12k, 1.5M, 3bn."""
    size = abs(value)
    for unit, name in ((_MOST, "bn"), (_MORE, "M"), (1_000, "k")):
        if size >= unit and size >= _MANY:
            return f"{value / unit:,.4g}{name}".replace("-", "−")
    return f"{value:,}".replace("-", "−")


def signed(value: int) -> str:
    """+12, −3, 0."""
    return f"{value:+,}".replace("-", "−") if value else "0"


def _round_step(least: int) -> int:
    """The smallest of 1, 2, 5, 10, 20, 50 … that is no less."""
    unit = 1
    while True:
        for factor in (1, 2, 5):
            if unit * factor >= least:
                return unit * factor
        unit *= 10


@dataclass(frozen=True, slots=True)
class _Field:
    """Where figures lie inside a frame."""

    frame: Frame
    ticks: Sequence[int]
    count: int
    left: float
    right: float
    top: float
    bottom: float

    def y(self, value: int) -> float:
        """What lies beyond the axis is drawn at its end."""
        low, high = self.ticks[0], self.ticks[-1]
        value = min(max(value, low), high)
        return self.bottom - (self.bottom - self.top) * (value - low) / (high - low)

    def edge(self, place: int) -> float:
        """Where a place begins; that of the count is where the last one ends."""
        return self.left + (self.right - self.left) * place / self.count

    def middle(self, place: int) -> float:
        return (self.edge(place) + self.edge(place + 1)) / 2


def _field(frame: Frame, low: int, high: int, count: int) -> _Field:
    marked = ticks(low, high)
    widest = max(len(short(each)) for each in marked)
    return _Field(
        frame=frame,
        ticks=marked,
        count=count,
        left=min(10 + widest * frame.letters * _WIDTH_OF_A_LETTER, frame.width / 3),
        right=frame.width - 6,
        top=frame.letters * 1.9,
        # A loss carries its figure below the bar.
        bottom=frame.height - frame.letters * (2 if low >= 0 else 3),
    )


def _grid(field: _Field, axis: Axis) -> list[Markup]:
    lines = [
        Markup('<line class="{}" x1="{}" x2="{}" y1="{}" y2="{}"/>').format(
            "zero" if tick == 0 else "rule", _n(field.left), _n(field.right), _n(field.y(tick)), _n(field.y(tick))
        )
        for tick in field.ticks
    ]
    figures = [_text(field.left - 6, field.y(tick) + 5, short(tick), "end") for tick in field.ticks]
    return [*lines, *figures, *_marks(field, axis)]


def _marks(field: _Field, axis: Axis) -> list[Markup]:
    """The written names; one that would run into the one before it is left out."""
    written, free = [], 0.0
    line = field.frame.height - 5
    for place, name in axis.marks:
        width = len(name) * field.frame.letters * _WIDTH_OF_A_LETTER
        at = min(field.edge(place), field.right - width)
        if at >= free:
            x = _n(field.edge(place))
            y = field.frame.height - field.frame.letters * 1.6
            written.append(
                Markup('<line class="mark" x1="{}" x2="{}" y1="{}" y2="{}"/>').format(x, x, _n(y), _n(y + 5))
            )
            written.append(_text(at, line, name, "start"))
            free = at + width + 8
    return written


def _ends(field: _Field, values: Sequence[int]) -> list[Markup]:
    """A dot and a figure where the line ends, and where it begins if both fit beside each other."""
    begin, end = (field.edge(0), values[0], "start"), (field.edge(len(values)), values[-1], "end")
    letters = len(f"{values[0]:,}{values[-1]:,}")
    fits = letters * field.frame.letters * _WIDTH_OF_A_LETTER + 16 <= field.right - field.left
    drawn = []
    for x, value, anchor in (begin, end) if fits else (end,):
        at, y = min(max(x, field.left + 4), field.right), field.y(value)
        drawn.append(Markup('<circle class="dot" cx="{}" cy="{}" r="4"/>').format(_n(at), _n(y)))
        drawn.append(_text(at, _beside(field, y), f"{value:,}", anchor, "figure"))
    return drawn


def _beside(field: _Field, y: float) -> float:
    """Above the point, or under it where there is no room above."""
    above = y - 10
    return above if above > field.frame.letters else y + field.frame.letters + 8


def _figure(field: _Field, place: int, value: int) -> Markup:
    """The figure of one bar, inside the frame wherever the bar stands."""
    text = signed(value) if field.ticks[0] < 0 else f"{value:,}"
    half = len(text) * field.frame.letters * _WIDTH_OF_A_LETTER / 2
    x = min(max(field.middle(place), half), field.frame.width - half)
    y = field.y(value) + (field.frame.letters + 3 if value < 0 else -6)
    return _text(x, y, text, "middle", "figure")


def _bar(field: _Field, place: int, low: int, high: int, fill: Markup) -> Markup:
    gap = min(0.18 * (field.edge(1) - field.edge(0)), 4)
    width, top, bottom = field.edge(1) - field.edge(0) - 2 * gap, field.y(high), field.y(low)
    if top == bottom:
        return Markup()
    return Markup('<g class="bar"><rect {} x="{}" y="{}" width="{}" height="{}"/></g>').format(
        fill, _n(field.edge(place) + gap), _n(top), _n(width), _n(bottom - top)
    )


def _cuts(field: _Field, values: Sequence[int]) -> list[Markup]:
    """A slanted gap in each bar that is longer than the axis."""
    cuts = []
    for place, value in enumerate(values):
        if field.ticks[0] <= value <= field.ticks[-1]:
            continue
        y = field.y(value) + (14 if value > 0 else -14)
        left, right = _n(field.edge(place)), _n(field.edge(place + 1))
        cuts.append(Markup('<path class="cut" d="M{} {}L{} {}"/>').format(left, _n(y + 4), right, _n(y - 4)))
    return cuts


def _readings(field: _Field, axis: Axis, said: Sequence[Sequence[str]]) -> list[Markup]:
    """What a pointer resting on a place is told."""
    width = _n(field.edge(1) - field.edge(0))
    return [
        Markup('<rect class="reading" x="{}" y="{}" width="{}" height="{}"><title>{}</title></rect>').format(
            _n(field.edge(place)), _n(field.top), width, _n(field.bottom - field.top), f"{name}: {', '.join(figures)}"
        )
        for place, (name, figures) in enumerate(zip(axis.names, said, strict=True))
    ]


def _patterns(caption: Caption, count: int) -> Markup:
    made = [
        Markup(
            '<pattern id="{}-p-{}" width="6" height="6" patternUnits="userSpaceOnUse">'
            '<rect class="off" width="6" height="6"/>{}</pattern>'
        ).format(caption.key, number, inside)
        for number, inside in enumerate(_PATTERNS[: count - 1], start=1)
    ]
    return Markup("<defs>{}</defs>").format(Markup().join(made)) if made else Markup()


def _fill(caption: Caption, number: int) -> Markup:
    """How one part is drawn: the first takes its colour from the style sheet."""
    return Markup('fill="url(#{}-p-{})"').format(caption.key, number) if number else Markup('class="solid"')


def _nothing(frame: Frame) -> Markup:
    return _text(frame.width / 2, frame.height / 2, "No figures yet", "middle")


def _text(x: float, y: float, text: str, anchor: str, kind: str = "axis") -> Markup:
    return Markup('<text class="{}" x="{}" y="{}" text-anchor="{}">{}</text>').format(kind, _n(x), _n(y), anchor, text)


def _svg(caption: Caption, frame: Frame, body: Sequence[Markup]) -> Markup:
    return Markup(
        '<svg class="plot {kind}" viewBox="0 0 {width} {height}" role="img"'
        ' aria-labelledby="{key}-t" aria-describedby="{key}-d">'
        '<title id="{key}-t">{title}</title><desc id="{key}-d">{description}</desc>{body}</svg>'
    ).format(
        kind="narrow" if frame.width < WIDE.width else "wide",
        width=frame.width,
        height=frame.height,
        key=caption.key,
        title=caption.title,
        description=caption.description,
        body=Markup("\n").join(body),
    )


def _n(value: float) -> str:
    """A coordinate, to a tenth."""
    return f"{value:.1f}".removesuffix(".0")
