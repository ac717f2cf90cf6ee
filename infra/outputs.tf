output "alert_policies" {
  description = "Alert policies by key."
  value       = module.operations.alert_policies
}

output "console_url" {
  description = "Where runs are looked at and acted on over HTTP: /api/runs. There are no pages."
  value       = try(module.stage["console"].url, null)
}

output "dashboard_url" {
  description = "The dashboard in the console."
  value       = module.operations.dashboard_url
}

output "entry_topic" {
  description = "Topic that events are published to."
  value       = local._topics["${module.plan.prefix}-events"]
}

output "ingest_url" {
  description = "Where events are sent over HTTP: POST /events and /hooks/<source>."
  value = (
    var.custom_domain == null
    ? try(module.stage["ingest"].url, null)
    : "https://${var.custom_domain}"
  )
}

output "logs_url" {
  description = "Everything the stages log, in the Logs Explorer."
  value = join("", [
    "https://console.cloud.google.com/logs/query;query=",
    replace(
      urlencode("resource.type=\"cloud_run_revision\" resource.labels.service_name=~\"^${module.plan.prefix}-\""),
      "+", "%20",
    ),
    "?project=${var.project_id}",
  ])
}

output "service_accounts" {
  description = "Stage -> e-mail address of its account; also those that build and push."
  value = merge(
    { for name, account in google_service_account.stage : name => account.email },
    { build = module.build.email, push = google_service_account.push.email },
  )
}
