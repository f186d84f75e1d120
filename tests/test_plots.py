import inspect
import sys
from types import FunctionType

import matplotlib
import numpy as np
import pytest

matplotlib.use("agg")

import matplotlib.pyplot as plt
from matplotlib.colors import to_rgb
from matplotlib.patches import Rectangle

from course_utils import plots
from course_utils.backend import keras

pytestmark = pytest.mark.filterwarnings(
    "error::UserWarning", "error::RuntimeWarning", "error::DeprecationWarning"
)

RANDOM = np.random.default_rng(0)
PHOTO = RANDOM.uniform(size=(12, 10))
COLOUR = RANDOM.integers(0, 256, (6, 8, 3)).astype(np.uint8)
KERNEL = np.array([[-2.0, 0, 1], [-1, 0, 1.5], [-1, 0.25, 1]])
BLUR = np.full((3, 3), 1 / 9)


@pytest.fixture(autouse=True)
def _no_figure_stays_open():
    """Whatever a test draws, pyplot must not show it a second time."""
    plt.close("all")
    yield
    assert plt.get_fignums() == []


def rendered(figure):
    """Draw a figure for real, so that what cannot be drawn fails, and return it."""
    figure.canvas.draw()
    return figure


def picture(axis):
    """The array that an axis shows, as it was given."""
    (image,) = axis.images
    return np.asarray(image.get_array())


def limits(axis):
    return axis.images[0].get_clim()


def titles(figure):
    return [axis.get_title() for axis in figure.axes]


def numbers(axis):
    return [text.get_text() for text in axis.texts]


def squares(axis):
    """Left, top, width and height of the rectangles on an axis, in pixels of its image."""
    patches = [patch for patch in axis.patches if isinstance(patch, Rectangle)]
    return [(*patch.get_xy(), patch.get_width(), patch.get_height()) for patch in patches]


def test_every_public_function_is_drawn_by_a_test_here():
    public = {
        name
        for name, function in inspect.getmembers(plots, inspect.isfunction)
        if function.__module__ == plots.__name__ and not name.startswith("_")
    }
    tests = [
        test
        for name, test in vars(sys.modules[__name__]).items()
        if isinstance(test, FunctionType) and name.startswith("test_")
    ]
    used = {name for test in tests for name in test.__code__.co_names}
    assert public - used == set()


# Pictures


def test_image_grid_shows_the_pictures_in_order():
    figure = rendered(plots.image_grid([PHOTO, COLOUR, PHOTO + 5], ["a", "b", "c"], title="All"))
    assert titles(figure) == ["a", "b", "c"]
    assert figure.get_suptitle() == "All"
    for axis, image in zip(figure.axes, [PHOTO, COLOUR, PHOTO + 5], strict=True):
        np.testing.assert_array_equal(picture(axis), image)
        assert not axis.get_xticks().size
        assert not axis.get_yticks().size


def test_image_grid_stretches_every_grey_picture_on_its_own():
    figure = plots.image_grid([PHOTO, PHOTO + 5])
    assert limits(figure.axes[0]) == (PHOTO.min(), PHOTO.max())
    assert limits(figure.axes[1]) == (PHOTO.min() + 5, PHOTO.max() + 5)
    assert {axis.images[0].get_cmap().name for axis in figure.axes} == {"gray"}


def test_image_grid_can_hold_all_pictures_to_one_scale():
    figure = plots.image_grid([PHOTO, PHOTO + 5], limits=(0, 6))
    assert [limits(axis) for axis in figure.axes] == [(0, 6), (0, 6)]


@pytest.mark.parametrize(
    ("count", "columns", "shape"),
    [(5, None, (1, 5)), (5, 2, (3, 2)), (4, 2, (2, 2)), (3, 8, (1, 3)), (1, 1, (1, 1))],
)
def test_image_grid_has_as_many_columns_as_asked(count, columns, shape):
    figure = rendered(plots.image_grid([PHOTO] * count, columns=columns))
    assert len(figure.axes) == count
    assert figure.axes[0].get_gridspec().get_geometry() == shape
    tops = {round(axis.get_position().y1, 3) for axis in figure.axes}
    assert len(tops) == shape[0]


@pytest.mark.parametrize(
    "image",
    [KERNEL, -KERNEL, KERNEL[..., np.newaxis], np.zeros((3, 3)), np.full((3, 3), 200, np.uint8)],
)
def test_signed_pictures_have_a_scale_that_is_symmetric_about_0(image):
    (axis,) = rendered(plots.image_grid([image], signed=True)).axes
    low, high = limits(axis)
    assert low == -high
    assert high == (np.abs(image).max() or 1)
    red, white, blue = (axis.images[0].cmap(axis.images[0].norm(v)) for v in (high, 0, low))
    assert min(white[:3]) > 0.95
    assert red[0] > red[2]
    assert blue[2] > blue[0]


@pytest.mark.parametrize(
    ("images", "names"), [([], None), ([], []), ([PHOTO], []), ([PHOTO], ["a", "b"])]
)
def test_image_grid_refuses_no_pictures_and_titles_that_do_not_match(images, names):
    message = f"{len(images)} pictures and {len(names or [])} titles: expected as many"
    with pytest.raises(ValueError, match=message):
        plots.image_grid(images, names)


def test_image_grid_takes_one_array_of_many_pictures():
    batch = RANDOM.integers(0, 256, (4, 8, 8)).astype(np.uint8)
    figure = plots.image_grid(batch, titles=np.arange(4))
    assert titles(figure) == ["0", "1", "2", "3"]
    np.testing.assert_array_equal(picture(figure.axes[3]), batch[3])


@pytest.mark.parametrize("shape", [(5, 7), (5, 7, 1), (5, 7, 3)])
def test_show_image_draws_on_the_axis_that_it_is_given(shape):
    image = RANDOM.uniform(size=shape)
    figure = plots.Figure()
    axis = figure.add_subplot()
    assert plots.show_image(axis, image, "a title") is None
    rendered(figure)
    np.testing.assert_array_equal(picture(axis), image.squeeze())
    assert axis.get_title() == "a title"
    assert not axis.get_xticks().size


# Numbers


@pytest.mark.parametrize("signed", [False, True])
def test_show_numbers_writes_every_value_where_it_stands(signed):
    axis = plots.Figure().add_subplot()
    plots.show_numbers(axis, [[1, -2.5], [1 / 3, 1000], [0, 7]], "six", signed, fontsize=6)
    assert numbers(axis) == ["1", "-2.5", "0.333", "1e+03", "0", "7"]
    assert [text.get_position() for text in axis.texts[:3]] == [(0, 0), (1, 0), (0, 1)]
    assert {text.get_fontsize() for text in axis.texts} == {6}
    assert axis.get_title() == "six"


@pytest.mark.parametrize("signed", [False, True])
@pytest.mark.parametrize(
    "array", [np.linspace(-3, 3, 16).reshape(4, 4), np.eye(3), np.ones((2, 2))]
)
def test_the_numbers_can_be_told_from_the_squares_below_them(array, signed):
    axis = plots.Figure().add_subplot()
    plots.show_numbers(axis, array, signed=signed)
    image = axis.images[0]
    for text, value in zip(axis.texts, array.flat, strict=True):
        ground = np.mean(image.cmap(image.norm(value))[:3])
        assert abs(np.mean(to_rgb(text.get_color())) - ground) > 0.3


def test_number_grids_shows_arrays_side_by_side_and_frames_a_patch():
    grids = {"I": np.arange(25).reshape(5, 5), "K": KERNEL, "O": np.zeros((2, 3))}
    figure = rendered(plots.number_grids(grids, frames={list(grids)[0]: (1, 2, 3)}))
    assert titles(figure) == ["I", "K", "O"]
    for axis, array in zip(figure.axes, grids.values(), strict=True):
        np.testing.assert_array_equal(picture(axis), array)
        assert numbers(axis) == [f"{value:.3g}" for value in array.flat]
    assert squares(figure.axes[0]) == [(1.5, 0.5, 3, 3)]
    assert squares(figure.axes[1]) == squares(figure.axes[2]) == []
    assert limits(figure.axes[1]) == (-2, 2)
    assert limits(figure.axes[0]) == (0, 24)


def test_number_grids_without_a_patch_frames_nothing():
    (axis,) = rendered(plots.number_grids({"I": np.eye(2)})).axes
    assert squares(axis) == []


# Filters


def test_filtered_shows_image_kernel_and_result():
    result = RANDOM.normal(size=(10, 8))
    figure = rendered(plots.filtered(PHOTO, KERNEL, result, "some edges"))
    for axis, array in zip(figure.axes, [PHOTO, KERNEL, result], strict=True):
        np.testing.assert_array_equal(picture(axis), array)
    assert titles(figure) == ["image 12 × 10", "some edges", "filtered 10 × 8"]
    assert len(numbers(figure.axes[1])) == 9
    assert titles(plots.filtered(PHOTO, KERNEL, result))[1] == "kernel"


def test_differences_have_0_in_the_middle_and_averages_the_scale_of_the_image():
    edges = KERNEL - KERNEL.mean()
    result = RANDOM.normal(size=(10, 8))
    low, high = limits(plots.filtered(PHOTO, edges, result).axes[2])
    assert low == -high < 0
    assert limits(plots.filtered(PHOTO, BLUR, result).axes[2]) == (PHOTO.min(), PHOTO.max())
    assert limits(plots.filtered(PHOTO, edges, np.zeros((10, 8))).axes[2]) == (-1, 1)


@pytest.mark.parametrize("count", [1, 2, 3, 8])
def test_filter_table_shows_every_kernel_and_its_result(count):
    kernels = {f"kernel {number}": KERNEL * (number + 1) for number in range(count)}
    results = [RANDOM.normal(size=(10, 8)) for _ in range(count)]
    figure = rendered(plots.filter_table(PHOTO, kernels, results))
    rows = -(-count // 2)
    assert titles(figure).count("image") == rows
    by_title = {axis.get_title(): axis for axis in figure.axes}
    for name, kernel in kernels.items():
        np.testing.assert_array_equal(picture(by_title[name]), kernel)
        assert len(numbers(by_title[name])) == 9
    shown = [picture(axis) for axis in figure.axes if axis.get_title() == "filtered"]
    assert len(figure.axes) == rows + 2 * count
    for array, result in zip(shown, results, strict=True):
        np.testing.assert_array_equal(array, result)


def test_bank_responses_shows_kernels_on_top_and_images_on_the_left():
    bank = {"real": KERNEL, "complex": KERNEL + 1j, "third": BLUR}
    images = RANDOM.uniform(size=(2, 9, 9))
    responses = RANDOM.uniform(1, 2, size=(2, 9, 9, 3)) * [[[[1]]], [[[5]]]]
    figure = rendered(plots.bank_responses(images, bank, responses, "A bank"))
    assert figure.get_suptitle() == "A bank"
    assert titles(figure) == [*bank, *[""] * 8]
    expected = [np.real(kernel) for kernel in bank.values()]
    for image, maps in zip(images, responses, strict=True):
        expected += [image, *np.moveaxis(maps, -1, 0)]
    for axis, array in zip(figure.axes, expected, strict=True):
        np.testing.assert_array_equal(picture(axis), array)
    for row, maps in enumerate(responses):
        drawn = figure.axes[4 + 4 * row : 7 + 4 * row]
        assert {limits(axis) for axis in drawn} == {(0, maps.max())}


def test_a_mosaic_lays_pictures_out_row_by_row_with_white_between_them():
    pictures = np.zeros((5, 2, 3, 3), np.uint8)
    pictures[..., 0] = np.arange(10, 60, 10)[:, np.newaxis, np.newaxis]
    (axis,) = rendered(plots.mosaic(pictures, columns=2, gap=1)).axes
    shown = picture(axis)
    assert shown.shape == (3 * 2 + 2, 2 * 3 + 1, 3)
    assert [shown[row, column, 0] for row in (0, 3, 6) for column in (0, 4)] == [
        *(10, 20, 30, 40, 50, 255)
    ]
    assert (shown[2] == 255).all()
    assert (shown[:, 3] == 255).all()
    np.testing.assert_array_equal(shown[3:5, 4:7], pictures[3])


def test_a_mosaic_colours_every_map_on_its_own_scale_and_leaves_silent_ones_white():
    maps = np.zeros((4, 2, 2))
    maps[0, 0, 0], maps[1, 0, 0], maps[2] = 1, 1000, 7.0
    (axis,) = rendered(plots.mosaic(maps, title="Channels", gap=0)).axes
    shown = picture(axis)
    np.testing.assert_array_equal(shown[:, :2], shown[:, 2:4])
    dark, bright = (plt.get_cmap("viridis")(value)[:3] for value in (0.0, 1.0))
    np.testing.assert_allclose(shown[0, 0], bright)
    np.testing.assert_allclose(shown[1, 1], dark)
    np.testing.assert_allclose(shown[0, 4], dark)  # the same everywhere, but not silent
    assert (shown[:, 6:] == 1).all()
    assert axis.figure.get_suptitle() == "Channels"


@pytest.mark.parametrize("images", [np.zeros((0, 3, 3)), PHOTO, np.zeros((2, 3, 3, 2))])
def test_a_mosaic_refuses_what_it_cannot_show(images):
    with pytest.raises(ValueError, match="images has shape"):
        plots.mosaic(images)


# Curves

RUN = {"loss": [1.0, 0.5, 0.25], "val_loss": [1.1, 0.7, 0.6], "accuracy": [0.5, 0.7, 0.9]}


def test_histories_draws_a_panel_for_each_metric_and_a_colour_for_each_run():
    runs = {"one": RUN, "two": {"loss": [3.0, 2.0], "accuracy": [0.1, 0.2]}}
    figure = rendered(plots.histories(runs))
    accuracy, loss = figure.axes
    assert (accuracy.get_ylabel(), loss.get_ylabel()) == ("accuracy", "loss")
    assert {axis.get_xlabel() for axis in figure.axes} == {"epoch"}
    drawn = {line.get_label(): line for line in loss.lines}
    assert set(drawn) == {"one, training", "one, validation", "two, training"}
    assert list(drawn["one, training"].get_xdata()) == [1, 2, 3]
    assert list(drawn["one, training"].get_ydata()) == RUN["loss"]
    assert list(drawn["one, validation"].get_ydata()) == RUN["val_loss"]
    assert list(drawn["two, training"].get_ydata()) == [3.0, 2.0]
    assert drawn["one, training"].get_color() == drawn["one, validation"].get_color()
    assert drawn["one, training"].get_color() != drawn["two, training"].get_color()
    assert drawn["one, training"].get_linestyle() != drawn["one, validation"].get_linestyle()
    assert [list(line.get_ydata()) for line in accuracy.lines] == [RUN["accuracy"], [0.1, 0.2]]
    assert accuracy.get_legend() is not None


def test_histories_draws_the_metrics_that_it_is_asked_for():
    figure = rendered(plots.histories({"one": RUN}, metrics=["loss"]))
    assert [axis.get_ylabel() for axis in figure.axes] == ["loss"]


def test_a_run_of_one_epoch_can_be_drawn():
    (axis,) = rendered(plots.histories({"one": {"loss": [1.0]}}, ["loss"])).axes
    assert list(axis.lines[0].get_ydata()) == [1.0]


def refuse_an_unknown_metric():
    with pytest.raises(ValueError, match=r"Run 'one' has no 'lost', only loss, val_loss, accuracy"):
        plots.histories({"one": RUN}, metrics=["lost"])


def test_an_error_leaves_no_half_drawn_figure_that_a_notebook_would_show():
    refuse_an_unknown_metric()
    leaked = plt.get_fignums()
    plt.close("all")
    assert leaked == []


def test_histories_draws_every_run():
    runs = {f"run {number}": RUN for number in range(8)}
    (axis,) = plots.histories(runs, ["loss"]).axes
    assert len(axis.lines) == 16


def test_curves_draws_every_line_over_the_same_axis():
    lines = {"dense": [1.0, 0.5, 0.2], "convnet": [1.0, 0.9, 0.8]}
    (axis,) = rendered(plots.curves([0, 2, 4], lines, "shift", "accuracy", "Shifts", (5, 3))).axes
    assert (axis.get_xlabel(), axis.get_ylabel(), axis.get_title()) == (
        *("shift", "accuracy"),
        "Shifts",
    )
    assert {line.get_label(): list(line.get_ydata()) for line in axis.lines} == lines
    assert [list(line.get_xdata()) for line in axis.lines] == [[0, 2, 4]] * 2
    assert [text.get_text() for text in axis.get_legend().get_texts()] == list(lines)
    assert tuple(axis.figure.get_size_inches()) == (5, 3)


def test_long_curves_have_no_markers():
    x = np.linspace(-1, 1, 100)
    (axis,) = rendered(plots.curves(x, {"relu": np.maximum(x, 0)}, "z", "relu(z)")).axes
    assert axis.lines[0].get_marker() == "None"
    np.testing.assert_array_equal(axis.lines[0].get_ydata(), np.maximum(x, 0))


def boxes_of(figure):
    return [patch for patch in figure.axes[0].patches if isinstance(patch, Rectangle)]


def test_a_layer_diagram_has_a_box_for_each_layer_and_an_arrow_for_each_join():
    layers = keras.layers
    x = keras.Input((8, 8, 4))
    y = layers.Conv2D(4, 3, padding="same", name="first")(x)
    out = layers.Dense(2)(layers.Flatten()(layers.MaxPooling2D()(layers.Add()([x, y]))))
    model = keras.Model(x, out)
    model.get_layer("first").trainable = False
    figure = plots.layer_diagram(model)
    boxes = boxes_of(figure)
    assert len(boxes) == len(model.layers) == 6
    arrows = [text for text in figure.axes[0].texts if not text.get_text()]
    assert len(arrows) == 6  # one of them passes over the convolution
    colours = [box.get_facecolor()[:3] for box in boxes]
    grey, blue = colours[1], colours[5]
    assert grey[0] == grey[1] == grey[2] != 1
    assert blue[2] > blue[0]
    assert boxes[0].get_height() > boxes[3].get_height()  # half the side


def test_a_model_inside_a_model_is_one_box():
    base = keras.Sequential([keras.Input((8, 8, 3)), keras.layers.Conv2D(4, 3)], name="base")
    net = keras.Sequential([base, keras.layers.Flatten(), keras.layers.Dense(1)])
    net(np.zeros((1, 8, 8, 3)))
    figure = plots.layer_diagram(net)
    assert len(boxes_of(figure)) == 3
    assert "base" in figure.axes[0].texts[0].get_text()
