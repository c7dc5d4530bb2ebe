"""Networks that infoplane trains itself: fully connected, many members at once."""
