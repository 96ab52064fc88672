import unittest

class LeakFixProgram(unittest.TestProgram):
    max_connections: int | None

main = LeakFixProgram
