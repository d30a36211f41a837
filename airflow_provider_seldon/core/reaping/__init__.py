"""What is left behind: canaries without a leader, deployments whose time is over or whose task is gone. Judged here."""
