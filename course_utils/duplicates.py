"""Find pictures that are there twice: the same pixels, or nearly the same view.

A picture that is in the training part and in the test part is a leak: the test then praises a
net for its memory.
"""

import numpy as np


def fingerprints(x: np.ndarray) -> np.ndarray:
    """Return a perceptual hash of each picture: alike pictures have nearly the same.

    The picture is reduced to 17 x 16 grey values; each bit says whether brightness falls from
    one of them to its right neighbour. Another size, light or compression changes few bits.

    Parameters
    ----------
    x : ndarray of uint8, shape (N, H, W, 3)

    Returns
    -------
    ndarray of bool, shape (N, 256)

    Notes
    -----
    N. Krawetz, *Kind of like that* (2013), calls it a difference hash, there with 9 x 8 values.

    Examples
    --------
    >>> ramp = np.linspace(255, 0, 34).astype(np.uint8)
    >>> falling = np.tile(ramp[:, np.newaxis], (1, 32, 1, 3))
    >>> fingerprints(falling).mean(), fingerprints(falling[:, :, ::-1]).mean()
    (np.float64(1.0), np.float64(0.0))
    """
    from PIL import Image

    small = [Image.fromarray(p).convert("L").resize((17, 16), Image.Resampling.BOX) for p in x]
    grey = np.array(small, int).reshape(len(x), 16, 17)
    return (grey[:, :, :-1] > grey[:, :, 1:]).reshape(len(x), -1)


def groups(x: np.ndarray, most: float = 0.2) -> np.ndarray:
    """Number pictures so that those which show the same have the same number.

    Parameters
    ----------
    x : ndarray of uint8, shape (N, H, W, 3)
    most : float
        The share of the bits of two fingerprints that may differ. Of a picture without any
        detail, only exact copies count.

    Returns
    -------
    ndarray of int, shape (N,)
        If b is like a, and c like b, all three have one number.

    Examples
    --------
    >>> x = np.random.default_rng(0).integers(0, 256, (3, 32, 32, 3), np.uint8)
    >>> brighter = np.clip(x[:1] * 0.9 + 20, 0, 255).astype(np.uint8)
    >>> groups(np.concatenate([x, brighter])).tolist()
    [0, 1, 2, 0]
    """
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components
    from sklearn.neighbors import radius_neighbors_graph

    first: dict[bytes, int] = {}
    same = [first.setdefault(picture.tobytes(), n) for n, picture in enumerate(x)]
    graph = coo_array((np.ones(len(x)), (np.arange(len(x)), same)), shape=(len(x), len(x)))
    detailed = np.flatnonzero(x[:, ::4, ::4].std(axis=(1, 2)).max(axis=-1) > 4)
    if len(detailed) > 1:
        bits = fingerprints(x[detailed]).astype(np.uint8)
        near = radius_neighbors_graph(bits, most, metric="hamming").tocoo()
        pairs = (detailed[near.row], detailed[near.col])
        graph = graph + coo_array((np.ones(near.nnz), pairs), shape=graph.shape)
    return connected_components(graph, directed=False)[1]
