import pytest

pytest.register_assert_rewrite("reliability.matrix", "reliability.runs", "reliability.world")
