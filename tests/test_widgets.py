import ipywidgets
import matplotlib
import numpy as np
import pytest
from ipywidgets.widgets.widget import _instances

matplotlib.use("agg")

from course_utils import plots
from course_utils.convolution import conv2d
from course_utils.filters import IMAGE_KERNELS
from course_utils.widgets import KernelEditor, explore

KERNELS = {
    "first": np.arange(9.0).reshape(3, 3),
    "second": -np.arange(9.0).reshape(3, 3),
    "blur": np.full((3, 3), 1 / 9),
}


def shown(displayed):
    """The text of every output but the controls, and whether it replaced the one before."""
    pictures = [output for output in displayed if not is_widget(output)]
    return [(output["data"]["text/plain"], output["update"]) for output in pictures]


def is_widget(output):
    return "application/vnd.jupyter.widget-view+json" in output["data"]


def fields(editor):
    """The number fields of an editor, row by row, as a student finds them."""
    return [field for row in editor.children[1:] for field in row.children]


# Explore


def test_controls_come_first_and_then_what_they_make(displayed):
    power = ipywidgets.IntSlider(3)
    explore(lambda power: 2**power, power=power)
    assert [is_widget(output) for output in displayed] == [True, False]
    assert shown(displayed) == [("8", False)]


def test_a_change_of_a_control_replaces_the_picture(displayed):
    power = ipywidgets.IntSlider(3)
    explore(lambda power: 2**power, power=power)
    power.value = 5
    power.value = 5
    power.value = 0
    assert shown(displayed) == [("8", False), ("32", True), ("1", True)]
    pictures = [output for output in displayed if not is_widget(output)]
    assert len({output["transient"]["display_id"] for output in pictures}) == 1


def test_every_control_is_passed_by_its_name(displayed):
    a, b = ipywidgets.IntSlider(1), ipywidgets.Text("x")
    explore(lambda b, a: f"{a}{b}", a=a, b=b)
    b.value = "y"
    a.value = 2
    assert [text for text, _ in shown(displayed)] == ["'1x'", "'1y'", "'2y'"]


@pytest.mark.parametrize(
    ("control", "kind", "value"),
    [
        (["a", "b"], ipywidgets.Dropdown, "a"),
        ((0, 10, 2), ipywidgets.IntSlider, 4),
        ((0.0, 1.0), ipywidgets.FloatSlider, 0.5),
        (True, ipywidgets.Checkbox, True),
        ("word", ipywidgets.Text, "word"),
    ],
)
def test_plain_values_make_controls(displayed, control, kind, value):
    explore(lambda x: x, x=control)
    view = displayed[0]["data"]["application/vnd.jupyter.widget-view+json"]
    (box,) = _instances[view["model_id"]].children
    assert isinstance(box, kind)
    assert box.description == "x"
    assert shown(displayed) == [(repr(value), False)]


def test_without_a_kernel_the_controls_say_what_to_do(displayed):
    explore(lambda x: x, x=(0, 10))
    assert displayed[0]["data"]["text/plain"] == "Run this cell to use its controls."


def test_two_explorers_do_not_disturb_each_other(displayed):
    one, two = ipywidgets.IntSlider(1), ipywidgets.IntSlider(2)
    explore(lambda x: x, x=one)
    explore(lambda x: -x, x=two)
    one.value = 7
    assert shown(displayed) == [("1", False), ("-2", False), ("7", True)]
    assert displayed[-1]["transient"] == displayed[1]["transient"]


def test_a_value_error_becomes_a_message_and_the_next_change_recovers(displayed):
    size = ipywidgets.IntSlider(3)
    explore(lambda size: conv2d(np.ones((5, 5)), np.ones((size, size))).shape, size=size)
    size.value = 7
    size.value = 2
    assert [text for text, _ in shown(displayed)][::2] == ["(3, 3)", "(4, 4)"]
    message = displayed[2]["data"]["text/markdown"]
    assert message.startswith("**This does not work:** A kernel of 7 does not fit into 5 pixels")


def test_a_value_error_at_the_start_becomes_a_message_too(displayed):
    size = ipywidgets.IntSlider(7)
    explore(lambda size: conv2d(np.ones((5, 5)), np.ones((size, size))).shape, size=size)
    assert "does not fit" in displayed[1]["data"]["text/markdown"]
    size.value = 5
    assert shown(displayed)[-1] == ("(1, 1)", True)


def test_any_other_error_is_a_mistake_in_the_notebook_and_not_hidden(displayed):
    with pytest.raises(ZeroDivisionError):
        explore(lambda x: 1 / x, x=ipywidgets.IntSlider(0))


def test_a_figure_is_shown_without_pyplot_showing_it_again(displayed):
    size = ipywidgets.IntSlider(3)
    explore(lambda size: plots.image_grid([np.eye(size)]), size=size)
    size.value = 4
    assert [text.split()[0] for text, _ in shown(displayed)] == ["<Figure"] * 2
    assert plots.plt.get_fignums() == []


def test_the_image_kernels_can_be_explored_with_the_editor(displayed):
    editor = KernelEditor(IMAGE_KERNELS)
    explore(lambda kernel: float(np.sum(kernel)), kernel=editor)
    fields(editor)[4].value = 10.0
    editor.children[0].value = "sharpen"
    assert shown(displayed) == [("0.0", False), ("10.0", True), ("1.0", True)]


# The editor


def test_the_editor_starts_with_the_first_kernel():
    editor = KernelEditor(KERNELS)
    assert editor.value == ((0, 1, 2), (3, 4, 5), (6, 7, 8))
    assert editor.children[0].options == ("first", "second", "blur", "your own")
    assert [field.value for field in fields(editor)] == list(range(9))
    assert editor.get_interact_value() == editor.value


def test_the_value_follows_the_menu():
    editor = KernelEditor(KERNELS)
    editor.children[0].value = "second"
    np.testing.assert_array_equal(editor.value, KERNELS["second"])
    assert [field.value for field in fields(editor)] == [-number for number in range(9)]


def test_the_value_follows_every_field():
    editor = KernelEditor(KERNELS)
    expected = KERNELS["first"].copy()
    for number, field in enumerate(fields(editor)):
        field.value = expected.flat[number] = 10.5 + number
        np.testing.assert_array_equal(editor.value, expected)


def test_observers_hear_once_of_a_change_of_menu_or_field():
    editor = KernelEditor(KERNELS)
    heard = []
    editor.observe(lambda change: heard.append(change["new"]), "value")
    editor.children[0].value = "second"
    assert len(heard) == 1
    np.testing.assert_array_equal(heard[0], KERNELS["second"])
    fields(editor)[0].value = 3.0
    assert len(heard) == 2
    editor.children[0].value = "blur"
    assert len(heard) == 3
    editor.children[0].value = "blur"
    fields(editor)[0].value = fields(editor)[0].value
    assert len(heard) == 3


def test_a_kernel_of_the_menu_comes_back_after_editing():
    editor = KernelEditor(KERNELS)
    for field in fields(editor):
        field.value = 9.0
    editor.children[0].value = "second"
    editor.children[0].value = "first"
    np.testing.assert_array_equal(editor.value, KERNELS["first"])
    np.testing.assert_array_equal(KERNELS["first"], np.arange(9.0).reshape(3, 3))


def test_numbers_are_rounded_to_be_read():
    editor = KernelEditor(KERNELS)
    editor.children[0].value = "blur"
    assert editor.value == ((0.111,) * 3,) * 3


@pytest.mark.parametrize("name", list(IMAGE_KERNELS))
def test_every_image_kernel_can_be_edited_and_used(name):
    editor = KernelEditor({name: IMAGE_KERNELS[name]})
    np.testing.assert_allclose(editor.value, IMAGE_KERNELS[name], atol=5e-4)
    assert conv2d(np.eye(5), editor.value).shape == (3, 3)


def test_a_kernel_of_another_size_is_refused():
    with pytest.raises(ValueError, match="zip"):
        KernelEditor({"small": np.ones((2, 2))})


def test_a_control_that_cannot_be_made_is_refused_by_name():
    with pytest.raises(ValueError, match=r"No control can be made of size=<object"):
        explore(lambda size: size, size=object())


def test_a_typed_number_makes_the_kernel_your_own_and_the_menu_restores_it():
    editor = KernelEditor({"ones": np.ones((3, 3)), "zeros": np.zeros((3, 3))})
    menu, field = editor.children[0], editor.children[1].children[0]
    field.value = 5
    assert menu.value == "your own"
    assert editor.value[0] == (5, 1, 1)
    menu.value = "ones"
    assert editor.value == ((1, 1, 1),) * 3
