"""Bringing published price lists in: fetched, checked, compared, put in force, taken back."""
