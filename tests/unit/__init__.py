"""One part of the package at a time, in this process. The folders are the package's own."""
