"""What the tests stand on: private servers, our programs, comparisons. See README.md."""
