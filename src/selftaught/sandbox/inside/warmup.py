"""What the zygote imports beside the modules of the settings, and what it runs once so that no child pays for it.

Many libraries import parts of themselves at first use; done in a child that costs 10–200 ms of every call.
"""

from __future__ import annotations

STANDARD = [
    "math", "cmath", "itertools", "functools", "collections", "collections.abc", "fractions", "decimal", "random",
    "re", "json", "string", "statistics", "heapq", "bisect", "operator", "datetime", "time", "copy", "io", "os", "sys",
    "typing", "types", "dataclasses", "enum", "textwrap", "inspect", "linecache", "traceback", "threading", "queue",
    "contextlib", "abc", "struct", "array", "numbers", "calendar", "hashlib", "builtins", "codecs", "warnings", "gc",
    "ast", "tempfile", "shutil", "glob", "pathlib", "pickle", "csv", "ctypes", "zlib", "base64", "locale", "weakref",
]  # fmt: skip

WARM_UP = {
    "re": "import re; re.compile(r'(\\d+)\\s*').findall('1 2')",
    "decimal": "from decimal import Decimal; str(Decimal(1) / 3)",
    "json": "import json; json.loads(json.dumps({'a': [1.5, None]}))",
    "tempfile": "import tempfile; tempfile.tempdir = None",
    "numpy": (
        "import numpy as np, numpy.linalg, numpy.random, numpy.fft, numpy.polynomial\n"
        "a = np.arange(6.0).reshape(2, 3); str(a); repr(a @ a.T); np.linalg.inv(np.eye(2)); np.random.seed(0)\n"
        "np.random.rand(2); np.random.default_rng(0).random(2); np.sum(a), np.mean(a), np.roots([1, -3, 2])"
    ),
    "sympy": (
        "import sympy as s\n"
        "from sympy import *\n"
        "x, y = s.symbols('x y'); n = s.Symbol('n', integer=True)\n"
        "str(s.factorint(10**10 + 1)); str(s.solve(x**2 - 3*x + 2, x)); str(s.solve([x + y - 2, x - y], [x, y]))\n"
        "str(s.integrate(x * s.sin(x), x)); str(s.diff(s.exp(x) * x, x)); str(s.simplify(s.sin(x)**2 + s.cos(x)**2))\n"
        "str(s.expand((x + 1)**3)); str(s.factor(x**2 - 1)); s.latex(x / y); str(s.Matrix([[1, 2], [3, 4]]).det())\n"
        "str(s.nsimplify(0.5)); str(s.limit(s.sin(x) / x, x, 0)); str(s.summation(n, (n, 1, 5))); s.isprime(97)\n"
        "s.sqrt(8), s.N(s.pi, 20), s.Rational(1, 3) + 1, s.divisors(12), s.totient(10), s.nextprime(7)\n"
        "str(s.sympify('x**2 + 1')); str(s.series(s.exp(x), x, 0, 3)); str(s.solveset(x**2 - 1, x)); s.pprint(x)"
    ),
    "scipy": (
        "import scipy.optimize, scipy.integrate, scipy.special, scipy.linalg, scipy.sparse, scipy.stats\n"
        "scipy.optimize.minimize(lambda v: v[0]**2, [1.0]); scipy.integrate.quad(lambda t: t, 0, 1)\n"
        "scipy.optimize.brentq(lambda t: t - 0.5, 0, 1); scipy.special.comb(5, 2); scipy.stats.norm.cdf(0.0)"
    ),
    "matplotlib": (
        "import io, matplotlib; matplotlib.use('agg'); import matplotlib.pyplot as plt\n"
        "plt.plot([1, 2], [1, 3], label='$x^2$'); plt.title('A'); plt.legend(); plt.savefig(io.BytesIO(), format='png')\n"
        "plt.close('all')"
    ),
    "mpmath": "import mpmath; mpmath.mp.dps = 15; str(mpmath.quad(mpmath.sin, [0, 1])); mpmath.zeta(2)",
    "networkx": (
        "import networkx as nx; g = nx.path_graph(4); nx.shortest_path(g, 0, 3); nx.is_connected(g)\n"
        "nx.maximum_flow_value(nx.DiGraph([(0, 1, {'capacity': 1})]), 0, 1)"
    ),
}
