"""Activation functions, in NumPy."""

import numpy as np


def relu(z: np.ndarray) -> np.ndarray:
    """Keep what is positive, drop the rest: max(0, z).

    Parameters
    ----------
    z : array of any shape

    Returns
    -------
    array of the shape of `z`
        0 or more.

    Examples
    --------
    >>> relu(np.array([-2.0, 0.5]))
    array([0. , 0.5])
    """
    return np.maximum(0, z)


def leaky_relu(z: np.ndarray, eps: float = 0.01) -> np.ndarray:
    """Let a little of what is negative through: max(eps * z, z).

    Parameters
    ----------
    z : array of any shape
    eps : float
        Slope below 0, much smaller than 1. A unit that is negative for every input still
        has a gradient there, and so can recover.

    Returns
    -------
    array of the shape of `z`

    Raises
    ------
    ValueError
        If `eps` is not between 0 and 1.

    Examples
    --------
    >>> leaky_relu(np.array([-2.0, 0.5]))
    array([-0.02,  0.5 ])
    """
    if not 0 <= eps <= 1:
        raise ValueError(f"eps is {eps}; expected a slope between 0 and 1.")
    return np.maximum(eps * np.asarray(z), z)


def elu(z: np.ndarray, alpha: float = 1.0) -> np.ndarray:
    """Bend smoothly towards -alpha below 0: z where z > 0, else alpha * (exp(z) - 1).

    Parameters
    ----------
    z : array of any shape
    alpha : float
        Above 0. (The form max(alpha * (exp(z) - 1), z), found in some texts, holds only for
        z <= 0 and alpha <= 1.)

    Returns
    -------
    array of the shape of `z`
        -alpha or more.

    Raises
    ------
    ValueError
        If `alpha` is not above 0.

    Examples
    --------
    >>> elu(np.array([-2.0, 0.5])).round(3)
    array([-0.865,  0.5  ])
    """
    if not alpha > 0:
        raise ValueError(f"alpha is {alpha}; expected a number above 0.")
    z = np.asarray(z)
    return np.where(z > 0, z, alpha * np.expm1(np.minimum(z, 0)))


def softmax(x: np.ndarray) -> np.ndarray:
    """Turn scores into probabilities along the last axis: exp(x_i) / sum over j of exp(x_j).

    The largest score is subtracted first. That changes nothing in the quotient, and keeps the
    exponentials from overflowing.

    Parameters
    ----------
    x : array of shape (..., C)
        Scores of C classes, also called logits.

    Returns
    -------
    float array of shape (..., C)
        Between 0 and 1, summing to 1.

    Examples
    --------
    >>> softmax(np.array([1000.0, 1000.0]))
    array([0.5, 0.5])
    """
    x = np.asarray(x)
    exponentials = np.exp(x - x.max(axis=-1, keepdims=True))
    return exponentials / exponentials.sum(axis=-1, keepdims=True)
