"""Tests of the room for what a user writes."""
