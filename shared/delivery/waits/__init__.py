"""Steps that wait, holding no compute: how they are opened, and everything that ends them."""
