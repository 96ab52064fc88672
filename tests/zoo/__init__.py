"""The leak zoo: each test of these modules leaves exactly one thing behind, the one its name says.

``python -m unittest_leakfix --leaks=report tests.zoo.kept`` shows a whole theme. In `silent`,
`silent_scopes` and `silent_apps` are the look-alikes: they seem to leave
something, and nothing must be said of them.
"""

from tests.support.python import needs

needs(3, 8)
