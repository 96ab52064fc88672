import argparse
import unittest

class LeakFixProgram(unittest.TestProgram):
    max_connections: int | None

def add_options(group: argparse._ArgumentGroup) -> None: ...

main = LeakFixProgram
