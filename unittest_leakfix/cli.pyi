import unittest

class LeakFixProgram(unittest.TestProgram):
    max_connections: int | None
    shuffle: int | None

main = LeakFixProgram
