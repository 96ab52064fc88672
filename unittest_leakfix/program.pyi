import unittest

class LeakFixProgram(unittest.TestProgram): ...

main = LeakFixProgram
