"""What pods tell of the requests that they answer, and how they can be made to answer badly."""
