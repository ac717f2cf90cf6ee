# Everything that can be said without the provider, so that it can be tested without one.
module "definitions" {
  source = "./definitions"

  alerts              = var.alerts
  parked_subscription = var.parked_subscription
  prefix              = var.prefix
  project_id          = var.project_id
  region              = var.region
  runbook_url         = var.runbook_url
  stages              = var.stages
}
