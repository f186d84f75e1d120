"""Compare the course's code with named peers, side by side: ``make bench``.

``make bench ONLY=pipeline`` runs one of the comparisons. Times depend on the machine, ratios much
less. So programs that computed the same thing run in turn, for some rounds after one that does
not count, in which whatever compiles is compiled; the ratio is the median over the rounds. A peer
that is a hundred times slower does a part of the work; its time is multiplied, and the table
says by how much.
"""

import argparse
import collections
import contextlib
import io
import itertools
import statistics
import tempfile
import time
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image
from scipy.signal import correlate2d

from course_utils import (
    augmentation,
    cats_and_dogs,
    datasets,
    drawings,
    filters,
    picture_folders,
    pretrained,
)
from course_utils.backend import keras, tf
from course_utils.convolution import conv2d
from course_utils.explain import grad_cam, layer_graph, maximise
from tests.small_nets import digit_convnet

OURS = "course_utils"


def as_input(images: np.ndarray) -> np.ndarray:
    """Turn grey bytes into numbers from 0 to 1, with an axis for the channel."""
    return images[..., np.newaxis] / np.float32(255)


@dataclass(frozen=True)
class Row:
    """One program in the table: its seconds, and its ratios to ours, round by round."""

    work: str
    program: str
    seconds: float
    ratios: list[float]
    scale: float = 1

    def __str__(self) -> str:
        ratio, low, high = statistics.median(self.ratios), min(self.ratios), max(self.ratios)
        scale = f"   measured on 1/{self.scale:.0f} of the work" if self.scale > 1 else ""
        spread = f"{low:8.2f} to {high:8.2f}"
        return f"  {self.program:27}{self.seconds:10.4f} s{ratio:9.2f} x{spread:>23}{scale}"


def seconds(program: Callable[[], object]) -> float:
    """Time one call."""
    start = time.perf_counter()
    program()
    return time.perf_counter() - start


def compare(
    work: str,
    programs: dict[str, Callable[[], object]],
    rounds: int = 5,
    scales: dict[str, float] | None = None,
    ours: str = OURS,
) -> list[Row]:
    """Time programs in turn, after one round that does not count."""
    scales = scales or {}
    for program in programs.values():
        program()
    times: dict[str, list[float]] = {name: [] for name in programs}
    for _ in range(rounds):
        for name, program in programs.items():
            times[name].append(seconds(program) * scales.get(name, 1))
    return rows(work, times, scales, ours)


def rows(
    work: str, times: dict[str, list[float]], scales: dict[str, float], ours: str = OURS
) -> list[Row]:
    """Relate the times of each round to ours in the same round."""
    return [
        Row(
            work,
            name,
            statistics.median(values),
            [value / own for value, own in zip(values, times[ours], strict=True)],
            scales.get(name, 1),
        )
        for name, values in times.items()
    ]


def loop(image: np.ndarray, kernel: np.ndarray) -> np.ndarray:
    """Convolve in plain Python, as notebook 2 writes it."""
    height, width = np.subtract(image.shape, kernel.shape) + 1
    result = np.zeros((height, width))
    for row in range(height):
        for column in range(width):
            total = 0.0
            for i in range(len(kernel)):
                for j in range(len(kernel)):
                    total += image[row + i, column + j] * kernel[i, j]
            result[row, column] = total
    return result


def one_convolution() -> list[Row]:
    """Filter one large image with one kernel."""
    rng = np.random.default_rng(0)
    image, kernel = rng.normal(size=(512, 512)), rng.normal(size=(7, 7))
    part = image[:38, :38]  # 32 x 32 windows of the 506 x 506
    np.testing.assert_allclose(loop(part, kernel), conv2d(part, kernel))
    np.testing.assert_allclose(correlate2d(image, kernel, "valid"), conv2d(image, kernel))
    programs = {
        "plain Python loop": lambda: loop(part, kernel),
        "scipy.signal.correlate2d": lambda: correlate2d(image, kernel, "valid"),
        OURS: lambda: conv2d(image, kernel),
    }
    scales = {"plain Python loop": (506 / 32) ** 2}
    return compare("One 7 x 7 kernel over a 512 x 512 image, float64", programs, 20, scales)


def filter_bank() -> list[Row]:
    """Filter a thousand digits with sixteen kernels."""
    images = as_input(datasets.digits().x_train[:1000])
    waves = itertools.product([0.08, 0.14, 0.22, 0.34], np.arange(4) * np.pi / 4)
    bank = [filters.gabor_kernel(frequency, angle, 2.5, size=15) for frequency, angle in waves]
    kernels = filters.stack_kernels(bank).real.astype("float32")
    few, padded = images[:20], np.pad(images[0, ..., 0], 7)

    def with_scipy() -> np.ndarray:
        maps = [
            [correlate2d(image[..., 0], kernels[:, :, 0, k], "same") for k in range(16)]
            for image in few
        ]
        return np.moveaxis(maps, 1, -1)

    def with_tensorflow() -> np.ndarray:
        return np.array(keras.ops.conv(images, kernels, padding="same"))

    def with_ours() -> np.ndarray:
        return conv2d(images, kernels, padding="same")

    np.testing.assert_allclose(with_ours(), with_tensorflow(), atol=1e-4)
    np.testing.assert_allclose(with_ours()[:20], with_scipy(), atol=1e-4)
    programs = {
        "plain Python loop": lambda: loop(padded, kernels[:, :, 0, 0]),
        "scipy.signal.correlate2d": with_scipy,
        "TensorFlow": with_tensorflow,
        OURS: with_ours,
    }
    scales = {"plain Python loop": 16 * len(images), "scipy.signal.correlate2d": len(images) / 20}
    work = f"Sixteen 15 x 15 kernels over {len(images):,} digits, float32"
    return compare(work, programs, 5, scales)


def drawing_pictures() -> list[Row]:
    """Draw a hundred pictures, and decode the same pictures from PNG."""
    places = [(kind, index) for index in range(50) for kind in drawings.CATS_AND_DOGS]
    files = [io.BytesIO() for _ in places]

    def draw() -> list[np.ndarray]:
        return [drawings.draw(kind, 0, "train", index).picture for kind, index in places]

    for file, picture in zip(files, draw(), strict=True):
        Image.fromarray(picture).save(file, "PNG")
    programs = {
        "decoding them from PNG": lambda: [np.asarray(Image.open(file)) for file in files],
        OURS: draw,
    }
    return compare("100 drawn pictures of 64 x 64", programs, 3)


def five_layers() -> keras.Sequential:
    """Chain Keras's own layers for flip, rotation, shift, shear and zoom."""
    layers = keras.layers
    return keras.Sequential(
        [
            layers.RandomFlip("horizontal"),
            layers.RandomRotation(40 / 360, fill_mode="nearest"),
            layers.RandomTranslation(0.2, 0.2, fill_mode="nearest"),
            layers.RandomShear(0.2, 0.2, fill_mode="nearest"),
            layers.RandomZoom(0.2, 0.2, fill_mode="nearest"),
        ]
    )


def serving_pictures() -> list[Row]:
    """Serve augmented batches, and see whether training has to wait for them.

    The old generator decodes every picture again each time; ours decodes once, which is not
    counted, and then changes what is in memory.
    """
    from tf_keras.preprocessing.image import ImageDataGenerator

    folder, size, batch_size, count = cats_and_dogs.folder() / "train", 150, 32, 1920
    share = 10  # the peers serve a tenth
    settings = {"rotation_range": 40, "width_shift_range": 0.2, "height_shift_range": 0.2}
    settings |= {"shear_range": 0.2, "zoom_range": 0.2, "horizontal_flip": True}
    generator = ImageDataGenerator(rescale=1 / 255, **settings)
    with contextlib.redirect_stdout(io.StringIO()):
        classic = generator.flow_from_directory(folder, (size, size), batch_size=batch_size)
    data = picture_folders.read(folder, size)

    def serve_classic() -> None:
        for _ in range(count // share // batch_size):
            next(classic)

    def serve(augment, count: int) -> Callable[[], None]:
        batches = augmentation.batches(data.x[:count], data.y[:count], batch_size, augment)
        return lambda: collections.deque(batches, maxlen=0)

    ours = augmentation.RandomAffine()
    programs = {
        "ImageDataGenerator": serve_classic,
        "five Keras layers": serve(five_layers(), count // share),
        OURS: serve(ours, count),
    }
    scales = {"ImageDataGenerator": share, "five Keras layers": share}
    found = compare(f"{count:,} augmented pictures of {size} x {size}", programs, 3, scales)
    for row in found:
        print(f"  {row.program:27}{count / row.seconds:8,.0f} pictures a second")
    few = count // 12
    return found + waiting_for_pictures(data.x[:few], data.y[:few], batch_size, ours)


def waiting_for_pictures(x: np.ndarray, y: np.ndarray, batch_size: int, augment) -> list[Row]:
    """Compare a training step on augmented batches with one on a batch that is there already."""
    model = pretrained.convnet(x.shape[1])
    model.compile(optimizer="rmsprop", loss="binary_crossentropy", metrics=["accuracy"])
    served = augmentation.batches(x, y, batch_size, augment)
    cached = served.take(1).cache().repeat(len(served))
    programs = {
        "cached batch": lambda: model.fit(cached, shuffle=False, verbose=0),
        OURS: lambda: model.fit(served, shuffle=False, verbose=0),
    }
    return compare(f"{len(served)} training steps of the convnet", programs, 3)


def explaining_pictures() -> list[Row]:
    """Compute Grad-CAMs of a hundred pictures: in one call, one by one, and with tf-keras-vis."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        from tf_keras_vis.gradcam import Gradcam

    model = pretrained.convnet(150)
    x = np.random.default_rng(0).random((100, 150, 150, 3)).astype("float32")
    layer = layer_graph.last_maps(layer_graph.trace(model)).name

    def without_activation(clone: keras.Model) -> None:
        clone.layers[-1].activation = keras.activations.linear

    explainer = Gradcam(model, model_modifier=without_activation, clone=True)

    def with_tf_keras_vis() -> np.ndarray:
        options = {"expand_cam": False, "normalize_cam": False}
        return np.array(explainer(lambda z: z[:, 0], x, layer, False, **options))

    def with_ours() -> np.ndarray:
        return grad_cam(model, x, target=1)

    theirs = with_tf_keras_vis()
    np.testing.assert_allclose(with_ours(), theirs, atol=1e-5 * theirs.max())
    programs = {
        "single calls": lambda: [grad_cam(model, x[i : i + 1], target=1) for i in range(10)],
        "tf-keras-vis": with_tf_keras_vis,
        OURS: with_ours,
    }
    work = f"Grad-CAM of {len(x)} pictures of 150 x 150"
    return compare(work, programs, 3, {"single calls": 10})


def climbing_for_filters() -> list[Row]:
    """Maximise 16 filters: at once, one by one as the classic listing does, and on its canvas."""
    model, steps, size, numbers = pretrained.convnet(150), 40, 150, range(8)
    layer = model.layers[2].name
    part = keras.Model(model.inputs, model.get_layer(layer).output)

    @tf.function(autograph=False)
    def step(image: tf.Tensor, number: tf.Tensor) -> tf.Tensor:
        with tf.GradientTape() as tape:
            tape.watch(image)
            loss = tf.reduce_mean(tf.gather(part(image), number, axis=-1))
        gradient = tape.gradient(loss, image)
        return image + 0.03 * gradient / (tf.sqrt(tf.reduce_mean(gradient**2)) + 1e-5)

    def one_by_one() -> None:
        for number in numbers:
            image = tf.random.uniform((1, size, size, 3), 0.45, 0.55)
            for _ in range(steps):
                image = step(image, tf.constant(number))

    def at_once(size: int | None) -> Callable[[], object]:
        return lambda: maximise(model, layer, numbers, steps, size)

    programs = {
        "one filter at a time": one_by_one,
        OURS: at_once(size),
        "course_utils, own canvas": at_once(None),
    }
    work = f"{steps} steps of gradient ascent for {len(numbers)} filters, {size} x {size}"
    return compare(work, programs, 2)


def features_and_head() -> list[Row]:
    """Go from pictures to a trained head, without and with features on disk.

    The peer is what a plain listing does: ``predict`` of the base with its preprocessing.
    """
    name, part = {"real": ("efficientnet_lite0", 10), "embedded": ("course", 2)}[
        cats_and_dogs.tier()
    ]
    size = pretrained.BASES[name].size
    data = cats_and_dogs.load(photo_size=size)
    x, y = data.x_train[::part], data.y_train[::part]
    base = pretrained.build(name, size)
    plain = keras.Sequential([keras.Input((size, size, 3)), pretrained.preprocessing(base), base])

    def with_head(folder: str) -> None:
        maps = pretrained.extract(base, x, folder=Path(folder), progress=False)
        head = keras.Sequential(
            [
                keras.Input(maps.shape[1:]),
                keras.layers.GlobalAveragePooling2D(),
                keras.layers.Dense(1, activation="sigmoid"),
            ]
        )
        head.compile(optimizer="adam", loss="binary_crossentropy", metrics=["accuracy"])
        head.fit(maps, y, batch_size=64, epochs=10, verbose=0)

    def from_pictures() -> None:
        with tempfile.TemporaryDirectory() as folder:
            with_head(folder)

    with tempfile.TemporaryDirectory() as kept:
        programs = {
            "plain predict, no head": lambda: plain.predict(x, batch_size=32, verbose=0),
            "features and head": from_pictures,
            "the same, features on disk": lambda: with_head(kept),
        }
        work = f"{len(x):,} pictures of {size} x {size} through {name}"
        return compare(work, programs, 3, ours="features and head")


class Race(keras.callbacks.Callback):
    """Measure the training time until the test accuracy reaches a target, measuring excluded."""

    def __init__(self, x: np.ndarray, y: np.ndarray, target: float) -> None:
        super().__init__()
        self.x, self.y, self.target = x, y, target
        self.elapsed, self.reached, self.accuracies = 0.0, None, []

    def on_epoch_begin(self, epoch, logs=None):
        """Start the clock."""
        self.start = time.perf_counter()

    def on_epoch_end(self, epoch, logs=None):
        """Stop the clock, then measure."""
        self.elapsed += time.perf_counter() - self.start
        predicted = self.model.predict(self.x, batch_size=500, verbose=0).argmax(axis=1)
        self.accuracies.append(float(np.mean(predicted == self.y)))
        if self.reached is None and self.accuracies[-1] >= self.target:
            self.reached = self.elapsed
            self.model.stop_training = True


def training_race() -> list[Row]:
    """Train the convnet at a constant rate and along a cosine, until it reads well enough.

    Along the cosine it needs 3 epochs where the listing, at a constant rate, has 5. Tried
    besides, on two cores, over three seeds: 2 epochs instead of 3 reach the target in the second
    one as well, with less to spare; batches of 128 take a tenth less time an epoch, but miss the
    target in one run of three (RMSprop) or need a warm-up (Adam); several steps in one call
    (steps_per_execution) gain nothing, for the time goes into the convolutions; XLA (jit_compile)
    takes twice as long. One seed is run here; three took 28.1, 19.1 and 27.3 s at a constant rate
    and 18.9, 18.3 and 19.5 s along the cosine.
    """
    data = datasets.load("mnist")
    target, plain_epochs, our_epochs = (0.99, 5, 3) if data.tier == "real" else (0.97, 30, 20)
    x, x_test = as_input(data.x_train), as_input(data.x_test)
    cosine = keras.optimizers.schedules.CosineDecay(1e-3, our_epochs * -(-len(x) // 64))
    races = {"constant rate": (1e-3, plain_epochs), OURS: (cosine, our_epochs)}
    needed = {}
    for name, (rate, epochs) in races.items():
        keras.utils.set_random_seed(0)
        model, race = digit_convnet(), Race(x_test, data.y_test, target)
        model.compile(
            optimizer=keras.optimizers.RMSprop(rate),
            loss="sparse_categorical_crossentropy",
            metrics=["accuracy"],
        )
        model.fit(x, data.y_train, epochs=epochs, batch_size=64, verbose=0, callbacks=[race])
        needed[name] = [race.reached or np.inf]
    return rows(f"Training to {target:.0%} test accuracy, {data.title}", needed, {})


BENCHMARKS = {
    "convolution": one_convolution,
    "bank": filter_bank,
    "drawings": drawing_pictures,
    "pipeline": serving_pictures,
    "features": features_and_head,
    "maps": explaining_pictures,
    "filters": climbing_for_filters,
    "training": training_race,
}


def main() -> None:
    """Run the benchmarks named on the command line, or all, and print one table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*", help=f"{', '.join(BENCHMARKS)}; all if not given")
    names = parser.parse_args().names
    if unknown := set(names) - set(BENCHMARKS):
        parser.error(f"no benchmark {', '.join(unknown)}; there are {', '.join(BENCHMARKS)}")
    table: list[Row] = []
    for name in names or BENCHMARKS:
        print(f"{name} ...", flush=True)
        start = time.perf_counter()
        table += BENCHMARKS[name]()
        print(f"  took {time.perf_counter() - start:.0f} s", flush=True)
    work = ""
    for row in table:
        if row.work != work:
            print(f"\n{row.work}\n{'':31}median    ratio to ours, from - to")
        work = row.work
        print(row)


if __name__ == "__main__":
    main()
