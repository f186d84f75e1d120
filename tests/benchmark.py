"""Compare the course's code with named peers, side by side: ``make bench``.

Times depend on the machine, ratios much less, so every line is a ratio between two programs
that computed the same thing a moment ago.
"""

import argparse
import collections
import contextlib
import io
import tempfile
import time
import warnings
from collections.abc import Callable
from pathlib import Path

import numpy as np
from PIL import Image
from scipy.signal import correlate2d

from course_utils import (
    bases,
    class_maps,
    datasets,
    drawings,
    features,
    filters,
    layer_graph,
    learned_filters,
    models,
    pictures,
    pipeline,
    recipes,
    training,
    transfer,
)
from course_utils.backend import keras, tf
from course_utils.convolution import conv2d, conv2d_loop

SEEDS = 3


def seconds(function: Callable[[], object], repeats: int = 5) -> float:
    """Time a call: the best of some repeats, after one that does not count."""
    function()
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        function()
        times.append(time.perf_counter() - start)
    return min(times)


def once(function: Callable[[], object]) -> float:
    """Time the first call of a function."""
    start = time.perf_counter()
    function()
    return time.perf_counter() - start


def report(title: str, times: dict[str, float], ours: str = "course_utils") -> None:
    """Print times, and ratios to our own."""
    print(f"\n{title}")
    for name, value in times.items():
        print(f"  {name:28} {value:10.4f} s   {value / times[ours]:10.2f} x ours")


def one_convolution() -> None:
    """Filter one large image with one kernel."""
    rng = np.random.default_rng(0)
    image, kernel = rng.normal(size=(512, 512)), rng.normal(size=(7, 7))
    part = image[:70, :70]  # 64 x 64 windows of the 506 x 506
    scale = (506 / 64) ** 2
    np.testing.assert_allclose(conv2d_loop(part, kernel), conv2d(part, kernel))
    np.testing.assert_allclose(correlate2d(image, kernel, "valid"), conv2d(image, kernel))
    times = {
        "plain Python loop": seconds(lambda: conv2d_loop(part, kernel), 2) * scale,
        "scipy.signal.correlate2d": seconds(lambda: correlate2d(image, kernel, "valid"), 20),
        "course_utils": seconds(lambda: conv2d(image, kernel), 20),
    }
    report("One 7 x 7 kernel over a 512 x 512 image, float64", times)


def filter_bank() -> None:
    """Filter a thousand digits with sixteen kernels."""
    images = models.as_input(datasets.digits().x_train[:1000])
    bank = filters.gabor_bank([0.08, 0.14, 0.22, 0.34], directions=4, sigma=2.5, size=15)
    kernels = filters.stack_kernels(list(bank.values())).real.astype("float32")

    def with_scipy() -> np.ndarray:
        maps = [
            [correlate2d(image[..., 0], kernels[:, :, 0, k], "same") for k in range(16)]
            for image in images
        ]
        return np.moveaxis(maps, 1, -1)

    def with_tensorflow() -> np.ndarray:
        return np.array(keras.ops.conv(images, kernels, padding="same"))

    def with_ours() -> np.ndarray:
        return conv2d(images, kernels, padding="same")

    np.testing.assert_allclose(with_ours(), with_tensorflow(), atol=1e-4)
    np.testing.assert_allclose(with_ours()[:5], with_scipy()[:5], atol=1e-4)
    padded = np.pad(images[0, ..., 0], 7)
    loop = seconds(lambda: conv2d_loop(padded, kernels[:, :, 0, 0]), 1) * 16 * 1000
    times = {
        "plain Python loop": loop,
        "scipy.signal.correlate2d": seconds(with_scipy, 1),
        "TensorFlow": seconds(with_tensorflow, 10),
        "course_utils": seconds(with_ours),
    }
    report("Sixteen 15 x 15 kernels over 1,000 digits, float32", times)


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


def training_race() -> None:
    """Train the convnet by the plain Keras listing and by ours, turn by turn.

    Ours lets the learning rate fall to 0 along a cosine, and so needs 3 epochs where the listing,
    at a constant rate, has 5. Tried besides, on two cores, over three seeds: 2 epochs instead
    of 3 reach the target in the second one as well, with less to spare; batches of 128 take a
    tenth less time an epoch, but miss the target in one run of three (RMSprop) or need a warm-up
    (Adam); several steps in one call (steps_per_execution) gain nothing, for the time goes into
    the convolutions; XLA (jit_compile) takes twice as long.
    """
    data = datasets.load("mnist")
    target, plain_epochs, our_epochs = (0.99, 5, 3) if data.tier == "real" else (0.97, 30, 20)
    x, x_test = models.as_input(data.x_train), models.as_input(data.x_test)
    print(f"\nTraining to {target:.0%} test accuracy: {data.summary()}")
    needed: dict[str, list[float]] = {"plain Keras listing": [], "course_utils": []}
    for seed in range(SEEDS):
        for name, epochs in (("plain Keras listing", plain_epochs), ("course_utils", our_epochs)):
            training.set_seed(seed)
            model, race = models.mnist_convnet(), Race(x_test, data.y_test, target)
            if name == "course_utils":
                training.compile_classifier(model, steps=epochs * -(-len(x) // 64), warm_up=0)
                training.fit(model, x, data.y_train, epochs, callbacks=[race])
            else:
                model.compile(
                    optimizer="rmsprop",
                    loss="sparse_categorical_crossentropy",
                    metrics=["accuracy"],
                )
                model.fit(
                    x, data.y_train, epochs=epochs, batch_size=64, verbose=0, callbacks=[race]
                )
            needed[name].append(race.reached or np.inf)
            reached = f"{race.reached:6.1f} s" if race.reached else "not reached"
            curve = " ".join(f"{value:.2%}" for value in race.accuracies[-5:])
            print(f"  seed {seed}  {name:20} {reached:12} after each epoch: {curve}", flush=True)
    report("Mean training time to the target", {n: np.mean(v) for n, v in needed.items()})


def drawing_pictures() -> None:
    """Draw a hundred pictures, and decode the same pictures from PNG."""
    places = [(kind, index) for index in range(50) for kind in drawings.CATS_AND_DOGS]
    files = [io.BytesIO() for _ in places]

    def draw() -> list[np.ndarray]:
        return [drawings.draw(kind, 0, "train", index).picture for kind, index in places]

    for file, picture in zip(files, draw(), strict=True):
        Image.fromarray(picture).save(file, "PNG")
    times = {
        "decoding them from PNG": seconds(lambda: [np.asarray(Image.open(file)) for file in files]),
        "course_utils": seconds(draw, 3),
    }
    report("100 drawn pictures of 64 x 64", times)


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


def serving_pictures() -> None:
    """Serve augmented batches from the files, and see whether training has to wait for them.

    The old generator decodes every picture again each time; ours decodes once (a line says how
    long that takes) and then changes what is in memory.
    """
    from tf_keras.preprocessing.image import ImageDataGenerator

    folder, size, batch_size, count = pictures.folder() / "train", 150, 32, 1920
    settings = {"rotation_range": 40, "width_shift_range": 0.2, "height_shift_range": 0.2}
    settings |= {"shear_range": 0.2, "zoom_range": 0.2, "horizontal_flip": True}
    generator = ImageDataGenerator(rescale=1 / 255, **settings)
    with contextlib.redirect_stdout(io.StringIO()):
        classic = generator.flow_from_directory(folder, (size, size), batch_size=batch_size)
    start = time.perf_counter()
    data = pictures.read_folder(folder, size)
    print(f"\nDecoding {len(data.x):,} pictures once: {time.perf_counter() - start:.1f} s")

    def serve_classic() -> None:
        for _ in range(count // batch_size):
            next(classic)

    def serve(augment) -> Callable[[], None]:
        batches = pipeline.batches(data.x[:count], data.y[:count], batch_size, augment)
        return lambda: collections.deque(batches, maxlen=0)

    ours = pipeline.RandomAffine()
    times = {
        "ImageDataGenerator": seconds(serve_classic, 2),
        "five Keras layers": seconds(serve(five_layers()), 2),
        "course_utils": seconds(serve(ours), 3),
    }
    report(f"{count} augmented pictures of {size} x {size}", times)
    for name, value in times.items():
        print(f"  {name:28} {count / value:8.0f} pictures a second")
    waiting_for_pictures(data.x[:count], data.y[:count], batch_size, ours)


def waiting_for_pictures(x: np.ndarray, y: np.ndarray, batch_size: int, augment) -> None:
    """Compare a training step on augmented batches with one on a batch that is there already."""
    model = models.pictures_convnet(x.shape[1])
    training.compile_classifier(model, 1e-4)
    served = pipeline.batches(x, y, batch_size, augment)
    cached = served.take(1).cache().repeat(len(served))
    times = {
        "cached batch": seconds(lambda: model.fit(cached, verbose=0), 3),
        "course_utils": seconds(lambda: model.fit(served, verbose=0), 3),
    }
    report(f"{len(served)} training steps of the convnet", times)


def explaining_pictures() -> None:
    """Compute Grad-CAMs of a hundred pictures: in one call, one by one, and with tf-keras-vis."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        from tf_keras_vis.gradcam import Gradcam

    model = models.pictures_convnet(150)
    x = np.random.default_rng(0).random((100, 150, 150, 3)).astype("float32")
    layer = layer_graph.last_maps(layer_graph.trace(model)).name

    def without_activation(clone: keras.Model) -> None:
        clone.layers[-1].activation = keras.activations.linear

    def with_tf_keras_vis() -> np.ndarray:
        explainer = Gradcam(model, model_modifier=without_activation, clone=True)
        options = {"expand_cam": False, "normalize_cam": False}
        return np.array(explainer(lambda z: z[:, 0], x, layer, False, **options))

    def with_ours() -> np.ndarray:
        return class_maps.grad_cam(model, x, target=1)

    theirs = with_tf_keras_vis()
    np.testing.assert_allclose(with_ours(), theirs, atol=1e-5 * theirs.max())
    times = {
        "100 single calls": seconds(
            lambda: [class_maps.grad_cam(model, x[i : i + 1], target=1) for i in range(100)], 1
        ),
        "tf-keras-vis": seconds(with_tf_keras_vis, 3),
        "course_utils": seconds(with_ours, 3),
    }
    report("Grad-CAM of 100 pictures of 150 x 150", times)


def climbing_for_filters() -> None:
    """Maximise 64 filters: at once, one by one as the classic listing does, and on its canvas."""
    model, steps, size = models.pictures_convnet(150), 40, 150
    layer = model.layers[2].name
    part = keras.Model(model.inputs, model.get_layer(layer).output)

    @tf.function
    def step(image: tf.Tensor, number: tf.Tensor) -> tf.Tensor:
        with tf.GradientTape() as tape:
            tape.watch(image)
            loss = tf.reduce_mean(tf.gather(part(image), number, axis=-1))
        gradient = tape.gradient(loss, image)
        return image + 0.03 * gradient / (tf.sqrt(tf.reduce_mean(gradient**2)) + 1e-5)

    def one_by_one() -> None:
        for number in range(64):
            image = tf.random.uniform((1, size, size, 3), 0.45, 0.55)
            for _ in range(steps):
                image = step(image, tf.constant(number))

    def at_once(size: int | None) -> Callable[[], object]:
        return lambda: learned_filters.maximise(model, layer, steps=steps, size=size)

    times = {
        "one filter at a time": seconds(one_by_one, 1),
        "course_utils": seconds(at_once(size), 1),
        "course_utils, its own canvas": seconds(at_once(None), 1),
    }
    report(f"{steps} steps of gradient ascent for 64 filters, {size} x {size}", times)


def explain() -> None:
    """Look inside a network."""
    explaining_pictures()
    climbing_for_filters()


def features_and_head() -> None:
    """Go from pictures to a trained head, without and with features on disk.

    The peer is what a plain listing does: ``predict`` of the base with its preprocessing.
    """
    tier = recipes.tier("cats_features")
    name = recipes.RECIPES["cats_features"].base[tier]
    size = bases.BASES[name].size
    data = pictures.load(photo_size=size, tier=tier)
    base = bases.build(name, size)
    parts = data.x_train, data.x_validation, data.x_test
    plain = keras.Sequential([keras.Input((size, size, 3)), bases.preprocessing(base), base])

    def with_head(folder: Path) -> None:
        maps, validation_maps, _ = (features.extract(base, x, folder=folder) for x in parts)
        head = transfer.head(maps.shape[1:], pooling="average")
        steps = 10 * -(-len(maps) // 64)
        training.compile_classifier(head, 2e-3, steps, keras.optimizers.Adam)
        validation = (validation_maps, data.y_validation)
        training.fit(head, maps, data.y_train, 10, 64, validation)

    def predict() -> None:
        for x in parts:
            plain.predict(pipeline.batches(x, np.zeros(len(x)), shuffle=False), verbose=0)

    with tempfile.TemporaryDirectory() as folder:
        steps = {
            "plain predict, no head": predict,
            "features and head": lambda: with_head(Path(folder)),
            "the same, features on disk": lambda: with_head(Path(folder)),
        }
        times = {name: once(step) for name, step in steps.items()}
    title = f"{sum(map(len, parts)):,} pictures of {size} x {size} through {name}"
    report(title, times, "features and head")


def main() -> None:
    """Run the benchmarks named on the command line, or all."""
    benchmarks = {
        "convolution": one_convolution,
        "bank": filter_bank,
        "drawings": drawing_pictures,
        "pictures": serving_pictures,
        "features": features_and_head,
        "explain": explain,
        "training": training_race,
    }
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*", help=f"{', '.join(benchmarks)}; all if not given")
    names = parser.parse_args().names
    if unknown := set(names) - set(benchmarks):
        parser.error(f"no benchmark {', '.join(unknown)}; there are {', '.join(benchmarks)}")
    for name in names or benchmarks:
        benchmarks[name]()


if __name__ == "__main__":
    main()
