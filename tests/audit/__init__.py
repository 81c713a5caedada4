"""What compares all three worlds, finds what was lost, and throws away what is left over."""
