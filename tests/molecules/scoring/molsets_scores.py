"""Run by a Python that has molsets 0.3.1 and fcd_torch: sets in, scores out, as JSON.

``SOFTDRAW_MOLSETS=/path/to/that/python pytest tests/molecules/scoring/test_moses.py``. What newer pandas,
numpy and RDKit lack is put back first.
"""

import json
import sys
import types
import warnings


def main():
    import numpy as np
    import pandas as pd
    from rdkit import RDLogger

    RDLogger.DisableLog("rdApp.*")
    pd.DataFrame.append = lambda self, other, sort=False: pd.concat([self, other], sort=sort)
    np.NaN = np.nan
    six = types.ModuleType("rdkit.six")
    six.iteritems = lambda table: iter(table.items())
    sys.modules["rdkit.six"] = six
    from moses.metrics.metrics import get_all_metrics

    found = get_all_metrics(**json.load(sys.stdin))
    print(json.dumps({name: float(value) for name, value in found.items()}))


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    main()
