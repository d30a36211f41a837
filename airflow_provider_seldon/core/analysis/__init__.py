"""The verdict on a canary: takes samples, returns pass, fail or inconclusive. Measures nothing itself."""
