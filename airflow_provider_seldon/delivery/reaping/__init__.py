"""Giving up what nobody needs any more: canaries without a leader, and deployments whose time is over."""
