"""Pub/Sub and Firestore in one Python process, spoken to by Google's own clients."""
