"""The form that registers a model and tries it on one example."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from html import escape
from typing import TYPE_CHECKING, Any

from ipywidgets import HTML, HBox, Layout, VBox

from mmnotebook.errors import MMError, one_line
from mmnotebook.graph.models import registry
from mmnotebook.graph.names import Names
from mmnotebook.state import caller
from mmnotebook.ui.builder.controls import style
from mmnotebook.ui.builder.controls.fields import InvalidInput
from mmnotebook.ui.builder.form.example_fields import ExampleFields
from mmnotebook.ui.builder.form.model_fields import ModelFields

if TYPE_CHECKING:
    from mmnotebook.running.trial import Trial

_NOTHING_YET = "Nothing is loaded until you press a button."


class RegisterForm(VBox):  # type: ignore[misc]  # ipywidgets has no types
    """A form for a new model; hidden until it is opened.

    Parameters
    ----------
    variables
        Returns the variables of the notebook.
    registered
        Called with the name of each registered model, in the thread that loaded it.
    """

    def __init__(
        self, variables: Callable[[], Mapping[str, Any]], registered: Callable[[str], None]
    ) -> None:
        self._variables, self._registered = variables, registered
        self._lock = threading.Lock()
        self._worker: threading.Thread | None = None
        self._working = self._made = False
        self.fields = ModelFields(variables, self._changed)
        self.example = ExampleFields(self._changed)
        self.try_it = style.button("Try it", "load the model and run one example", "flask")
        self.register = style.button("Register", "register the model under its name", "check")
        self.close_it = style.button("Close", "close the form", "times")
        self.try_it.on_click(lambda _: self._try())
        self.register.on_click(lambda _: self._add())
        self.close_it.on_click(lambda _: style.show_if(self, False))
        self._line = style.note()
        buttons = HBox([self.try_it, self.register, self.close_it])
        buttons.layout.flex_flow = "row wrap"
        title = HTML("<h3>Register a model</h3>")
        hint = HTML(style.hint(_NOTHING_YET))
        parts = [style.sheet(), title, self.fields, self.example, buttons, self._line, hint]
        super().__init__(parts, layout=Layout(width="100%", display="none"))
        self.add_class(style.CLASS)
        self.add_class("mm-form")
        self._made = True

    @property
    def message(self) -> str:
        """The outcome of the last action, as HTML."""
        return str(self._line.value)

    def open(self) -> None:
        """Show the form, with the current variables of the notebook."""
        super().open()  # a method of all widgets, which is called when they are created
        if not self._made:
            return
        self.refresh()
        style.show_if(self, True)

    def refresh(self) -> None:
        """Update the models, classes, functions and data that can be chosen."""
        names = Names(registry, {}, self._variables())
        self.example.refresh(list(names.known("data")))
        self.fields.refresh()
        self._changed()

    def wait(self, seconds: float | None = None) -> bool:
        """Wait up to `seconds` until no model is being loaded; return whether that is so."""
        worker = self._worker
        if worker is not None:
            worker.join(seconds)
        return worker is None or not worker.is_alive()

    def _changed(self) -> None:
        wrong = self.fields.check()
        self.fields.suggest(self._variables().get(self.example.data.value))
        no_example = self.example.check()
        if not self._working:
            without_name = {field for field in wrong if field != "name"}
            style.put(self.register, bool(wrong), "disabled")
            style.put(self.try_it, bool(without_name) or no_example is not None, "disabled")

    # Actions of the buttons. Models are loaded in a thread, so that the kernel stays responsive.

    def _try(self) -> None:
        name = self.fields.name.value.strip() or "model"
        self._work("name", f"loading {name} …", self._trial)

    def _add(self) -> None:
        self._work("", f"loading {self.fields.name.value.strip()} …", self._registration)

    def _work(self, optional: str, message: str, prepare: Callable[[], Callable[[], str]]) -> None:
        """Call `prepare`, which reads the form; call its result in a thread."""
        wrong = {field: why for field, why in self.fields.check().items() if field != optional}
        with self._lock:
            if self._working:
                return
            try:
                if wrong:
                    field, why = next(iter(wrong.items()))
                    raise InvalidInput(
                        f"{getattr(self.fields, field).description.rstrip(' *')}: {why}"
                    )
                work = prepare()
            except InvalidInput as error:
                style.put(self._line, style.error(str(error)))
                return
            self._working = True
            style.put(self.try_it, True, "disabled")
            style.put(self.register, True, "disabled")
            words = f'<div class="mm-busy" role="status">{escape(message)}</div>'
            style.put(self._line, words)
            self._worker = threading.Thread(
                target=caller.here().run, args=(self._run, work), daemon=True
            )
            self._worker.start()

    def _run(self, work: Callable[[], str]) -> None:
        try:
            shown = work()
        except MMError as error:
            shown = style.error(str(error))
        except BaseException as error:  # noqa: BLE001 - else it would end the thread unseen
            shown = style.error(one_line(error))
        style.put(self._line, shown)
        self._working = False
        self._changed()

    def _trial(self) -> Callable[[], str]:
        from mmnotebook.running import trial

        target, options, chosen = self.fields.target(), self.fields.options(), self.example
        name, data = self.fields.name.value.strip(), chosen.data.value
        value = self._variables().get(data) if data else chosen.literal()
        named = {"name": name} if "name" not in self.fields.check() else {}

        def work() -> str:
            example = trial.first_row(data, value) if data else value
            return _tried(trial.try_model(target, example, **named, **options))

        return work

    def _registration(self) -> Callable[[], str]:
        from mmnotebook.model.registered.register import register

        name, target = self.fields.name.value.strip(), self.fields.target()
        options = self.fields.options()

        def work() -> str:
            spec = register(name, target, **options)
            self._registered(name)
            return f'<div class="mm-hint" role="status">registered: {escape(repr(spec))}</div>'

        return work

    def _repr_mimebundle_(self, **kwargs: Any) -> dict[str, Any]:
        shown = super()._repr_mimebundle_(**kwargs)
        rows = [(spec.name, repr(spec).partition(": ")[2]) for spec in registry.values()]
        title = "A form that registers models" + ("; registered:" if rows else "")
        return style.bundle(shown, title, rows)


def _tried(trial: Trial) -> str:
    """Return the HTML of the outcome of a trial."""
    size = trial.parameter_bytes
    rows = [
        f"loaded in {_time(trial.loaded_in)}, ran in {_time(trial.ran_in)}",
        "parameters: unknown size" if size is None else f"parameters: {size:,} bytes",
        f"in a run: {trial.batch:,} element{'s' * (trial.batch != 1)} per call",
    ]
    output = f'<div class="mm-output">{escape(trial.output)}</div>'
    hints = "".join(map(style.hint, rows))
    return f'<div role="status"><b>It works.</b> Output:{output}{hints}</div>'


def _time(seconds: float) -> str:
    return f"{seconds:.2f} s" if seconds >= 1 else f"{seconds * 1000:.2g} ms"
