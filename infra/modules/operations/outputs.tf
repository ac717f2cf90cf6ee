output "alert_policies" {
  description = "Names of the alert policies by key."
  value       = { for key, policy in google_monitoring_alert_policy.default : key => policy.name }
}

output "dashboard_id" {
  description = "Full name of the dashboard."
  value       = google_monitoring_dashboard.default.id
}

output "dashboard_url" {
  description = "The dashboard in the console."
  value       = "https://console.cloud.google.com/monitoring/dashboards/builder/${basename(google_monitoring_dashboard.default.id)}?project=${var.project_id}"
}

output "metrics" {
  description = "Types of the log-based metrics by key, as Cloud Monitoring names them."
  value       = { for key, metric in google_logging_metric.default : key => "logging.googleapis.com/user/${metric.name}" }
}
