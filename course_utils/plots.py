"""Figures of the course. Each function returns a figure; a cell shows it by naming it last.

Importing this module sets fonts and colours that read from the back row.
"""

from collections.abc import Mapping, Sequence
from itertools import cycle
from textwrap import fill
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

History = Mapping[str, Sequence[float]]

# Colours of Okabe and Ito, told apart by colour-blind eyes too.
COLORS = ["#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9"]

plt.rcParams.update(
    {
        "axes.prop_cycle": plt.cycler(color=COLORS),
        "axes.spines.right": False,
        "axes.spines.top": False,
        "axes.titlesize": 11,
        "figure.constrained_layout.use": True,
        "figure.dpi": 90,
        "font.size": 11,
        "image.cmap": "gray",
        "image.interpolation": "auto",
        "lines.linewidth": 2,
    }
)


def image_grid(
    images: Sequence[np.ndarray],
    titles: Sequence[str] | None = None,
    columns: int | None = None,
    title: str = "",
    signed: bool = False,
    size: float = 1.6,
    limits: tuple[float, float] | None = None,
) -> Figure:
    """Show pictures in rows and columns.

    Parameters
    ----------
    images : sequence of arrays of shape (H, W) or (H, W, 3)
        Grey pictures are stretched from their darkest to their brightest pixel, each on its own.
    titles : sequence of str, optional
        One for each picture.
    columns : int, optional
        Pictures in a row; all in one row if not given.
    title : str
        Above the whole figure.
    signed : bool
        Show grey pictures in blue (negative), white (zero) and red (positive), as kernels are.
    size : float
        Width of one picture in inches.
    limits : (float, float), optional
        Values drawn black and white, the same for all grey pictures.

    Returns
    -------
    matplotlib.figure.Figure

    Raises
    ------
    ValueError
        If there are no pictures, or more or fewer titles than pictures.

    Examples
    --------
    >>> len(image_grid([np.eye(3), np.ones((3, 3, 3))], columns=1).axes)
    2
    """
    if len(images) == 0 or (titles is not None and len(titles) != len(images)):
        raise ValueError(
            f"{len(images)} pictures and {len(titles or [])} titles: expected as many, and some."
        )
    columns = min(columns or len(images), len(images))
    rows = -(-len(images) // columns)
    shape = max((np.shape(image) for image in images), key=lambda shape: shape[0] / shape[1])
    height = size * shape[0] / shape[1] + (0.35 if titles is not None else 0.05)
    figsize = (columns * size, rows * height + (0.4 if title else 0))
    figure, axes = plt.subplots(rows, columns, figsize=figsize, squeeze=False)
    for axis in axes.flat[len(images) :]:
        axis.remove()
    for number, (axis, image) in enumerate(zip(axes.flat, images, strict=False)):
        show_image(axis, image, titles[number] if titles is not None else "", signed)
        if limits:
            axis.images[0].set_clim(limits)
    figure.suptitle(title)
    return _finished(figure)


def mosaic(
    images: np.ndarray, columns: int = 16, title: str = "", width: float = 9.0, gap: int = 1
) -> Figure:
    """Show many small pictures of one size as a single image, such as all channels of a layer.

    Much quicker than `image_grid` for hundreds of pictures, but without a title for each.

    Parameters
    ----------
    images : array of shape (N, H, W) or (N, H, W, 3)
        Maps are coloured from their lowest value (dark) to their highest (yellow), each on its
        own; those that are zero everywhere are white. Pictures are shown as they are: ``uint8``,
        or float in [0, 1].
    columns : int
        Pictures in a row.
    title : str
    width : float
        Of the figure in inches.
    gap : int
        White pixels between two pictures.

    Returns
    -------
    matplotlib.figure.Figure

    Raises
    ------
    ValueError
        If there is no picture, or the axes are others.

    Examples
    --------
    >>> mosaic(np.zeros((5, 3, 3)), columns=2, gap=1).axes[0].images[0].get_array().shape
    (11, 7, 3)
    """
    from skimage.util import montage

    images = np.asarray(images)
    if not images.size or not (images.ndim == 3 or images.ndim == 4 and images.shape[-1] == 3):
        raise ValueError(f"images has shape {images.shape}; expected (N, H, W) or (N, H, W, 3).")
    pictures = _map_colours(images) if images.ndim == 3 else images
    columns = min(columns, len(pictures))
    shape = (-(-len(pictures) // columns), columns)
    white = [255 if pictures.dtype == np.uint8 else 1.0] * 3
    canvas = montage(pictures, white, grid_shape=shape, padding_width=gap, channel_axis=-1)
    canvas = canvas[gap : len(canvas) - gap, gap : canvas.shape[1] - gap]
    figsize = (width, width * len(canvas) / canvas.shape[1] + (0.4 if title else 0))
    figure, axis = plt.subplots(figsize=figsize)
    axis.imshow(canvas, interpolation="nearest")
    axis.set_axis_off()
    figure.suptitle(title)
    return _finished(figure)


def show_image(axis: plt.Axes, image: np.ndarray, title: str = "", signed: bool = False) -> None:
    """Draw one picture without ticks.

    Parameters
    ----------
    axis : matplotlib.axes.Axes
        Where to draw.
    image : array of shape (H, W), (H, W, 1) or (H, W, 3)
    title : str
    signed : bool
        As for `image_grid`.
    """
    if signed:
        limit = float(np.abs(image).max()) or 1  # of bytes, the negative would not be one
        axis.imshow(image, cmap="RdBu_r", vmin=-limit, vmax=limit)
    else:
        axis.imshow(image)
    axis.set(title=title, xticks=[], yticks=[])
    axis.spines[:].set_visible(True)


def filtered(image: np.ndarray, kernel: np.ndarray, result: np.ndarray, title: str = "") -> Figure:
    """Show an image, a kernel with its numbers, and the filtered image side by side.

    Where the kernel sums to 0, so that the result is a difference, 0 is drawn as middle grey;
    otherwise the result has the brightness scale of the image.

    Parameters
    ----------
    image, result : arrays of shape (H, W)
    kernel : array of shape (F_h, F_w)
    title : str
        Name of the kernel.

    Returns
    -------
    matplotlib.figure.Figure

    Examples
    --------
    >>> len(filtered(np.eye(5), np.ones((3, 3)), np.eye(3)).axes)
    3
    """
    figure, axes = plt.subplots(1, 3, figsize=(8, 2.9), width_ratios=[1, 0.6, 1])
    show_image(axes[0], image, f"image {image.shape[0]} × {image.shape[1]}")
    show_numbers(axes[1], kernel, title or "kernel", signed=True)
    show_image(axes[2], result, f"filtered {result.shape[0]} × {result.shape[1]}")
    axes[2].images[0].set_clim(_brightness(image, kernel, result))
    return _finished(figure)


def filter_table(
    image: np.ndarray, kernels: Mapping[str, np.ndarray], results: Sequence[np.ndarray]
) -> Figure:
    """Show image, kernels and filtered images side by side, two kernels in a row.

    Brightness is as in `filtered`.

    Parameters
    ----------
    image : array of shape (H, W)
    kernels : mapping of str to array of shape (F_h, F_w)
        Names and kernels.
    results : sequence of arrays of shape (H, W)
        The image filtered with each kernel, in the same order.

    Returns
    -------
    matplotlib.figure.Figure

    Raises
    ------
    ValueError
        If there are more or fewer results than kernels.

    Examples
    --------
    >>> len(filter_table(np.eye(5), {"blur": np.ones((3, 3))}, [np.eye(3)]).axes)
    3
    """
    if len(kernels) != len(results):
        raise ValueError(f"{len(kernels)} kernels and {len(results)} results: expected as many.")
    rows = -(-len(kernels) // 2)
    widths = [1, 0.75, 1, 0.75, 1]
    figure, axes = plt.subplots(
        rows, 5, figsize=(7.8, 1.7 * rows), width_ratios=widths, squeeze=False
    )
    for axis in axes[:, 0]:
        show_image(axis, image, "image")
    pairs = axes[:, 1:].reshape(-1, 2)
    for pair, (name, kernel), result in zip(pairs, kernels.items(), results, strict=False):
        show_numbers(pair[0], kernel, name, signed=True, fontsize=8)
        show_image(pair[1], result, "filtered")
        pair[1].images[0].set_clim(_brightness(image, kernel, result))
    for axis in pairs[len(kernels) :].flat:
        axis.remove()
    return _finished(figure)


def number_grids(
    arrays: Mapping[str, np.ndarray], frames: Mapping[str, tuple[int, int, int]] | None = None
) -> Figure:
    """Show small arrays as tables of numbers on coloured squares.

    Parameters
    ----------
    arrays : mapping of str to array of shape (H, W)
        Titles and arrays, drawn side by side.
    frames : mapping of str to (int, int, int), optional
        By title, row, column and size of a square to frame in that array.

    Returns
    -------
    matplotlib.figure.Figure

    Examples
    --------
    >>> len(number_grids({"I": np.eye(5), "K": np.ones((3, 3))}, frames={"I": (0, 0, 3)}).axes)
    2
    """
    widths = [array.shape[1] for array in arrays.values()]
    tallest = max(array.shape[0] for array in arrays.values())
    figsize = (0.62 * sum(widths) + len(widths) * 0.5, 0.62 * tallest + 1.0)
    figure, axes = plt.subplots(1, len(arrays), figsize=figsize, width_ratios=widths, squeeze=False)
    for axis, (title, array) in zip(axes.flat, arrays.items(), strict=True):
        show_numbers(axis, array, title, signed=(np.asarray(array) < 0).any())
        if frames and title in frames:
            row, column, size = frames[title]
            corner = (column - 0.5, row - 0.5)
            style = {"fill": False, "lw": 4, "ec": COLORS[1], "clip_on": False}
            axis.add_patch(Rectangle(corner, size, size, **style))
    return _finished(figure)


def show_numbers(
    axis: plt.Axes, array: np.ndarray, title: str = "", signed: bool = False, fontsize: float = 11
) -> None:
    """Draw a small array as numbers on squares whose colour follows the value.

    Parameters
    ----------
    axis : matplotlib.axes.Axes
        Where to draw.
    array : array of shape (H, W)
    title : str
    signed : bool
        As for `image_grid`; otherwise dark is small and bright is large.
    fontsize : float
        Of the numbers, in points.
    """
    array = np.asarray(array)
    show_image(axis, array, title, signed)
    low, high = axis.images[0].get_clim()
    for (row, column), value in np.ndenumerate(array):
        shade = (value - low) / (high - low) if high > low else 0.0
        dark = not 0.15 < shade < 0.85 if signed else shade <= 0.5
        ink = "white" if dark else "black"
        style = {"ha": "center", "va": "center", "color": ink, "fontsize": fontsize}
        axis.text(column, row, f"{value:.3g}", **style)


def bank_responses(
    images: Sequence[np.ndarray],
    kernels: Mapping[str, np.ndarray],
    responses: np.ndarray,
    title: str = "",
) -> Figure:
    """Show a bank at work: one row for each image, one column for each kernel.

    Parameters
    ----------
    images : sequence of N arrays of shape (H, W)
    kernels : mapping of str to array of shape (F_h, F_w)
        K labelled kernels; of complex ones the real part is drawn.
    responses : array of shape (N, H, W, K)
        Drawn on one scale for each image, so that strong and weak responses differ.
    title : str

    Returns
    -------
    matplotlib.figure.Figure

    Examples
    --------
    >>> bank = {"a": np.ones((3, 3)), "b": np.eye(3)}
    >>> len(bank_responses([np.eye(8)], bank, np.ones((1, 8, 8, 2))).axes)
    5
    """
    rows, columns = len(images) + 1, len(kernels) + 1
    figure, axes = plt.subplots(
        rows, columns, figsize=(1.25 * columns, 1.25 * rows + 0.5), squeeze=False
    )
    axes[0, 0].remove()
    for axis, (label, kernel) in zip(axes[0, 1:], kernels.items(), strict=True):
        show_image(axis, np.real(kernel), label.replace(", ", "\n"), signed=True)
    for row, image, maps in zip(axes[1:], images, responses, strict=True):
        show_image(row[0], image)
        for number, axis in enumerate(row[1:]):
            show_image(axis, maps[..., number])
            axis.images[0].set_clim(0, maps.max())
    figure.suptitle(title)
    return _finished(figure)


def histories(runs: Mapping[str, History], metrics: Sequence[str] = ("accuracy", "loss")) -> Figure:
    """Draw training curves: one panel for each metric, one colour for each run.

    Parameters
    ----------
    runs : mapping of str to history
        Labels, and histories as ``fit`` returns them.
    metrics : sequence of str
        Names without ``val_``. Training is drawn thin and dashed, validation, where recorded,
        thick.

    Returns
    -------
    matplotlib.figure.Figure

    Raises
    ------
    ValueError
        If a run has not recorded a metric.

    Examples
    --------
    >>> len(histories({"net": {"loss": [1.0, 0.5]}}, metrics=["loss"]).axes)
    1
    """
    for label, history in runs.items():
        for metric in metrics:
            if metric not in history:
                raise ValueError(f"Run {label!r} has no {metric!r}, only {', '.join(history)}.")
    figure, axes = plt.subplots(1, len(metrics), figsize=(5 * len(metrics), 3.4), squeeze=False)
    for axis, metric in zip(axes.flat, metrics, strict=True):
        for color, (label, history) in zip(cycle(COLORS), runs.items(), strict=False):
            epochs = np.arange(1, len(history[metric]) + 1)
            dots = "o" if len(epochs) < 30 else ""
            style = {"lw": 1.2, "ms": 3, "c": color, "label": f"{label}, training"}
            axis.plot(epochs, history[metric], f"--{dots}", **style)
            if f"val_{metric}" in history:
                style = {"ms": 4, "c": color, "label": f"{label}, validation"}
                axis.plot(epochs, history[f"val_{metric}"], f"-{dots}", **style)
        axis.set(xlabel="epoch", ylabel=metric)
        axis.xaxis.get_major_locator().set_params(integer=True)
    axes.flat[0].legend(fontsize=9)
    return _finished(figure)


def layer_diagram(model: Any, title: str = "") -> Figure:
    """Draw the layers of a Keras model from left to right, joined as the model joins them.

    The larger the maps, the higher the box. Blue boxes have weights to train, grey ones frozen
    weights, white ones none.

    Parameters
    ----------
    model : keras.Model
        Sequential or functional; a model inside it is one box. Each layer is used once.
    title : str

    Returns
    -------
    matplotlib.figure.Figure

    Examples
    --------
    >>> import keras
    >>> net = keras.Sequential([keras.Input((4,)), keras.layers.Dense(2), keras.layers.ReLU()])
    >>> len(layer_diagram(net).axes[0].patches)
    2
    """
    import networkx as nx

    graph = _layer_graph(model)
    columns = list(nx.topological_generations(graph))
    rows = max(len(names) for names in columns)
    figure, axis = plt.subplots(figsize=(len(columns), 1.6 * rows + 0.3))
    place = {
        name: (column, (len(names) - 1) / 2 - row)
        for column, names in enumerate(columns)
        for row, name in enumerate(names)
    }
    sides = [layer.output.shape[1] for layer in model.layers if len(layer.output.shape) == 4]
    for layer in model.layers:
        _draw_layer(axis, layer, place[layer.name], max(sides, default=1))
    for source, target in graph.edges:
        (x, y), (to_x, to_y) = place[source], place[target]
        rad = (-1.5 / (to_x - x) if to_y == y else 0.2 * (to_y - y)) if to_x > x + 1 else 0
        arrow = {"arrowstyle": "->", "connectionstyle": f"arc3,rad={rad}"}
        axis.annotate("", (to_x - 0.28, to_y), (x + 0.32, y), arrowprops=arrow)
    axis.set(xlim=(-0.5, len(columns) - 0.5), ylim=(-rows / 2 - 0.3, rows / 2), title=title)
    axis.set_axis_off()
    return _finished(figure)


def curves(
    x: Sequence[float],
    lines: Mapping[str, Sequence[float]],
    xlabel: str,
    ylabel: str,
    title: str = "",
    size: tuple[float, float] = (6, 3.4),
) -> Figure:
    """Draw labelled curves over a common axis.

    Parameters
    ----------
    x : sequence of float
    lines : mapping of str to sequence of float
        Labels and values, each as long as `x`.
    xlabel, ylabel, title : str
    size : (float, float)
        Width and height in inches.

    Returns
    -------
    matplotlib.figure.Figure

    Examples
    --------
    >>> len(curves([0, 1], {"dense": [1, 0.5]}, "shift", "accuracy").axes[0].lines)
    1
    """
    figure, axis = plt.subplots(figsize=size)
    for label, values in lines.items():
        axis.plot(x, values, "-o" if len(x) < 30 else "-", ms=4, label=label)
    axis.set(xlabel=xlabel, ylabel=ylabel, title=title)
    axis.grid(alpha=0.3)
    axis.legend()
    return _finished(figure)


def _layer_graph(model: Any) -> Any:
    """Join the names of a model's layers as the model joins the layers."""
    import networkx as nx

    layers, graph = model.layers, nx.DiGraph()
    graph.add_nodes_from(layer.name for layer in layers)
    if type(model).__name__ == "Sequential":
        nx.add_path(graph, [layer.name for layer in layers])
        return graph
    makers = {id(layer.output): layer.name for layer in layers}
    for layer in layers:
        inputs = layer.input if isinstance(layer.input, list) else [layer.input]
        sources = [makers[id(x)] for x in inputs if id(x) in makers]
        graph.add_edges_from((source, layer.name) for source in sources if source != layer.name)
    return graph


def _draw_layer(axis: plt.Axes, layer: Any, place: tuple[float, float], largest: int) -> None:
    """Draw a box for a layer, with its name and the shape of its result below."""
    (x, y), shape = place, layer.output.shape[1:]
    height = 0.1 + (0.5 * shape[0] / largest if len(shape) == 3 else 0.2)
    colour = ("#9fc5e8" if layer.trainable else "#bbbbbb") if layer.weights else "white"
    axis.add_patch(Rectangle((x - 0.3, y - height / 2), 0.6, height, fc=colour, ec="black"))
    name = fill(layer.name.replace("_", " "), 12)
    style = {"ha": "center", "va": "top", "fontsize": 7.5}
    axis.text(x, y - height / 2 - 0.03, f"{name}\n{' × '.join(map(str, shape))}", **style)


def _map_colours(maps: np.ndarray) -> np.ndarray:
    """Colour each map on its own scale, and leave those white that are zero everywhere."""
    low, high = (bound(maps, axis=(1, 2), keepdims=True) for bound in (np.min, np.max))
    span = np.where(high > low, high - low, 1)
    colours = plt.get_cmap("viridis")((maps - low) / span)[..., :3]
    colours[~maps.any(axis=(1, 2))] = 1
    return colours


def _brightness(image: np.ndarray, kernel: np.ndarray, result: np.ndarray) -> tuple[float, float]:
    """Choose the values to draw black and white in a filtered image."""
    if abs(np.sum(kernel)) > 1e-6:
        return np.min(image), np.max(image)
    limit = np.percentile(np.abs(result), 99.5) or 1
    return -limit, limit


def _finished(figure: Figure) -> Figure:
    """Take the figure from pyplot's hands, so that a notebook shows it once, not twice."""
    plt.close(figure)
    return figure
