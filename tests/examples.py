"""How many random examples a property is tried on: all in CI, a tenth while one works."""

from hypothesis import settings

IN_CI = settings.get_current_profile_name() == "ci"


def many(count: int, **options) -> settings:
    """Try a property on so many random cases, always the same ones; on a tenth outside of CI.

    ``pytest --hypothesis-profile=ci`` tries them all.
    """
    examples = count if IN_CI else max(10, count // 10)
    return settings(max_examples=examples, deadline=None, derandomize=True, **options)
