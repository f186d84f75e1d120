"""Pretrained networks: bases with the weights of ImageNet, and the nets of earlier notebooks.

``bases`` has the convolutional parts of known networks and what each expects of its pictures,
``features`` what they compute, kept on disk, and ``course_nets`` what the course has trained.
"""

from course_utils.pretrained.bases import (
    BASES,
    Preprocessing,
    available,
    build,
    preprocessing,
    settle,
    tier,
)
from course_utils.pretrained.course_nets import (
    base_of,
    convnet,
    fine_tuned,
    on_base,
    trained_convnet,
)
from course_utils.pretrained.features import extract
