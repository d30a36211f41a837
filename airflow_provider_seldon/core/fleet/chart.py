"""Metrics of versions over time, as the points of a line chart. Numbers only; the page sets the style."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from airflow_provider_seldon.core.fleet.view import VersionView
from airflow_provider_seldon.core.resource.unstructured import seconds_at

#: Size of the area, and the margin around it.
WIDTH, HEIGHT, MARGIN = 560, 120, 16
#: Number of metrics in the chart; those of the latest version come first.
MOST = 6


@dataclass(frozen=True, kw_only=True)
class Point:
    """One version's value, and its position in the chart."""

    x: float
    y: float
    value: float
    version: VersionView


@dataclass(frozen=True, kw_only=True)
class Line:
    """A metric: its points from the oldest to the latest."""

    metric: str
    points: Sequence[Point]

    @property
    def path(self) -> str:
        """The points, in the format of SVG's ``polyline``."""
        return " ".join(f"{point.x:.1f},{point.y:.1f}" for point in self.points)

    @property
    def lowest(self) -> float:
        """The lowest value."""
        return min(point.value for point in self.points)

    @property
    def highest(self) -> float:
        """The highest value."""
        return max(point.value for point in self.points)


def lines_of(versions: Sequence[VersionView]) -> list[Line]:
    """
    Return a line for each metric.

    Positions follow from the times of the versions if all are known and ascending; otherwise the distances
    are equal.

    :param versions: the last one first.
    """
    past = list(reversed(versions))
    names = list(dict.fromkeys(name for version in versions for name in version.metrics))[:MOST]
    times = [seconds_at({"at": version.at}, "at") for version in past]
    known = [time for time in times if time is not None]
    dated = len(known) == len(past) and known == sorted(known)
    places = known if dated else [float(index) for index in range(len(past))]
    return [_line(name, past, places) for name in names]


def _line(name: str, past: Sequence[VersionView], places: Sequence[float]) -> Line:
    values = [
        (place, one.metrics[name], one)
        for place, one in zip(places, past, strict=True)
        if name in one.metrics
    ]
    low, high = min(value for _, value, _ in values), max(value for _, value, _ in values)
    return Line(
        metric=name,
        points=[
            Point(
                x=MARGIN + _share(place, min(places), max(places)) * (WIDTH - 2 * MARGIN),
                y=HEIGHT - MARGIN - _share(value, low, high) * (HEIGHT - 2 * MARGIN),
                value=value,
                version=version,
            )
            for place, value, version in values
        ],
    )


def _share(value: float, low: float, high: float) -> float:
    return (value - low) / (high - low) if high > low else 0.5
