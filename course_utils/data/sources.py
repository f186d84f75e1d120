"""What each real data set is: its files, where they come from, how large they are, its licence.

The weights of pretrained networks are sets of one file. This table is the only place that says
so. ``datasets`` and ``bases`` read the files that it names and ``fetch`` brings them; a new set
is an entry here, and in ``fetch`` a function that turns what is downloaded into those files,
where the two differ.
"""

from dataclasses import dataclass, field

from course_utils.data.archives import CLASS_NAMES

_KERAS_FILES = "https://storage.googleapis.com/tensorflow/tf-keras-datasets/"
_KERAS_WEIGHTS = "https://storage.googleapis.com/tensorflow/keras-applications/"
_STREET_NUMBERS = "http://ufldl.stanford.edu/housenumbers/"
_DIGITS = tuple("0123456789")


@dataclass(frozen=True)
class Download:
    """One file on the web: its address, its bytes and, where one is known, its checksum."""

    url: str
    size: int
    checksum: str | None = None

    @property
    def file_name(self) -> str:
        """The last part of the address."""
        return self.url.rpartition("/")[2]


@dataclass(frozen=True)
class Source:
    """A data set, or a file of weights, that can be fetched.

    Attributes
    ----------
    name, title : str
        The name that commands and loaders take, and the name for people.
    images, licence : str
        How many images of which size (or how many weights), and the terms of use, in words.
    files : tuple of str
        The files, or the folder, that the data folder holds once the set is fetched.
    downloads : tuple of Download
        What is downloaded to make them.
    content : dict of str to str
        The SHA-256 of each array's bytes in an ``.npz`` file, where known: it tells a
        good copy whatever program wrote the file. Where empty, the checksum of the
        download of the same name decides.
    class_names : tuple of str
        What the labels 0, 1, 2, ... stand for.
    image_shape : tuple of int or None
        The shape of every image, for the sets that ``datasets.load`` reads.
    keras : str or None
        The folder inside Keras's own cache where Keras keeps the same files.
    """

    name: str
    title: str
    images: str
    licence: str
    files: tuple[str, ...]
    downloads: tuple[Download, ...]
    content: dict[str, str] = field(default_factory=dict)
    class_names: tuple[str, ...] = ()
    image_shape: tuple[int, ...] | None = None
    keras: str | None = None

    @property
    def size(self) -> int:
        """How many bytes are downloaded in all."""
        return sum(download.size for download in self.downloads)


MNIST = Source(
    name="mnist",
    title="MNIST",
    images="70,000 of 28 x 28, grey",
    licence="CC BY-SA 3.0",
    files=("mnist.npz",),
    downloads=(
        Download(
            _KERAS_FILES + "mnist.npz",
            11_490_434,
            "sha256:731c5ac602752760c8e48fbffcf8c3b850d9dc2a2aedcf2cc48468fc17b673d1",
        ),
    ),
    content={
        "x_train": "741c988805d008ac6e4c904b69001ba184c24b2c540a4ef403f4c71b676cf757",
        "y_train": "1feba77c54802fa5339a11837ea4b2866434b83314ec45192930f1df69120c13",
        "x_test": "6d87418db22cc8025d05968bec9bd5c3932904b23485740db143a061a2c9d161",
        "y_test": "ddeff807876a9661a1110d45c266c86239a3a1b7d37da0c3716a7a683c852ff5",
    },
    class_names=_DIGITS,
    image_shape=(28, 28),
    keras="datasets",
)

FASHION_MNIST = Source(
    name="fashion_mnist",
    title="Fashion-MNIST",
    images="70,000 of 28 x 28, grey",
    licence="MIT",
    files=("fashion_mnist.npz",),
    downloads=(
        Download(
            _KERAS_FILES + "train-images-idx3-ubyte.gz",
            26_421_880,
            "sha256:3aede38d61863908ad78613f6a32ed271626dd12800ba2636569512369268a84",
        ),
        Download(
            _KERAS_FILES + "train-labels-idx1-ubyte.gz",
            29_515,
            "sha256:a04f17134ac03560a47e3764e11b92fc97de4d1bfaf8ba1a3aa29af54cc90845",
        ),
        Download(
            _KERAS_FILES + "t10k-images-idx3-ubyte.gz",
            4_422_102,
            "sha256:346e55b948d973a97e58d2351dde16a484bd415d4595297633bb08f03db6a073",
        ),
        Download(
            _KERAS_FILES + "t10k-labels-idx1-ubyte.gz",
            5_148,
            "sha256:67da17c76eaffca5446c3361aaab5c3cd6d1c2608764d35dfb1850b086bf8dd5",
        ),
    ),
    content={
        "x_train": "2e487a6c89124f78f2d7521542223cafe96f7123c3ca13d447772ac6ecbb3012",
        "y_train": "657fbd221bfc9f4198cc14b5619cc33ec57c58dd0e47af4d99d6650759e869a7",
        "x_test": "c867c93ff95360594e8ec3287995350b824dd110b11595c0e13d5423f621867a",
        "y_test": "3d0e6c6ea990b53b6f8f500a41cac93881d981b315f84578b7d915342ade01e9",
    },
    class_names=(
        "T-shirt/top",
        "Trouser",
        "Pullover",
        "Dress",
        "Coat",
        "Sandal",
        "Shirt",
        "Sneaker",
        "Bag",
        "Ankle boot",
    ),
    image_shape=(28, 28),
    keras="datasets/fashion-mnist",
)

SVHN = Source(
    name="svhn",
    title="SVHN (street-number digits)",
    images="99,289 of 32 x 32, colour",
    licence="non-commercial use",
    files=("train_32x32.mat", "test_32x32.mat"),
    downloads=(
        Download(
            _STREET_NUMBERS + "train_32x32.mat",
            182_040_794,
            "sha256:435e94d69a87fde4fd4d7f3dd208dfc32cb6ae8af2240d066de1df7508d083b8",
        ),
        Download(
            _STREET_NUMBERS + "test_32x32.mat",
            64_275_384,
            "sha256:cdce80dfb2a2c4c6160906d0bd7c68ec5a99d7ca4831afa54f09182025b6a75b",
        ),
    ),
    class_names=_DIGITS,
    image_shape=(32, 32, 3),
)

DOGS_VS_CATS = Source(
    name="dogs_vs_cats",
    title="Dogs vs Cats",
    images="4,000 of 25,000 photos",
    licence="see the terms in the archive",
    # A folder, which ``photos`` makes of the archive.
    files=("dogs-vs-cats",),
    downloads=(
        Download(
            "https://download.microsoft.com/download/3/E/1/3E1C3F21-ECDB-4869-8368-6DEBA77B919F/"
            "kagglecatsanddogs_5340.zip",
            824_887_076,
            "sha256:b7974bd00a84a99921f36ee4403f089853777b5ae8d151c76a86e64900334af9",
        ),
    ),
    class_names=CLASS_NAMES,
)

VGG16 = Source(
    name="vgg16",
    title="VGG16, weights of its base",
    images="14,714,688 weights",
    licence="CC BY 4.0",
    files=("vgg16_weights_tf_dim_ordering_tf_kernels_notop.h5",),
    downloads=(
        Download(
            _KERAS_WEIGHTS + "vgg16/vgg16_weights_tf_dim_ordering_tf_kernels_notop.h5",
            58_889_256,
            "md5:6d6bbae143d832006294945121d1f1fc",
        ),
    ),
    keras="models",
)

VGG19 = Source(
    name="vgg19",
    title="VGG19, weights of its base",
    images="20,024,384 weights",
    licence="CC BY 4.0",
    files=("vgg19_weights_tf_dim_ordering_tf_kernels_notop.h5",),
    downloads=(
        Download(
            _KERAS_WEIGHTS + "vgg19/vgg19_weights_tf_dim_ordering_tf_kernels_notop.h5",
            80_134_624,
            "md5:253f8cb515780f3b799900260a226db6",
        ),
    ),
    keras="models",
)

MOBILENET = Source(
    name="mobilenet",
    title="MobileNet 0.25, weights of its base",
    images="218,544 weights",
    licence="Apache-2.0",
    files=("mobilenet_2_5_224_tf_no_top.h5",),
    downloads=(
        Download(
            _KERAS_WEIGHTS + "mobilenet/mobilenet_2_5_224_tf_no_top.h5",
            2_108_140,
            # None is published: computed from a copy of the published size that loads into the
            # network. Keras itself accepts any file of this name.
            "sha256:dbdb03ee2a22fd895301636cd328b234bb3a9952358f436d82f46b81e0d5b0bf",
        ),
    ),
    keras="models",
)

SOURCES: dict[str, Source] = {
    source.name: source
    for source in (MNIST, FASHION_MNIST, SVHN, DOGS_VS_CATS, VGG16, VGG19, MOBILENET)
}


def how_to_get(name: str, force: bool = False) -> str:
    """Return the commands that fetch a set, with make and without it.

    Parameters
    ----------
    name : str
        The name of the set, such as ``"mnist"``.
    force : bool
        Whether the commands replace files that are already there.

    Examples
    --------
    >>> how_to_get("mnist")
    '`make data SET=mnist` (or `python -m course_utils.data.fetch mnist`)'
    """
    with_make, without = (" FORCE=1", " --force") if force else ("", "")
    command = f"python -m course_utils.data.fetch {name}{without}"
    return f"`make data SET={name}{with_make}` (or `{command}`)"
