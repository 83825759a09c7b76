"""Makes data/student.json for tests/golden/student_quantiles.c.

    python make_student.py OUT          needs scipy

"quantile": the 97.5 % quantile of Student's distribution with 1 to 1000 degrees of freedom; "large": pairs of
degrees of freedom and quantile.
"""
import json, os, sys
import scipy
from scipy.stats import t

large = [[n, float(t.ppf(0.975, n))] for n in (1001, 9999, 49999, 1000000)]
with open(os.path.join(sys.argv[1], "student.json"), "w") as file:
    json.dump({"note": "scipy.stats.t.ppf(0.975, n) of scipy " + scipy.__version__,
               "quantile": [float(t.ppf(0.975, n)) for n in range(1, 1001)], "large": large}, file)
    file.write("\n")
