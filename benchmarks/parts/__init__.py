"""What the scripts in this folder's parent are made of, where one file would be too long."""
