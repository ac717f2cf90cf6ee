# What an operator looks at, and what pages him: metrics from the stages' log
# lines, one dashboard, alert policies. infra/README.md is the runbook.

module "operations" {
  source = "./modules/operations"

  alerts                = var.alerts
  labels                = var.labels
  notification_channels = var.notification_channels
  parked_subscription   = module.plan.parking.name
  prefix                = module.plan.prefix
  project_id            = local._project_id
  region                = var.region
  runbook_url           = var.runbook_url

  stages = {
    for name, stage in module.plan.stages : name => {
      budget                   = stage.budget
      dead_letter_subscription = try(stage.dead_letter_subscription.name, null)
      function                 = stage.function
      subscriptions            = [for each in stage.subscriptions : each.name]
    }
  }
}
