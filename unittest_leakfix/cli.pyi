import unittest

class LeakFixProgram(unittest.TestProgram):
    max_connections: int | None
    shuffle: int | None
    patience: float | None
    exit_after: float | None

main = LeakFixProgram
