"""The verdict on a canary: measurements in, pass, fail or inconclusive out. Measures nothing and moves no traffic."""
