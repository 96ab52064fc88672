"""What the tests are written with, and what runs them. Every Python imports it."""
