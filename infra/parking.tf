# What even the burying stage could not take waits here for an operator, as
# long as Pub/Sub keeps anything.

resource "google_pubsub_subscription" "parking" {
  ack_deadline_seconds       = module.plan.parking.ack_deadline
  deletion_policy            = var.keep_backlogs ? "ABANDON" : "DELETE"
  message_retention_duration = "2678400s"
  name                       = module.plan.parking.name
  project                    = local._project_id
  topic                      = module.bury.dead_letter_topic

  expiration_policy {
    ttl = ""
  }

  retry_policy {
    maximum_backoff = "${module.plan.parking.max_backoff}s"
    minimum_backoff = "${module.plan.parking.min_backoff}s"
  }
}
