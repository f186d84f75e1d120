"""Training with a display that fits a lecture: one table, redrawn after every epoch."""

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import numpy as np
from IPython.display import HTML, DisplayHandle

from course_utils import plots
from course_utils.backend import keras, tf

History = dict[str, list[float]]


def set_seed(seed: int) -> None:
    """Seed Python, NumPy and TensorFlow, so that a run can be repeated.

    Parameters
    ----------
    seed : int
        Any number from 0 to 2**32 - 1.

    Examples
    --------
    >>> set_seed(0); first = np.random.rand()
    >>> set_seed(0); first == np.random.rand()
    True
    """
    keras.utils.set_random_seed(seed)


def compile_classifier(
    model: keras.Model,
    learning_rate: float = 1e-3,
    steps: int | None = None,
    optimizer: type[keras.optimizers.Optimizer] = keras.optimizers.RMSprop,
    warm_up: float = 0.05,
) -> None:
    """Prepare a model that tells classes apart for training on their numbers.

    It minimises the cross-entropy: the binary one where the model has a single output. With
    `steps`, the learning rate first rises, and then falls to nothing along a cosine, so that
    the last steps settle where a constant rate would still jump about (Loshchilov and Hutter,
    "SGDR", arXiv:1608.03983).

    Parameters
    ----------
    model : keras.Model
        Its outputs are the probabilities of the classes; a single one is that of class 1.
    learning_rate : float
        The constant rate, or with `steps` the highest one.
    steps : int, optional
        Batches that training will take in all.
    optimizer : class
        For example ``keras.optimizers.Adam``.
    warm_up : float
        Share of the steps during which the rate rises.

    Examples
    --------
    >>> model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1, "sigmoid")])
    >>> compile_classifier(model, 1e-4)
    >>> model.loss, type(model.optimizer).__name__, round(float(model.optimizer.learning_rate), 6)
    ('binary_crossentropy', 'RMSprop', 0.0001)
    """
    rate = learning_rate
    if steps:
        rise = int(warm_up * steps)
        schedule = keras.optimizers.schedules.CosineDecay
        if rise:
            rate = schedule(0.0, steps - rise, warmup_target=learning_rate, warmup_steps=rise)
        else:
            rate = schedule(learning_rate, steps)
    kind = "binary" if model.output_shape[-1] == 1 else "sparse_categorical"
    model.compile(optimizer(rate), loss=f"{kind}_crossentropy", metrics=["accuracy"])


@contextmanager
def computing_in(precision: str) -> Iterator[None]:
    """Let Keras build layers that compute in another precision inside the ``with`` block.

    Parameters
    ----------
    precision : str
        ``"float32"``, or ``"mixed_bfloat16"``, which takes half the time on processors that
        know it. Weights are kept in float32 either way.

    Examples
    --------
    >>> with computing_in("mixed_bfloat16"):
    ...     layer = keras.layers.Dense(2)
    >>> layer.compute_dtype, layer.variable_dtype
    ('bfloat16', 'float32')
    """
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy(precision)
    try:
        yield
    finally:
        keras.config.set_dtype_policy(before)


def fit(
    model: keras.Model,
    x: np.ndarray | tf.data.Dataset,
    y: np.ndarray | None = None,
    epochs: int = 1,
    batch_size: int = 64,
    validation_data: tuple[np.ndarray, np.ndarray] | tf.data.Dataset | None = None,
    callbacks: Sequence[keras.callbacks.Callback] = (),
) -> History:
    """Train a compiled model, showing one row for each epoch in a table that grows.

    With a `LivePlot` among the callbacks, its curves are shown instead of the table.

    Parameters
    ----------
    model : keras.Model
        Compiled.
    x, y : arrays of the same length
        Inputs and targets; or, as `x` alone, batches of both, as `pipeline.batches` makes them.
    epochs : int
        Times that the data is gone through.
    batch_size : int
        Examples in one step, where `x` and `y` are arrays.
    validation_data : (array, array) or batches, optional
        Inputs and targets to measure on after every epoch.
    callbacks : sequence of keras.callbacks.Callback
        Called besides the table.

    Returns
    -------
    dict of str to list of float
        One value for each epoch: the loss, the metrics, the same with ``val_`` in front, and
        ``seconds``, the time that the epoch took, measuring included.

    Raises
    ------
    ValueError
        If inputs and targets differ in length, there are none, or a number is below 1; or if
        layers were frozen or unfrozen after an earlier training, and the model was not compiled
        again since: Keras would go on as before, without a word.

    Examples
    --------
    >>> model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)])
    >>> model.compile("sgd", "mse")
    >>> sorted(fit(model, np.zeros((8, 2)), np.zeros(8), epochs=1))
    ['loss', 'seconds']
    """
    in_batches = y is None
    if not in_batches and (len(x) != len(y) or len(x) == 0):
        raise ValueError(f"{len(x)} inputs and {len(y)} targets: expected as many, and some.")
    if epochs < 1 or batch_size < 1:
        raise ValueError(f"epochs is {epochs}, batch_size {batch_size}; expected 1 or more.")
    _check_compiled_since(model)
    plotted = any(isinstance(callback, LivePlot) for callback in callbacks)
    table = EpochTable(epochs, shown=not plotted)
    history = model.fit(
        x,
        y,
        epochs=epochs,
        batch_size=None if in_batches else batch_size,
        shuffle=not in_batches,
        validation_data=validation_data,
        callbacks=[*callbacks, table],  # the table last: others add to what it shows
        verbose=0,
    ).history
    return {
        **{name: [float(v) for v in values] for name, values in history.items()},
        "seconds": table.seconds,
    }


def _check_compiled_since(model: keras.Model) -> None:
    """Refuse a model whose optimizer was prepared for other weights than are to be trained."""
    optimizer = getattr(model, "optimizer", None)
    if optimizer is None or not optimizer.built:
        return
    optimizer = getattr(optimizer, "inner_optimizer", optimizer)
    prepared = {id(weight) for weight in optimizer._trainable_variables}
    changed = [w.path for w in model.weights if w.trainable != (id(w) in prepared)]
    if changed:
        raise ValueError(
            f"{len(changed)} weights of {model.name!r} were frozen or unfrozen since it was "
            f"compiled (the first is {changed[0]}). Compile it again, so that this takes effect."
        )


class EpochTable(keras.callbacks.Callback):
    """A Keras callback that shows the losses and metrics of all epochs so far.

    In a notebook the table is one output, replaced after each epoch, so that what is stored
    is the finished table; elsewhere nothing is shown.

    Parameters
    ----------
    epochs : int
        How many are planned.
    shown : bool
        Whether to show it; if not, only the seconds are kept.
    """

    def __init__(self, epochs: int, shown: bool = True) -> None:
        super().__init__()
        self.epochs = epochs
        self.shown = shown
        self.rows: list[dict[str, float]] = []
        self.seconds: list[float] = []
        self._display: DisplayHandle | None = None

    def on_epoch_begin(self, epoch, logs=None):
        """Start the clock, and say at once that training runs."""
        self._start = time.perf_counter()
        if epoch == 0 and self.shown and in_notebook():
            self._display = DisplayHandle()
            self._display.display(HTML(f"<p>Epoch 1 of {self.epochs} …</p>"))

    def on_epoch_end(self, epoch, logs=None):
        """Add the epoch's row."""
        self.seconds.append(round(time.perf_counter() - self._start, 2))
        self.rows.append(dict(logs or {}))
        if self._display:
            self._display.update(HTML(self._as_html()))

    def _as_html(self) -> str:
        """Write the rows as a table."""
        names = list(self.rows[0])
        head = "".join(
            f"<th>{name.replace('_', ' ')}</th>" for name in ["epoch", *names, "seconds"]
        )
        body = ""
        for number, (row, seconds) in enumerate(zip(self.rows, self.seconds, strict=True), start=1):
            values = "".join(f"<td>{row[name]:.4f}</td>" for name in names)
            body += f"<tr><td>{number} of {self.epochs}</td>{values}<td>{seconds:.1f}</td></tr>"
        return f"<table><tr>{head}</tr>{body}</table>"


class LivePlot(keras.callbacks.Callback):
    """A Keras callback that draws the curves of loss and accuracy anew after each epoch.

    In a notebook the figure is one output, replaced after each epoch; elsewhere nothing is
    shown.

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
        self.history: History = {}
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
