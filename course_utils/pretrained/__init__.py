"""Pretrained networks: bases with the weights of ImageNet, and the nets of earlier notebooks.

``efficientnet_lite`` is a whole network for photos, ``bases`` has its convolutional part, one for
drawings, and what each expects of its pictures; ``features`` is what they compute, kept on disk,
and ``course_nets`` what the course has trained.
"""

from course_utils.pretrained.bases import (
    BASES,
    build,
    preprocessing,
    settle,
)
from course_utils.pretrained.course_nets import (
    base_of,
    convnet,
    fine_tuned,
    on_base,
    trained_convnet,
)
from course_utils.pretrained.efficientnet_lite import efficientnet_lite0, imagenet_classes
from course_utils.pretrained.features import extract
