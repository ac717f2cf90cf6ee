"""Dead letters: what is kept of a message nobody could process, and how its run goes on."""
