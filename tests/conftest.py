from __future__ import annotations

import hypothesis

# A busy machine is no reason to fail: what must be quick is measured by the benchmarks.
hypothesis.settings.register_profile("steady", deadline=None)
hypothesis.settings.load_profile("steady")
