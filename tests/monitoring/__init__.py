"""Tests of what tells monitoring how a run ended."""
