"""Other test frameworks, and the reporters of other projects."""
