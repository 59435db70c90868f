"""The room for rows: where they come from (official folders, the demo world) and which part is used."""
