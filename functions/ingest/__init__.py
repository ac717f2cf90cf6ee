"""The Event Listener: signed webhooks and CloudEvents over HTTP become events on the bus."""
