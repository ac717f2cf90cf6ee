"""What production documents of Firestore."""
