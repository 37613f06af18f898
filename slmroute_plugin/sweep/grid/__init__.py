"""The grid file, and the cells that it asks for."""
