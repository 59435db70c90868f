"""The street of families: one file each, from rows to the official prediction file."""
