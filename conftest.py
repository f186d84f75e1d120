"""Docstring examples show the embedded tier, whatever lies in the data folder."""

import pytest
from _pytest.doctest import DoctestItem


@pytest.fixture(autouse=True)
def embedded_examples(request, monkeypatch):
    """Keep the user's data out of the examples."""
    if isinstance(request.node, DoctestItem):
        monkeypatch.setenv("COURSE_TIER", "embedded")
