"""The course's own package: small modules, one idea each, that the notebooks import.

Importing the package loads none of them, and so neither Keras nor TensorFlow:
a notebook that only needs NumPy starts at once.
"""

import os

# Read by TensorFlow when it is imported, to keep its start-up lines out of the notebooks.
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("KERAS_BACKEND", "tensorflow")
