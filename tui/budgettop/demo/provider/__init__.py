"""A provider that is none: it answers in the real wire formats, at a real pace, with invented text."""
