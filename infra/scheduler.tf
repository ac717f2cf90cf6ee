# No attempt_deadline: of a job that publishes the API returns none, and every
# plan would show a change.

resource "google_cloud_scheduler_job" "default" {
  for_each = module.plan.schedules

  description = each.value.description
  name        = each.key
  project     = local._project_id
  region      = var.region
  schedule    = each.value.cron
  time_zone   = each.value.time_zone

  pubsub_target {
    attributes = each.value.attributes
    data       = each.value.data
    topic_name = local._topics[each.value.topic]
  }

  retry_config {
    retry_count = 3
  }
}
