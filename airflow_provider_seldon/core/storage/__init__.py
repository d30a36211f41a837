"""Cloud credentials as rclone settings, and the layouts of model files. Copies nothing."""
