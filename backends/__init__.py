"""Backends: what runs graphs. Each stands alone; only the driver names one."""
