"""Tests of the room that gathers, decides and acts."""
