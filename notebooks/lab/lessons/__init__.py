"""What the cells of lessons use, and how notebooks are built."""
