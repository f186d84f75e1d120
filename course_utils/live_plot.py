"""A figure of loss and accuracy that grows while a net is trained."""

from collections.abc import Sequence

from IPython.display import DisplayHandle

from course_utils import plots
from course_utils.backend import keras


class LivePlot(keras.callbacks.Callback):
    """A Keras callback that draws the curves of loss and accuracy anew after each epoch.

    In a notebook the figure is one output, replaced after each epoch; elsewhere nothing is
    shown. Notebook 6 writes a smaller one by hand.

    Parameters
    ----------
    label : str
        What to call the curves.
    metrics : sequence of str
        One panel for each; without ``val_``, which is drawn where it is measured.
    """

    def __init__(self, label: str = "net", metrics: Sequence[str] = ("accuracy", "loss")) -> None:
        super().__init__()
        self.label = label
        self.metrics = tuple(metrics)
        self.history: dict[str, list[float]] = {}
        self._display: DisplayHandle | None = None

    def on_train_begin(self, logs=None):
        """Forget what an earlier training has shown."""
        self.history = {}
        self._display = None

    def on_epoch_end(self, epoch, logs=None):
        """Add the epoch's values and show the figure."""
        for name, value in (logs or {}).items():
            self.history.setdefault(name, []).append(float(value))
        if not in_notebook():
            return
        figure = plots.histories({self.label: self.history}, self.metrics)
        if self._display is None:
            self._display = DisplayHandle()
            self._display.display(figure)
        else:
            self._display.update(figure)


def in_notebook() -> bool:
    """Tell whether the code runs in a Jupyter kernel.

    Returns
    -------
    bool

    Examples
    --------
    >>> in_notebook()
    False
    """
    from IPython import get_ipython

    shell = get_ipython()
    return shell is not None and hasattr(shell, "kernel")
