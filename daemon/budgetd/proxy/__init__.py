"""HTTP in, HTTP out, untouched."""
