"""A net as a list of steps, and what is read off it: outputs, filters, class maps, scores."""

from course_utils.explain.class_activation_maps import grad_cam, hires_cam
from course_utils.explain.heatmap_overlays import overlay, scaled, upsample
from course_utils.explain.layer_outputs import outputs
from course_utils.explain.learned_filters import canvas_size, deprocess, maximise
from course_utils.explain.localization_scores import energy_inside, pointing_game
