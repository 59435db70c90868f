"""What a sweep leaves behind as rows: trials, scores, items, spending, and who refers to which stage."""
