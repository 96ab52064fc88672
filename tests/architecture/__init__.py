"""How the package is built: imports, state, options, names that stay."""

from tests.support.python import needs

needs(3, 8)
