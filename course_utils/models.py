"""The networks of the course, each a function that builds one.

The layers are the ones that the notebooks draw and count; nothing is compiled here. A layer
that puts out probabilities computes in single precision, whatever the others compute in: a
probability needs the digits.
"""

import numpy as np

from course_utils.backend import keras

layers = keras.layers


def as_input(images: np.ndarray) -> np.ndarray:
    """Turn grey images into what the networks for digits read.

    Parameters
    ----------
    images : uint8 array of shape (N, H, W)
        Pixels from 0 to 255.

    Returns
    -------
    float32 array of shape (N, H, W, 1)
        Pixels from 0 to 1, and a last axis for the one channel.

    Raises
    ------
    ValueError
        If the images have another dtype or number of axes.

    Examples
    --------
    >>> as_input(np.full((2, 28, 28), 255, np.uint8)).max()
    np.float32(1.0)
    """
    if images.dtype != np.uint8 or images.ndim != 3:
        raise ValueError(
            f"Expected grey uint8 images of shape (N, H, W), got {images.dtype} {images.shape}."
        )
    return images[..., np.newaxis].astype(np.float32) / 255


def mnist_dense() -> keras.Sequential:
    """Build the baseline without convolutions: 784 pixels, 512 units, 10 classes.

    Returns
    -------
    keras.Sequential
        (N, 28, 28, 1) pixels in [0, 1] -> (N, 10) probabilities; 407,050 parameters.

    Examples
    --------
    >>> mnist_dense().count_params()
    407050
    """
    return keras.Sequential(
        [
            keras.Input((28, 28, 1)),
            layers.Flatten(),
            layers.Dense(512, activation="relu"),
            layers.Dense(10, activation="softmax", dtype="float32"),
        ],
        name="mnist_dense",
    )


def mnist_convnet() -> keras.Sequential:
    """Build the convnet for digits: three convolutions, two poolings, two dense layers.

    Returns
    -------
    keras.Sequential
        (N, 28, 28, 1) pixels in [0, 1] -> (N, 10) probabilities; 93,322 parameters.

    Examples
    --------
    >>> mnist_convnet().count_params()
    93322
    """
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
            layers.Dense(10, activation="softmax", dtype="float32"),
        ],
        name="mnist_convnet",
    )


def mnist_gap() -> keras.Sequential:
    """Build the convnet with global average pooling instead of flattening.

    Returns
    -------
    keras.Sequential
        (N, 28, 28, 1) pixels in [0, 1] -> (N, 10) probabilities; 56,394 parameters.

    Examples
    --------
    >>> mnist_gap().count_params()
    56394
    """
    head = [
        layers.GlobalAveragePooling2D(),
        layers.Dense(10, activation="softmax", dtype="float32"),
    ]
    return keras.Sequential(
        [keras.Input((28, 28, 1)), *_convolutional_part(), *head], name="mnist_gap"
    )


def mnist_unpooled() -> keras.Sequential:
    """Build only the three convolutions, without the pooling between them.

    Returns
    -------
    keras.Sequential
        (N, 28, 28, 1) pixels in [0, 1] -> (N, 22, 22, 64) feature maps.

    Examples
    --------
    >>> mnist_unpooled().output_shape
    (None, 22, 22, 64)
    """
    convolutions = [layer for layer in _convolutional_part() if isinstance(layer, layers.Conv2D)]
    return keras.Sequential([keras.Input((28, 28, 1)), *convolutions], name="mnist_unpooled")


def pictures_dense(size: int = 64) -> keras.Sequential:
    """Build a baseline for two classes of colour pictures: 20, 7, 5 and 1 dense units.

    Parameters
    ----------
    size : int
        Height and width of the pictures in pixels.

    Returns
    -------
    keras.Sequential
        (N, size, size, 3) pixels in [0, 1] -> (N, 1) probability of class 1; 12,288 inputs
        and 245,973 parameters at size 64.

    Examples
    --------
    >>> pictures_dense().count_params()
    245973
    """
    hidden = [layers.Dense(units, activation="relu") for units in (20, 7, 5)]
    return keras.Sequential(
        [
            keras.Input((size, size, 3)),
            layers.Flatten(),
            *hidden,
            layers.Dense(1, activation="sigmoid", dtype="float32"),
        ],
        name="pictures_dense",
    )


def pictures_convnet(size: int = 150, dropout: float = 0.0) -> keras.Sequential:
    """Build the convnet for two classes of colour pictures: four stages and two dense layers.

    Parameters
    ----------
    size : int
        Height and width of the pictures in pixels, at least 46.
    dropout : float
        Share of the flattened values that each training step leaves out, in [0, 1).

    Returns
    -------
    keras.Sequential
        (N, size, size, 3) pixels in [0, 1] -> (N, 1) probability of class 1; 3,453,121
        parameters at size 150.

    Raises
    ------
    ValueError
        If the pictures are too small for four stages.

    Examples
    --------
    >>> pictures_convnet().count_params(), pictures_convnet(64).count_params()
    (3453121, 504001)
    """
    if size < 46:
        raise ValueError(f"size is {size}; after four stages, less than 46 pixels leave nothing.")
    stages = []
    for filters in (32, 64, 128, 128):
        stages += [layers.Conv2D(filters, 3, activation="relu"), layers.MaxPooling2D(2)]
    head = [layers.Dense(512, activation="relu")]
    head += [layers.Dense(1, activation="sigmoid", dtype="float32")]
    drop = [layers.Dropout(dropout)] if dropout else []
    return keras.Sequential(
        [keras.Input((size, size, 3)), *stages, layers.Flatten(), *drop, *head],
        name="pictures_convnet",
    )


def course_base(size: int = 64, batch_norm: bool = False) -> keras.Model:
    """Build the course's own small base: the plan of VGG16 with narrower layers.

    Five blocks of two 3 x 3 convolutions and a 2 x 2 max pooling, named as those of VGG16.

    Parameters
    ----------
    size : int
        Height and width of the pictures in pixels, at least 32.
    batch_norm : bool
        Whether batch normalization follows each convolution, as while the base is
        pretrained; `pretraining.fold` then works it into the convolutions.

    Returns
    -------
    keras.Model
        (N, size, size, 3) values in [-1, 1] -> (N, size // 32, size // 32, 128) feature maps;
        588,688 parameters without batch normalization.

    Raises
    ------
    ValueError
        If the pictures are too small for five poolings.

    Examples
    --------
    >>> base = course_base()
    >>> base.count_params(), base.output_shape
    (588688, (None, 2, 2, 128))
    """
    if size < 32:
        raise ValueError(f"size is {size}; after five poolings, less than 32 pixels leave nothing.")
    x = pixels = keras.Input((size, size, 3))
    for block, filters in enumerate((16, 32, 64, 128, 128), 1):
        for number in (1, 2):
            name = f"block{block}_conv{number}"
            if batch_norm:
                x = layers.Conv2D(filters, 3, padding="same", name=name)(x)
                x = layers.BatchNormalization(name=f"{name}_norm")(x)
                x = layers.ReLU(name=f"{name}_relu")(x)
            else:
                x = layers.Conv2D(filters, 3, padding="same", activation="relu", name=name)(x)
        x = layers.MaxPooling2D(2, name=f"block{block}_pool")(x)
    return keras.Model(pixels, x, name="course_base")


def _convolutional_part() -> list[keras.Layer]:
    """Make five new layers like the first five of `mnist_convnet`."""
    return [type(layer).from_config(layer.get_config()) for layer in mnist_convnet().layers[:5]]
