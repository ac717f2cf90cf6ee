"""What queries mean and how they are answered: rules, order, access paths, required indexes."""
