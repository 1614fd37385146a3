"""The side bar next to the canvas: the panel and the model form."""

from __future__ import annotations

from collections.abc import Callable

from ipywidgets import Layout, VBox

from mmnotebook.ui.builder.form.register_form import RegisterForm
from mmnotebook.ui.builder.panel import Panel


class Side(VBox):  # type: ignore[misc]  # ipywidgets has no types
    """The panel and the model form, whose many widgets are created when it is first opened.

    Parameters
    ----------
    panel
        The panel, which is always shown.
    make
        Creates the form.

    Attributes
    ----------
    form
        The form; None before it is first opened.
    """

    def __init__(self, panel: Panel, make: Callable[[], RegisterForm]) -> None:
        self._panel, self._make = panel, make
        self.form: RegisterForm | None = None
        super().__init__([panel], layout=Layout(flex="0 0 270px", width="270px"))
        self.add_class("mm-beside")

    def open_form(self) -> None:
        """Show the form, with the current variables of the notebook."""
        if self.form is None:
            self.form = self._make()
            self.children = (self.form, self._panel)
        self.form.open()
