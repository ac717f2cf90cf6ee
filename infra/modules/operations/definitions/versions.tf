# No provider: everything here can be evaluated offline.
terraform {
  required_version = ">= 1.11"
}
