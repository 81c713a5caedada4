"""Videos: what a file is, whether encoding it pays, and an encode that can be trusted."""
