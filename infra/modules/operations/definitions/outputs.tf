output "alerts" {
  description = "Alert policies by key."
  value       = local.alerts
}

output "dashboard" {
  description = "The dashboard, as the Monitoring API has it."
  value       = local.dashboard
}

output "metrics" {
  description = "Log-based metrics by key."
  value       = local.metrics
}
