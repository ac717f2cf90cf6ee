resource "google_monitoring_dashboard" "default" {
  project        = var.project_id
  dashboard_json = jsonencode(module.definitions.dashboard)

  depends_on = [google_logging_metric.default]
}
