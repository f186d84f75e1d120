"""Interactive cells: a few controls above a figure that follows them.

The figure is an ordinary output of the cell, so it stays where the notebook is read without
a running kernel: as a web page, on paper, in a repository.
"""

from collections.abc import Callable, Mapping
from typing import Any

import ipywidgets
import numpy as np
import traitlets
from IPython.display import DisplayHandle, Markdown, display


def explore(draw: Callable[..., Any], **controls: Any) -> None:
    """Show controls and what `draw` makes of them, again after every change.

    Parameters
    ----------
    draw : callable
        Takes one argument for each control, by name, and returns a figure, or anything else
        that can be shown. A ValueError is shown as a message below the controls.
    **controls
        As for `ipywidgets.interact`: a list makes a menu, a tuple (low, high, step) a slider,
        and a widget is taken as it is.

    Raises
    ------
    ValueError
        If no control can be made of what is given.
    """
    inputs = {name: _control(name, given) for name, given in controls.items()}
    controls_view = ipywidgets.VBox(list(inputs.values()))._repr_mimebundle_()
    controls_view["text/plain"] = "Run this cell to use its controls."  # where no kernel runs
    display(controls_view, raw=True)
    picture = DisplayHandle()
    picture.display(_drawn(draw, inputs))
    for box in inputs.values():
        box.observe(lambda change: picture.update(_drawn(draw, inputs)), "value")


def _control(name: str, given: Any) -> ipywidgets.Widget:
    """Make a widget of a list or a tuple, and label it."""
    box = ipywidgets.interactive.widget_from_abbrev(given)
    if box is None:
        raise ValueError(f"No control can be made of {name}={given!r}: give a list or a tuple.")
    if getattr(box, "description", None) == "":
        box.description = name
    return box


def _drawn(draw: Callable[..., Any], inputs: Mapping[str, ipywidgets.Widget]) -> Any:
    """Call `draw` with the values of the controls."""
    try:
        return draw(**{name: box.value for name, box in inputs.items()})
    except ValueError as error:
        return Markdown(f"**This does not work:** {error}")


class KernelEditor(ipywidgets.VBox, ipywidgets.ValueWidget):
    """A 3 x 3 grid of number fields, with a menu of kernels to start from.

    The menu says "your own" once a field was changed; choosing a kernel again restores it.

    Parameters
    ----------
    kernels : mapping of str to array of shape (3, 3)
        The menu; the first one is shown.

    Attributes
    ----------
    value : tuple of 3 tuples of 3 float
        The kernel as it stands in the fields.
    """

    EDITED = "your own"
    value = traitlets.Tuple()

    def __init__(self, kernels: Mapping[str, np.ndarray]) -> None:
        self._kernels = kernels
        self._copying = False
        options = [*kernels, self.EDITED]
        self._menu = ipywidgets.Dropdown(options=options, description="kernel")
        layout = ipywidgets.Layout(width="75px")
        self._fields = [ipywidgets.FloatText(layout=layout, step=0.5) for _ in range(9)]
        indent = ipywidgets.Layout(margin="0 0 0 88px")
        rows = [
            ipywidgets.HBox(self._fields[row * 3 : row * 3 + 3], layout=indent) for row in range(3)
        ]
        super().__init__([self._menu, *rows])
        self._menu.observe(self._choose, "value")
        for field in self._fields:
            field.observe(self._read, "value")
        self._choose()

    def _choose(self, change: Any = None) -> None:
        """Copy the chosen kernel into the fields, and tell observers once, at the end."""
        if self._menu.value == self.EDITED:
            return
        self._copying = True
        for field, number in zip(self._fields, self._kernels[self._menu.value].flat, strict=True):
            field.value = round(float(number), 3)
        self._copying = False
        self._read()

    def _read(self, change: Any = None) -> None:
        """Read the fields; a number that was typed makes the kernel the user's own."""
        if self._copying:
            return
        if change is not None:
            self._menu.value = self.EDITED
        numbers = [field.value for field in self._fields]
        self.value = tuple(tuple(numbers[row * 3 : row * 3 + 3]) for row in range(3))
