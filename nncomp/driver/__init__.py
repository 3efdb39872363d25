"""What the commands do. The only place that names backends."""
