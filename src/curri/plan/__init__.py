"""Decisions, pure: two snapshots in, a plan out."""
