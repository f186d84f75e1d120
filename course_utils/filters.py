"""Hand-made kernels and banks of them: image kernels, Sobel, Gabor and Haar."""

from collections.abc import Sequence

import numpy as np

from course_utils.convolution import conv2d

#: Classic 3 x 3 kernels by name, for `conv2d` (no flip).
IMAGE_KERNELS: dict[str, np.ndarray] = {
    "horizontal edges": np.array([[-1, -1, -1], [0, 0, 0], [1, 1, 1]], float),
    "vertical edges": np.array([[-1, 0, 1], [-1, 0, 1], [-1, 0, 1]], float),
    "diagonal edges": np.array([[-1, -1, 0], [-1, 0, 1], [0, 1, 1]], float),
    "edge detect": np.array([[0, 1, 0], [1, -4, 1], [0, 1, 0]], float),
    "blur": np.full((3, 3), 1 / 9),
    "sharpen": np.array([[0, -1, 0], [-1, 5, -1], [0, -1, 0]], float),
    "emboss": np.array([[-2, -1, 0], [-1, 1, 1], [0, 1, 2]], float),
    "outline": np.array([[-1, -1, -1], [-1, 8, -1], [-1, -1, -1]], float),
}


def sobel_kernel(theta: float = 0.0) -> np.ndarray:
    """Make a Sobel kernel that answers to brightness growing in direction `theta`.

    A derivative in any direction is a mix of the two along the axes:
    cos(theta) * S_x + sin(theta) * S_y.

    Parameters
    ----------
    theta : float
        Direction in radians: 0 points right, pi / 2 down.

    Returns
    -------
    float64 array of shape (3, 3)

    Examples
    --------
    >>> sobel_kernel()
    array([[-1.,  0.,  1.],
           [-2.,  0.,  2.],
           [-1.,  0.,  1.]])
    """
    smooth, difference = np.array([1.0, 2.0, 1.0]), np.array([-1.0, 0.0, 1.0])
    along_x, along_y = np.outer(smooth, difference), np.outer(difference, smooth)
    return np.cos(theta) * along_x + np.sin(theta) * along_y


def gabor_kernel(
    frequency: float, theta: float = 0.0, sigma: float = 3.0, size: int | None = None
) -> np.ndarray:
    """Make a Gabor kernel: a wave under a bell.

    The complex wave exp(2 pi i frequency u), with u = x cos(theta) + y sin(theta), times a
    Gaussian of width sigma that sums to about 1 (Daugman, J. Opt. Soc. Am. A 2(7), 1985).

    Parameters
    ----------
    frequency : float
        Waves per pixel; above 0, and below 0.5 to be seen on the pixel grid.
    theta : float
        Direction in which the wave runs, in radians: 0 right, pi / 2 down.
    sigma : float
        Width of the bell in pixels, above 0.
    size : int, optional
        Height and width, odd. If not given, three sigma to each side.

    Returns
    -------
    complex128 array of shape (size, size)
        The real part is symmetric about the centre, the imaginary part antisymmetric.

    Raises
    ------
    ValueError
        If frequency or sigma is not above 0, or the size not odd.

    Examples
    --------
    >>> gabor_kernel(0.1, sigma=1.0, size=3).real.round(3)
    array([[0.047, 0.097, 0.047],
           [0.078, 0.159, 0.078],
           [0.047, 0.097, 0.047]])
    """
    if not 0 < frequency < np.inf or not 0 < sigma < np.inf or not np.isfinite(theta):
        raise ValueError(
            f"frequency ({frequency}) and sigma ({sigma}) must be above 0, and finite like "
            f"theta ({theta})."
        )
    radius = int(np.ceil(3 * sigma)) if size is None else size // 2
    if size is not None and (size < 1 or size % 2 != 1):
        raise ValueError(f"size is {size}; a kernel with a centre needs an odd size.")
    y, x = np.mgrid[-radius : radius + 1, -radius : radius + 1]
    along = x * np.cos(theta) + y * np.sin(theta)
    bell = np.exp(-(x**2 + y**2) / (2 * sigma**2)) / (2 * np.pi * sigma**2)
    return bell * np.exp(2j * np.pi * frequency * along)


def haar_kernel(kind: str, size: int = 4) -> np.ndarray:
    """Make a two-dimensional Haar wavelet: bright and dark blocks that sum to 0.

    Parameters
    ----------
    kind : {"horizontal", "vertical", "diagonal"}
        Edges to answer to: dark above and bright below, dark left and bright right, or a
        chequerboard of two by two blocks.
    size : int
        Height and width in pixels, even.

    Returns
    -------
    float64 array of shape (size, size)
        Values of +1 / size**2 and -1 / size**2: the mean of the bright minus that of the
        dark pixels, halved.

    Raises
    ------
    ValueError
        If the kind is unknown or the size not even.

    Examples
    --------
    >>> haar_kernel("vertical", 2)
    array([[-0.25,  0.25],
           [-0.25,  0.25]])
    """
    if size < 2 or size % 2:
        raise ValueError(f"size is {size}; a Haar wavelet needs an even size of 2 or more.")
    step, flat = np.repeat([-1.0, 1.0], size // 2), np.ones(size)
    pairs = {"horizontal": (step, flat), "vertical": (flat, step), "diagonal": (step, step)}
    if kind not in pairs:
        raise ValueError(f"Unknown kind {kind!r}: use one of {', '.join(pairs)}.")
    return np.outer(*pairs[kind]) / size**2


def stack_kernels(kernels: Sequence[np.ndarray]) -> np.ndarray:
    """Put kernels of any size into one array, as `conv2d` reads them.

    Parameters
    ----------
    kernels : sequence of arrays of shape (F_h, F_w)
        Real or complex.

    Returns
    -------
    array of shape (F, F, 1, K)
        F is the largest size; smaller kernels are centred in zeros.

    Raises
    ------
    ValueError
        If there is no kernel, or one has other than two axes.

    Examples
    --------
    >>> stack_kernels([np.ones((1, 1)), np.ones((3, 3))])[..., 0, 0]
    array([[0., 0., 0.],
           [0., 1., 0.],
           [0., 0., 0.]])
    """
    kernels = [np.asarray(kernel) for kernel in kernels]
    if not kernels or any(kernel.ndim != 2 or kernel.size == 0 for kernel in kernels):
        shapes = [kernel.shape for kernel in kernels]
        raise ValueError(f"Expected one or more kernels with two axes, got the shapes {shapes}.")
    size = max(max(kernel.shape) for kernel in kernels)
    stack = np.zeros((size, size, 1, len(kernels)), np.result_type(*kernels))
    for number, kernel in enumerate(kernels):
        # The pixel that "same" padding centres on is number (F - 1) // 2.
        top, left = ((size - 1) // 2 - (length - 1) // 2 for length in kernel.shape)
        stack[top : top + kernel.shape[0], left : left + kernel.shape[1], 0, number] = kernel
    return stack


def response_magnitude(images: np.ndarray, kernels: Sequence[np.ndarray]) -> np.ndarray:
    """Filter grey images with every kernel of a bank and take the size of the response.

    For a complex kernel that is sqrt(real**2 + imag**2), for a real one the absolute value.

    Parameters
    ----------
    images : array of shape (H, W), (H, W, 1) or (N, H, W, 1)
        Real numbers.
    kernels : sequence of arrays of shape (F_h, F_w)
        Real or complex, of any size.

    Returns
    -------
    float array of shape ([N,] H, W, K)
        0 or more. The images are padded to keep their size.

    Raises
    ------
    ValueError
        As for `conv2d` and `stack_kernels`.

    Examples
    --------
    >>> response_magnitude(np.eye(5), [gabor_kernel(0.2, sigma=1.0)]).shape
    (5, 5, 1)
    """
    bank = stack_kernels(kernels)
    dtype = np.result_type(np.asarray(images), np.float32)
    real = conv2d(images, bank.real.astype(dtype), padding="same")
    if not np.iscomplexobj(bank):
        return np.abs(real)
    return np.hypot(real, conv2d(images, bank.imag.astype(dtype), padding="same"))
