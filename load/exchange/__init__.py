"""What the exchange can be asked, and what an answer is."""
