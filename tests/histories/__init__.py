"""What months of use come to."""
