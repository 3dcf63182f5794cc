"""The page: everything in one self-contained HTML file."""
