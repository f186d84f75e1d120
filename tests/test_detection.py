"""Boxes against hand-worked cases, Keras, TensorFlow and COCO's own evaluation."""

import contextlib
import io

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from course_utils import detection
from course_utils.backend import keras, tf
from tests.examples import many

FORMATS = ("xyxy", "xywh", "center_xywh")
NAN = float("nan")


def random_boxes(rng, *shape, size=60.0, longest=40.0):
    """Boxes with an area, as float32 can hold them."""
    low, sides = rng.uniform(0, size, (*shape, 2)), rng.uniform(1, longest, (*shape, 2))
    return np.concatenate([low, low + sides], axis=-1).astype(np.float32)


@st.composite
def some_boxes(draw, least=1, most=8):
    """A few random boxes."""
    count, seed = draw(st.integers(least, most)), draw(st.integers(0, 2**31))
    return random_boxes(np.random.default_rng(seed), count).astype(float)


@pytest.mark.parametrize("target", FORMATS)
@pytest.mark.parametrize("source", FORMATS)
def test_formats_are_those_of_keras(source, target):
    boxes = random_boxes(np.random.default_rng(0), 1000)
    given_boxes = detection.convert(boxes, "xyxy", source)
    by_keras = keras.utils.bounding_boxes.convert_format(
        given_boxes.astype("float32"), source, target, height=100, width=100
    )
    assert np.allclose(detection.convert(given_boxes, source, target), by_keras, atol=1e-4)


@many(200)
@given(some_boxes(), st.sampled_from(FORMATS), st.sampled_from(FORMATS))
def test_a_format_can_be_undone(boxes, source, target):
    back = detection.convert(detection.convert(boxes, source, target), target, source)
    assert np.allclose(back, boxes)


def test_an_unknown_format_and_a_wrong_shape_are_named():
    with pytest.raises(ValueError, match="no format 'yolo'; known are xyxy, xywh, center_xywh"):
        detection.convert([0, 0, 1, 1], "xyxy", "yolo")
    with pytest.raises(ValueError, match=r"shape \(3,\); expected four numbers"):
        detection.convert([0, 0, 1], "xyxy", "xywh")
    with pytest.raises(ValueError, match=r"shape \(2, 5\)"):
        detection.iou(np.zeros((2, 5)), [])


@pytest.mark.parametrize(
    ("box", "expected"),
    [
        ([0, 0, 10, 10], 1),
        ([5, 0, 15, 10], 1 / 3),
        ([0, 0, 5, 5], 1 / 4),  # nested
        ([2, 2, 2, 8], 0),  # inside, but without width
        ([10, 0, 20, 10], 0),  # touching at an edge
        ([10, 10, 20, 20], 0),  # touching at a corner
        ([30, 30, 40, 40], 0),
        ([8, 8, 2, 2], 0),  # corners that have changed places
        ([0, 0, NAN, 10], 0),
    ],
)
def test_iou_worked_out_by_hand(box, expected):
    assert detection.iou([[0, 0, 10, 10]], [box]) == pytest.approx(expected)
    assert detection.iou([box], [[0, 0, 10, 10]]) == pytest.approx(expected)


def test_iou_of_nothing_is_an_empty_table():
    assert detection.iou([], [[0, 0, 1, 1]]).shape == (0, 1)
    assert detection.iou([[0, 0, 1, 1]], []).shape == (1, 0)
    assert detection.iou([[1, 1, 1, 1]], [[1, 1, 1, 1]]).tolist() == [[0]]


def test_iou_is_that_of_keras():
    rng = np.random.default_rng(1)
    a, b = random_boxes(rng, 1000, 4), random_boxes(rng, 1000, 6)
    by_keras = keras.utils.bounding_boxes.compute_iou(a, b, bounding_box_format="xyxy")
    ours = np.stack([detection.iou(*pair) for pair in zip(a, b, strict=True)])
    assert np.allclose(ours, by_keras, atol=1e-5)


@many(200)
@given(some_boxes(), some_boxes(), st.floats(-50, 50), st.floats(0.1, 10))
def test_iou_does_not_care_where_and_how_large(a, b, shift, factor):
    table = detection.iou(a, b)
    assert ((table >= 0) & (table <= 1)).all()
    assert np.allclose(table, detection.iou(b, a).T)
    assert np.allclose(np.diag(detection.iou(a, a)), 1)
    assert np.allclose(table, detection.iou(a * factor + shift, b * factor + shift))


def test_suppression_is_that_of_tensorflow():
    rng = np.random.default_rng(2)
    for _ in range(1000):
        boxes, scores = random_boxes(rng, 12), rng.random(12, dtype=np.float32)
        by_tensorflow = tf.image.non_max_suppression(
            boxes[:, [1, 0, 3, 2]], scores, 12, iou_threshold=0.4, score_threshold=0.2
        )
        assert detection.nms(boxes, scores, 0.4, 0.2).tolist() == by_tensorflow.numpy().tolist()


@many(200)
@given(some_boxes(most=20), st.integers(0, 2**31), st.floats(0, 1))
def test_what_is_kept_is_clear_of_the_rest_of_its_class(boxes, seed, threshold):
    rng = np.random.default_rng(seed)
    scores, labels = rng.random(len(boxes)), rng.integers(0, 2, len(boxes))
    kept = detection.nms(boxes, scores, threshold, labels=labels)
    clash = (detection.iou(boxes, boxes) > threshold) & np.equal.outer(labels, labels)
    better = np.greater.outer(scores, scores)
    assert not (clash[np.ix_(kept, kept)] & ~np.eye(len(kept), dtype=bool)).any()
    dropped = np.setdiff1d(np.arange(len(boxes)), kept)
    assert (clash & better)[np.ix_(kept, dropped)].any(axis=0).all()
    assert (np.diff(scores[kept]) <= 0).all()


def test_suppression_at_its_edges():
    pair = [[0, 0, 10, 10], [0, 0, 10, 5]]  # an IoU of exactly 0.5 is not above 0.5
    assert detection.nms(pair, [0.9, 0.8]).tolist() == [0, 1]
    assert detection.nms(pair, [0.9, 0.8], 0.49).tolist() == [0]
    assert detection.nms(pair, [0.5, 0.5], 0.49).tolist() == [0]
    assert detection.nms(pair, [NAN, 0.8], 0.49).tolist() == [1]
    assert detection.nms(pair, [0.9, 0.6], score_threshold=0.6).tolist() == [0, 1]
    assert detection.nms(pair, [0.9, 0.8], 0.3, labels=[0, 1]).tolist() == [0, 1]
    assert detection.nms([], []).tolist() == []


def test_anchors_stand_around_the_middle_of_each_cell():
    found = detection.anchors(3, 96, sides=[16, 32], ratios=[1, 4])
    assert found.shape == (3, 3, 4, 4)
    centres = detection.convert(found, "xyxy", "center_xywh")
    assert np.allclose(centres[1, 2, :, :2], [80, 48])
    assert np.allclose(centres[0, 0, :, 2:], [[16, 16], [32, 8], [32, 32], [64, 16]])
    assert np.allclose(detection.area(found)[0, 0], [256, 256, 1024, 1024])


def test_matching_worked_out_by_hand():
    anchors = [[0, 0, 10, 10], [10, 0, 20, 10], [20, 0, 30, 10], [30, 0, 40, 10]]
    true = [[0, 0, 10, 10], [14, 0, 24, 10], [21, 0, 31, 10]]
    # IoU with the second box is 6/14 and 4/16: no anchor reaches 0.5, but the better one is taken.
    assert detection.match(anchors, true).tolist() == [0, 1, 2, -1]
    assert detection.match(anchors, true[1:2]).tolist() == [-1, 0, -1, -1]
    assert detection.match(anchors, [[0, 0, 10, 4.5]], low=0.4).tolist() == [0, -1, -1, -1]
    assert detection.match([[0, 0, 10, 10], [0, 0, 9, 10]], [[0, 0, 4.5, 10]]).tolist() == [-2, 0]
    assert detection.match(anchors, []).tolist() == [-1] * 4
    assert detection.match(anchors, [[90, 90, 99, 99]]).tolist() == [-1] * 4
    assert detection.match([], true).tolist() == []


def test_offsets_are_those_of_keras():
    rng = np.random.default_rng(4)
    boxes, anchors = random_boxes(rng, 1000), random_boxes(rng, 1000)
    by_keras = keras.utils.bounding_boxes.encode_box_to_deltas(
        anchors, boxes, "xyxy", "xyxy", encoding_format="center_xywh"
    )
    assert np.allclose(detection.encode(boxes, anchors), by_keras, atol=1e-4)


@many(200)
@given(some_boxes(least=5, most=5), some_boxes(least=5, most=5))
def test_an_offset_leads_back_to_its_box(boxes, anchors):
    assert np.allclose(detection.decode(detection.encode(boxes, anchors), anchors), boxes)
    assert np.allclose(detection.encode(boxes, boxes), 0)


def coco_precision(cases, iou_threshold):
    """Average precision of each case by COCO's evaluation; -1 where there is no true box.

    Each case is a class of its own, so that one evaluation does for all.
    """
    from pycocotools.coco import COCO
    from pycocotools.cocoeval import COCOeval

    def entry(label, picture, box):
        x, y, width, height = detection.convert(box, "xyxy", "xywh").tolist()
        about = {"image_id": int(picture), "category_id": label, "bbox": [x, y, width, height]}
        return about | {"area": width * height, "iscrowd": 0}

    true, found = [], []
    for label, (boxes, scores, pictures, true_boxes, true_pictures) in enumerate(cases):
        true += [entry(label, *each) for each in zip(true_pictures, true_boxes, strict=True)]
        found += [
            entry(label, picture, box) | {"score": float(score)}
            for picture, box, score in zip(pictures, boxes, scores, strict=True)
        ]
    truth = COCO()
    truth.dataset = {
        "info": {},
        "images": [{"id": number} for number in range(3)],
        "categories": [{"id": number} for number in range(len(cases))],
        "annotations": [each | {"id": number} for number, each in enumerate(true, 1)],
    }
    with contextlib.redirect_stdout(io.StringIO()):
        truth.createIndex()
        evaluation = COCOeval(truth, truth.loadRes(found), "bbox")
        evaluation.params.iouThrs = np.array([iou_threshold])
        evaluation.params.areaRng, evaluation.params.areaRngLbl = [[0, 1e10]], ["all"]
        evaluation.params.maxDets = [100]
        evaluation.evaluate()
        evaluation.accumulate()
    return evaluation.eval["precision"][0, :, :, 0, 0].mean(axis=0)


def random_case(rng):
    """Detections of one class in three pictures, some near a true box, some anywhere."""
    count, others = rng.integers(0, 7), rng.integers(1, 7)
    true, true_pictures = random_boxes(rng, count), rng.integers(0, 3, count)
    near = true + rng.normal(0, 4, true.shape).astype(np.float32)
    boxes = np.concatenate([near, random_boxes(rng, others)])
    boxes = np.concatenate([boxes[:, :2], np.maximum(boxes[:, 2:], boxes[:, :2] + 1)], axis=1)
    pictures = np.concatenate([true_pictures, rng.integers(0, 3, others)])
    return boxes, rng.random(len(boxes)), pictures, true, true_pictures


@pytest.mark.parametrize("threshold", [0.5, 0.75])
def test_average_precision_is_that_of_coco(threshold):
    rng = np.random.default_rng(3)
    cases = [random_case(rng) for _ in range(1000)]
    ours = [
        detection.average_precision(
            detection.true_positives(*case, iou_threshold=threshold), case[1], len(case[3])
        )
        for case in cases
    ]
    by_coco = coco_precision(cases, threshold)
    assert (by_coco == -1).sum() > 50
    assert ((by_coco > 0) & (by_coco < 1)).sum() > 200
    assert np.array_equal(np.isnan(ours), by_coco == -1)
    assert np.allclose(np.nan_to_num(ours, nan=-1), by_coco, atol=1e-9)


def test_a_true_box_is_found_once_and_in_its_picture_only():
    box = [0, 0, 10, 10]
    assert detection.true_positives([box, box], [0.5, 0.5], [0, 0], [box], [0]).tolist() == [
        True,
        False,
    ]
    assert not detection.true_positives([box], [0.5], [1], [box], [0]).any()
    assert detection.true_positives([], [], [], [box], [0]).tolist() == []
    assert detection.true_positives([box], [0.5], [0], [], []).tolist() == [False]


def test_precision_and_recall_at_their_edges():
    assert detection.average_precision([True, True], [0.9, 0.8], 2) == 1
    assert detection.average_precision([False], [0.9], 2) == 0
    assert detection.average_precision([], [], 2) == 0
    assert np.isnan(detection.average_precision([False], [0.9], 0))
    precision, recall = detection.precision_recall([False], [0.9], 0)
    assert precision.tolist() == [0]
    assert np.isnan(recall).all()


def test_landmark_error_worked_out_by_hand():
    true = [[[10, 10], [20, 10]], [[5, 5], [NAN, NAN]]]
    found = [[[13, 14], [20, 10]], [[5, 9], [0, 0]]]
    error = detection.landmark_error(found, true, [[0, 0, 50, 50], [0, 0, 40, 10]])
    assert np.allclose(error, [[0.1, 0], [0.2, NAN]], equal_nan=True)
