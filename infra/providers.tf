provider "google" {
  default_labels = merge({ app = module.plan.prefix }, var.labels)
  project        = var.project_id
  region         = var.region
}
