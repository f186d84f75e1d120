"""The networks of the course, each a function that builds one.

The layers are the ones that the notebooks draw and count; nothing is compiled here.
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
            layers.Dense(10, activation="softmax"),
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
            layers.Dense(10, activation="softmax"),
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
    head = [layers.GlobalAveragePooling2D(), layers.Dense(10, activation="softmax")]
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


def _convolutional_part() -> list[keras.Layer]:
    """Make five new layers like the first five of `mnist_convnet`."""
    return [type(layer).from_config(layer.get_config()) for layer in mnist_convnet().layers[:5]]
