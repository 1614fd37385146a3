"""`Dashboard`: the runs of a session, selected and compared in a notebook."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from typing import Any

from ipywidgets import HTML, Checkbox, Label, Layout, Tab, ToggleButtons, VBox

from mmnotebook.errors import ResultError
from mmnotebook.results import latest
from mmnotebook.results.results import Result
from mmnotebook.results.runs import MOST_RUNS, Run, RunList
from mmnotebook.ui.common.static_output import StaticOutput, style
from mmnotebook.ui.dashboard import views

_PAGES: dict[str, Callable[[Sequence[Run], Run | None], str]] = {
    "Models": views.models_html,
    "Latency": lambda runs, base: views.latency_html(runs),
    "Memory": lambda runs, base: views.memory_html(runs),
    "Steps": lambda runs, base: views.steps_html(runs),
    "Runs": lambda runs, base: views.runs_html(runs),
}
_HINT = "(runs side by side; execute this cell to choose among them)"
_DRAWN = 20
"""Maximum number of drawn pages that are kept."""

_STYLE = """<style>
.mm-dashboard { --mm-text: var(--jp-ui-font-color1, var(--vscode-foreground, inherit)); }
.mm-dashboard .mm-runs { border: 1px solid rgba(128,128,128,.35); border-radius: 4px;
  padding: 2px 6px; }
.mm-dashboard .mm-runs .widget-checkbox input { margin-top: 0; vertical-align: middle; }
.mm-dashboard :is(.widget-html-content, .widget-label, .widget-label-basic),
.mm-dashboard .jupyter-widgets.jupyter-widget-tab > .lm-TabBar .lm-TabBar-tab {
  color: var(--mm-text); }
.mm-dashboard :is(.widget-html, .widget-html-content) { min-width: 0; max-width: 100%; }
.mm-dashboard .widget-html-content { line-height: 1.4; white-space: normal; width: 100%; }
</style>"""

_HIDING = style("mm-dashboard", "mm-board-static")


class Dashboard(VBox):  # type: ignore[misc] # ipywidgets has no types
    """The models and steps of runs: tables, latencies, memory and times, up to four side by side.

    It keeps the measures of runs, not their elements.

    Parameters
    ----------
    results
        Results of runs, in the order of the runs; the last four are shown.

    Raises
    ------
    ResultError
        If an argument is not a Result.

    See Also
    --------
    dashboard : Create a dashboard, by default of the latest run.

    Examples
    --------
    >>> import mmnotebook as mm
    >>> def double(x):
    ...     return 2 * x
    >>> graph = mm.pipeline("numbers | double", numbers=[1, 2, 3], double=double)
    >>> board = mm.dashboard(mm.run(graph, progress=False))
    >>> board.add(mm.run(graph, limit=2, progress=False), label="two")
    >>> [(run.label, run.elements) for run in board.runs]
    [(None, 3), ('two', 2)]
    """

    def __init__(self, *results: Result) -> None:
        self._list = RunList()
        self._lock = threading.RLock()
        self._setting = False
        self._picked: int | None = None  # the chosen baseline; None means the earliest run shown
        self._boxes: dict[int, Checkbox] = {}
        self._drawn: dict[tuple[Any, ...], str] = {}
        self._static = StaticOutput(self._view)
        self._choices = VBox(layout=Layout(max_height="132px", overflow="auto", width="100%"))
        self._choices.add_class("mm-runs")
        self._baseline = ToggleButtons(description="Baseline", style={"button_width": "auto"})
        self._pages = [HTML(layout=Layout(width="auto")) for _ in _PAGES]
        self._tabs = Tab(self._pages, titles=tuple(_PAGES), layout=Layout(width="100%"))
        title = Label(f"Runs, the latest first; up to {MOST_RUNS} can be compared")
        parts = [HTML(_STYLE), title, self._choices, self._baseline, self._tabs]
        super().__init__(parts, layout=Layout(width="100%"))
        self.add_class("mm-dashboard")
        for result in results:
            self._list.add(result)
        self._list.choose(self._list.runs)
        self._show()
        self._baseline.observe(self._pick, "value")
        self._tabs.observe(self._turn, "selected_index")

    def add(self, result: Result, label: str | None = None) -> None:
        """Add a run; if the latest run is shown, show the new run instead.

        If the result is already listed, only its label is replaced, if `label` is given.

        Parameters
        ----------
        result
            The result of the run.
        label
            A label that is shown with the number of the run.

        Raises
        ------
        ResultError
            If `result` is not a Result.
        """
        with self._lock:
            self._list.add(result, label)
            self._show()
        self._static.flush()

    def choose(self, *numbers: int) -> None:
        """Show the runs with these numbers side by side; of more than four, the latest four.

        Parameters
        ----------
        numbers
            Numbers of runs, as they are listed; 1 is the earliest.
        """
        with self._lock:
            self._list.choose(numbers)
            self._show()

    @property
    def runs(self) -> tuple[Run, ...]:
        """All runs that were added, the latest last."""
        return tuple(self._list.runs.values())

    @property
    def chosen(self) -> tuple[Run, ...]:
        """The runs that are shown, the earliest first."""
        return tuple(self._list.runs[number] for number in self._list.chosen)

    @property
    def baseline(self) -> Run | None:
        """The run that the others are compared with; None if none is shown."""
        chosen = self.chosen
        return next((run for run in chosen if run.number == self._baseline.value), None)

    def _show(self) -> None:
        """Update the controls and the page from the list of runs."""
        self._setting = True
        try:
            self._show_choices()
            self._show_baseline()
        finally:
            self._setting = False
        self._show_page()

    def _show_choices(self) -> None:
        runs, full = self._list.runs, len(self._list.chosen) == MOST_RUNS
        for number in self._boxes.keys() - runs.keys():
            self._boxes.pop(number).close()
        for number, run in runs.items():
            box = self._boxes.get(number)
            if box is None:
                box = self._boxes[number] = _box()
                box.observe(self._tick, "value")
            box.description = box.tooltip = f"{run} – {views.changes(run)}"
            box.value = number in self._list.chosen
            box.disabled = full and not box.value
        boxes = tuple(self._boxes[number] for number in reversed(runs))
        if boxes != self._choices.children:
            self._choices.children = boxes

    def _show_baseline(self) -> None:
        options = [(run.name, run.number) for run in self.chosen]
        if options != list(self._baseline.options):
            self._baseline.options = options
            chosen = self._list.chosen
            self._baseline.value = (
                self._picked if self._picked in chosen else min(chosen, default=None)
            )
        self._baseline.layout.display = None if len(options) > 1 else "none"

    def _show_page(self) -> None:
        place = self._tabs.selected_index or 0
        self._pages[place].value = self._page(list(_PAGES)[place])
        self._static.schedule()

    def _page(self, name: str) -> str:
        """Return a page as HTML; the same content is drawn only once."""
        runs, base = (self.runs if name == "Runs" else self.chosen), self.baseline
        key = (name, *map(str, runs), base and base.number)
        if key not in self._drawn:
            if len(self._drawn) > _DRAWN:
                self._drawn.clear()
            self._drawn[key] = _PAGES[name](runs, base)
        return self._drawn[key]

    def _tick(self, change: Any) -> None:
        with self._lock:
            if not self._setting:
                self._list.choose([number for number, box in self._boxes.items() if box.value])
                self._show()

    def _pick(self, change: Any) -> None:
        with self._lock:
            if not self._setting:
                self._picked = change["new"]
                self._show_page()

    def _turn(self, change: Any) -> None:
        with self._lock:
            self._show_page()

    def close(self) -> None:
        """Close the widget; the static view is kept."""
        self._static.close()
        super().close()

    def _ipython_display_(self) -> None:
        self._static.show(self, _HINT)

    def __repr__(self) -> str:
        """Return the shown runs as text, without the parts of the widget."""
        runs = "; ".join(map(str, self.chosen)) or "none yet"
        return f"Dashboard({runs})"

    def _repr_mimebundle_(self, **how: Any) -> dict[str, Any]:
        return {**(super()._repr_mimebundle_(**how) or {}), **self._view()}

    def _view(self) -> dict[str, str]:
        """Return the static view: all pages, as HTML and as text."""
        with self._lock:
            pages = "".join(
                f"<div><b>{name}</b></div>{self._page(name)}"
                for name in ("Runs", "Models", "Latency", "Memory", "Steps")
            )
            plain = views.text(self.chosen, self.baseline)
        shown = f'{_HIDING}<div class="mm-board-static">{pages}</div>'
        return {"text/html": shown, "text/plain": plain}


def _box() -> Checkbox:
    return Checkbox(indent=False, layout=Layout(width="auto", flex="0 0 auto"))


def dashboard(*results: Result) -> Dashboard:
    """Show the models and steps of runs side by side, in a notebook.

    Parameters
    ----------
    results
        Results of runs; without any, the latest result.

    Returns
    -------
    Dashboard
        A widget; `.add(result)` adds further runs.

    Raises
    ------
    ResultError
        If an argument is not a Result, or none is passed and nothing has been run yet.

    See Also
    --------
    inspect : Search the outputs of a node.

    Examples
    --------
    >>> import mmnotebook as mm
    >>> def double(x):
    ...     return 2 * x
    >>> graph = mm.pipeline("numbers | double", numbers=[1, 2, 3], double=double)
    >>> board = mm.dashboard(mm.run(graph, progress=False))
    >>> [run.elements for run in board.runs]
    [3]
    """
    if not results and latest.last() is None:
        raise ResultError("nothing has been run yet", remedy="mm.run(graph) runs one")
    return Dashboard(*(results or (latest.last(),)))
