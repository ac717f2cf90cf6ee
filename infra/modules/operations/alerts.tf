resource "google_monitoring_alert_policy" "default" {
  for_each = module.definitions.alerts

  project               = var.project_id
  display_name          = each.value.display_name
  severity              = each.value.severity
  combiner              = "OR"
  notification_channels = var.notification_channels
  user_labels           = merge(var.labels, { alert = each.key, deployment = var.prefix })

  conditions {
    display_name = each.value.display_name

    condition_prometheus_query_language {
      query               = each.value.query
      duration            = each.value.duration
      evaluation_interval = each.value.evaluation_interval
      # On the first apply no metric has a point yet, and would be refused as unknown.
      disable_metric_validation = true
    }
  }

  documentation {
    mime_type = "text/markdown"
    content   = each.value.documentation

    dynamic "links" {
      for_each = startswith(each.value.runbook_url, "https://") ? [each.value.runbook_url] : []

      content {
        display_name = "Runbook"
        url          = links.value
      }
    }
  }

  alert_strategy {
    # Where points stop arriving nothing says that it is over: the incident closes after an hour.
    auto_close = "3600s"
  }

  depends_on = [google_logging_metric.default]
}
