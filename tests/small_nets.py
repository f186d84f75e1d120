"""One small net in many forms that must all compute the same, for the tests that look inside."""

import numpy as np

from course_utils import augmentation
from course_utils.backend import keras

layers = keras.layers


def digit_convnet():
    """The convnet for digits that notebook 3 builds."""
    return keras.Sequential(
        [
            keras.Input((28, 28, 1)),
            layers.Conv2D(32, 3, activation="relu"),
            layers.MaxPooling2D(2),
            layers.Conv2D(64, 3, activation="relu"),
            layers.MaxPooling2D(2),
            layers.Conv2D(64, 3, activation="relu"),
            layers.Flatten(),
            layers.Dense(64, activation="relu"),
            layers.Dense(10, activation="softmax"),
        ]
    )


def digit_dense():
    """The dense net for digits that notebook 3 builds."""
    hidden = layers.Dense(512, activation="relu")
    parts = [layers.Flatten(), hidden, layers.Dense(10, activation="softmax")]
    return keras.Sequential([keras.Input((28, 28, 1)), *parts])


FORMS = ["sequential", "functional", "nested", "nested twice", "augmented", "late activation"]
FORMS += ["logits", "reloaded", "reloaded nested", "called only"]


def pictures(count=3, size=20, seed=0):
    return np.random.default_rng(seed).random((count, size, size, 3)).astype(np.float32)


def base_layers():
    return [
        layers.Conv2D(6, 3, activation="relu", name="conv1"),
        layers.MaxPooling2D(2, name="pool1"),
        layers.Conv2D(8, 3, padding="same", name="conv2", use_bias=False),
        layers.BatchNormalization(name="norm2"),
        layers.ReLU(name="relu2"),
        layers.Conv2D(5, 3, activation="relu", name="conv3"),
        layers.MaxPooling2D(2, name="pool3"),
    ]


def head_layers(classes, activation, pooling):
    double = keras.config.dtype_policy().name == "float64"
    dtype = "float64" if double else "float32"
    last = layers.Dense(classes, activation=activation, name="last", dtype=dtype)
    if pooling:
        return [
            layers.GlobalAveragePooling2D(name="gap"),
            layers.Dropout(0.5, name="dropout"),
            last,
        ]
    hidden = layers.Dense(7, activation="relu", name="hidden")
    return [layers.Flatten(name="flatten"), layers.Dropout(0.5, name="dropout"), hidden, last]


def build(form="sequential", classes=4, pooling=False, size=20, folder=None):
    """Build the net in one of its forms; the weights are the same in all of them."""
    activation = "sigmoid" if classes == 1 else "softmax"
    fused = None if form in ("late activation", "logits") else activation
    head = head_layers(classes, fused, pooling)
    before, inside = [keras.Input((size, size, 3))], base_layers()
    if form == "late activation":
        head.append(layers.Activation(activation, name="activation"))
    if form == "augmented":
        before += [layers.RandomFlip(), augmentation.RandomAffine(), layers.Rescaling(1.0)]
    if form in ("nested", "nested twice", "reloaded nested"):
        inside = [as_functional([keras.Input((size, size, 3)), *inside], "base")]
    if form == "nested twice":
        inside = [keras.Sequential([keras.Input((size, size, 3)), *inside], name="outer")]
    if form == "called only":
        before = []
    everything = [*before, *inside, *head]
    model = as_functional(everything) if form == "functional" else keras.Sequential(everything)
    model(np.zeros((1, size, size, 3), "float32"))
    set_weights(model)
    if form.startswith("reloaded"):
        model.save(folder / "net.keras")
        return keras.models.load_model(folder / "net.keras")
    return model


def as_functional(parts, name=None):
    x = parts[0]
    for layer in parts[1:]:
        x = layer(x)
    return keras.Model(parts[0], x, name=name)


def set_weights(model, seed=1):
    """Give a model random weights that depend on their shapes and order alone."""
    rng = np.random.default_rng(seed)
    for weight in model.weights:
        if "seed" in weight.path:
            continue
        scale = 1 / np.sqrt(max(np.prod(weight.shape[:-1]), 1))
        values = rng.normal(0, scale, weight.shape)
        weight.assign(np.abs(values) + 0.5 if "variance" in weight.path else values)
