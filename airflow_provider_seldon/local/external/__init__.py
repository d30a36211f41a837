"""What an API server lacks that was there before, and that nobody of this package has made."""
