"""The room for answers: plans before a sweep, tables and findings over it, its report and its exports."""
