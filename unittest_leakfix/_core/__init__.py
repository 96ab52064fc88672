"""What the whole package stands on. Python 2.7, 3.6 and later; imports nothing from the rest."""
