"""Nets that were built and trained in earlier notebooks, for those that look inside.

Each function stands for cells that were on the page before: the convnet of notebook 5, and the
fine-tuned net of notebook 8.
"""

from course_utils import runs
from course_utils.backend import keras
from course_utils.data.settings import Tier
from course_utils.pretrained import bases

layers = keras.layers


def convnet(size: int = 150, dropout: float = 0.5) -> keras.Sequential:
    """Build the convnet for cats and dogs, as notebook 5 does.

    Parameters
    ----------
    size : int
        Height and width of the pictures in pixels, at least 46.
    dropout : float
        Share of the flattened values that each training step leaves out.

    Returns
    -------
    keras.Sequential
        (N, size, size, 3) pixels in [0, 1] -> (N, 1) probability of a dog; not compiled.

    Raises
    ------
    ValueError
        If the size is too small for four stages.

    Examples
    --------
    >>> convnet(150).count_params(), convnet(64).count_params()
    (3453121, 504001)
    """
    if size < 46:
        raise ValueError(f"size is {size}; after four stages, less than 46 pixels leave nothing.")
    net = keras.Sequential([keras.Input((size, size, 3))])
    for filters in (32, 64, 128, 128):
        net.add(layers.Conv2D(filters, 3, activation="relu"))
        net.add(layers.MaxPooling2D(2))
    net.add(layers.Flatten())
    net.add(layers.Dropout(dropout))
    net.add(layers.Dense(512, activation="relu"))
    net.add(layers.Dense(1, activation="sigmoid"))
    return net


def trained_convnet(tier: Tier) -> keras.Sequential:
    """Return the convnet of notebook 5 that was trained with augmentation and dropout.

    Parameters
    ----------
    tier : {"real", "embedded"}
        For photos of 150 x 150 pixels, or for drawings of 64 x 64.

    Returns
    -------
    keras.Sequential
        As `convnet`, with its recorded weights.

    Examples
    --------
    >>> trained_convnet("embedded").input_shape
    (None, 64, 64, 3)
    """
    net = convnet(150 if tier == "real" else 64)
    return runs.load(f"cats_both-{tier}").restore(net)


def on_base(base: keras.Model, tier: Tier) -> keras.Sequential:
    """Put the head of notebooks 7 and 8 on a base, untrained.

    Parameters
    ----------
    base : keras.Model
        As `bases.build` builds it.
    tier : {"real", "embedded"}
        The head of the photos averages each map, that of the drawings takes its largest value.

    Returns
    -------
    keras.Sequential
        Pixels in [0, 1] -> (N, 1) probability of a dog. Its last two layers are base and head.
    """
    pool = layers.GlobalAveragePooling2D if tier == "real" else layers.GlobalMaxPooling2D
    head = keras.Sequential(
        [
            keras.Input(base.output_shape[1:]),
            pool(),
            layers.Dense(256, activation="relu"),
            layers.Dropout(0.5),
            layers.Dense(1, activation="sigmoid"),
        ],
        name="head",
    )
    parts = [keras.Input(base.input_shape[1:]), bases.preprocessing(base), base, head]
    return keras.Sequential(parts)


def base_of(tier: Tier, weights: str | None = "pretrained") -> keras.Model:
    """Build the base of notebooks 7 and 8 up to the layer that the head stands on.

    Parameters
    ----------
    tier : {"real", "embedded"}
    weights : {"pretrained", None}
        None leaves them random.

    Returns
    -------
    keras.Model

    Raises
    ------
    DataError
        If the weights are not on disk.

    Examples
    --------
    >>> base_of("embedded").output_shape
    (None, 4, 4, 128)
    """
    if tier == "real":
        return bases.build("efficientnet_lite0", 224, weights)
    return bases.build("course", 64, weights, last="block4_pool")


def fine_tuned(tier: Tier) -> keras.Sequential:
    """Return the net of notebook 8: a head on a base whose upper part was trained on.

    Parameters
    ----------
    tier : {"real", "embedded"}

    Returns
    -------
    keras.Sequential
        As `on_base`, with the recorded weights; what was frozen is frozen.

    Raises
    ------
    DataError
        If the weights of the base are not on disk.

    Examples
    --------
    >>> fine_tuned("embedded").output_shape
    (None, 1)
    """
    first = "block11_expand" if tier == "real" else "block4_conv1"
    base = base_of(tier)
    reached = False
    for layer in base.layers:
        reached = reached or layer.name == first
        layer.trainable = reached and not isinstance(layer, layers.BatchNormalization)
    return runs.load(f"cats_finetuned-{tier}").restore(on_base(base, tier))
