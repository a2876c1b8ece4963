"""What every test shares: how hypothesis looks for examples."""

import os

from hypothesis import settings

# No deadline: a machine under load is slow, not wrong. CI tries the same examples every time.
settings.register_profile("fast", deadline=None, max_examples=50)
settings.register_profile("ci", deadline=None, derandomize=True, database=None)
settings.load_profile("ci" if os.environ.get("CI") or os.environ.get("GATEROOM_TEST_REQUIRE") else "fast")
