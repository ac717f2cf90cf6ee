# For a state that a team shares: copied beside versions.tf. infra/README.md
# says how.

terraform {
  backend "gcs" {}
}
