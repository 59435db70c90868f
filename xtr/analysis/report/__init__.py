"""A sweep as one page: a file each for its sections, its figures and tables, and the files that are written."""
