"""Finding: every test that leaves something behind is named, with what, where and who holds it."""
