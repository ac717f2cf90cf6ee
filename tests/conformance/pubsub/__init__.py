"""What production documents of Pub/Sub."""
