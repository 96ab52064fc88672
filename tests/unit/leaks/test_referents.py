"""No reference is taken to what the interpreter believes dead."""
from __future__ import annotations

import subprocess
import sys
import textwrap
import types
import unittest

from tests.support.paths import ROOT
from unittest_leakfix.leaks.retention.edges import referents


class ReferentsTests(unittest.TestCase):

    def test_of_a_module_its_names_only(self):
        import _asyncio
        module = types.ModuleType("shop")
        self.assertEqual([id(each) for each in referents(module)], [id(vars(module))])
        self.assertEqual([id(each) for each in referents(_asyncio)], [id(vars(_asyncio))])

    def test_of_anything_else_what_the_collector_sees(self):
        first, second = [], {}
        self.assertEqual(referents([first, second])[::-1], [first, second])

    def test_the_next_collection_ends(self):
        """3.12: the free list of _asyncio, held and let go, made every collection endless."""
        script = textwrap.dedent("""
            import asyncio, gc, sys, types
            from unittest_leakfix.leaks.retention import search as holders

            class Order: pass

            async def wait():
                loop = asyncio.get_running_loop()
                futures = [loop.create_future() for _ in range(20)]
                waiting = [future.__await__() for future in futures]
                for each in waiting:
                    next(each)
                del waiting, each
                for future in futures:
                    future.cancel()
            asyncio.run(wait())
            shop = sys.modules["shop"] = types.ModuleType("shop")
            shop.orders = {number: Order() for number in range(600)}
            for _ in range(3):
                # More than walk asks for one by one, so that the whole heap is looked through.
                chains = holders.chains(list(shop.orders.values()))
                gc.collect()
            print(chains[0].expression)
            """)
        done = subprocess.run([sys.executable, "-c", script], cwd=ROOT, stdout=subprocess.PIPE,
                              stderr=subprocess.PIPE, universal_newlines=True, timeout=120)
        self.assertEqual((done.stdout, done.stderr), ("shop.orders[0]\n", ""))


if __name__ == "__main__":
    unittest.main()
