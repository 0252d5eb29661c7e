"""python -m tests [REPORT]: runs all tests; REPORT gets their counts, and the name and reason of each that was skipped, as JSON."""

import json
import sys
import unittest
from pathlib import Path

folder = Path(__file__).parent
sys.path.insert(0, str(folder.parent / "src"))
suite = unittest.defaultTestLoader.discover(str(folder), top_level_dir=str(folder.parent))
result = unittest.TextTestRunner(verbosity=1).run(suite)
failed = len(result.failures) + len(result.errors) + len(result.unexpectedSuccesses)
skipped = [{"title": case.id(), "reason": reason} for case, reason in result.skipped]
report = {"passed": result.testsRun - failed - len(skipped), "failed": failed, "skipped": skipped}
if len(sys.argv) > 1:
    Path(sys.argv[1]).write_text(json.dumps(report), encoding="utf-8")
sys.exit(failed > 0)
