"""Answers that students might give and that are wrong, for every exercise: at least four kinds.

Each is an expression, or lines of code that take the place of the line with the dots.
"""

NET_03 = """
small_net = keras.Sequential([keras.Input((28, 28, 1)), keras.layers.MaxPooling2D(4)])
small_net.add(keras.layers.Flatten())
small_net.add(keras.layers.Dense(10{activation}))
{more}
"""
BY_HEART = """
parrot = keras.Sequential([keras.Input((16, 16, 3)), keras.layers.Flatten()])
parrot.add(keras.layers.Dense({units}, activation="sigmoid"))
parrot.compile(loss="{loss}")
fitted = parrot.fit(noise, labels, verbose=0)
"""
INSIDE = """
augmented_net = keras.Sequential([keras.Input((32, 32, 3)), {front}])
augmented_net.add(keras.layers.Conv2D(4, 3, activation="relu"))
augmented_net.add(keras.layers.Flatten())
{dropout}
augmented_net.add(keras.layers.Dense(1{activation}))
"""
FLIP = 'keras.layers.RandomFlip("horizontal")'
SCALE, TURN = "keras.layers.Rescaling(1 / 255)", "keras.layers.RandomRotation(0.1)"
DROP = "augmented_net.add(keras.layers.Dropout(0.5))"


def inside(front, dropout=DROP, activation=", activation='sigmoid'"):
    """Build the net of 5.6 with some mistake."""
    return INSIDE.format(front=", ".join(front), dropout=dropout, activation=activation)


STOPPING = """
net = keras.Sequential([keras.Input((32, 32, 3)), keras.layers.Rescaling(1 / 255)])
net.add(keras.layers.Flatten())
net.add(keras.layers.Dense({units}, activation="sigmoid"))
net.compile(keras.optimizers.Adam({rate}), loss="binary_crossentropy")
history = net.fit(x_train, y_train, verbose=0, {options})
"""
STOPPER = "keras.callbacks.EarlyStopping(monitor='val_loss', patience={}, restore_best_weights={})"
VALIDATION = "validation_data=(x_validation, y_validation)"


def stopping(epochs, patience, restore, rate=0.05, units=1):
    """Train the net of 6.6 with some mistake."""
    stopper = STOPPER.format(patience, restore)
    options = f"epochs={epochs}, {VALIDATION}, callbacks=[{stopper}]"
    return STOPPING.format(options=options, rate=rate, units=units)


GOOD_CALLBACK = """
class StopWhenGood(keras.callbacks.Callback):
    def __init__(self, enough):
        super().__init__()
        self.enough = enough

    def on_epoch_end(self, epoch, logs=None):
        if logs["val_accuracy"] >= self.enough:
            self.model.stop_training = True
"""
HEAD_07 = """
deeper_head = keras.Sequential([keras.Input(features_train.shape[1:]), keras.layers.Flatten()])
{hidden}
deeper_head.add(keras.layers.Dense(1{activation}))
"""
HIDDEN = "deeper_head.add(keras.layers.Dense(8, activation='relu'))\n"
SIGMOID = ", activation='sigmoid'"
WITH_HEAD = """
def with_head(base):
    base.trainable = False
    model = keras.Sequential([keras.Input(base.input_shape[1:]), base])
    model.add(keras.layers.GlobalAveragePooling2D())
    model.add(keras.layers.Dense(1, activation="sigmoid"))
    model.compile("adam", loss="binary_crossentropy")
    return model
"""
THAW = """
def thaw(base, first):
    base.trainable = True
    reached = False
    for layer in base.layers:
        reached = reached or layer.name == first
        is_norm = isinstance(layer, keras.layers.BatchNormalization)
        layer.trainable = reached and not is_norm
"""
READ = """
def read(folder):
    options = {"image_size": (96, 96), "batch_size": 8, "validation_split": 0.25, "seed": 0}
    load = keras.utils.image_dataset_from_directory
    training = load(folder, subset="training", **options)
    validation = load(folder, subset="validation", **options)
    return training, validation
"""
WATCHER = """
def watcher(net):
    outputs = [each.output for each in net.layers if isinstance(each, keras.layers.Conv2D)]
    return keras.Model(net.inputs[0], outputs)
"""
CLIMB = """
def climb(maps_of, x, channel):
    picture = tf.Variable(x, dtype="float32")
    for _ in range(10):
        with tf.GradientTape() as tape:
            level = tf.reduce_mean(maps_of(picture)[..., channel])
        g = tape.gradient(level, picture)
        picture.assign_add(0.03 * g / tf.sqrt(tf.reduce_mean(g**2)))
    return picture.numpy()
"""
GRAD_CAM = """
def grad_cam(net, layer_name, x):
    both = keras.Model(net.inputs[0], [net.get_layer(layer_name).output, *net.outputs])
    with tf.GradientTape() as tape:
        maps, score = both(x)
    gradient = tape.gradient(score, maps)
    alpha = tf.reduce_mean(gradient, axis=(1, 2), keepdims=True)
    return tf.nn.relu(tf.reduce_sum(alpha * maps, axis=-1)).numpy()
"""
GRID_HEAD = """
def build(shape, classes):
    maps = keras.Input(shape)
    x = keras.layers.Conv2D(64, 3, padding="same", activation="relu")(maps)
    said = keras.layers.Conv2D(5 + classes, 1)(x)
    return keras.Model(maps, said)
"""


def changed(code, *pairs):
    """Put mistakes into a right answer."""
    for right, wrong in pairs:
        assert right in code, right
        code = code.replace(right, wrong)
    return code


WRONG = {
    "0.1": [
        *("(32, 200, 150, 3)", "(150, 200, 3)", "(32, 3, 150, 200)", "32 * 150 * 200 * 3"),
        *("'32, 150, 200, 3'", "(None, 150, 200, 3)", "(32, 150, 200)", "(1, 32, 150, 200, 3)"),
        *("(31, 150, 200, 3)", "[[32, 150], [200, 3]]", "(32, 150, 200, 'rgb')"),
    ],
    "0.2": [
        *("cat[80:149, 125:214]", "cat[125:215, 80:150]", "cat[80:150]", "cat[81:151, 125:215]"),
        *("cat[80:150, 125:215, np.newaxis]", "cat", "'cat[80:150, 125:215]'"),
    ],
    "0.3": [
        *("lambda image: -image", "lambda image: 255 - image", "lambda image: image[::-1]"),
        *(
            "np.ones(3)",
            "lambda image: print(1 - image)",
            "lambda: 1",
            "lambda image: 1 - image / 2",
        ),
        "def negative(image):\n    image *= -1\n    image += 1\n    return image",
    ],
    "0.4": [
        *("lambda p: p.mean()", "lambda p: p.mean(axis=0)", "lambda p: p.mean(axis=2)"),
        *("lambda p: p.sum(axis=(0, 1))", "lambda p: None", "[0.5, 0.5, 0.5]", "np.mean"),
        "lambda p: list(p.mean(axis=(0, 1)))[::-1]",
    ],
    "0.5": [
        *("lambda p: p[np.newaxis]", "lambda p: p[..., np.newaxis]", "lambda p: p"),
        *("lambda p: p[np.newaxis, np.newaxis]", "np.newaxis", "cat[np.newaxis]", "'reshape'"),
        "lambda p: p.T[np.newaxis, :, :, np.newaxis]",
    ],
    "1.1": [
        "29.5",
        "29",
        "31",
        "60",
        "32",
        "[30]",
        "'30'",
        "None",
        "64",
        "(30, 30)",
        "len",
        "True",
    ],
    "1.2": [
        *("np.eye(3)", "[[0, 0, 0], [1, 0, 0], [0, 0, 0]]", "[[0, 0, 0], [0, 1, 0], [0, 0, 0]]"),
        *("[0, 0, 1]", "[[0, 0, 0], [0, 0, -1], [0, 0, 0]]", "[[0, 0, 0], [0, 0, 1], [0, 0]]"),
        *("'left'", "np.zeros((3, 3, 1))", "[[0, 0, 0], [-1, 0, 1], [0, 0, 0]]", "1"),
    ],
    "1.3": [
        *("[[-1, 0, 1]] * 3", "[[1, -2, 1]] * 3", "[[0, 1, 0]] * 3", "np.zeros((3, 3))"),
        *("[-1, 2, -1]", "np.ones((5, 5))", "'lines'", "[[-1, 2, -1]] * 2", "[[-2, 2, 0]] * 3"),
    ],
    "1.4": [
        *("102464", "73856", "-28608", "28672", "65536", "384", "28609", "'28608'", "[28608]"),
        *("0.28", "convolution.conv_parameters", "(102464, 73856)"),
    ],
    "1.5": [
        *("convolution.max_pool2d", "convolution.average_pool2d", "np.array([[2, -5]])", "np.min"),
        *("lambda image: -convolution.max_pool2d(image)", "lambda image: print(image)"),
        *("lambda image: convolution.max_pool2d(-image)", "lambda image: image.min(axis=0)"),
    ],
    "1.6": [
        "lambda image, kernel, stride: conv2d(image, kernel)",
        "lambda image, kernel, stride: conv2d(image, kernel[::-1, ::-1], stride)",
        "lambda image, kernel, stride: conv2d(image, kernel, stride, 'same')",
        "lambda image, kernel: conv2d(image, kernel)",
        "conv2d(np.ones((5, 5)), np.ones((3, 3)), 2)",
        "lambda image, kernel, stride: conv2d(image, kernel, stride) / kernel.size",
        "def strided(image, kernel, stride):\n    conv2d(image, kernel, stride)",
        "lambda image, kernel, stride: conv2d(image[::stride, ::stride], kernel)",
    ],
    "2.1": ["0.25", "2", "8", "'4'", "[4]", "None", "3", "np.array([4, 4])", "25"],
    "2.2": ["16", "96", "1536", "24576", "40", "383", "'384'", "[384]", "(16, 24)", "16.5"],
    "2.3": [
        *("(8, np.radians(30), 4)", "(1 / 8, 30, 4)", "(1 / 8, -np.radians(30), 4)"),
        *("(1 / 8, np.radians(60), 4)", "(1 / 8, np.radians(30), 1)", "(1 / 8, 0, 4)"),
        *("('1/8', 0.5, 4)", "(1 / 4, 0.52, 4)", "(1 / 8, 0.52, 300)", "(2 * np.pi / 8, 0.52, 4)"),
    ],
    "2.4": [
        "lambda image: np.hypot(conv2d(image, filters.sobel_kernel(0)), 0)",
        "lambda image: conv2d(image, filters.sobel_kernel(0), padding='same')",
        "lambda image: image",
        "filters.sobel_kernel(0)",
        "def edge_strength(image):\n    along_x = conv2d(image, filters.sobel_kernel(0))",
        "def edge_strength(image):\n"
        "    x = conv2d(image, filters.sobel_kernel(0), padding='same')\n"
        "    y = conv2d(image, filters.sobel_kernel(np.pi / 2), padding='same')\n"
        "    return x**2 + y**2",
        "def edge_strength(image):\n"
        "    x = conv2d(image, filters.sobel_kernel(0), padding='same')\n"
        "    y = conv2d(image, filters.sobel_kernel(np.pi / 2), padding='same')\n"
        "    return abs(x) + abs(y)",
    ],
    "2.5": [
        *("lambda k: k - k.sum()", "lambda k: k / k.sum()", "lambda k: k", "np.zeros((3, 3))"),
        *("lambda k: 0 * k", "lambda k: None", "lambda k: k - k.min()", "'mean'"),
        "def without_brightness(kernel):\n    kernel -= kernel.mean()\n    return kernel",
    ],
    "2.6": ["0.7", "-0.1", "0.3", "0.25", "'0.5'", "[0.5]", "0.3 - 0.4j", "None", "1", "abs"],
    "3.1": [
        *("((3, 3, 128), 73856)", "((1, 1, 64), 73856)", "((1, 1, 128), 73728)", "(128, 73856)"),
        *("((1, 1, 128), 1280)", "((1, 128, 1), 73856)", "((1, 1, 128), '73856')"),
        *("((1, 1, 128), 36928)", "((None, 1, 1, 128), 73856)", "((1, 1, 128), 73857)"),
    ],
    "3.2": ["1", "2", "2 / 3", "1 / 3", "0.25", "50", "'0.5'", "[0.25, 0.25, 0.5]", "np.exp", "0"],
    "3.3": ["0.1", "-2.3", "1", "3.32", "0.9", "23.03", "'2.3'", "np.log", "[2.3]", "2", "None"],
    "3.4": [
        *("'sparse_categorical_crossentropy'", "'binary_crossentropy'", "'crossentropy'", "'mse'"),
        *(
            "'accuracy'",
            "['categorical_crossentropy']",
            "3",
            "keras.losses.CategoricalCrossentropy",
        ),
        *("'softmax'", "'categorical'", "''", "None"),
    ],
    "3.5": [
        "lambda net, picture: net.predict(picture, verbose=0).argmax()",
        "lambda net, picture: net.predict(picture[np.newaxis], verbose=0)",
        "lambda net, picture: net.predict(picture[np.newaxis], verbose=0).max()",
        "lambda net, picture: net.predict(picture[np.newaxis], verbose=0).argmax(axis=1)",
        "lambda net, picture: net.predict(picture[np.newaxis], verbose=0).argmin()",
        "lambda net, picture: 3",
        "lambda picture: 3",
        "lambda net, picture: print(net.predict(picture[np.newaxis], verbose=0).argmax())",
        *("7", "'read'"),
    ],
    "3.6": [
        NET_03.format(activation="", more=""),
        NET_03.format(activation=", activation='sigmoid'", more=""),
        NET_03.format(activation=", activation='softmax'", more=""),
        NET_03.format(activation=", activation='softmax'", more="small_net = small_net.layers"),
        NET_03.format(
            activation=", activation='softmax'",
            more="small_net = small_net.compile(loss='sparse_categorical_crossentropy')",
        ),
        "keras.Sequential([keras.layers.Flatten(), keras.layers.Dense(10)])",
        "keras.Sequential([keras.Input((28, 28, 1)), keras.layers.Flatten()])",
        "keras.Sequential([keras.Input((784,)), keras.layers.Dense(10)])",
        "keras.Sequential([keras.Input((28, 28, 1)), keras.layers.Flatten(),"
        " keras.layers.Dense(64), keras.layers.Dense(10)])",
        *("0.95", "keras.Sequential", "keras.layers.Dense(10)", "'small_net'"),
    ],
    "4.1": ["6400", "2304", "512", "4", "12544", "1600", "'1024'", "[1024]", "(2, 2, 256)", "1025"],
    "4.2": ["1875", "1860", "63", "60000", "960", "62.5", "'1890'", "[1890]", "1891", "2000"],
    "4.3": [
        *("int(np.argmax(history['val_accuracy']))", "int(np.argmin(history['val_loss'])) + 1"),
        *("max(history['val_accuracy'])", "7", "8", "1", "'5'", "[5]", "history", "np.argmax"),
    ],
    "4.4": [
        "photo_net",
        "[*photo_net.layers[:-1], keras.layers.Dense(512), keras.layers.Dense(1)]",
        "keras.Sequential([keras.Input((150, 150, 3)), *photo_net.layers, keras.layers.Dense(5)])",
        "keras.Sequential([keras.Input((150, 150, 3)), *photo_net.layers[:-1],"
        " keras.layers.Dense(512), keras.layers.Dense(1, activation='sigmoid')])",
        "keras.Sequential([keras.Input((150, 150, 3)), *photo_net.layers[:-1],"
        " keras.layers.Dense(512, activation='relu'), keras.layers.Dense(1)])",
        "keras.Sequential([keras.Input((150, 150, 3)), *photo_net.layers[:-1],"
        " keras.layers.Dense(256, activation='relu'), keras.layers.Dense(1)])",
        "keras.Sequential([keras.Input((64, 64, 3)), keras.layers.Flatten(),"
        " keras.layers.Dense(1)])",
        *("3715777", "None", "photo_net.summary()", "keras.layers.Dense(512)"),
    ],
    "4.5": [
        "lambda path: keras.utils.load_img(path, target_size=(150, 150))",
        "lambda path: keras.utils.img_to_array(keras.utils.load_img(path, target_size=(150, 150)))",
        "lambda path: keras.utils.img_to_array("
        "keras.utils.load_img(path, target_size=(150, 150)))[np.newaxis]",
        "lambda path: keras.utils.img_to_array(keras.utils.load_img(path))[np.newaxis] / 255",
        "lambda path: keras.utils.img_to_array("
        "keras.utils.load_img(path, target_size=(150, 150)))[np.newaxis] / 255 / 255",
        "lambda path: keras.utils.img_to_array("
        "keras.utils.load_img(path, target_size=(150, 150)))[np.newaxis, ..., ::-1] / 255",
        *("np.zeros((1, 150, 150, 3))", "lambda path: None", "lambda: 1", "'cat.jpg'"),
    ],
    "4.6": [
        BY_HEART.format(units=1, loss="binary_crossentropy"),
        BY_HEART.format(units=2, loss="sparse_categorical_crossentropy"),
        BY_HEART.format(units=1, loss="binary_crossentropy") + "parrot = fitted",
        "keras.Sequential([keras.Input((16, 16, 3)), keras.layers.Flatten(),"
        " keras.layers.Dense(1)])",
        "keras.Sequential([keras.Input((768,)), keras.layers.Dense(1, activation='sigmoid')])",
        "[keras.layers.Flatten(), keras.layers.Dense(1, activation='sigmoid')]",
        *("1.0", "labels", "keras.Sequential([keras.layers.Flatten()])"),
    ],
    "5.1": [
        "90",
        "np.pi / 2",
        "25",
        "0.5",
        "4",
        "'0.25'",
        "[0.25]",
        "None",
        "(-0.25, 0.25)",
        "0.2",
    ],
    "5.2": [
        *("'rotation'", "'shift'", "'shear'", "'zoom'", "'mirror'", "['flip']", "1"),
        "keras.layers.RandomFlip",
    ],
    "5.3": [
        *("[[-1, 0, 4], [0, -1, 4], [0, 0, 1]]", "[[-1, 0, 4], [0, 1, 0], [0, 0, 1]]"),
        *("[[1, 0, 0], [0, -1, 0], [0, 0, 1]]", "[[1, 0, 0], [0, -1, 5], [0, 0, 1]]"),
        *("[[1, 0, 0], [0, -1, 4]]", "[[1, 0, 0], [0, -1, 0], [0, 4, 1]]", "'flip'", "-1"),
        "np.eye(3)",
    ],
    "5.4": [
        "1.25",
        "0.2",
        "0.8",
        "4",
        "2",
        "'5'",
        "[5]",
        "None",
        "20",
        "keras.layers.Dropout(0.8)",
    ],
    "5.5": ["(0.1, 0.3)", "0.3", "(30, 10)", "(0.3, 0.3)", "'0.3, 0.1'", "(0.3, 0.2)", "None"],
    "5.6": [
        inside([SCALE, TURN]),
        inside([SCALE, FLIP]),
        inside([FLIP, TURN]),
        inside([SCALE, SCALE, FLIP, TURN]),
        inside([SCALE, FLIP, TURN], dropout=""),
        inside([SCALE, FLIP, TURN], activation=""),
        inside([SCALE, FLIP, "keras.layers.RandomRotation(0.5)"]),
        inside([SCALE, "keras.layers.RandomFlip()", TURN]),
        inside([SCALE, FLIP, TURN]).replace("(32, 32, 3)", "(64, 64, 3)"),
        inside([SCALE, FLIP, TURN]).replace("Dense(1", "Dense(2"),
        "[keras.layers.Rescaling(1 / 255), keras.layers.RandomFlip('horizontal')]",
        "keras.Sequential([keras.Input((32, 32, 3)), keras.layers.Flatten(),"
        " keras.layers.Dense(1)])",
        *("keras.layers.RandomFlip('horizontal')", "None"),
    ],
    "6.1": [
        *("(10, 10)", "(7, 5)", "(8, 8)", "(8, 4)", "(9, 5)", "(8, 0.63)", "('8', 5)", "(6, 3)"),
        *("(8, 10)", "(8, 3)", "([8], 5)"),
    ],
    "6.2": [
        *("'mae'", "'val_loss'", "'val_mean_absolute_error'", "'val_accuracy'", "'val_mse'"),
        *("['val_mae']", "0.5", "'validation mae'", "'mae_val'", "keras.metrics.MeanAbsoluteError"),
    ],
    "6.3": [
        changed(GOOD_CALLBACK, ("val_accuracy", "accuracy")),
        changed(GOOD_CALLBACK, ("self.model.stop_training = True", "print('good')")),
        changed(GOOD_CALLBACK, (">= self.enough", "> self.enough")),
        changed(GOOD_CALLBACK, (">= self.enough", ">= 0.8")),
        changed(GOOD_CALLBACK, ("val_accuracy", "val_acc")),
        changed(GOOD_CALLBACK, ("keras.callbacks.Callback", "object"), ("super().__init__()", "")),
        changed(GOOD_CALLBACK, ("on_epoch_end", "on_train_end")),
        GOOD_CALLBACK + "\nStopWhenGood = StopWhenGood(0.8)",
        "keras.callbacks.EarlyStopping(patience=1)",
        *("0.8", "lambda epoch, logs: logs['val_accuracy'] >= 0.8"),
    ],
    "6.4": [
        "lambda epoch, rate: 0.002 * epoch if epoch < 5 else 0.9 * rate",
        "lambda epoch, rate: 0.002 * (epoch + 1) if epoch <= 5 else 0.9 * rate",
        "lambda epoch, rate: 0.002 * (epoch + 1) if epoch < 5 else rate",
        "lambda epoch, rate: rate + 0.002 if epoch < 5 else 0.9 * rate",
        "lambda epoch: 0.002 * (epoch + 1)",
        "lambda epoch, rate: print(rate)",
        "lambda epoch, rate: 0.002 * (epoch + 1) if epoch < 5 else 0.1 * rate",
        *("0.002", "[0.002, 0.004, 0.006, 0.008, 0.01]"),
    ],
    "6.5": ["0.005", "0.00125", "0.01", "0.25", "'0.0025'", "[0.0025]", "0.02", "None", "1 / 32"],
    "6.6": [
        stopping(30, 1, True),
        stopping(30, 3, False),
        stopping(30, 9, True),
        stopping(3, 3, True, rate=1e-5),
        stopping(30, 3, True, units=2).replace("binary", "sparse_categorical"),
        stopping(30, 3, True)
        .replace(VALIDATION, "validation_data=None")
        .replace("val_loss", "loss"),
        stopping(30, 3, True) + "history = net",
        stopping(30, 3, True) + "net = history",
        "(keras.Sequential, None)",
        "(keras.Sequential([keras.Input((64, 64, 3)), keras.layers.Flatten()]), {})",
    ],
    "7.1": [
        *("(14, 14, 512)", "(4, 4, 512)", "(7, 7, 1000)", "(512, 7, 7)", "7", "'7, 7, 512'"),
        *("(None, 7, 7, 512)", "(7, 7)", "7 * 7 * 512", "(7, 7, 256)", "(1, 7, 7, 512)"),
    ],
    "7.2": ["2097665", "131328", "131072", "257", "4609", "'131585'", "[131585]", "131584", "0"],
    "7.3": ["25600", "6400", "512", "25", "829536", "25088", "(5, 5, 512)", "'12800'", "12801"],
    "7.4": ["0.2", "0.4", "0.6", "-0.8", "51", "'-0.6'", "[-0.6]", "-1", "None"],
    "7.5": [
        HEAD_07.format(hidden=2 * HIDDEN, activation=""),
        HEAD_07.format(hidden=2 * HIDDEN, activation=SIGMOID) + "deeper_head.layers[0]",
        HEAD_07.format(hidden=HIDDEN, activation=SIGMOID),
        HEAD_07.format(hidden=2 * HIDDEN.replace("relu", "linear"), activation=SIGMOID),
        HEAD_07.format(hidden=2 * HIDDEN, activation=SIGMOID).replace("Dense(1,", "Dense(2,"),
        "keras.Sequential([keras.Input((150, 150, 3)), keras.layers.Flatten()])",
        "[keras.layers.Dense(64), keras.layers.Dense(64), keras.layers.Dense(1)]",
        *("0.9", "None", "keras.layers.Dense(1)"),
    ],
    "7.6": [
        changed(WITH_HEAD, ("base.trainable = False", "pass")),
        changed(WITH_HEAD, ("    model.compile", "    model.trainable = False\n    model.compile")),
        changed(WITH_HEAD, ('model.compile("adam", loss="binary_crossentropy")', "pass")),
        changed(WITH_HEAD, ("return model", "return base")),
        changed(WITH_HEAD, ("return model", "")),
        changed(WITH_HEAD, (', activation="sigmoid"', "")),
        changed(WITH_HEAD, ("GlobalAveragePooling2D", "ReLU")),
        changed(WITH_HEAD, ("return model", "return model.fit")),
        *("keras.Sequential([keras.layers.Dense(1)])", "'with_head'", "lambda: None"),
    ],
    "8.1": ["5", "6", "4", "30", "12", "'10'", "[10]", "None", "11", "7079424"],
    "8.2": ["0.54", "0.612", "0.6", "0.68", "0.52", "55.2", "'0.552'", "[0.5, 0.54, 0.552]", "1"],
    "8.3": [
        *("'block4_conv3'", "'block4_pool'", "'block5_conv1'", "'block4'", "4", "['block4_conv1']"),
        *("'block3_pool'", "'conv1_block4'", "keras.applications.VGG16"),
    ],
    "8.4": ["385", "352", "32", "2", "0", "'33'", "[33]", "None", "34", "10"],
    "8.5": [
        changed(THAW, ("base.trainable = True", "pass")),
        changed(THAW, ("reached and not is_norm", "reached")),
        changed(THAW, ("reached = False", "reached = True")),
        changed(
            THAW,
            ("        reached = reached or layer.name == first\n", ""),
            ("not is_norm", "not is_norm\n        reached = reached or layer.name == first"),
        ),
        changed(THAW, ("reached or layer.name == first", "layer.name == first")),
        "def thaw(base, first):\n    base.trainable = True",
        "def thaw(base, first):\n    base.get_layer(first).trainable = True",
        "def thaw(base):\n    base.trainable = True",
        *("keras.Sequential([keras.layers.Dense(1)])", "None"),
    ],
    "9.1": ["5184", "350464", "341056", "1401856", "18496", "15552", "'331776'", "(72, 72, 64)"],
    "9.2": [
        "lambda maps: int(maps.any(axis=(0, 1)).sum())",
        "lambda maps: int(np.sum(maps == 0))",
        "lambda maps: ~maps.any(axis=(0, 1))",
        "lambda maps: np.mean(~maps.any(axis=(0, 1)))",
        "lambda maps: int(np.sum(~maps.any(axis=-1)))",
        "lambda maps: 3",
        *("3", "lambda maps: None", "'count'"),
    ],
    "9.3": ["32", "16", "'0'", "[0]", "None", "1", "False", "0.5", "np.zeros(32)", "31"],
    "9.4": [
        "lambda peaks, is_dog: int(np.argmax("
        "np.abs(peaks[is_dog].mean(0) - peaks[~is_dog].mean(0))))",
        "lambda peaks, is_dog: int(np.argmax((peaks[is_dog].mean(0) - peaks[~is_dog].mean(0))"
        " / (peaks.std(0) + 0.001)))",
        "lambda peaks, is_dog: np.abs(peaks[is_dog].mean(0) - peaks[~is_dog].mean(0))"
        " / (peaks.std(0) + 0.001)",
        "lambda peaks, is_dog: float(np.max(np.abs(peaks[is_dog].mean(0) - peaks[~is_dog].mean(0))"
        " / (peaks.std(0) + 0.001)))",
        "lambda peaks: int(np.argmax(peaks.mean(0)))",
        *("2", "lambda peaks, is_dog: None", "lambda peaks, is_dog: 0"),
    ],
    "9.5": [
        "lambda maps: ~maps.any(axis=(0, 1, 2))",
        "lambda maps: np.sum(~maps.any(axis=(0, 1, 2)))",
        "lambda maps: np.flatnonzero(maps.any(axis=(0, 1, 2)))",
        "lambda maps: np.flatnonzero((~maps.any(axis=(1, 2))).any(axis=0))",
        "lambda maps: np.flatnonzero(~maps.any(axis=(0, 1)))",
        "lambda maps: 'all'",
        *("[2, 5]", "lambda maps: None", "np.flatnonzero"),
    ],
    "9.6": [
        changed(WATCHER, (" if isinstance(each, keras.layers.Conv2D)", "")),
        changed(WATCHER, ("inputs[0], outputs", "inputs[0], outputs[-1]")),
        changed(WATCHER, ("return keras.Model(net.inputs[0], outputs)", "return outputs")),
        changed(WATCHER, ("inputs[0], outputs", "inputs[0], outputs[::-1]")),
        changed(WATCHER, ("return keras.Model(net.inputs[0], outputs)", "return net")),
        changed(WATCHER, ("return keras", "keras")),
        changed(WATCHER, ("outputs)", "keras.models.clone_model(net).outputs)")),
        "def watcher(net):\n"
        "    new = keras.models.clone_model(net)\n"
        "    outputs = [each.output for each in new.layers if 'conv' in each.name]\n"
        "    return keras.Model(new.inputs[0], outputs)",
        *("keras.Sequential([keras.layers.Dense(1)])", "lambda: 1", "None"),
    ],
    "10.1": ["10", "9", "13", "18", "50", "'14'", "[14]", "(14, 14)", "15", "None", "11"],
    "10.2": ["0.03", "40", "0.19", "0.036", "1.17", "'1.2'", "[1.2]", "None", "2", "0.5"],
    "10.3": [
        "lambda x, g, rate: x - rate * g / np.sqrt(np.mean(g**2))",
        "lambda x, g, rate: x + rate * g",
        "lambda x, g, rate: x + rate * g / np.linalg.norm(g)",
        "lambda x, g, rate: x + rate * g / np.abs(g).mean()",
        "lambda x, g, rate: x + rate * np.sign(g)",
        "lambda x, g, rate: rate * g / np.sqrt(np.mean(g**2))",
        "lambda x, g: x + g",
        "def step(x, g, rate):\n    x += rate * g / np.sqrt(np.mean(g**2))\n    return x",
        *("0.03", "lambda x, g, rate: None"),
    ],
    "10.4": ["[1, -0.6]", "[2, 3]", "[-3, 2]", "[2, -3, 1]", "-1", "'2, -3'", "[0.5, 0.2]", "None"],
    "10.5": [
        "lambda p: 0.5 + 0.15 * (p - p.mean()) / p.std()",
        "lambda p: np.clip(p, 0, 1)",
        "lambda p: (p - p.min()) / (p.max() - p.min())",
        "lambda p: np.clip(0.5 + (p - p.mean()) / p.std(), 0, 1)",
        "lambda p: np.clip(0.5 + 0.15 * (p - p.mean()), 0, 1)",
        "lambda p: np.clip(0.15 * (p - p.mean()) / p.std(), 0, 1)",
        *("lambda p: None", "0.5", "np.clip"),
    ],
    "10.6": [
        changed(CLIMB, ("assign_add", "assign_sub")),
        changed(CLIMB, (" / tf.sqrt(tf.reduce_mean(g**2))", "")),
        changed(CLIMB, ("tf.reduce_mean(g**2)", "tf.reduce_sum(g**2)")),
        changed(CLIMB, ("range(10)", "range(1)")),
        changed(CLIMB, ("range(10)", "range(0)")),
        changed(CLIMB, ("range(10)", "range(40)")),
        changed(CLIMB, ("[..., channel]", "[..., 3]")),
        changed(CLIMB, ("[..., channel]", "")),
        changed(CLIMB, ("return picture.numpy()", "")),
        changed(CLIMB, ("return picture.numpy()", "return picture.numpy()[0]")),
        changed(CLIMB, ("return picture.numpy()", "x += 1\n    return picture.numpy()")),
        changed(CLIMB, ("tf.Variable(x", "tf.constant(x")),
        *("np.zeros((1, 14, 14, 3))", "lambda x: x", "keras.Sequential([keras.layers.ReLU()])"),
    ],
    "11.1": [
        *("[[2, 3], [1, 4]]", "[[2, 0], [0, 4]]", "[[1, 3], [1, 2]]", "[2, -3, -1, 4]", "2"),
        *("[[-2, 3], [1, -4]]", "[[2, -1], [-3, 4]]", "[[[2, -3], [-1, 4]]]", "'2A - B'"),
        "[[0.5, -0.75], [-0.25, 1]]",
    ],
    "11.2": [
        *("[0.5, 3, -0.5]", "[0.5, -2, 1.5]", "[1.5, -2, 0.5]", "[-0.5, -2, -1.5]", "-1"),
        *("'the opposite'", "[[-0.5, 2, -1.5]]", "[-0.5, 2]", "[0, 0, 0]", "None"),
    ],
    "11.3": [
        *("'block4_pool'", "'block3_conv3'", "'block5_conv3'", "'block4_conv1'", "'block4'", "4"),
        *("['block4_conv3']", "'conv4'", "'block3_pool'"),
    ],
    "11.4": [
        "384",
        "0.25",
        "0.375",
        "9.375",
        "6",
        "'9 %'",
        "[0.09]",
        "0.1",
        "0.90625",
        "None",
        "0",
    ],
    "11.5": [
        "def iou(a, b):\n"
        "    width, height = min(a[2], b[2]) - max(a[0], b[0]), min(a[3], b[3]) - max(a[1], b[1])\n"
        "    areas = [(box[2] - box[0]) * (box[3] - box[1]) for box in (a, b)]\n"
        "    return width * height / (sum(areas) - width * height)",
        "def iou(a, b):\n"
        "    width = max(min(a[2], b[2]) - max(a[0], b[0]), 0)\n"
        "    return width * max(min(a[3], b[3]) - max(a[1], b[1]), 0)",
        "def iou(a, b):\n"
        "    width = max(min(a[2], b[2]) - max(a[0], b[0]), 0)\n"
        "    shared = width * max(min(a[3], b[3]) - max(a[1], b[1]), 0)\n"
        "    return shared / ((a[2] - a[0]) * (a[3] - a[1]) + (b[2] - b[0]) * (b[3] - b[1]))",
        *("lambda a, b: a == b", "lambda a: 1", "0.5", "lambda a, b: None", "lambda a, b: 1 / 7"),
    ],
    "11.6": [
        changed(GRAD_CAM, ("tf.nn.relu", "")),
        changed(GRAD_CAM, ("alpha * maps", "gradient * maps")),
        changed(GRAD_CAM, ("tf.reduce_mean(gradient", "tf.reduce_sum(gradient")),
        changed(GRAD_CAM, ("tf.reduce_sum(alpha", "tf.reduce_mean(alpha")),
        changed(GRAD_CAM, ("axis=(1, 2), keepdims", "axis=(0, 1, 2), keepdims")),
        changed(GRAD_CAM, ("alpha * maps", "-alpha * maps")),
        changed(GRAD_CAM, ("alpha * maps", "maps")),
        changed(GRAD_CAM, ("tf.reduce_sum(alpha * maps, axis=-1)", "alpha * maps")),
        changed(
            GRAD_CAM, ("return tf.nn.relu(", "return (lambda m: m / m.max())(np.maximum(")
        ).replace(").numpy()", ", 0))"),
        changed(GRAD_CAM, ("return ", "")),
        changed(GRAD_CAM, ("maps, score = both(x)", "pass")),
        *("np.zeros((3, 5, 5))", "lambda net, x: x", "'tf.GradientTape'"),
    ],
    "12.1": [
        changed(READ, ('subset="validation"', 'subset="training"')),
        changed(
            READ, ('subset="validation", **', 'subset="validation", **options | {"seed": 1}) #')
        ),
        changed(READ, ("0.25", "0.5")),
        changed(READ, ("(96, 96)", "(64, 64)")),
        changed(READ, ('"batch_size": 8', '"batch_size": 32')),
        changed(READ, ('"seed": 0', '"seed": 0, "label_mode": "categorical"')),
        changed(READ, ("return training, validation", "return training")),
        changed(READ, ("return training, validation", "")),
        changed(READ, ("return training, validation", "return training, training.take(0)")),
        "lambda: 1",
        "keras.utils",
    ],
    "12.2": ["1 / 3", "0.5", "60", "0.4", "0.445", "'0.6'", "[0.6, 0.25, 0.15]", "None", "1", "0"],
    "12.3": ["1 / 6", "1 / 90", "1 / 30", "18", "0.2", "5.6", "'1/18'", "[1 / 18]", "None", "1"],
    "12.4": ["0.75", "0.7", "0.8", "0.4", "0.3", "60", "'0.6'", "[0.8, 0.6]", "None", "15"],
    "12.5": ["'breed'", "'photo'", "'day'", "'class'", "2", "['dog']", "None", "'cat'"],
    "13.1": ["16", "16 / 96", "1 / 3", "5", "0.8", "20", "'0.2'", "[0.2]", "None", "0"],
    "13.2": [
        "(320, 240, 320, 240)",
        "(0.25, 0.25, 0.5, 0.5)",
        "(0.25, 0.25, 0.75, 0.75)",
        "(160, 120, 320, 240)",
        "(0.5, 0.5)",
        "0.5",
        "(50, 50, 50, 50)",
        "None",
        "'0.5 0.5 0.5 0.5'",
    ],
    "13.3": ["1", "3", "4", "0", "[0, 2]", "'two'", "None", "2.5"],
    "13.4": [
        "lambda scores, right, threshold: sum(right) / len(right)",
        "lambda scores, right, threshold: sum(h for s, h in zip(scores, right) if s >= threshold)",
        "lambda scores, right, threshold: sum(h for s, h in zip(scores, right) if s >= threshold)"
        " / max(sum(right), 1)",
        "lambda scores, right, threshold: sum(s >= threshold for s in scores) / len(scores)",
        "lambda s, right, t: 1 - np.mean(np.array(right)[np.array(s) >= t])",
        "lambda scores, right, threshold: np.mean(np.array(right)[np.array(scores) > threshold])",
        "lambda scores, right: 1",
        "lambda scores, right, threshold: None",
        "0.5",
    ],
    "13.5": [
        changed(GRID_HEAD, ("Conv2D(64, 3", "Conv2D(32, 3")),
        changed(GRID_HEAD, ("5 + classes", "4 + classes")),
        changed(GRID_HEAD, (', padding="same"', "")),
        changed(GRID_HEAD, ("5 + classes, 1", "5 + classes, 1, activation='sigmoid'")),
        changed(GRID_HEAD, ("5 + classes, 1", "5 + classes, 1, activation='softmax'")),
        changed(GRID_HEAD, ("5 + classes", "7")),
        changed(
            GRID_HEAD,
            (
                "keras.layers.Conv2D(5 + classes, 1)(x)",
                "keras.layers.Reshape((*shape[:2], 5 + classes))(keras.layers.Dense("
                "shape[0] * shape[1] * (5 + classes))(keras.layers.Flatten()(x)))",
            ),
        ),
        changed(GRID_HEAD, ("return keras.Model(maps, said)", "return said")),
        changed(GRID_HEAD, ("return keras.Model(maps, said)", "")),
        "keras.layers.Conv2D(7, 1)",
        "lambda shape, classes: 7",
    ],
}

# Nothing that any exercise asks for.
NEVER = ["None", "'a cat'", "object()", "{}", "np.array(['a', 'b'])", "[[1], [1, 2]]"]
NEVER += ["lambda: 1 / 0", "10**400", "b'42'", "float('nan')", "keras.layers.Flatten()", "type"]
