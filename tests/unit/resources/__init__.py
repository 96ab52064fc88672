"""What is closed after a test: each kind of resource on the real thing."""
